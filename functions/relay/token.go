package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

type tokenCommand struct {
	Create createTokenCommand `cmd:"" help:"Make a token and print it once. It is stored as a hash only."`
	List   listTokensCommand  `cmd:"" help:"List the tokens, without the tokens themselves."`
	Revoke revokeTokenCommand `cmd:"" help:"End a token."`
}

// tokenFlags are the flags of all commands about tokens.
type tokenFlags struct {
	targetFlags
	Tenant string `help:"Whose tokens. Default: the operator's."`
	JSON   bool   `help:"Print JSON, one document a line." name:"json"`
}

type createTokenCommand struct {
	tokenFlags
	Role    string `help:"What the token may do. Each role may do what the roles before it may." enum:"read,operate,admin" required:""`
	Name    string `help:"Name of the token, for people." required:""`
	Expires span   `help:"How long the token is valid. Default: for ever. Example: 90d for ninety days."`
}

// tokenDocument is a token in the output of --json.
type tokenDocument struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Role       access.Role `json:"role"`
	Tenant     string      `json:"tenant,omitempty"`
	CreatedAt  time.Time   `json:"createdAt"`
	CreatedBy  string      `json:"createdBy,omitempty"`
	ExpiresAt  time.Time   `json:"expiresAt,omitzero"`
	LastUsedAt time.Time   `json:"lastUsedAt,omitzero"`
	Token      string      `json:"token,omitempty"` // of a new one
}

func documentOfToken(t access.Token, text string) tokenDocument {
	return tokenDocument{
		ID: t.ID, Name: t.Name, Role: t.Role, Tenant: t.Tenant, CreatedAt: t.CreatedAt,
		CreatedBy: t.CreatedBy, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt, Token: text,
	}
}

// Run makes a token.
func (c *createTokenCommand) Run(ctx context.Context, out io.Writer) (err error) {
	if c.Expires < 0 {
		return fmt.Errorf("--expires %s: must be above zero", time.Duration(c.Expires))
	}
	t, err := c.make(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := c.check(ctx, t); err != nil {
		return err
	}
	want := access.Token{
		Name: c.Name, Role: access.Role(c.Role), Tenant: c.Tenant, CreatedBy: operatorName(),
	}
	if c.Expires > 0 {
		want.ExpiresAt = time.Now().Add(time.Duration(c.Expires))
	}
	tokens := t.tokens()
	text, made, err := tokens.Make(want)
	if err != nil {
		return err
	}
	if err := c.change(ctx, t, "tokens.create", made, func() error {
		return tokens.Save(ctx, text, made)
	}); err != nil {
		return err
	}
	if c.JSON {
		return writeDocument(out, documentOfToken(made, text))
	}
	_, err = printLine(
		out, "token     %s, made now and shown this once: %s", describeToken(made), text,
	)
	return err
}

// describeToken says in words what a token is.
func describeToken(t access.Token) string {
	text := fmt.Sprintf("%s, %s, role %s", t.ID, t.Name, t.Role)
	if t.Tenant != "" {
		text += ", of the tenant " + t.Tenant
	}
	if !t.ExpiresAt.IsZero() {
		text += ", valid until " + t.ExpiresAt.Format(time.RFC3339)
	}
	return text
}

// operatorName is who runs the command, as the audit log shows it.
func operatorName() string { return cmp.Or(os.Getenv("USER"), os.Getenv("USERNAME"), "operator") }

// tokens returns the relay's tokens.
func (t *target) tokens() *access.Tokens { return access.NewTokens(t.catalogDocuments, time.Now) }

// check returns an error if there is no such tenant.
func (f tokenFlags) check(ctx context.Context, t *target) error {
	if f.Tenant == "" {
		return nil
	}
	if !catalog.IsTenant(f.Tenant) {
		return fmt.Errorf(
			"--tenant %.70q: is no tenant's id; it is %s", f.Tenant, catalog.TenantForm,
		)
	}
	_, err := access.NewTenants(t.catalogDocuments, time.Now).Tenant(ctx, f.Tenant)
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("--tenant %s: there is no such tenant; create it by PUT /v1/tenants/%s: %w",
			f.Tenant, f.Tenant, err)
	}
	return err
}

// change records a change of a token in the audit log, and makes it.
func (f tokenFlags) change(
	ctx context.Context, t *target, action string, token access.Token, do func() error,
) error {
	facts, err := json.Marshal(documentOfToken(token, ""))
	if err != nil {
		return err
	}
	e := access.Entry{
		Who: access.Who{Kind: "command", Name: operatorName()}, Action: action,
		Target: "token/" + token.ID,
	}
	if e.After = facts; action == "tokens.revoke" {
		e.Before, e.After = facts, nil
	}
	return access.NewAudit(t.ledgerDocuments, time.Now).Change(ctx, f.Tenant, e, do, error.Error)
}

type listTokensCommand struct{ tokenFlags }

// tokensAtOnce is how many tokens are read at a time.
const tokensAtOnce = 100

// Run lists the tokens.
func (c *listTokensCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := c.check(ctx, t); err != nil {
		return err
	}
	tokens, n := t.tokens(), 0
	for from := ""; ; {
		found, next, err := tokens.List(ctx, c.Tenant, from, tokensAtOnce)
		if err != nil {
			return err
		}
		for _, token := range found {
			n++
			if err := c.print(out, token); err != nil {
				return err
			}
		}
		if from = next; next == "" {
			break
		}
	}
	if !c.JSON {
		_, err = fmt.Fprintln(out, plural(n, "token"))
	}
	return err
}

func (c *listTokensCommand) print(out io.Writer, t access.Token) error {
	if c.JSON {
		return writeDocument(out, documentOfToken(t, ""))
	}
	used := "never used"
	if !t.LastUsedAt.IsZero() {
		used = "last used in the hour of " + t.LastUsedAt.Format(time.RFC3339)
	}
	if !t.ExpiresAt.IsZero() && !time.Now().Before(t.ExpiresAt) {
		used += ", expired"
	}
	_, err := printLine(out, "%s, %s", describeToken(t), used)
	return err
}

type revokeTokenCommand struct {
	tokenFlags
	ID string `arg:"" help:"The token's id: tok_…. relay token list shows it."`
}

// Run ends a token.
func (c *revokeTokenCommand) Run(ctx context.Context, out io.Writer) (err error) {
	t, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	tokens := t.tokens()
	token, err := tokens.Token(ctx, c.Tenant, c.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf(
			"%w (relay token list shows the tokens; for those of a tenant, add --tenant)", err,
		)
	}
	if err != nil {
		return err
	}
	if err := c.change(ctx, t, "tokens.revoke", token, func() error {
		_, err := tokens.Revoke(ctx, c.Tenant, c.ID)
		return err
	}); err != nil {
		return err
	}
	if c.JSON {
		return writeDocument(out, documentOfToken(token, ""))
	}
	_, err = printLine(out, "token     %s is revoked; in force everywhere within %s",
		describeToken(token), access.CacheTTL)
	return err
}
