package console

import (
	"net/http"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

// tokensData is what the page of the tokens shows.
type tokensData struct {
	list[admin.Token]

	made *admin.MadeToken // just now
}

func (v *visit) tokens() error { return v.tokensWith(nil) }

func (v *visit) tokensWith(made *admin.MadeToken) error {
	found, err := listOf[admin.Token](v, "/v1/tokens", nil)
	if err != nil {
		return err
	}
	return v.ok(
		page{title: "Tokens", nav: "/tokens"}, tokensPage(v, tokensData{list: found, made: made}),
	)
}

func (v *visit) createToken() error {
	answer, err := v.post("/v1/tokens", map[string]string{
		"name": v.field("name", ""), "role": v.field("role", ""), "expires": v.field("expires", ""),
	})
	if err != nil {
		return v.refused(err, (*visit).tokens)
	}
	made, err := decode[admin.MadeToken](answer.Body)
	if err != nil {
		return err
	}
	return v.tokensWith(&made)
}

// askRevoke asks before a token ends.
func (v *visit) askRevoke() error {
	return v.ok(
		page{title: "Revoke a token", nav: "/tokens"},
		revokePage(v, v.r.PathValue("id"), v.query("name")),
	)
}

func (v *visit) revoke() error {
	_, err := v.api.Do(v.r.Context(), client.Request{
		Method: http.MethodDelete, Path: client.Path("v1", "tokens", v.r.PathValue("id")),
	})
	if err != nil {
		return err
	}
	return v.done(v.to("/tokens"), "revoked")
}
