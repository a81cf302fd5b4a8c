package admin

import (
	"context"

	"webhook-relay/shared/relay/catalog"
)

// TypeView is a type of event that a source sends.
type TypeView struct {
	Source string `json:"source"`
	TypeSpec
	Validate string `json:"validate" enum:"flag,refuse,reject" doc:"What happens to an event that the schema does not allow"`
}

type typesInput struct {
	Source string `query:"source" maxLength:"63" doc:"Only those of this source"`
}

type typesAnswer struct {
	Body struct {
		Items []TypeView `json:"items" nullable:"false"`
	}
}

func registerTypes(r *registrar) {
	handle(r, "types.list", r.listTypes)
}

// sourcesAtOnce is how many sources are read at once.
const sourcesAtOnce = 250

// listTypes lists the types of the operator's sources: for a tenant those of the sources whose
// events can be the tenant's.
func (s *server) listTypes(ctx context.Context, in *typesInput) (*typesAnswer, error) {
	out := new(typesAnswer)
	out.Body.Items = []TypeView{}
	tenant, store := callOf(ctx).tenant, s.Catalogs.For("")
	for after := ""; ; {
		found, next, err := store.Resources(ctx, catalog.KindSource, after, sourcesAtOnce)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			shown := tenant == "" || r.Source.Tenant.Includes(tenant)
			if shown && (in.Source == "" || in.Source == r.Name) {
				out.Body.Items = append(out.Body.Items, viewOfTypes(*r.Source)...)
			}
		}
		if after = next; next == "" {
			return out, nil
		}
	}
}

func viewOfTypes(s catalog.Source) []TypeView {
	validation := s.Validation
	if validation == "" {
		validation = catalog.Flag
	}
	return mapped(s.Types, func(t catalog.EventType) TypeView {
		return TypeView{Source: s.Name, TypeSpec: specOfType(t), Validate: string(validation)}
	})
}
