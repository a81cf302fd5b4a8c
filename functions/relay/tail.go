package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

type tailCommand struct {
	eventFlags
	Every time.Duration `help:"How often to look." default:"1s" hidden:""`
	relayFlags
}

// tailOverlap is how far each look goes back. An event is recorded some time after it was accepted:
// after its backlog, for example.
const tailOverlap = 2 * time.Minute

// Run prints events as they come, until it is stopped.
func (c *tailCommand) Run(ctx context.Context, inv *invocation) error {
	if !c.Until.IsZero() {
		return usage("--until is for what has happened; relay events takes it")
	}
	return c.calls(ctx, inv, func(api *connection) error {
		t := &tail{inv: inv, api: api, list: c.eventList(), seen: map[string]time.Time{}}
		first := tailOverlap
		if !c.Since.IsZero() {
			first = time.Since(c.Since.Time)
		}
		err := t.look(ctx, first, !c.Since.IsZero())
		if err == nil && inv.Asks {
			inv.note("waiting for events; Ctrl-C ends it")
		}
		looked := time.Now()
		for err == nil {
			if err = pause(ctx, c.Every); err != nil {
				break
			}
			began := time.Now()
			// after a sleep of the machine it goes back to where it was
			if err = t.look(ctx, tailOverlap+began.Sub(looked), true); err == nil {
				looked = began
				continue
			}
			if code, _ := exitOf(err); code == exitUnreachable && ctx.Err() == nil {
				inv.note("%v; trying again", err)
				err = pause(ctx, tailRetry)
			}
		}
		return err
	})
}

// tailRetry is the pause after a look that got no answer.
const tailRetry = 2 * time.Second

// tail is what has been printed.
type tail struct {
	inv  *invocation
	api  *connection
	list listing[eventItem]
	seen map[string]time.Time // by event: when it was seen
}

// look prints the events that are new among those of the last time, oldest first.
func (t *tail) look(ctx context.Context, back time.Duration, printing bool) error {
	t.list.query.Set("from", fmt.Sprintf("-%ds", int(back.Seconds())+1)) // by the relay's clock
	var found []json.RawMessage
	for part, err := range client.Pages[json.RawMessage, admin.Covered](
		ctx, t.api.Client, t.list.path, t.list.query,
	) {
		if err != nil {
			return err
		}
		for _, raw := range part.Items {
			var e eventItem
			if err := json.Unmarshal(raw, &e); err != nil {
				return err
			}
			if _, again := t.seen[e.ID]; !again && printing {
				found = append(found, raw)
			}
			t.seen[e.ID] = time.Now()
		}
	}
	maps.DeleteFunc(t.seen, func(_ string, at time.Time) bool {
		return time.Since(at) > 2*tailOverlap
	})
	slices.Reverse(found)
	return t.print(found)
}

func (t *tail) print(found []json.RawMessage) error {
	for _, raw := range found {
		if t.inv.json {
			if err := t.inv.document(raw); err != nil {
				return err
			}
			continue
		}
		var e eventItem
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		t.inv.line(
			"%s  %s  %s  %s  %s", when(e.AcceptedAt), e.ID, e.Source, typeOf(e.Type), e.went().text,
		)
	}
	return nil
}
