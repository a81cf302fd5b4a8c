package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// listFlags are the flags of commands that list.
type listFlags struct {
	relayFlags
	Limit int `help:"How many to print at most; 0: all." default:"50"`
}

// partSize is how many items a request of a list asks for at most.
const partSize = 250

// listing is a list that a command prints. T is what its table shows of an item.
type listing[T any] struct {
	path    string
	query   url.Values
	columns []column
	row     func(T) []cell
	none    string // what to say if there are none
	// progress shows how far a search has come; nil: it is not shown.
	progress *scan
}

// list prints a list: a table for each part, or a document for each item.
func list[T any](
	ctx context.Context, inv *invocation, api *connection, limit int, l listing[T],
) error {
	if limit < 0 {
		return usage("--limit must be 0 or more")
	}
	query := url.Values{}
	for name, values := range l.query {
		query[name] = values
	}
	query.Set("limit", strconv.Itoa(partSize))
	if limit > 0 {
		query.Set("limit", strconv.Itoa(min(limit, partSize)))
	}
	defer l.progress.clear()
	printed := 0
	for part, err := range client.Pages[json.RawMessage, admin.Covered](
		ctx, api.Client, l.path, query,
	) {
		if err != nil {
			return err
		}
		items, more := part.Items, part.Next != ""
		if limit > 0 && printed+len(items) >= limit {
			more = more || printed+len(items) > limit
			items = items[:limit-printed]
		}
		printed += len(items)
		l.progress.clear()
		if err := l.print(inv, items); err != nil {
			return err
		}
		if limit > 0 && printed == limit {
			if more && !inv.json {
				inv.note(
					"there may be more; --limit %d shows twice as many, --limit 0 all", 2*limit,
				)
			}
			break
		}
		l.progress.report(printed, part.Page)
	}
	l.progress.clear()
	if printed == 0 && !inv.json && l.none != "" {
		inv.note("%s", l.none)
	}
	return nil
}

func (l listing[T]) print(inv *invocation, items []json.RawMessage) error {
	rows := make([][]cell, 0, len(items))
	for _, raw := range items {
		if inv.json {
			if err := inv.document(raw); err != nil {
				return err
			}
			continue
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return errors.Join(client.ErrAnswer, err)
		}
		rows = append(rows, l.row(item))
	}
	return inv.table(l.columns, rows)
}

// show gets one thing, and prints it: by tell for people, or as a document.
func show[T any](
	ctx context.Context, inv *invocation, api *connection, path string, query url.Values,
	tell func(T) error,
) error {
	answer, err := api.Do(ctx, client.Request{
		Method: http.MethodGet, Path: path, Query: query,
	})
	if err != nil {
		return err
	}
	return printAnswer(inv, answer.Body, tell)
}

// printAnswer prints an answer of the API.
func printAnswer[T any](inv *invocation, answer []byte, tell func(T) error) error {
	if inv.json {
		return inv.document(json.RawMessage(answer))
	}
	var item T
	if err := json.Unmarshal(answer, &item); err != nil {
		return errors.Join(client.ErrAnswer, err)
	}
	return tell(item)
}

// call sends a POST and returns its answer.
func call[T any](
	ctx context.Context, api *connection, path string, body any,
) (T, error) {
	if body == nil {
		body = struct{}{}
	}
	out, _, err := client.Call[T](ctx, api.Client, client.Request{
		Method: http.MethodPost, Path: path, Body: body,
	})
	return out, err
}

// when returns a time as tables and sentences have it.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// whenever is when of a time that may be missing.
func whenever(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return thousands(n) + " " + what + "s"
}

// thousands returns a number with commas: 12,345.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
