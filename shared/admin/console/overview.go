package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// list is the part of a list that a page shows.
type list[T any] = admin.Page[T, admin.Covered]

// pageSize is how many rows a list has on a page.
const pageSize = 50

// get reads what is at a path of the API.
func get[T any](v *visit, path string, query url.Values) (T, error) {
	return client.Get[T](v.r.Context(), v.api, path, query)
}

// listOf reads the part of a list that the URL of the page names.
func listOf[T any](v *visit, path string, query url.Values) (list[T], error) {
	q := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for name, values := range query {
		q[name] = values
	}
	if next := v.query("next"); next != "" {
		q.Set("next", next)
	}
	return get[list[T]](v, path, q)
}

// items is a list that has no parts.
type items[T any] struct {
	Items []T  `json:"items"`
	More  bool `json:"more"`
}

// missing reports whether the relay does not serve a part of the API.
func missing(err error) bool {
	return err != nil && problemOf(err).Status == http.StatusNotFound
}

// overviewData is what the overview shows.
type overviewData struct {
	troubled items[admin.Troubled]
	hours    []admin.Stats
	total    admin.Stats // of the hours that are counted
	// uncounted is how many were accepted in the hours that are not counted yet.
	uncounted int
	counted   bool // there are statistics
	changes   []admin.Change
	fresh     bool // nothing is configured
	queues    queuesData
}

// queuesData is what the overview shows of the queues.
type queuesData struct {
	shown       bool          // the session may know
	unreadable  string        // why they could not be counted; "": they were
	deadLetters []admin.Queue // dead-letter queues that have messages
	waiting     int           // messages in the other queues
	unprocessed int           // messages that the relay could not process
}

// overviewSpan is how many hours the overview is about.
const overviewSpan = 24

func (v *visit) overview() error {
	var d overviewData
	g, ctx := errgroup.WithContext(v.r.Context())
	g.Go(func() (err error) {
		d.troubled, err = client.Get[items[admin.Troubled]](ctx, v.api, "/v1/troubled", nil)
		return err
	})
	g.Go(func() error {
		found, err := client.Get[items[admin.Stats]](ctx, v.api, "/v1/stats", url.Values{
			"from": {fmt.Sprintf("-%dh", overviewSpan-1)},
		})
		if missing(err) {
			return nil
		}
		d.hours, d.counted = found.Items, true
		return err
	})
	g.Go(func() (err error) {
		d.changes, err = v.lastChanges(ctx)
		return err
	})
	g.Go(func() error {
		found, err := client.Get[admin.Page[admin.SourceView, admin.Scanned]](
			ctx, v.api, "/v1/sources", url.Values{"limit": {"1"}},
		)
		d.fresh = len(found.Items) == 0
		return err
	})
	g.Go(func() error {
		d.queues = v.queues(ctx)
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	d.total, d.uncounted = sumOf(d.hours)
	d.hours = everyHour(d.hours, v.now())
	return v.ok(page{title: "Overview", nav: "/", live: true}, overviewPage(v, d))
}

// queues counts the messages in the queues, for the operator's own overview. An error is shown
// there: the rest of the page matters more.
func (v *visit) queues(ctx context.Context) (d queuesData) {
	if !v.may("queues.list") || v.tenant != "" {
		return d
	}
	found, err := client.Get[items[admin.Queue]](ctx, v.api, "/v1/queues", nil)
	if missing(err) {
		return d
	}
	d.shown = true
	if err != nil {
		d.unreadable = problemOf(err).Detail
	}
	for _, q := range found.Items {
		switch {
		case q.Holds == admin.HoldsWork:
			d.waiting += q.Messages
		case q.Messages > 0:
			d.deadLetters = append(d.deadLetters, q)
		}
		if q.Holds == admin.HoldsUnprocessed {
			d.unprocessed += q.Messages
		}
	}
	return d
}

// lastChanges returns the newest entries of the audit log, if the session may see them.
func (v *visit) lastChanges(ctx context.Context) ([]admin.Change, error) {
	if !v.may("audit.list") {
		return nil, nil
	}
	found, err := client.Get[list[admin.Change]](
		ctx, v.api, "/v1/audit", url.Values{"limit": {"6"}},
	)
	return found.Items, err
}

// sumOf adds the counts of the hours that are counted. Of the others only Accepted is known: it
// returns how many were accepted in them.
func sumOf(hours []admin.Stats) (all admin.Stats, uncounted int) {
	for _, h := range hours {
		if h.Partial {
			uncounted += h.Accepted
			continue
		}
		all.Accepted += h.Accepted
		all.Unrouted += h.Unrouted
		all.Routed += h.Routed
		all.Deliveries += h.Deliveries
		all.Delivered += h.Delivered
		all.Dead += h.Dead
		all.Waiting += h.Waiting
		all.Missing += h.Missing
	}
	return all, uncounted
}

// everyHour returns the counts of the last hours, the oldest first. An hour without an event has
// zeros.
func everyHour(hours []admin.Stats, now time.Time) []admin.Stats {
	known := map[time.Time]admin.Stats{}
	for _, h := range hours {
		known[h.At.UTC()] = h
	}
	all := make([]admin.Stats, overviewSpan)
	for i := range all {
		at := now.UTC().Truncate(time.Hour).Add(time.Duration(i+1-overviewSpan) * time.Hour)
		if all[i] = known[at]; all[i].At.IsZero() {
			all[i].At = at
		}
	}
	return all
}

// sentence says in one sentence how the relay is, and with which colour.
func (d overviewData) sentence(now time.Time) (text, colour string) {
	open := d.worst()
	switch {
	case open != nil:
		text = open.Endpoint + " is " + open.State.State
		if since := sinceOf(open.State); since != nil {
			text += " for " + spanText(now.Sub(*since))
		}
		if n := len(d.troubled.Items) - 1; n > 0 {
			text += ", and " + number(n, "other endpoint") + " " + isAre(n) + " not healthy"
		}
		return text + ".", colourOf(open.State.State)
	case d.queues.unprocessed > 0:
		return number(d.queues.unprocessed, "message") +
			" could not be processed: see the queues below.", "bad"
	case d.total.Missing != 0:
		return "The counts do not add up: see below.", "bad"
	case d.total.Dead > 0:
		return number(d.total.Dead, "delivery") + " of the last 24 hours " +
			isAre(d.total.Dead) + " dead.", "bad"
	case d.total.Waiting > 0:
		return number(d.total.Waiting, "delivery") + " of the last 24 hours " +
			waits(d.total.Waiting) + "; all endpoints are healthy.", "wait"
	case d.total.Delivered > 0:
		return "Everything of the last 24 hours is delivered, and all endpoints are healthy.",
			"good"
	}
	return "All endpoints are healthy.", "good"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// waitingText says how many messages wait.
func waitingText(n int) string {
	if n == 0 {
		return "No message waits"
	}
	return number(n, "message") + " " + waits(n)
}

func waits(n int) string {
	if n == 1 {
		return "waits"
	}
	return "wait"
}

// worst returns the endpoint in the worst trouble: one that gets nothing before one that waits.
func (d overviewData) worst() *admin.Troubled {
	var found *admin.Troubled
	for i, t := range d.troubled.Items {
		if found == nil || severity(t.State.State) > severity(found.State.State) {
			found = &d.troubled.Items[i]
		}
	}
	return found
}

func severity(state string) int {
	return map[string]int{"disabled": 4, "open": 3, "unproven": 2, "paused": 1}[state]
}

// sinceOf returns since when an endpoint is in its state, if that is known.
func sinceOf(s admin.StateView) *time.Time {
	switch {
	case s.DisabledAt != nil:
		return s.DisabledAt
	case s.PausedAt != nil:
		return s.PausedAt
	}
	return s.FailingSince
}

// The size of the chart, in its own units.
const (
	chartWidth  = 720
	chartHeight = 120
	chartTop    = 4
	barGap      = 4
)

// bar is a part of a column of the chart.
type bar struct {
	colour, title       string
	x, y, width, height string
}

// bars returns the columns of the chart: the deliveries of each hour by what became of them, beside
// the accepted events.
func bars(hours []admin.Stats) (all []bar, top int) {
	for _, h := range hours {
		top = max(top, h.Accepted, h.Deliveries)
	}
	if top == 0 {
		return nil, 0
	}
	step := float64(chartWidth) / float64(max(len(hours), 1))
	unit := float64(chartHeight-chartTop) / float64(top)
	for i, h := range hours {
		left := float64(i)*step + barGap/2
		width := step - barGap
		at := h.At.UTC().Format("15:04")
		title := fmt.Sprintf(
			"%s: %s accepted, %s delivered, %s waiting, %s dead", at, count(h.Accepted),
			count(h.Delivered), count(h.Waiting), count(h.Dead),
		)
		if h.Partial {
			title += " (so far)"
		}
		draw := func(colour string, n int, x, y, width float64) float64 {
			height := float64(n) * unit
			if n > 0 {
				height = max(height, 1)
				all = append(all, bar{
					colour: colour, title: title, x: coordinate(x), y: coordinate(y - height),
					width: coordinate(width), height: coordinate(height),
				})
			}
			return y - height
		}
		draw("plain", h.Accepted, left, chartHeight, width*0.35)
		y := draw("good", h.Delivered, left+width*0.38, chartHeight, width*0.62)
		y = draw("wait", h.Waiting, left+width*0.38, y, width*0.62)
		draw("bad", h.Dead, left+width*0.38, y, width*0.62)
	}
	return all, top
}

func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }
