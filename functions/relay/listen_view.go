package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// listenView shows what is heard.
type listenView interface {
	// run runs the work while the view is shown, and returns its error, or errListened if the
	// person ends the view.
	run(ctx context.Context, work func(context.Context) error) error
	// show shows an event after an attempt.
	show(h heard)
	// note shows what is no event.
	note(format string, args ...any)
}

// newView returns a list on a terminal, and lines otherwise.
func (l *listening) newView() listenView {
	if l.inv.Asks && l.inv.Width > 0 && !l.flags.Plain && !l.inv.json {
		return newScreen(l)
	}
	return plainView{l}
}

// plainView prints a line for each attempt.
type plainView struct{ *listening }

func (v plainView) run(ctx context.Context, work func(context.Context) error) error {
	return work(ctx)
}

func (v plainView) note(format string, args ...any) { v.inv.note(format, args...) }

func (v plainView) show(h heard) {
	if v.inv.json {
		_ = v.inv.document(documentOf(h, v.forward != nil)) // nobody reads it any longer
		return
	}
	v.inv.line("%s  %-12s  %-24s  %s  %s%s", h.At.Format(time.TimeOnly), h.Source, typeOf(h.Type),
		h.ID, h.outcome(v.forward != nil), h.next(v.flags.Pause))
}

// outcome says how an attempt ended.
func (h heard) outcome(forwarded bool) string {
	switch {
	case h.Err != nil:
		return "ERR  " + h.Err.Error()
	case !forwarded:
		return fmt.Sprintf("%d bytes", len(h.Content))
	}
	return fmt.Sprintf("%d  %d ms", h.Status, h.Took.Milliseconds())
}

// next says what happens with an event that was not taken.
func (h heard) next(after time.Duration) string {
	switch {
	case !h.Failed:
		return ""
	case h.Status == 0:
		return "; kept, again in " + after.String()
	}
	return "   again in " + after.String()
}

// heardDocument is an event with --json.
type heardDocument struct {
	At         time.Time         `json:"at"`
	Event      string            `json:"event"`
	Source     string            `json:"source"`
	Tenant     string            `json:"tenant,omitempty"`
	Type       string            `json:"type,omitempty"`
	Trust      string            `json:"trust,omitempty"`
	AcceptedAt time.Time         `json:"acceptedAt"`
	Attempt    int               `json:"attempt"`
	Done       bool              `json:"done"`
	Status     int               `json:"status,omitempty"`
	DurationMs int64             `json:"durationMs,omitempty"`
	Error      string            `json:"error,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	Data       json.RawMessage   `json:"data,omitempty"` // the body, if it is JSON
	Body       []byte            `json:"body,omitempty"` // otherwise: in base64
}

// documentOf returns an event as a document. One that is not forwarded has its headers and body.
func documentOf(h heard, forwarded bool) heardDocument {
	d := heardDocument{
		At: h.At.UTC(), Event: h.ID, Source: h.Source, Tenant: h.Tenant, Type: h.Type,
		Trust: string(h.Trust), AcceptedAt: h.ReceivedAt, Attempt: h.Attempts, Done: h.Done,
		Status: h.Status, DurationMs: h.Took.Milliseconds(),
	}
	if h.Err != nil {
		d.Error = h.Err.Error()
	}
	if !forwarded {
		d.Headers = h.Header
		if json.Valid(h.Content) && utf8.Valid(h.Content) {
			d.Data = h.Content
		} else {
			d.Body = h.Content
		}
	}
	return d
}
