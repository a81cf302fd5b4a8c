package admin

import (
	"context"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// TypeView is a type of event that a source sends.
type TypeView struct {
	Source string `json:"source"`
	TypeSpec
	Validate string `json:"validate" enum:"flag,refuse,reject" doc:"What happens to an event that the schema does not allow"`

	Drift []Drift `json:"drift,omitempty" doc:"Where events have not fitted the schema within a day, though others did before. For the operator only. Left out: nowhere"`
}

// Drift is a place at which events of a type do not fit its schema any more.
type Drift struct {
	At      string    `json:"at" doc:"JSON pointer of the place; empty: the whole document" example:"/order/total"`
	Problem string    `json:"problem" example:"is a string, not number"`
	Event   string    `json:"event" doc:"Id of an event as an example"`
	Since   time.Time `json:"since" doc:"When the hourly sweep saw it first"`
	SeenAt  time.Time `json:"seenAt" doc:"When the sweep saw it last"`
}

func driftOf(d operate.Drift) Drift {
	return Drift{
		At: d.At, Problem: d.Problem, Event: d.EventID, Since: d.Since, SeenAt: d.SeenAt,
	}
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
	drifts := map[string]map[string][]operate.Drift{}
	if tenant == "" { // an example may be another tenant's event
		var err error
		if drifts, err = operate.Drifts(ctx, s.LedgerDocuments, s.Now()); err != nil {
			return nil, err
		}
	}
	for after := ""; ; {
		found, next, err := store.Resources(ctx, catalog.KindSource, after, sourcesAtOnce)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			shown := tenant == "" || r.Source.Tenant.Includes(tenant)
			if shown && (in.Source == "" || in.Source == r.Name) {
				out.Body.Items = append(out.Body.Items, viewOfTypes(*r.Source, drifts[r.Name])...)
			}
		}
		if after = next; next == "" {
			return out, nil
		}
	}
}

func viewOfTypes(s catalog.Source, drifts map[string][]operate.Drift) []TypeView {
	validation := s.Validation
	if validation == "" {
		validation = catalog.Flag
	}
	return mapped(s.Types, func(t catalog.EventType) TypeView {
		return TypeView{
			Source: s.Name, TypeSpec: specOfType(t), Validate: string(validation),
			Drift: mapped(drifts[t.Name], driftOf),
		}
	})
}
