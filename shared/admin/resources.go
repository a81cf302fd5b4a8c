package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Managed tells who manages a resource, and when it was changed.
type Managed struct {
	ManagedBy string     `json:"managedBy" enum:"file,api,portal" doc:"Who may change it: relay apply, this API, or the tenant's users"`
	ChangedAt *time.Time `json:"changedAt,omitempty" doc:"When it was last changed"`
	ETag      string     `json:"etag" doc:"For If-Match"`
}

func managedOf(r catalog.Resource) Managed {
	return Managed{
		ManagedBy: string(r.ManagedBy), ChangedAt: unlessZero(r.ChangedAt),
		ETag: etag(r.Revision),
	}
}

// SourceView is a source as the API shows it.
type SourceView struct {
	Managed

	Path string     `json:"path" doc:"Where the partner POSTs to" example:"/in/github"`
	Spec SourceSpec `json:"spec" doc:"As in the configuration file"`

	Heard *Heard `json:"heard,omitempty" doc:"What the hourly sweep knows of its webhooks. Left out: nothing yet"`
}

// Heard is what the hourly sweep knows of the webhooks of a source.
type Heard struct {
	LastAt      *time.Time `json:"lastAt,omitempty" doc:"When the newest one came. Left out: there was none"`
	ExpectedBy  *time.Time `json:"expectedBy,omitempty" doc:"Until when the next one should come. Left out: that is not known"`
	SilentSince *time.Time `json:"silentSince,omitempty" doc:"The source is silent for too long, since then. Left out: it is not"`
}

// noteHeard adds to sources of the caller's what the sweep knows of them.
func (s *server) noteHeard(ctx context.Context, shown []SourceView) error {
	pulses, err := operate.Pulses(ctx, s.LedgerDocuments, callOf(ctx).tenant)
	for i := range shown {
		if p, known := pulses[shown[i].Spec.Name]; known {
			shown[i].Heard = &Heard{
				LastAt: unlessZero(p.LastAt), ExpectedBy: unlessZero(p.ExpectedBy),
				SilentSince: unlessZero(p.SilentSince),
			}
		}
	}
	return err
}

// EndpointView is an endpoint as the API shows it.
type EndpointView struct {
	Managed

	Spec     EndpointSpec     `json:"spec" doc:"As in the configuration file"`
	Retiring []RetiringSecret `json:"retiring,omitempty" doc:"Replaced secrets that still sign"`
}

// SubscriptionView is a subscription as the API shows it.
type SubscriptionView struct {
	Managed

	Spec SubscriptionSpec `json:"spec" doc:"As in the configuration file"`
}

// view is the form of a kind of resource in the API.
type view[V any] struct {
	kind   catalog.Kind
	plural string // in paths and ids of routes
	of     func(c *call, r catalog.Resource) V
	spec   reflect.Type
	// note adds to what is shown what is not in the catalog; nil: nothing
	note func(ctx context.Context, shown []V) error
}

func registerResources(r *registrar) {
	sources := view[SourceView]{
		kind: catalog.KindSource, plural: "sources", spec: reflect.TypeFor[SourceSpec](),
		of: func(c *call, r catalog.Resource) SourceView {
			return SourceView{
				Managed: managedOf(r), Spec: specOfSource(*r.Source),
				Path: "/in/" + catalog.Qualify(c.tenant, r.Name),
			}
		},
		note: r.noteHeard,
	}
	registerKind(r, sources)
	handlePut(r, sources, justPut, noSecret)
	endpoints := view[EndpointView]{
		kind: catalog.KindEndpoint, plural: "endpoints", spec: reflect.TypeFor[EndpointSpec](),
		of: func(_ *call, res catalog.Resource) EndpointView {
			out := EndpointView{Managed: managedOf(res), Spec: specOfEndpoint(*res.Endpoint)}
			for _, old := range res.Endpoint.StillRetiring(r.Now()) {
				out.Retiring = append(out.Retiring, RetiringSecret{
					Fingerprint: masked(old.Secret).mask.Fingerprint, Until: old.Until,
				})
			}
			return out
		},
	}
	registerKind(r, endpoints)
	handlePut(r, endpoints, func(in *putEndpointInput) (PutInput, string) {
		return in.PutInput, in.Keep
	}, func(made EndpointView, secret string) MadeEndpoint {
		return MadeEndpoint{EndpointView: made, Secret: secret}
	})
	subscriptions := view[SubscriptionView]{
		kind: catalog.KindSubscription, plural: "subscriptions",
		spec: reflect.TypeFor[SubscriptionSpec](),
		of: func(_ *call, r catalog.Resource) SubscriptionView {
			return SubscriptionView{
				Managed: managedOf(r), Spec: specOfSubscription(*r.Subscription),
			}
		},
	}
	registerKind(r, subscriptions)
	handlePut(r, subscriptions, justPut, noSecret)
}

// shown returns resources as the API shows them.
func (v view[V]) shown(ctx context.Context, found ...catalog.Resource) (shown []V, err error) {
	for _, res := range found {
		shown = append(shown, v.of(callOf(ctx), res))
	}
	if v.note != nil {
		err = v.note(ctx, shown)
	}
	return shown, err
}

// NameInput is the path parameter of a resource.
type NameInput struct {
	Name string `path:"name" maxLength:"63" doc:"Its name: 1 to 63 of a-z, 0-9 and -"`
}

type viewAnswer[V any] struct {
	ETag string `header:"ETag"`
	Body V
}

// Adopting is the parameter by which a write takes over what somebody else manages.
type Adopting struct {
	Adopt bool `query:"adopt" doc:"Change it even if relay apply or a tenant's user manages it. This API manages it afterwards"`
}

// PutInput is a request to create or replace a resource.
type PutInput struct {
	NameInput
	Conditions
	Adopting

	RawBody []byte
}

type putEndpointInput struct {
	PutInput

	Keep string `query:"keep" doc:"How long secrets that are replaced keep signing. Default: 24h"`
}

// MadeEndpoint is the answer of PUT: the endpoint, and a secret that was made for it.
type MadeEndpoint struct {
	EndpointView

	Secret string `json:"secret,omitempty" doc:"The secret that was made for a new endpoint without one. It is not shown again"`
}

type deleteInput struct {
	NameInput
	Condition
	Adopting
}

func registerKind[V any](r *registrar, v view[V]) {
	handle(r, v.plural+".list", func(ctx context.Context, in *Paging) (*List[V, Scanned], error) {
		found, next, err := r.resources(ctx, v.kind, in)
		if err != nil {
			return nil, err
		}
		items, err := v.shown(ctx, found...)
		return page(items, next, Scanned{Scanned: len(found)}), err
	}, func(op *huma.Operation) {
		op.Description += " Secrets, headers and authentication are left out."
	})
	handle(r, v.plural+".get", func(ctx context.Context, in *NameInput) (*viewAnswer[V], error) {
		res, err := r.Catalogs.For(callOf(ctx).tenant).Resource(ctx, v.kind, in.Name)
		if err != nil {
			return nil, err
		}
		shown, err := v.shown(ctx, res)
		return &viewAnswer[V]{ETag: etag(res.Revision), Body: shown[0]}, err
	})
	handle(r, v.plural+".delete", func(ctx context.Context, in *deleteInput) (*struct{}, error) {
		return nil, r.deleteResource(ctx, v.kind, *in, func(res catalog.Resource) any {
			return v.of(callOf(ctx), res)
		})
	})
}

// resources returns a part of the list of a kind, and where the next one begins.
func (s *server) resources(
	ctx context.Context, kind catalog.Kind, in *Paging,
) (found []catalog.Resource, next string, err error) {
	after, err := s.position(ctx, in.Next, nil)
	if err != nil {
		return nil, "", err
	}
	found, place, err := s.Catalogs.For(callOf(ctx).tenant).Resources(ctx, kind, after, in.Limit)
	if err != nil {
		return nil, "", err
	}
	next, err = s.seal(ctx, place, nil)
	return found, next, err
}

// handlePut registers the PUT of a kind.
func handlePut[I, V, O any](
	r *registrar, v view[V], read func(*I) (in PutInput, keep string),
	answer func(made V, secret string) O,
) {
	handle(r, v.plural+".put", func(ctx context.Context, in *I) (*viewAnswer[O], error) {
		put, keep := read(in)
		res, secret, err := r.putResource(ctx, v.kind, put, keep, func(res catalog.Resource) any {
			return v.of(callOf(ctx), res)
		})
		if err != nil {
			return nil, err
		}
		shown, err := v.shown(ctx, res)
		return &viewAnswer[O]{ETag: etag(res.Revision), Body: answer(shown[0], secret)}, err
	}, func(op *huma.Operation) {
		op.RequestBody = &huma.RequestBody{
			Required: true, Content: map[string]*huma.MediaType{"application/json": {
				Schema: r.doc.Components.Schemas.Schema(v.spec, true, ""),
			}},
		}
	})
}

// justPut and noSecret are for kinds for which the relay makes no secrets.
func justPut(in *PutInput) (PutInput, string) { return *in, "" }
func noSecret[V any](made V, _ string) V      { return made }

// resource returns a resource, or one of revision 0 if there is none.
func (s *server) resource(
	ctx context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	res, err := s.Catalogs.For(callOf(ctx).tenant).Resource(ctx, kind, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return catalog.Resource{Kind: kind, Name: name}, nil
	}
	return res, err
}

// putResource creates or replaces a resource. show is its form in the audit log. secret is one that
// was made.
func (s *server) putResource(
	ctx context.Context, kind catalog.Kind, in PutInput, kept string,
	show func(catalog.Resource) any,
) (res catalog.Resource, secret string, err error) {
	base, err := in.base()
	if err != nil {
		return res, "", err
	}
	keep, err := keepOf("/query/keep", kept)
	if err != nil {
		return res, "", err
	}
	was, err := s.resource(ctx, kind, in.Name)
	if err != nil {
		return res, "", err
	}
	if was.Revision != base {
		return res, "", stale(was.Revision, base)
	}
	by := callOf(ctx).principal.manager()
	if err := checkManager(was, by, in.Adopt); err != nil {
		return res, "", err
	}
	if res, err = s.parse(ctx, was, in.RawBody); err != nil {
		return res, "", err
	}
	if by == catalog.ManagedByPortal {
		if err := s.checkPortal(ctx, was, res); err != nil {
			return res, "", err
		}
	}
	if secret, err = s.fillSecrets(&res, was, keep); err != nil {
		return res, "", err
	}
	res.ManagedBy = by
	err = s.edit(ctx, was, res, show, catalog.Edit{
		Put: &res, Base: base, By: by, Adopt: in.Adopt,
	})
	if err != nil {
		return res, "", err
	}
	// as it was stored, with its revision
	res, err = s.Catalogs.For(callOf(ctx).tenant).Resource(ctx, kind, in.Name)
	return res, secret, err
}

// edit makes and records a change of a resource.
func (s *server) edit(
	ctx context.Context, was, res catalog.Resource, show func(catalog.Resource) any,
	e catalog.Edit,
) error {
	var before, after any
	if was.Revision != 0 {
		before = show(was)
	}
	if e.Put != nil {
		after = show(res)
	}
	tenant := callOf(ctx).tenant
	return s.change(ctx, string(was.Kind)+"/"+was.Name, before, after, func() error {
		_, err := s.Catalogs.For(tenant).Edit(ctx, e)
		if e.Put != nil && errors.Is(err, catalog.ErrNotFound) {
			return orError(err, catalog.ErrNotFound, at("/body", "%s", textOf(err)))
		}
		return orError(err, catalog.ErrConflict, stale(was.Revision+1, e.Base))
	})
}

// checkManager returns a problem if somebody else than by manages a resource.
func checkManager(r catalog.Resource, by catalog.Manager, adopt bool) error {
	switch {
	case by == catalog.ManagedByPortal && adopt:
		return forbidden.problem("Users of the portal take over nothing. Leave out ?adopt.")
	case r.Revision == 0 || adopt || r.ManagedBy == by:
		return nil
	case by == catalog.ManagedByPortal:
		return managed.problem("Your provider manages it. Ask your provider to change it.")
	}
	who := "relay apply manages it, from a file. A change here would be undone by the next apply"
	if r.ManagedBy == catalog.ManagedByPortal {
		who = "The tenant's users manage it"
	}
	return managed.problem("%s. Add ?adopt=true to take it over.", who)
}

// keepOf reads how long replaced secrets keep signing.
func keepOf(pointer, text string) (time.Duration, error) {
	if text == "" {
		return catalog.DefaultKeep, nil
	}
	d, err := span(text)
	if err != nil || d < 0 {
		return 0, at(pointer, "%.40q is not a duration such as 24h or 2d, or 0s", text)
	}
	return d, nil
}

// parse reads the body of a PUT. Masks in it stand for the secrets that the resource has.
func (s *server) parse(
	ctx context.Context, was catalog.Resource, body []byte,
) (catalog.Resource, error) {
	var doc any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a filter's numbers stay as they are
	if err := decoder.Decode(&doc); err != nil || decoder.More() {
		return was, badRequest.problem("The body is not one JSON document.").
			and("/body", "is not JSON")
	}
	members, ok := doc.(map[string]any)
	if !ok {
		return was, at("/body", "is not a JSON object")
	}
	if name, given := members["name"]; given && name != was.Name {
		return was, at("/body/name", "is not the name in the path, %s", was.Name)
	}
	delete(members, "name")
	if callOf(ctx).principal.inPortal() {
		if err := checkPortalKeys(was.Kind, members); err != nil {
			return was, err
		}
	}
	secrets := map[string]string{}
	switch {
	case was.Source != nil:
		secrets = secretsIn(specOfSource(*was.Source))
		if members["secrets"] == nil && members["provider"] == was.Source.Verify.Provider {
			members["secrets"] = was.Source.Secrets // left out: they stay
		}
	case was.Endpoint != nil:
		secrets = secretsIn(specOfEndpoint(*was.Endpoint))
	}
	if was.Kind != catalog.KindSubscription { // a filter may have any members
		if _, err := unmask(doc, secrets, "/body"); err != nil {
			return was, err
		}
	}
	plain, err := json.Marshal(doc)
	if err != nil {
		return was, err
	}
	res, err := config.ParseResource(was.Kind, was.Name, plain, s.relay(ctx))
	if err != nil {
		return was, problemOfConfig(err)
	}
	if err := s.checkUse(callOf(ctx).tenant, res); err != nil {
		return was, problemOfConfig(err)
	}
	return res, nil
}

// relay returns what configurations are checked for.
func (s *server) relay(ctx context.Context) config.Relay {
	r := config.Relay{Mode: config.Deployed, JQ: s.checkJQ(ctx)}
	if s.Local {
		r.Mode = config.Local
	}
	return r
}

// checkJQ returns what checks jq programs; nil if nothing does.
func (s *server) checkJQ(ctx context.Context) func(program string) error {
	if s.JQ == nil {
		return nil
	}
	return func(program string) error { return s.JQ.Check(ctx, program) }
}

// checkUse returns why a resource cannot use what it names outside of the catalog: a tenant what is
// the operator's, or an endpoint what the stack does not grant. Errors are those of package config.
func (s *server) checkUse(tenant string, r catalog.Resource) error {
	if tenant != "" {
		if err := config.CheckTenants(r); err != nil {
			return err
		}
	}
	switch {
	case s.Local:
		return nil
	case r.Source != nil && tenant == "":
		return config.CheckTriggered(*r.Source, s.Triggers)
	case r.Endpoint != nil:
		return config.CheckGranted(*r.Endpoint, s.Granted)
	}
	return nil
}

// problemOfConfig returns the problem for an error of package config.
func problemOfConfig(err error) error {
	found := config.Problems(err)
	if !errors.Is(err, config.ErrInvalid) {
		return err
	}
	p := invalid.problem("Correct what is named in errors, and send the request again.")
	for _, f := range found {
		pointer := "/body"
		if f.Path != "" {
			pointer = pointerOf("body." + f.Path)
		}
		p = p.and(pointer, "%s", f.Err)
		if f.File != "" { // a resource of its own has no lines to speak of
			p.Errors[len(p.Errors)-1].Line = f.Line
		}
	}
	if len(found) == 0 {
		p = p.and("/body", "%s", strings.TrimPrefix(err.Error(), config.ErrInvalid.Error()+":\n"))
	}
	p.cause = config.ErrInvalid // the texts may have more than the log should
	return p
}

// fillSecrets gives an endpoint without secrets those that it has, or a new one, which it returns.
// Those that are replaced keep signing for a time.
func (s *server) fillSecrets(
	res *catalog.Resource, was catalog.Resource, keep time.Duration,
) (made string, err error) {
	if res.Endpoint == nil {
		return "", nil
	}
	next, current := catalog.Catalog{Endpoints: []catalog.Endpoint{*res.Endpoint}},
		catalog.Catalog{}
	if was.Endpoint != nil {
		current.Endpoints = []catalog.Endpoint{*was.Endpoint}
		// a client that sends back the masks of secrets that the relay made changes nothing of that
		if sameSecrets(res.Endpoint.Secrets, was.Endpoint.Secrets) && was.Endpoint.SecretsMade {
			next.Endpoints[0].Secrets = nil
		}
	}
	secrets, err := config.FillSecrets(&next, current, keep, s.Now())
	if err != nil {
		return "", err
	}
	res.Endpoint = &next.Endpoints[0]
	return secrets[res.Name], nil
}

func sameSecrets(a, b []string) bool {
	return len(a) > 0 && strings.Join(a, "\n") == strings.Join(b, "\n")
}

// deleteResource deletes a resource.
func (s *server) deleteResource(
	ctx context.Context, kind catalog.Kind, in deleteInput, show func(catalog.Resource) any,
) error {
	base, err := in.base(catalog.AnyRevision)
	if err != nil {
		return err
	}
	was, err := s.Catalogs.For(callOf(ctx).tenant).Resource(ctx, kind, in.Name)
	if err != nil {
		return err
	}
	if base != catalog.AnyRevision && base != was.Revision {
		return stale(was.Revision, base)
	}
	by := callOf(ctx).principal.manager()
	if err := checkManager(was, by, in.Adopt); err != nil {
		return err
	}
	users, err := s.Catalogs.For(callOf(ctx).tenant).Users(ctx, kind, in.Name)
	if err == nil && kind != catalog.KindSubscription {
		err = catalog.InUse(kind, in.Name, users)
	}
	if err != nil {
		return err
	}
	return s.edit(ctx, was, was, show, catalog.Edit{
		Kind: kind, Name: in.Name, Base: base, By: by, Adopt: in.Adopt,
	})
}
