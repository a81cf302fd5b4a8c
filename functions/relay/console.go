package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// console prints what happens, one line per event, for a person to read. One goroutine writes the
// lines, which reach it through a channel, so a slow terminal delays no webhook. If the terminal is
// too slow, lines are dropped and counted.
type console struct {
	lines  chan string
	done   sync.WaitGroup
	closed chan struct{} // closed once writing fails: nobody reads the lines any more

	mu      sync.Mutex
	dropped int
}

var _ relay.Reporter = (*console)(nil)

func newConsole(out io.Writer) *console {
	c := &console{lines: make(chan string, 1024), closed: make(chan struct{})}
	c.done.Go(func() { c.write(bufio.NewWriter(out)) })
	return c
}

// write writes the lines. It flushes whenever no more lines are queued. After a failed flush it
// only drains the channel.
func (c *console) write(out *bufio.Writer) {
	defer func() { _ = out.Flush() }()
	failed := false
	for line := range c.lines {
		if n := c.takeDropped(); n > 0 {
			_, _ = fmt.Fprintf(out, "… %d lines left out; --quiet prints none\n", n)
		}
		_, _ = out.WriteString(line)
		if len(c.lines) == 0 && out.Flush() != nil && !failed {
			failed = true
			close(c.closed)
		}
	}
}

// flush writes the queued lines and waits for the writer to end. No line may be printed after it.
func (c *console) flush() {
	close(c.lines)
	c.done.Wait()
}

func (c *console) takeDropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.dropped
	c.dropped = 0
	return n
}

// printf prints one line that begins with the time. Line breaks and control characters in its
// arguments are escaped.
func (c *console) printf(format string, args ...any) {
	line := time.Now().Format("15:04:05.000 ") + printable(fmt.Sprintf(format, args...)) + "\n"
	select {
	case c.lines <- line:
	default:
		c.mu.Lock()
		c.dropped++
		c.mu.Unlock()
	}
}

// Received prints a request at the ingress.
func (c *console) Received(_ context.Context, r relay.ReceiveReport) {
	if errors.Is(r.Err, relay.ErrUnavailable) || errors.Is(r.Err, relay.ErrUncertain) {
		c.printf("unavailable %s: %v", name(r.Source), r.Err)
		return
	}
	if r.Err != nil {
		c.printf("refused   %s: %v", name(r.Source), r.Err)
		return
	}
	if r.Learned {
		c.printf("learned   the secret of %s from its handshake", r.Source)
		if r.Untold != nil {
			c.printf("failed    to announce the learned secret: %v", r.Untold)
		}
		return
	}
	if r.Handshake {
		c.printf("answered  a handshake of %s", r.Source)
		return
	}
	c.printf(
		"accepted  %s %s from %s, %d bytes, in %d ms", r.EventID, typeOf(r.Type), r.Source,
		r.BodyBytes, r.Duration.Milliseconds(),
	)
}

// Routed prints the result of routing an event.
func (c *console) Routed(_ context.Context, r relay.RouteReport) {
	switch {
	case r.Err != nil:
		c.printf("failed    %s: %v", r.EventID, r.Err)
	case r.Result == relay.Routed:
		c.printf("routed    %s to %s", r.EventID, plural(r.Endpoints, "endpoint"))
	default:
		c.printf("%-9s %s %s from %s", r.Result, r.EventID, typeOf(r.Type), r.Source)
	}
	if len(r.Undecided) > 0 {
		c.printf(
			"undecided %s to %s: see docs/configuration.md#filters", r.EventID,
			strings.Join(r.Undecided, ", "),
		)
	}
}

// Attempted prints an attempt.
func (c *console) Attempted(_ context.Context, r relay.AttemptReport) {
	if r.Err != nil {
		c.printf("failed    %s to %s: %v", r.EventID, r.Endpoint, r.Err)
	}
	if r.Change != nil {
		c.printf(
			"%-9s %s%s", strings.TrimPrefix(r.Change.Type, "endpoint."), r.Endpoint,
			because(r.Change.Reason),
		)
	}
	if r.Held > 0 {
		c.printf(
			"held      %s to %s for %v by %s", r.EventID, r.Endpoint,
			r.Held.Round(100*time.Millisecond), admin.DeliveryView{Held: string(r.HeldBy)}.HeldBy(),
		)
	}
	if r.Err != nil || r.Status == "" {
		return
	}
	line := fmt.Sprintf("%s to %s, attempt %d: %s in %d ms", r.EventID, r.Endpoint,
		r.Attempt.Number, answerOf(r.Attempt),
		r.Attempt.Duration.Milliseconds())
	if r.Status == relay.Waiting {
		line += fmt.Sprintf(", again in %v", r.Wait.Round(100*time.Millisecond))
	}
	c.printf("%-9s %s%s", r.Status, line, because(string(r.Reason)))
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func deliveriesOf(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return thousands(n) + " deliveries"
}

// swept prints a sweep that put a delivery back or failed. Other sweeps print nothing.
func (c *console) swept(r operate.SweepReport, err error) {
	if r.PutBack > 0 {
		c.printf("swept     %s that had been lost, sent again", deliveriesOf(r.PutBack))
	}
	if err != nil {
		c.printf("failed    the sweep: %v", err)
	}
}

// answerOf returns an attempt's status code, or its outcome and error if it got no answer.
func answerOf(a relay.Attempt) string {
	if a.StatusCode != 0 {
		return strconv.Itoa(a.StatusCode)
	}
	return fmt.Sprintf("%s (%s)", a.Outcome, a.Error)
}

func typeOf(eventType string) string {
	if eventType == "" {
		return "(no type)"
	}
	return name(eventType)
}

// silent is the Reporter of --quiet.
type silent struct{}

func (silent) Received(context.Context, relay.ReceiveReport)  {}
func (silent) Routed(context.Context, relay.RouteReport)      {}
func (silent) Attempted(context.Context, relay.AttemptReport) {}
