package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/sign"
)

// Planning are the parameters of both plan and apply.
type Planning struct {
	ContentType string `header:"Content-Type" doc:"application/yaml: the body is the file, which may be JSON. application/json: the body is a File"`
	Keep        string `query:"keep" maxLength:"40" doc:"How long an endpoint's replaced secrets keep signing beside the new ones. Default: 24h. 0s ends all old secrets at once"`
	Adopt       bool   `query:"adopt" doc:"Take over what the file names and somebody else manages: this API or a tenant's users"`
	RawBody     []byte
}

// File is a configuration file, and the values of the variables that it names.
type File struct {
	File      string            `json:"file" doc:"The file's text, YAML or JSON"`
	Variables map[string]string `json:"variables,omitempty" doc:"The values of env:NAME in the file, by NAME. Only the sender's environment has them, the relay's is not read"`
	Files     map[string]string `json:"files,omitempty" doc:"The texts of the files that the file names, such as that of types: {openapi: NAME}"`
}

type applyInput struct {
	Planning

	IfMatch string `header:"If-Match" doc:"The ETag of the plan, so that nothing else is applied than was planned"`
	Remove  bool   `query:"remove" doc:"Also remove what files manage and this one does not have. Without it such a file is refused"`
	Empty   bool   `query:"empty" doc:"Apply a file even if it is empty"`
}

// PlannedChange is a difference between the file and what is in force.
type PlannedChange struct {
	Action string `json:"action" enum:"add,change,remove"`
	Text   string `json:"text" doc:"What it is about. It has no secrets" example:"endpoint shipping: URL, Timeout"`
}

// PublicKey is the key with which an endpoint verifies the signatures of the relay.
type PublicKey struct {
	Endpoint string `json:"endpoint"`
	Key      string `json:"key" doc:"For v1a signatures. It is no secret"`
}

// Planned is what a file would change.
type Planned struct {
	Revision   int64           `json:"revision" doc:"Of the configuration in force"`
	Changes    []PlannedChange `json:"changes" nullable:"false" doc:"Removals first. None: the file is in force"`
	Warnings   []string        `json:"warnings" nullable:"false" doc:"What is valid and yet may be wrong"`
	PublicKeys []PublicKey     `json:"publicKeys" nullable:"false" doc:"Of endpoints whose requests are signed with private keys"`
}

// Made is a secret that was made for an endpoint.
type Made struct {
	Endpoint string `json:"endpoint"`
	Secret   string `json:"secret" doc:"It is not shown again"`
}

// RetiringOf is a replaced secret of an endpoint.
type RetiringOf struct {
	RetiringSecret

	Endpoint string `json:"endpoint"`
}

// Applied is what a file has changed.
type Applied struct {
	Planned

	Secrets  []Made       `json:"secrets" nullable:"false" doc:"Those of new endpoints for which the file has none"`
	Retiring []RetiringOf `json:"retiring" nullable:"false" doc:"Replaced secrets that still sign"`
}

type plannedAnswer struct {
	ETag string `header:"ETag"`
	Body Planned
}

type appliedAnswer struct {
	ETag string `header:"ETag"`
	Body Applied
}

type exportAnswer struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func registerPlan(r *registrar) {
	takesFile := func(op *huma.Operation) {
		op.RequestBody = &huma.RequestBody{
			Required: true, Content: map[string]*huma.MediaType{
				yamlType: {Schema: &huma.Schema{Type: huma.TypeString}},
				jsonType: {Schema: r.doc.Components.Schemas.Schema(fileType, true, "")},
			},
		}
	}
	handle(r, "plan", func(ctx context.Context, in *Planning) (*plannedAnswer, error) {
		p, err := r.plan(ctx, *in)
		if err != nil {
			return nil, err
		}
		return &plannedAnswer{ETag: etag(p.Revision), Body: p.Planned}, nil
	}, takesFile)
	handle(r, "apply", r.apply, takesFile, func(op *huma.Operation) {
		op.Errors = append(op.Errors, http.StatusPreconditionRequired)
	})
	handle(r, "export", func(ctx context.Context, _ *struct{}) (*exportAnswer, error) {
		current, _, err := r.Catalogs.For(callOf(ctx).tenant).LoadCatalog(ctx)
		if err != nil {
			return nil, err
		}
		tenant, err := r.owner(ctx)
		if err != nil {
			return nil, err
		}
		text, err := config.Export(current, tenant)
		return &exportAnswer{ContentType: yamlType, Body: text}, err
	}, produces(yamlType))
}

// plan is a file that was compared with what is in force.
type plan struct {
	Planned

	next     catalog.Catalog
	secrets  map[string]string     // made for endpoints
	changes  int                   // of Changes, those of the catalog
	settings config.TenantSettings // of the file
	tenant   access.Tenant         // as it is to be; of revision 0: it does not change
}

// plan compares a file with what is in force.
func (s *server) plan(ctx context.Context, in Planning) (p plan, err error) {
	keep, err := keepOf("/query/keep", in.Keep)
	if err != nil {
		return p, err
	}
	if p.next, p.settings, err = s.parseFile(ctx, in); err != nil {
		return p, err
	}
	current, revision, err := s.Catalogs.For(callOf(ctx).tenant).LoadCatalog(ctx)
	if err != nil {
		return p, err
	}
	now := s.Now()
	if p.secrets, err = config.FillSecrets(&p.next, current, keep, now); err != nil {
		return p, err
	}
	if err := config.Merge(&p.next, current, in.Adopt); err != nil {
		return p, orError(
			err, config.ErrTaken, managed.problem(
				"%s. Add ?adopt=true to take it over.", textOf(err),
			),
		)
	}
	if err := s.checkSources(ctx, p.next); err != nil {
		return p, err
	}
	p.Planned = Planned{
		Revision: revision, Changes: mapped(config.Changes(current, p.next, now), plannedChange),
		Warnings: []string{}, PublicKeys: publicKeys(p.next),
	}
	if !s.Local {
		p.Warnings = append(p.Warnings, config.Warnings(p.next)...)
	}
	p.changes = len(p.Changes)
	err = s.planTenant(ctx, &p)
	return p, err
}

// owner returns the request's tenant; the zero value: it is the operator.
func (s *server) owner(ctx context.Context) (access.Tenant, error) {
	if id := callOf(ctx).tenant; id != "" {
		return s.tenant(ctx, id)
	}
	return access.Tenant{}, nil
}

// planTenant adds what a file changes of the tenant's settings.
func (s *server) planTenant(ctx context.Context, p *plan) error {
	if p.settings.IsEmpty() {
		return nil
	}
	tenant, err := s.owner(ctx)
	if err != nil {
		return err
	}
	next := p.settings.ApplyTo(tenant)
	changes := config.TenantChanges(tenant, next)
	if len(changes) == 0 {
		return nil
	}
	if callOf(ctx).principal.Tenant != "" {
		return forbidden.problem(
			"The file changes the portal or the rates, which are the operator's. Remove portal and rates from the file.",
		)
	}
	p.Changes = append(p.Changes, mapped(changes, plannedChange)...)
	p.tenant = next
	return nil
}

const (
	yamlType = "application/yaml"
	jsonType = "application/json"
)

var fileType = reflect.TypeFor[File]()

// parseFile reads the file of a request.
func (s *server) parseFile(
	ctx context.Context, in Planning,
) (next catalog.Catalog, settings config.TenantSettings, err error) {
	c := callOf(ctx)
	file := File{File: string(in.RawBody)}
	if kind, _, _ := mime.ParseMediaType(in.ContentType); kind == jsonType {
		file = File{}
		decoder := json.NewDecoder(bytes.NewReader(in.RawBody))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&file); err != nil || decoder.More() {
			return next, settings, badRequest.problem(
				"The body is no File. Send {\"file\": \"…\"}, or the file itself as application/yaml.",
			).and("/body", "is not a File")
		}
	}
	lookup := func(name string) (string, bool) {
		value, ok := file.Variables[name]
		return value, ok
	}
	open := func(name string) ([]byte, error) {
		text, is := file.Files[name]
		if !is {
			return nil, errors.New("the file was not sent: put it into files")
		}
		return []byte(text), nil
	}
	next, settings, err = config.ParseFor(
		c.tenant, "line", []byte(file.File), s.relay(ctx), lookup, open,
	)
	if err != nil {
		return next, settings, problemOfConfig(err)
	}
	return next, settings, s.checkUses(c.tenant, next)
}

// checkUses is checkUse for all sources and endpoints of a file.
func (s *server) checkUses(tenant string, next catalog.Catalog) error {
	check := func(place, name string, r catalog.Resource) error {
		err := s.checkUse(tenant, r)
		if err == nil {
			return nil
		}
		for _, p := range config.Problems(err) {
			p.Path = place + "." + name + "." + p.Path
		}
		return problemOfConfig(err)
	}
	for i := range next.Sources {
		source := &next.Sources[i]
		if err := check("sources", source.Name, catalog.Resource{Source: source}); err != nil {
			return err
		}
	}
	for i := range next.Endpoints {
		endpoint := &next.Endpoints[i]
		err := check("endpoints", endpoint.Name, catalog.Resource{Endpoint: endpoint})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSources checks the sources outside of a catalog that its subscriptions name.
func (s *server) checkSources(ctx context.Context, next catalog.Catalog) error {
	tenant := callOf(ctx).tenant
	known := map[string]bool{}
	for _, source := range next.Sources {
		known[source.Name] = true
	}
	for _, sub := range next.Subscriptions {
		if known[sub.Source] {
			continue
		}
		known[sub.Source] = true
		err := catalog.CheckSource(tenant, sub.Source, func(name string) (catalog.Source, error) {
			owner, plain := catalog.SplitName(name)
			found, err := s.Catalogs.For(owner).Resource(ctx, catalog.KindSource, plain)
			if err != nil {
				return catalog.Source{}, err
			}
			return *found.Source, nil
		})
		if err != nil {
			return orError(err, catalog.ErrNotFound, at(
				"/body", "subscription %s: there is no source %s in the file, nor elsewhere one that it may name",
				sub.Name, sub.Source,
			))
		}
	}
	return nil
}

func plannedChange(line string) PlannedChange {
	actions := map[byte]string{'+': "add", '~': "change", '-': "remove"}
	return PlannedChange{Action: actions[line[0]], Text: line[len("+ "):]}
}

func publicKeys(c catalog.Catalog) []PublicKey {
	keys := []PublicKey{}
	for _, e := range c.Endpoints {
		for _, secret := range e.Secrets {
			if key := sign.PublicKey(secret); key != "" {
				keys = append(keys, PublicKey{Endpoint: e.Name, Key: key})
			}
		}
	}
	return keys
}

// apply makes a file the configuration in force: all of it or nothing.
func (s *server) apply(ctx context.Context, in *applyInput) (*appliedAnswer, error) {
	base, err := planned(in.IfMatch)
	if err != nil {
		return nil, err
	}
	p, err := s.plan(ctx, in.Planning)
	if err != nil {
		return nil, err
	}
	if err := in.agrees(p, base); err != nil {
		return nil, err
	}
	out := &appliedAnswer{Body: Applied{
		Planned: p.Planned, Secrets: []Made{}, Retiring: retiringIn(p.next, s.Now()),
	}}
	for _, name := range slices.Sorted(maps.Keys(p.secrets)) {
		out.Body.Secrets = append(out.Body.Secrets, Made{Endpoint: name, Secret: p.secrets[name]})
	}
	revision := p.Revision
	if p.changes > 0 {
		revision++
	}
	err = s.change(ctx, "configuration", map[string]any{"revision": p.Revision}, map[string]any{
		"revision": revision, "changes": p.Changes,
	}, func() error {
		if err := s.applyTenant(ctx, p); err != nil || p.changes == 0 {
			return err
		}
		err := s.Catalogs.For(callOf(ctx).tenant).ReplaceCatalog(ctx, p.next, base)
		return orError(err, catalog.ErrConflict, stale(p.Revision+1, base))
	})
	if err != nil {
		return nil, err
	}
	out.Body.Revision, out.ETag = revision, etag(revision)
	return out, nil
}

// applyTenant changes the settings of a tenant as planned. A request that is cut short after it is
// sent again.
func (s *server) applyTenant(ctx context.Context, p plan) error {
	if p.tenant.Revision == 0 {
		return nil
	}
	_, err := s.tenants.Put(ctx, p.tenant, p.tenant.Revision)
	return orError(err, catalog.ErrConflict, stale(p.tenant.Revision+1, p.tenant.Revision))
}

// planned returns the revision of a plan.
func planned(tag string) (int64, error) {
	switch tag {
	case "":
		return 0, noCondition.problem(
			"Send If-Match with the ETag that POST /v1/plan has answered for this file.",
		)
	case etag(0): // nothing is configured yet
		return 0, nil
	}
	return revisionOf(tag)
}

// agrees returns a problem if a plan is not what the request wants to apply.
func (in *applyInput) agrees(p plan, base int64) error {
	if p.Revision != base {
		return changed.problem(
			"The configuration has the ETag %s now. Plan the file again.", etag(p.Revision),
		)
	}
	if p.isEmpty() && !in.Empty {
		return stateConflict.problem(
			"The file has no sources, endpoints or subscriptions, so applying it would remove everything that files manage. If you want that, add ?empty=true&remove=true.",
		)
	}
	removed := stateConflict.problem(
		"It would remove what errors names. If you want that, add ?remove=true.",
	)
	for _, c := range p.Changes {
		if c.Action == "remove" {
			removed = removed.and("/body", "%s would be removed", c.Text)
		}
	}
	if len(removed.Errors) > 0 && !in.Remove {
		return removed
	}
	return nil
}

// isEmpty tells whether the file has nothing.
func (p plan) isEmpty() bool {
	if !p.settings.IsEmpty() {
		return false
	}
	files := func(by catalog.Manager) bool { return by == "" || by == catalog.ManagedByFile }
	return !slices.ContainsFunc(p.next.Sources, func(s catalog.Source) bool {
		return files(s.ManagedBy)
	}) && !slices.ContainsFunc(p.next.Endpoints, func(e catalog.Endpoint) bool {
		return files(e.ManagedBy)
	}) && !slices.ContainsFunc(p.next.Subscriptions, func(s catalog.Subscription) bool {
		return files(s.ManagedBy)
	})
}

func retiringIn(c catalog.Catalog, now time.Time) []RetiringOf {
	out := []RetiringOf{}
	for _, e := range c.Endpoints {
		for _, old := range e.StillRetiring(now) {
			out = append(out, RetiringOf{Endpoint: e.Name, RetiringSecret: RetiringSecret{
				Fingerprint: masked(old.Secret).mask.Fingerprint, Until: old.Until,
			}})
		}
	}
	return out
}
