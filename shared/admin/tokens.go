package admin

import (
	"context"
	"time"

	"webhook-relay/shared/relay/access"
)

// TokenFacts is what a token is and may do.
type TokenFacts struct {
	ID        string     `json:"id" example:"tok_0f3a9c1b2d4e5f607182"`
	Name      string     `json:"name" example:"ci"`
	Role      string     `json:"role" enum:"read,operate,admin"`
	Tenant    string     `json:"tenant,omitempty" doc:"The tenant to whom it belongs. Without it, to the operator"`
	CreatedAt time.Time  `json:"createdAt"`
	CreatedBy string     `json:"createdBy,omitempty" doc:"Who made it"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"When it ends. Without it, never"`
}

// Token is a token as the API lists it, without its text.
type Token struct {
	TokenFacts

	LastUsedAt *time.Time `json:"lastUsedAt,omitempty" doc:"The hour of its last use. Without it, it was never used"`
}

func factsOf(t access.Token) TokenFacts {
	return TokenFacts{
		ID: t.ID, Name: t.Name, Role: string(t.Role), Tenant: t.Tenant, CreatedAt: t.CreatedAt,
		CreatedBy: t.CreatedBy, ExpiresAt: unlessZero(t.ExpiresAt),
	}
}

func tokenOf(t access.Token) Token {
	return Token{TokenFacts: factsOf(t), LastUsedAt: unlessZero(t.LastUsedAt)}
}

// unlessZero returns a time, or nil for the zero time.
func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type newToken struct {
	Body struct {
		Name    string `json:"name" minLength:"1" maxLength:"100" doc:"For people" example:"ci"`
		Role    string `json:"role" enum:"read,operate,admin" doc:"What it may do. Each role may do what the roles before it may"`
		Expires string `json:"expires,omitempty" doc:"When it ends: a time, or a time from now. Without it, never" example:"90d"`
	}
}

// madeToken is a token and its text.
type madeToken struct {
	Body MadeToken
}

// MadeToken is a token that was made just now.
type MadeToken struct {
	TokenFacts

	Text string `json:"token" doc:"The token itself. It is not stored, and never shown again"`
}

type idInput struct {
	ID string `path:"id" maxLength:"100"`
}

func registerTokens(r *registrar) {
	handle(r, "tokens.list", func(ctx context.Context, in *Paging) (*List[Token, Scanned], error) {
		from, err := r.position(ctx, in.Next, nil)
		if err != nil {
			return nil, err
		}
		found, place, err := r.tokens.List(ctx, callOf(ctx).tenant, from, in.Limit)
		if err != nil {
			return nil, err
		}
		next, err := r.seal(ctx, place, nil)
		return page(mapped(found, tokenOf), next, Scanned{Scanned: len(found)}), err
	})
	handle(r, "tokens.create", r.createToken)
	handle(r, "tokens.revoke", func(ctx context.Context, in *idInput) (*struct{}, error) {
		tenant := callOf(ctx).tenant
		t, err := r.tokens.Token(ctx, tenant, in.ID)
		if err != nil {
			return nil, err
		}
		return nil, r.change(ctx, "token/"+in.ID, factsOf(t), nil, func() error {
			_, err := r.tokens.Revoke(ctx, tenant, in.ID)
			return err
		})
	})
}

func (s *server) createToken(ctx context.Context, in *newToken) (*madeToken, error) {
	c := callOf(ctx)
	expires, err := s.moment("/body/expires", in.Body.Expires)
	if err != nil {
		return nil, err
	}
	text, made, err := s.tokens.Make(access.Token{
		Name: in.Body.Name, Role: access.Role(in.Body.Role), Tenant: c.tenant,
		CreatedBy: c.principal.ID, ExpiresAt: expires,
	})
	if err != nil {
		return nil, err
	}
	out := madeToken{Body: MadeToken{TokenFacts: factsOf(made), Text: text}}
	return &out, s.change(ctx, "token/"+made.ID, nil, out.Body.TokenFacts, func() error {
		return s.tokens.Save(ctx, text, made)
	})
}

// mapped returns f of each.
func mapped[A, B any](all []A, f func(A) B) []B {
	out := make([]B, len(all))
	for i, a := range all {
		out[i] = f(a)
	}
	return out
}
