package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// endpointRow is an endpoint and its state.
type endpointRow struct {
	admin.EndpointView

	state admin.StateView
}

func (v *visit) endpoints() error {
	found, err := listOf[admin.EndpointView](v, "/v1/endpoints", nil)
	if err != nil {
		return err
	}
	rows := make([]endpointRow, len(found.Items))
	g, ctx := errgroup.WithContext(v.r.Context())
	g.SetLimit(8)
	for i, e := range found.Items {
		g.Go(func() (err error) {
			rows[i].EndpointView = e
			rows[i].state, err = client.Get[admin.StateView](
				ctx, v.api, client.Path("v1", "endpoints", e.Spec.Name, "state"), nil,
			)
			if missing(err) { // deleted meanwhile
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return v.ok(
		page{title: "Endpoints", nav: "/endpoints", live: true},
		endpointsPage(v, rows, found.Next),
	)
}

// endpointData is what the page of an endpoint shows.
type endpointData struct {
	endpointRow

	subscriptions []admin.SubscriptionView
	deliveries    deliveryList
	secret        string // a new one, shown once
	made          bool   // the endpoint is new
}

func (v *visit) readEndpoint(name string) (d endpointData, err error) {
	path := client.Path("v1", "endpoints", name)
	if d.EndpointView, err = get[admin.EndpointView](v, path, nil); err != nil {
		return d, err
	}
	if d.state, err = get[admin.StateView](v, path+"/state", nil); err != nil {
		return d, err
	}
	if d.subscriptions, err = v.subscriptionsOf(endpointKind, name); err != nil {
		return d, err
	}
	d.deliveries, err = v.deliveriesOf(url.Values{"endpoint": {name}, "limit": {"20"}})
	return d, err
}

func (v *visit) endpoint() error {
	d, err := v.readEndpoint(v.name())
	if err != nil {
		return err
	}
	shown := endpointPage(v, d)
	if sent, there, err := v.sentTo(d.Spec); err != nil {
		return err
	} else if there {
		shown = templ.Join(shown, sentSection(v, sent))
	}
	return v.ok(page{title: v.name(), nav: "/endpoints", live: true}, shown)
}

// showSecret shows an endpoint with a secret that was made for it.
func (v *visit) showSecret(name, secret string, made bool) error {
	if v.inPortal() {
		return v.showPortalSecret(name, secret, made)
	}
	d, err := v.readEndpoint(name)
	if err != nil {
		return err
	}
	d.secret, d.made = secret, made
	return v.ok(page{title: name, nav: "/endpoints"}, endpointPage(v, d))
}

func (v *visit) newEndpoint() error {
	return v.ok(
		page{title: "Add an endpoint", nav: "/endpoints"},
		endpointForm(v, "", admin.EndpointView{}),
	)
}

func (v *visit) editEndpoint() error {
	found, err := get[admin.EndpointView](v, client.Path("v1", "endpoints", v.name()), nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: v.name(), nav: "/endpoints"}, endpointForm(v, v.name(), found))
}

// applyEndpointForm writes the fields of the form into a spec. What has no field stays.
func (v *visit) applyEndpointForm(spec map[string]any) error {
	for _, name := range []string{"url", "timeout", "rate_limit", "prove"} {
		set(spec, name, v.field(name, ""))
	}
	delete(spec, "concurrency")
	if text := v.field("concurrency", ""); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return invalid("/concurrency", "is no whole number")
		}
		spec["concurrency"] = n
	}
	retry, _ := spec["retry"].(map[string]any)
	if retry == nil {
		retry = map[string]any{}
	}
	delete(retry, "schedule")
	if waits := words(v.field("schedule", "")); len(waits) > 0 {
		retry["schedule"] = waits
	}
	set(retry, "max_age", v.field("max_age", ""))
	delete(spec, "retry")
	if len(retry) > 0 {
		spec["retry"] = retry
	}
	delete(spec, "ordered")
	switch v.field("ordered", "") {
	case "all":
		spec["ordered"] = map[string]any{}
	case "key":
		spec["ordered"] = map[string]any{"key": v.field("ordered_key", "")}
	}
	return nil
}

func (v *visit) createEndpoint() error {
	spec := map[string]any{}
	if err := v.applyEndpointForm(spec); err != nil {
		return v.refused(err, (*visit).newEndpoint)
	}
	if secret := v.field("secret", ""); secret != "" {
		spec["secrets"] = []string{secret}
	}
	answer, name, err := v.create(endpointKind, spec)
	if err != nil {
		return v.refused(err, (*visit).newEndpoint)
	}
	made, err := decode[admin.MadeEndpoint](answer.Body)
	if err != nil || made.Secret == "" {
		return v.done(v.at("endpoints", name), "saved")
	}
	return v.showSecret(name, made.Secret, true)
}

func (v *visit) saveEndpoint() error {
	doc, err := v.resource(endpointKind, v.name())
	if err != nil {
		return err
	}
	spec, err := members(doc.Spec)
	if err != nil {
		return err
	}
	if err := v.applyEndpointForm(spec); err != nil {
		return v.refused(err, (*visit).editEndpoint)
	}
	if _, err := v.put(endpointKind, v.name(), spec, v.field("etag", "")); err != nil {
		return v.refused(err, (*visit).editEndpoint)
	}
	return v.done(v.at("endpoints", v.name()), "saved")
}

// post sends a POST to the API, once for each form that was shown.
func (v *visit) post(path string, body any) (client.Response, error) {
	header := http.Header{}
	if once := v.r.PostFormValue("once"); once != "" {
		header.Set("Idempotency-Key", once)
	}
	return v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodPost, Path: path, Body: body, Header: header,
	})
}

// act carries out an action on an endpoint that can be undone, so that nothing is asked.
func act(action, said string) pageHandler {
	return func(v *visit) error {
		if _, err := v.post(client.Path("v1", "endpoints", v.name(), action), nil); err != nil {
			return err
		}
		return v.done(v.at("endpoints", v.name()), said)
	}
}

func (v *visit) askRotate() error {
	found, err := get[admin.EndpointView](v, client.Path("v1", "endpoints", v.name()), nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "New secret", nav: "/endpoints"}, rotatePage(v, found))
}

func (v *visit) rotate() error {
	answer, err := v.post(
		client.Path("v1", "endpoints", v.name(), "secret", "rotate"),
		map[string]string{"keep": v.field("keep", "")},
	)
	if err != nil {
		return v.refused(err, (*visit).askRotate)
	}
	made, err := decode[admin.Rotated](answer.Body)
	if err != nil {
		return err
	}
	return v.showSecret(v.name(), made.Secret, false)
}

// scheduleText returns the waits of a retry schedule as the form has them.
func scheduleText(r *admin.RetrySpec) string {
	if r == nil {
		return ""
	}
	return strings.Join(r.Schedule, ", ")
}

func maxAgeText(r *admin.RetrySpec) string {
	if r == nil {
		return ""
	}
	return r.MaxAge
}

func concurrencyText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// orderedChoice returns which choice of the form an endpoint has.
func orderedChoice(o *admin.OrderedSpec) (choice, key string) {
	switch {
	case o == nil:
		return "", ""
	case o.Key == "":
		return "all", ""
	}
	return "key", o.Key
}

// authText says how requests are authenticated beside their signature.
func authText(a *admin.AuthSpec) string {
	switch {
	case a == nil:
		return ""
	case a.Basic != nil:
		return "user name and password"
	case a.APIKey != nil:
		return "API key"
	case a.OAuth2 != nil:
		return "OAuth 2, token of " + a.OAuth2.TokenURL
	case a.SigV4 != nil:
		return "AWS Signature Version 4"
	case a.HMAC != nil:
		return "HMAC in the header " + a.HMAC.Header
	case a.Provider != "":
		return "signed as " + a.Provider + " does"
	}
	return "bearer token"
}
