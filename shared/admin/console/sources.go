package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

func (v *visit) sources() error {
	found, err := listOf[admin.SourceView](v, "/v1/sources", nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Sources", nav: "/sources", live: true}, sourcesPage(v, found))
}

// sourceData is what the page of a source shows.
type sourceData struct {
	admin.SourceView

	provider      admin.Provider
	subscriptions []admin.SubscriptionView
	refused       []admin.Refused
	reasons       []reasonCount
	lookup        string                   // the provider's id that was looked up in vain
	drifts        map[string][]admin.Drift // by type
}

// reasonCount is how many requests were refused for a reason.
type reasonCount struct {
	reason string
	n      int
}

func (v *visit) source() error {
	name := v.name()
	found, err := get[admin.SourceView](v, client.Path("v1", "sources", name), nil)
	if err != nil {
		return err
	}
	d := sourceData{SourceView: found, lookup: v.query("delivery")}
	if d.lookup != "" {
		story, err := get[admin.EventStory](v, "/v1/events/lookup", url.Values{
			"source": {name}, "delivery": {d.lookup},
		})
		if err == nil {
			v.redirect(v.at("events", story.ID))
			return nil
		}
		if !missing(err) {
			return err
		}
	}
	if d.provider, err = v.provider(found.Spec.Provider); err != nil {
		return err
	}
	if d.subscriptions, err = v.subscriptionsOf(sourceKind, name); err != nil {
		return err
	}
	if err := v.readRefused(&d); err != nil {
		return err
	}
	if err := v.readDrifts(&d); err != nil {
		return err
	}
	return v.ok(page{title: name, nav: "/sources", live: true}, sourcePage(v, d))
}

// readRefused reads the latest refused requests of a source.
func (v *visit) readRefused(d *sourceData) error {
	if !v.may("refused.list") {
		return nil
	}
	all, err := get[admin.Page[admin.Refused, admin.Scanned]](
		v, "/v1/refused", url.Values{"limit": {"250"}},
	)
	if err != nil {
		return err
	}
	own := v.tenantName()
	counts := map[string]int{}
	for _, r := range all.Items {
		if r.Source == d.Spec.Name || own != "" && r.Source == own+"/"+d.Spec.Name {
			d.refused = append(d.refused, r)
			counts[r.Reason] += 1 + r.Others
		}
	}
	for _, reason := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	}) {
		d.reasons = append(d.reasons, reasonCount{reason: reason, n: counts[reason]})
	}
	d.refused = d.refused[:min(len(d.refused), pageSize)]
	return nil
}

// readDrifts reads at which places events of a source's types do not fit any more.
func (v *visit) readDrifts(d *sourceData) error {
	if len(d.Spec.Types) == 0 {
		return nil
	}
	all, err := get[items[admin.TypeView]](v, "/v1/types", url.Values{"source": {d.Spec.Name}})
	d.drifts = map[string][]admin.Drift{}
	for _, t := range all.Items {
		d.drifts[t.Name] = t.Drift
	}
	return err
}

// tenantName is whose things the page is about; "": the operator's.
func (v *visit) tenantName() string { return cmp.Or(v.tenant, v.session.Tenant) }

// address returns the URL at which a path of the relay is.
func (v *visit) address(path string) string {
	scheme := "https"
	if v.Local {
		scheme = "http"
	}
	return scheme + "://" + v.r.Host + path
}

// providers returns the providers, by title.
func (v *visit) providers() ([]admin.Provider, error) {
	// they are the same for all tenants
	all, err := client.Get[items[admin.Provider]](
		v.r.Context(), client.InProcess(v.API, v.principal(), ""), "/v1/providers", nil,
	)
	sort.Slice(all.Items, func(i, j int) bool {
		return strings.ToLower(all.Items[i].Title) < strings.ToLower(all.Items[j].Title)
	})
	return all.Items, err
}

// provider returns a provider by its name or an alias.
func (v *visit) provider(name string) (admin.Provider, error) {
	all, err := v.providers()
	for _, p := range all {
		if p.Name == name || slices.Contains(p.Aliases, name) {
			return p, nil
		}
	}
	return admin.Provider{Name: name, Title: name}, err
}

// newSourceData is what the form for a source shows.
type newSourceData struct {
	providers []admin.Provider
	chosen    *admin.Provider
}

func (v *visit) newSource() error {
	all, err := v.providers()
	if err != nil {
		return err
	}
	d := newSourceData{providers: all}
	name := v.field("provider", v.query("provider"))
	for i, p := range all {
		if p.Name == name {
			d.chosen = &all[i]
		}
	}
	return v.ok(page{title: "Add a source", nav: "/sources"}, newSourcePage(v, d))
}

// createSource makes a source of the fields that its provider needs. A field's key is its place in
// the spec.
func (v *visit) createSource() error {
	provider := v.field("provider", "")
	p, err := v.provider(provider)
	if err != nil {
		return err
	}
	spec := map[string]any{"provider": provider}
	settings := map[string]any{}
	for _, f := range p.Fields {
		value := v.field("field:"+f.Key, "")
		if value == "" {
			continue
		}
		switch name, setting := strings.CutPrefix(f.Key, "settings."); {
		case setting:
			settings[name] = value
		case f.Key == "secrets":
			spec["secrets"] = []string{value}
		default:
			spec[f.Key] = value
		}
	}
	if len(settings) > 0 {
		spec["settings"] = settings
	}
	if err := v.moreOf(spec); err != nil {
		return v.refused(err, (*visit).newSource)
	}
	_, name, err := v.create(sourceKind, spec)
	if err != nil {
		return v.refused(err, (*visit).newSource)
	}
	return v.done(v.at("sources", name), "saved")
}

// moreOf adds to a spec what was written as JSON.
func (v *visit) moreOf(spec map[string]any) error {
	text := v.field("more", "")
	if text == "" {
		return nil
	}
	more, err := members([]byte(text))
	if err != nil {
		return invalid("/more", "is no JSON object")
	}
	for name, value := range more {
		if _, given := spec[name]; given {
			return invalid("/more/"+name, "is in a field of the form too")
		}
		spec[name] = value
	}
	return nil
}

// needsMore reports whether a provider needs what no field of the form has.
func needsMore(p admin.Provider) bool { return p.Name == "hmac" }

// methodsOf returns the methods of a provider if they are not just POST.
func methodsOf(p admin.Provider) string {
	if len(p.Methods) == 1 && p.Methods[0] == http.MethodPost {
		return ""
	}
	return strings.Join(p.Methods, ", ")
}

// validationText says what happens to an event that the schema of its type does not allow.
func validationText(validate string) string {
	switch validate {
	case "refuse":
		return "events that do not fit die"
	case "reject":
		return "the sender of what does not fit gets 422"
	}
	return "events that do not fit are marked"
}
