package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// eventFilter are the parameters of the list of events that are passed on to the API.
var eventFilter = []string{"source", "type", "trust", "status", "from", "to", "where"}

// deliveryFilter are those of the list of deliveries.
var deliveryFilter = []string{
	"endpoint", "status", "reason", "type", "source", "from", "to", "where",
}

// filterOf returns the parameters of the page that a list of the API takes.
func (v *visit) filterOf(names []string) url.Values {
	q := url.Values{}
	for _, name := range names {
		if value := strings.TrimSpace(v.query(name)); value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// search is a part of a list that the relay searches for, and how far the search has come.
type search[T any] struct {
	list[T]

	scanned, found int // since the search began
	missing        bool
}

// searchRounds is how many parts one page asks for. Each is bounded by the API.
const searchRounds = 4

// searchFor reads parts of a list until one has items, and counts what was searched.
func searchFor[T any](v *visit, path string, query url.Values) (search[T], error) {
	var s search[T]
	s.scanned, _ = strconv.Atoi(v.query("scanned"))
	s.found, _ = strconv.Atoi(v.query("found"))
	q := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for name, values := range query {
		q[name] = values
	}
	if next := v.query("next"); next != "" {
		q.Set("next", next)
	}
	for range searchRounds {
		part, err := get[list[T]](v, path, q)
		if err != nil {
			if missing(err) && v.query("next") == "" {
				s.missing = true
				return s, nil
			}
			return s, err
		}
		s.Items = append(s.Items, part.Items...)
		s.Next, s.Page = part.Next, part.Page
		s.scanned += part.Page.Scanned
		s.found += len(part.Items)
		if part.Next == "" || len(s.Items) > 0 {
			break
		}
		q.Set("next", part.Next)
	}
	return s, nil
}

// onward is the link by which the search goes on.
func (s search[T]) onward(v *visit) templ.SafeURL {
	return v.with(
		"next", s.Next, "back", v.query("next"), "scanned", strconv.Itoa(s.scanned), "found",
		strconv.Itoa(s.found),
	)
}

func (v *visit) events() error {
	if id := strings.TrimSpace(v.query("id")); id != "" {
		return v.findEvent(id)
	}
	found, err := searchFor[admin.EventItem](v, "/v1/events", v.filterOf(eventFilter))
	if err != nil {
		if err = v.badFilter(err); err != nil {
			return err
		}
	}
	sources, err := v.sourceNames()
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Events", nav: "/events", live: v.query("next") == ""},
		eventsPage(v, found, sources),
	)
}

// badFilter notes what is wrong with a filter, for the page. Other errors are returned.
func (v *visit) badFilter(err error) error {
	var p *admin.Problem
	if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity {
		v.problem = p
		return nil
	}
	return err
}

// findEvent shows the event with an id: the relay's, or with a source the provider's.
func (v *visit) findEvent(id string) error {
	if strings.HasPrefix(id, "evt_") {
		v.redirect(v.at("events", id))
		return nil
	}
	sources := words(v.query("source"))
	if len(sources) == 0 {
		var err error
		if sources, err = v.sourceNames(); err != nil {
			return err
		}
	}
	for _, source := range sources[:min(len(sources), maxLookups)] {
		found, err := get[admin.EventStory](v, "/v1/events/lookup", url.Values{
			"source": {source}, "delivery": {id},
		})
		if err == nil {
			v.redirect(v.at("events", found.ID))
			return nil
		}
		if !missing(err) {
			return err
		}
	}
	return &admin.Problem{
		Title: "There is no such event", Status: http.StatusNotFound,
		Detail: "No event has this id. Of a provider’s own id also name the source.",
	}
}

// sourceNames are the names of the sources whose events the page may show.
func (v *visit) sourceNames() ([]string, error) {
	if v.tenantName() == "" {
		return v.namesOf(sourceKind)
	}
	offers, err := v.offered()
	names := make([]string, len(offers))
	for i, o := range offers {
		names[i] = o.Name
	}
	return names, err
}

// maxLookups is in how many sources a provider's id is looked up.
const maxLookups = 25

// eventData is what the page of an event shows.
type eventData struct {
	admin.EventStory

	body     payload
	bodyGone bool
}

// maxBody is the largest body that is read to show its beginning.
const maxBody = 6 << 20

func (v *visit) event() error {
	id := v.r.PathValue("id")
	story, err := get[admin.EventStory](v, client.Path("v1", "events", id), nil)
	if err != nil {
		return err
	}
	d := eventData{EventStory: story}
	if story.BodyBytes <= maxBody {
		answer, err := v.api.Do(v.r.Context(), client.Request{
			Method: http.MethodGet, Path: client.Path("v1", "events", id, "body"),
		})
		switch p := new(admin.Problem); {
		case errors.As(err, &p) && p.Status == http.StatusGone:
			d.bodyGone = true
		case err != nil:
			return err
		}
		d.body = payloadOf(answer.Body)
	}
	return v.ok(page{title: id, nav: "/events", live: true}, eventPage(v, d))
}

// eventBody passes the body of an event on, as a file.
func (v *visit) eventBody() error {
	return v.download(client.Path("v1", "events", v.r.PathValue("id"), "body"))
}

// download passes a file of the API on.
func (v *visit) download(path string) error {
	answer, err := v.api.Do(v.r.Context(), client.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", answer.Header.Get("Content-Disposition"))
	_, _ = v.w.Write(answer.Body) // the client may have gone
	return nil
}

// requestData is what the attempts of a delivery send, as a page shows it.
type requestData struct {
	admin.DeliveryRequest

	event, endpoint string
	changes         string // how the body differs from what came, line by line; "": it does not
}

// request shows what the attempts of a delivery send.
func (v *visit) request() (err error) {
	d := requestData{event: v.r.PathValue("id"), endpoint: v.name()}
	if d.DeliveryRequest, err = get[admin.DeliveryRequest](
		v, client.Path("v1", "deliveries", d.event, d.endpoint, "request"), nil,
	); err != nil {
		return err
	}
	if len(d.Body) > 0 {
		if d.changes, err = v.changesIn(d.event, string(d.Body)); err != nil {
			return err
		}
	}
	return v.ok(page{title: "What is sent to " + d.endpoint, nav: "/events"}, requestPage(v, d))
}

// askAgain asks before a delivery is sent again.
func (v *visit) askAgain() error {
	id := v.r.PathValue("id")
	story, err := get[admin.EventStory](v, client.Path("v1", "events", id), nil)
	if err != nil {
		return err
	}
	var chosen []admin.DeliveryView
	for _, d := range story.Deliveries {
		if e := v.query("endpoint"); d.Status != "waiting" && (e == "" || e == d.Endpoint) {
			chosen = append(chosen, d)
		}
	}
	return v.ok(page{title: "Send again", nav: "/events"}, againPage(v, story, chosen))
}

// again sends deliveries of an event again, those that were asked about.
func (v *visit) again() error {
	id := v.r.PathValue("id")
	once := v.field("once", "")
	for _, endpoint := range v.r.PostForm["endpoint"] {
		header := http.Header{"Idempotency-Key": {once + " " + endpoint}}
		if _, err := v.api.Do(v.r.Context(), client.Request{
			Method: http.MethodPost, Header: header,
			Path: client.Path("v1", "deliveries", id, endpoint, "replay"),
		}); err != nil {
			return v.refused(err, (*visit).askAgain)
		}
	}
	return v.done(v.at("events", id), "again")
}

// deliveryList is a list of deliveries.
type deliveryList = search[admin.DeliveryView]

func (v *visit) deliveriesOf(query url.Values) (deliveryList, error) {
	return searchFor[admin.DeliveryView](v, "/v1/deliveries", query)
}

// last returns the latest attempt of a delivery; nil: there was none.
func last(d admin.DeliveryView) *admin.Attempt {
	if len(d.Attempts) == 0 {
		return nil
	}
	return &d.Attempts[len(d.Attempts)-1]
}

// answerText says how an attempt went: the status, or what went wrong.
func answerText(a admin.Attempt) string {
	if a.StatusCode != 0 {
		text := strconv.Itoa(a.StatusCode)
		if name := http.StatusText(a.StatusCode); name != "" {
			text += " " + name
		}
		return text
	}
	if a.Error != "" {
		return a.Error
	}
	return a.Outcome
}

// deliveryState is the word for the state of a delivery.
func deliveryState(d admin.DeliveryView) string {
	if d.Held != "" {
		return "held"
	}
	return d.Status
}

// causes say why a subscription does not take an event.
func causeText(m *admin.Mismatch) string {
	switch m.Cause {
	case "unreadable":
		return "the body cannot be read as data"
	case "costly":
		return "the filter needs more steps than an event has"
	}
	found := "nothing is there"
	if len(m.Found) > 0 {
		found = "it is " + strings.Join(m.Found, ", ")
	}
	text := m.Field + " must be " + m.Wanted + "; " + found
	if m.At == "types" || m.At == "source" {
		word := strings.TrimSuffix(m.At, "s")
		if text = "it has no " + word; len(m.Found) > 0 && m.Found[0] != `""` {
			text = "its " + word + " is " + strings.Join(m.Found, ", ")
		}
		text += "; wanted is " + m.Wanted
	}
	return text
}

// curl returns a command that sends the event's body to an address, with the headers on record.
func curl(to string, e admin.EventStory, body payload) string {
	var b strings.Builder
	b.WriteString("curl -X POST " + quoted(to))
	for _, name := range keysOf(e.Headers) {
		b.WriteString(" \\\n  -H " + quoted(name+": "+e.Headers[name]))
	}
	if body.binary || body.cut {
		b.WriteString(" \\\n  --data-binary " + quoted("@"+e.ID))
		return b.String()
	}
	b.WriteString(" \\\n  --data-raw " + quoted(body.raw))
	return b.String()
}

// quoted returns a text as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// elapsed is how long something took, in milliseconds.
func elapsed(ms int64) string { return spanText(time.Duration(ms) * time.Millisecond) }

// schemaText says what is wrong with an event, by the schema of its type.
func schemaText(s admin.SchemaView) string {
	return strings.TrimSpace(s.At + " " + s.Problem)
}
