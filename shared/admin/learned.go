package admin

import (
	"context"
	"errors"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// LearnedSecrets are the secrets that providers send in their handshakes.
type LearnedSecrets interface {
	catalog.Sources
	catalog.LearningWindows
}

// maxWindow is the longest window. While it is open, anybody who knows the source's URL can plant a
// secret.
const maxWindow = 24 * time.Hour

type learnedSecret struct {
	Body struct {
		Secret string `json:"secret" doc:"What the provider sent. Some, such as Notion, ask for it again"`
	}
}

type acceptInput struct {
	NameInput

	Body struct {
		For string `json:"for,omitempty" doc:"How long: 10m if left out, 24h at most" example:"10m"`
	}
}

type accepting struct {
	Body struct {
		Until time.Time `json:"until" doc:"The first handshake before this time sets the secret"`
	}
}

func registerLearned(r *registrar) {
	handle(r, "sources.secret.show", r.showLearned)
	handle(r, "sources.secret.forget", r.forgetLearned)
	handle(r, "sources.secret.accept", r.acceptLearned)
}

// learns returns a source of the request's tenant whose provider sends its secret in a handshake.
func (s *server) learns(ctx context.Context, name string) (catalog.Resource, error) {
	store := s.Catalogs.For(callOf(ctx).tenant)
	res, err := store.Resource(ctx, catalog.KindSource, name)
	if err != nil {
		return catalog.Resource{}, err
	}
	if d, _ := verify.Describe(res.Source.Verify.Provider); !d.Learns {
		return catalog.Resource{}, stateConflict.problem(
			"%s sends no secret in a handshake; the source %s uses the secrets of its configuration.",
			d.Title, name,
		)
	}
	return res, nil
}

func (s *server) showLearned(ctx context.Context, in *NameInput) (*learnedSecret, error) {
	res, err := s.learns(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if len(res.Source.Secrets) == 0 {
		return nil, s.noSecretYet(ctx, in.Name)
	}
	out := new(learnedSecret)
	out.Body.Secret = res.Source.Secrets[0]
	return out, s.change(ctx, "source/"+in.Name, nil, nil, func() error { return nil })
}

// noSecretYet says what to do so that a source gets a secret.
func (s *server) noSecretYet(ctx context.Context, name string) error {
	tenant := callOf(ctx).tenant
	state, err := s.Learned.State(ctx, tenant)
	if err != nil {
		return err
	}
	source, err := s.Learned.Source(ctx, state.Generation, catalog.Qualify(tenant, name))
	if err != nil {
		return err
	}
	if s.Now().Before(source.LearnUntil) {
		return stateConflict.problem("The source %s has no secret yet. It accepts one from its provider's handshake until %s: set up the webhook there.",
			name, source.LearnUntil.UTC().Format(time.RFC3339))
	}
	return stateConflict.problem("The source %s has no secret yet. Accept one (relay secret %[1]s --learn 10m), then set up the webhook at its provider.",
		name)
}

func (s *server) forgetLearned(ctx context.Context, in *NameInput) (*struct{}, error) {
	res, err := s.learns(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	before := map[string]any{"secrets": maskedAll(res.Source.Secrets)}
	return nil, s.change(ctx, "source/"+in.Name, before, nil, func() error {
		if len(res.Source.Secrets) == 0 {
			return nil
		}
		res.Source.Secrets = nil
		_, err := s.Catalogs.For(callOf(ctx).tenant).Edit(ctx, catalog.Edit{
			Put: &res, Base: res.Revision, By: res.ManagedBy, Forget: true,
		})
		return err
	})
}

func (s *server) acceptLearned(ctx context.Context, in *acceptInput) (*accepting, error) {
	window := 10 * time.Minute
	if in.Body.For != "" {
		var err error
		if window, err = span(in.Body.For); err != nil || window <= 0 || window > maxWindow {
			return nil, at("/body/for", "%.40q must be above 0, at most 24h", in.Body.For)
		}
	}
	if _, err := s.learns(ctx, in.Name); err != nil {
		return nil, err
	}
	out := new(accepting)
	out.Body.Until = s.Now().Add(window).UTC().Truncate(time.Millisecond)
	err := s.change(ctx, "source/"+in.Name, nil, out.Body, func() error {
		tenant := callOf(ctx).tenant
		err := s.Learned.OpenLearning(ctx, catalog.Qualify(tenant, in.Name), out.Body.Until)
		if errors.Is(err, catalog.ErrConflict) {
			return orError(err, catalog.ErrConflict, stateConflict.problem(
				"The source %s has a secret. Forget it first (relay secret %[1]s --forget --learn 10m).",
				in.Name,
			))
		}
		return err
	})
	return out, err
}
