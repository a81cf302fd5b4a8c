package console

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

func (v *visit) subscriptions() error {
	found, err := listOf[admin.SubscriptionView](v, "/v1/subscriptions", nil)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Subscriptions", nav: "/subscriptions", live: true},
		subscriptionsPage(v, found),
	)
}

func (v *visit) subscription() error {
	found, err := v.resource(subscriptionKind, v.name())
	if err != nil {
		return err
	}
	spec, err := v.subscriptionIn(found)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: v.name(), nav: "/subscriptions", live: true},
		subscriptionPage(v, found, spec),
	)
}

// subscriptionSpec is a subscription as the form has it. Its transform is stored with the endpoint.
type subscriptionSpec struct {
	Source   string          `json:"source"`
	Endpoint string          `json:"endpoint"`
	Types    []string        `json:"types"`
	Filter   json.RawMessage `json:"filter"`
	Send     json.RawMessage `json:"-"`
}

// subscriptionIn returns a subscription with its transform.
func (v *visit) subscriptionIn(doc document) (spec subscriptionSpec, err error) {
	if spec, err = decode[subscriptionSpec](doc.Spec); err != nil {
		return spec, err
	}
	e, err := get[admin.EndpointView](v, client.Path("v1", "endpoints", spec.Endpoint), nil)
	spec.Send = e.Spec.Send[spec.Source]
	if missing(err) { // deleted meanwhile
		err = nil
	}
	return spec, err
}

// subscriptionData is what the form for a subscription shows.
type subscriptionData struct {
	document

	name               string // "": a new one
	spec               subscriptionSpec
	sources, endpoints []string
}

func (v *visit) newSubscription() error { return v.subscriptionForm(subscriptionData{}) }

func (v *visit) editSubscription() error {
	doc, err := v.resource(subscriptionKind, v.name())
	if err != nil {
		return err
	}
	d := subscriptionData{document: doc, name: v.name()}
	if d.spec, err = v.subscriptionIn(doc); err != nil {
		return err
	}
	return v.subscriptionForm(d)
}

func (v *visit) subscriptionForm(d subscriptionData) (err error) {
	if d.sources, err = v.namesOf(sourceKind); err != nil {
		return err
	}
	if d.endpoints, err = v.namesOf(endpointKind); err != nil {
		return err
	}
	title := "Add a subscription"
	if d.name != "" {
		title = d.name
	}
	return v.ok(page{title: title, nav: "/subscriptions"}, subscriptionFormPage(v, d))
}

// applySubscriptionForm writes the fields of the form into a spec.
func (v *visit) applySubscriptionForm(spec map[string]any) error {
	spec["source"], spec["endpoint"] = v.field("source", ""), v.field("endpoint", "")
	delete(spec, "types")
	if types := words(v.field("types", "")); len(types) > 0 {
		spec["types"] = types
	}
	delete(spec, "filter")
	for _, name := range []string{"filter", "send"} {
		if text := v.field(name, ""); text != "" && !json.Valid([]byte(text)) {
			return invalid("/"+name, "is no JSON")
		}
	}
	if text := v.field("filter", ""); text != "" {
		spec["filter"] = json.RawMessage(text)
	}
	return nil
}

// saveTransform writes the transform in the form to the endpoint, if it differs from the one there.
func (v *visit) saveTransform() error {
	source, endpoint := v.field("source", ""), v.field("endpoint", "")
	doc, err := v.resource(endpointKind, endpoint)
	if err != nil {
		return err
	}
	spec, err := members(doc.Spec)
	if err != nil {
		return err
	}
	sends, _ := spec["send"].(map[string]any)
	was, err := json.Marshal(sends[source])
	if err != nil {
		return err
	}
	text := v.field("send", "")
	if text == "" && sends[source] == nil || pretty(text) == pretty(string(was)) {
		return nil
	}
	if sends == nil {
		sends = map[string]any{}
	}
	delete(sends, source)
	if text != "" {
		sends[source] = json.RawMessage(text)
	}
	delete(spec, "send")
	if len(sends) > 0 {
		spec["send"] = sends
	}
	_, err = v.put(endpointKind, endpoint, spec, doc.ETag)
	return err
}

func (v *visit) createSubscription() error {
	spec := map[string]any{}
	if err := v.applySubscriptionForm(spec); err != nil {
		return v.refused(err, (*visit).newSubscription)
	}
	_, name, err := v.create(subscriptionKind, spec)
	if err != nil {
		return v.refused(err, (*visit).newSubscription)
	}
	if err := v.saveTransform(); err != nil { // the subscription is there: correct it on its page
		v.r.SetPathValue("name", name)
		return v.refused(err, (*visit).editSubscription)
	}
	return v.done(v.at("subscriptions", name), "saved")
}

func (v *visit) saveSubscription() error {
	doc, err := v.resource(subscriptionKind, v.name())
	if err != nil {
		return err
	}
	spec, err := members(doc.Spec)
	if err != nil {
		return err
	}
	if err := v.applySubscriptionForm(spec); err != nil {
		return v.refused(err, (*visit).editSubscription)
	}
	if err := v.saveTransform(); err != nil {
		return v.refused(err, (*visit).editSubscription)
	}
	if _, err := v.put(subscriptionKind, v.name(), spec, v.field("etag", "")); err != nil {
		return v.refused(err, (*visit).editSubscription)
	}
	return v.done(v.at("subscriptions", v.name()), "saved")
}

// beginning returns what a field of a new subscription begins with: what the link here named.
func (v *visit) beginning(field, value string) string {
	if value == "" {
		value = v.query(field)
	}
	return v.field(field, value)
}

// defaultName is the name that a new subscription begins with.
func (d subscriptionData) defaultName(v *visit) string {
	source, endpoint := v.query("source"), v.query("endpoint")
	if source == "" || endpoint == "" {
		return ""
	}
	return strings.ToLower(source + "-" + endpoint)
}

// tryData is whether subscriptions take an event, as a page shows it.
type tryData struct {
	id      string
	results []admin.Trial
	changes string // what its transform changes in the body, line by line; "": nothing
}

// try tells whether a subscription takes an event on record.
func (v *visit) try() error {
	d := tryData{id: strings.TrimSpace(v.query("event"))}
	answer, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPost, Path: "/v1/try",
		Body: map[string]string{"id": d.id, "subscription": v.name()},
	})
	if err != nil {
		if err = v.badFilter(err); err != nil && !missing(err) {
			return err
		}
	} else {
		found, err := decode[struct{ Results []admin.Trial }](answer.Body)
		if err != nil {
			return err
		}
		d.results = found.Results
		if d.changes, err = v.changesOf(d); err != nil {
			return err
		}
	}
	return v.ok(page{title: "Try " + v.name(), nav: "/subscriptions"}, tryPage(v, v.name(), d))
}

// changesOf returns how what is sent differs from the body of the event.
func (v *visit) changesOf(d tryData) (string, error) {
	if len(d.results) == 0 || d.results[0].Sends == nil {
		return "", nil
	}
	sent := d.results[0].Sends
	if sent.Error != "" || sent.Skipped {
		return "", nil
	}
	return v.changesIn(d.id, sent.Body)
}

// changesIn returns how what is sent differs from the body of an event, line by line. It is "" if
// it does not, or the body is no longer kept.
func (v *visit) changesIn(event, sent string) (string, error) {
	original, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodGet, Path: client.Path("v1", "events", event, "body"),
	})
	if missing(err) || err != nil && problemOf(err).Status == http.StatusGone {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	lines := func(body string) []byte { return []byte(shorten(pretty(body), maxCompared) + "\n") }
	changed := diff.Diff(
		"what came", lines(string(original.Body)), "what is sent", lines(sent),
	)
	_, shown, _ := strings.Cut(string(changed), "\n")
	return shown, nil
}

// maxCompared is how many characters of a body are compared.
const maxCompared = 100_000
