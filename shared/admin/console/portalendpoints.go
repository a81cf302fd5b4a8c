package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

func (v *visit) portalEndpoints() error {
	found, err := listOf[admin.NamedState](v, "/v1/states", nil)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Endpoints", nav: "/", live: true}, portalEndpointsPage(v, found),
	)
}

// choice is what an endpoint gets from a source that offers its events to tenants.
type choice struct {
	source string
	known  []admin.OfferedType // those that it says that it sends
	types  []string            // those that the endpoint gets; none: all
	send   sending
	// of the subscription that says so; "": the endpoint is not subscribed to the source
	subscription, etag string
}

// portalForm is what the form for an endpoint shows.
type portalForm struct {
	admin.EndpointView

	name    string // "": a new one
	choices []choice
}

// offered returns the sources to which the tenant's endpoints can subscribe.
func (v *visit) offered() ([]admin.Offered, error) {
	all, err := get[items[admin.Offered]](v, "/v1/offered", nil)
	return all.Items, err
}

// choices returns what an endpoint with these subscriptions gets from each source that is offered.
func (v *visit) choices(
	e admin.EndpointView, subscriptions []admin.SubscriptionView,
) ([]choice, error) {
	offers, err := v.offered()
	if err != nil {
		return nil, err
	}
	var all []choice
	for _, o := range offers {
		c := choice{source: o.Name, known: o.Types, send: sendingOf(e.Spec.Send[o.Name])}
		for _, s := range subscriptions {
			if s.Spec.Source == o.Name && s.ManagedBy == string(catalog.ManagedByPortal) {
				c.subscription, c.etag, c.types = s.Spec.Name, s.ETag, s.Spec.Types
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// isKnown reports whether a type has a box of its own.
func (c choice) isKnown(name string) bool {
	return slices.ContainsFunc(c.known, func(t admin.OfferedType) bool { return t.Name == name })
}

// patterns are the types without a box, one a line.
func (c choice) patterns() string {
	return strings.Join(slices.DeleteFunc(slices.Clone(c.types), c.isKnown), "\n")
}

// typesIn returns the types that the form chooses.
func (v *visit) typesIn(c choice) []string {
	return append(slices.Clone(v.r.PostForm["type:"+c.source]), words(v.field("types:"+c.source, ""))...)
}

// hasType reports whether the box of a type is ticked.
func (c choice) hasType(v *visit, name string) bool {
	if v.r.Method == http.MethodPost {
		return slices.Contains(v.typesIn(c), name)
	}
	return slices.Contains(c.types, name)
}

// shown are the types that the form shows: one that is deprecated only if it was chosen before.
func (c choice) shown() []admin.OfferedType {
	return slices.DeleteFunc(slices.Clone(c.known), func(t admin.OfferedType) bool {
		return t.Deprecated && !slices.Contains(c.types, t.Name)
	})
}

// wants reports whether the form subscribes to the source. The only one needs no box to tick.
func (c choice) wants(v *visit, all []choice) bool {
	return len(all) == 1 || v.r.PostFormValue("on:"+c.source) != ""
}

// isOn is wants for a form that is shown.
func (c choice) isOn(v *visit, f portalForm) bool {
	if v.r.Method == http.MethodPost {
		return c.wants(v, f.choices)
	}
	return c.subscription != "" || f.name == ""
}

func (v *visit) readPortalForm(name string) (f portalForm, err error) {
	var subscriptions []admin.SubscriptionView
	if f.name = name; name != "" {
		path := client.Path("v1", "endpoints", name)
		if f.EndpointView, err = get[admin.EndpointView](v, path, nil); err != nil {
			return f, err
		}
		if subscriptions, err = v.subscriptionsOf(endpointKind, name); err != nil {
			return f, err
		}
	}
	f.choices, err = v.choices(f.EndpointView, subscriptions)
	return f, err
}

func (v *visit) newPortalEndpoint() error { return v.showPortalForm("", "Add an endpoint") }

func (v *visit) editPortalEndpoint() error { return v.showPortalForm(v.name(), v.name()) }

func (v *visit) showPortalForm(name, title string) error {
	f, err := v.readPortalForm(name)
	if err != nil {
		return err
	}
	return v.ok(page{title: title, nav: "/"}, portalFormPage(v, f))
}

// portalSpec returns the endpoint that the form describes. Errors: problems of its fields.
func (v *visit) portalSpec(f portalForm) (map[string]any, error) {
	spec, sends := map[string]any{}, map[string]any{}
	for _, name := range []string{"url", "rate_limit"} {
		set(spec, name, v.field(name, ""))
	}
	for _, c := range f.choices {
		for _, t := range v.typesIn(c) {
			if err := route.Validate(t); err != nil {
				return nil, invalid("/types", err.Error())
			}
		}
		send, err := v.sendingIn(c)
		if err != nil {
			return nil, err
		}
		if send != nil {
			sends[c.source] = send
		}
	}
	if len(sends) > 0 {
		spec["send"] = sends
	}
	return spec, nil
}

// notInNames are the characters that a name does not have.
var notInNames = pattern.Lazy(`[^a-z0-9]+`)

// nameOf makes the name of an endpoint from its URL.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := notInNames().ReplaceAllString(strings.ToLower(u.Hostname()), "-")
	return strings.Trim(name[:min(len(name), 50)], "-")
}

func (v *visit) createPortalEndpoint() error {
	f, err := v.readPortalForm("")
	if err != nil {
		return err
	}
	spec, err := v.portalSpec(f)
	if err != nil {
		return v.refused(err, (*visit).newPortalEndpoint)
	}
	if v.field("name", "") == "" {
		v.r.PostForm.Set("name", nameOf(v.field("url", "")))
		v.r.Form.Set("name", v.r.PostForm.Get("name"))
	}
	answer, name, err := v.create(endpointKind, spec)
	if err != nil {
		return v.refused(err, (*visit).newPortalEndpoint)
	}
	made, err := decode[admin.MadeEndpoint](answer.Body)
	if err != nil {
		return err
	}
	// The endpoint is there, and its secret is shown this once, whatever becomes of the rest.
	if err := v.subscribe(name, f.choices); err != nil {
		v.problem = problemOf(err)
	}
	return v.showPortalSecret(name, made.Secret, true)
}

func (v *visit) savePortalEndpoint() error {
	f, err := v.readPortalForm(v.name())
	if err != nil {
		return err
	}
	spec, err := v.portalSpec(f)
	if err == nil {
		_, err = v.put(endpointKind, v.name(), spec, v.field("etag", ""))
	}
	if err == nil {
		err = v.subscribe(v.name(), f.choices)
	}
	if err != nil {
		return v.refused(err, (*visit).editPortalEndpoint)
	}
	return v.done(v.at("endpoints", v.name()), "saved")
}

// subscribe makes an endpoint's subscriptions what the form says.
func (v *visit) subscribe(endpoint string, choices []choice) error {
	for _, c := range choices {
		types := v.typesIn(c)
		wanted := c.wants(v, choices)
		var err error
		switch {
		case !wanted && c.subscription != "":
			err = v.remove(subscriptionKind, c.subscription, c.etag)
		case wanted && (c.subscription == "" || !slices.Equal(types, c.types)):
			spec := map[string]any{"source": c.source, "endpoint": endpoint}
			if len(types) > 0 {
				spec["types"] = types
			}
			name := c.subscription
			if name == "" {
				name = subscriptionName(endpoint, c.source)
			}
			_, err = v.put(subscriptionKind, name, spec, c.etag)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// subscriptionName is a name that nobody else chooses, of at most 63 characters.
func subscriptionName(endpoint, source string) string {
	sum := sha256.Sum256([]byte(endpoint + "/" + source))
	name := endpoint + "-" + source
	return strings.TrimRight(name[:min(len(name), 50)], "-") + "-" + hex.EncodeToString(sum[:6])
}

// remove deletes a resource.
func (v *visit) remove(k kind, name, etag string) error {
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", k.plural, name),
		Header: http.Header{"If-Match": {etag}},
	})
	return err
}

func (v *visit) portalEndpoint() error { return v.showPortalSecret(v.name(), "", false) }

// showPortalSecret shows an endpoint, with a secret that was made for it, if any.
func (v *visit) showPortalSecret(name, secret string, made bool) error {
	d, err := v.readEndpoint(name)
	if err != nil {
		return err
	}
	d.secret, d.made = secret, made
	return v.ok(
		page{title: name, nav: "/", live: secret == ""}, portalEndpointPage(v, d),
	)
}

func (v *visit) askDeletePortalEndpoint() error {
	doc, err := v.resource(endpointKind, v.name())
	if err != nil {
		return err
	}
	return v.ok(page{title: "Delete " + v.name(), nav: "/"}, portalDeletePage(v, doc))
}

// deletePortalEndpoint deletes an endpoint and its subscriptions. They go first: one that is left
// would go nowhere.
func (v *visit) deletePortalEndpoint() error {
	f, err := v.readPortalForm(v.name())
	if err != nil {
		return err
	}
	if f.ManagedBy == string(catalog.ManagedByPortal) {
		for _, c := range f.choices {
			if c.subscription == "" {
				continue
			}
			if err := v.remove(subscriptionKind, c.subscription, c.etag); err != nil {
				return v.refused(err, (*visit).askDeletePortalEndpoint)
			}
		}
	}
	if err := v.remove(endpointKind, v.name(), v.field("etag", "")); err != nil {
		return v.refused(err, (*visit).askDeletePortalEndpoint)
	}
	return v.done(v.to("/"), "deleted")
}

// mine reports whether users of the portal may change a resource.
func mine(m admin.Managed) bool { return m.ManagedBy == string(catalog.ManagedByPortal) }

// sending is what an endpoint gets in place of the webhook.
type sending struct {
	kind string // of sendings; "": the webhook as it came
	text string // of a preset, or the template
	raw  json.RawMessage
}

// sendings are the choices of the form.
var sendings = []option{
	{"", "the webhook as it came"},
	{"slack", "a message in Slack"},
	{"discord", "a message in Discord"},
	{"teams", "a message in Microsoft Teams"},
	{"cloudevents", "a CloudEvent"},
	{"template", "a template of your own"},
}

// asItIs is the choice of what the form cannot show.
const asItIs = "keep"

// sendingOf returns the choice that a transform is.
func sendingOf(raw json.RawMessage) sending {
	spec, _ := members(raw) // it is JSON: the API has written it
	preset, _ := spec["preset"].(string)
	text, isText := spec["text"].(string)
	known := slices.ContainsFunc(sendings, func(o option) bool { return o.value == preset })
	s := sending{raw: raw}
	switch n := len(spec); {
	case n == 0:
	case n == 1 && spec["body"] != nil:
		s.kind, s.text = "template", templateText(spec["body"])
	case known && preset != "" && (n == 1 || n == 2 && isText):
		s.kind, s.text = preset, text
	default:
		s.kind = asItIs
	}
	return s
}

func templateText(body any) string {
	text, _ := json.Marshal(body) // it was decoded
	return pretty(string(text))
}

// word is what a page calls it.
func (s sending) word() string {
	if s.kind == asItIs {
		return "transform"
	}
	return s.kind
}

// options are the choices of the form for what is there.
func (s sending) options() []option {
	if s.kind == asItIs {
		return append(slices.Clone(sendings), option{asItIs, "as it is set now"})
	}
	return sendings
}

// sendingIn returns the transform that the form describes; nil: none.
func (v *visit) sendingIn(c choice) (any, error) {
	kind, text := v.field("send:"+c.source, ""), v.field("text:"+c.source, "")
	switch kind {
	case "":
		return nil, nil //nolint:nilnil // no transform is no error
	case asItIs:
		return c.send.raw, nil
	case "template":
		if !json.Valid([]byte(text)) {
			return nil, invalid("/template", "is no JSON; put text in quotation marks")
		}
		return map[string]any{"body": json.RawMessage(text)}, nil
	}
	spec := map[string]any{"preset": kind}
	set(spec, "text", text)
	return spec, nil
}
