package egress

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// errAuth means that the credentials for a request cannot be obtained.
var errAuth = errors.New("egress: no credentials for the endpoint")

// noCredentials returns the error of a request that was not sent for lack of credentials.
func noCredentials(err error) error {
	return &relay.PostError{Outcome: relay.AuthFailed, Err: err}
}

// authorize adds to a request what p.Auth asks for. It returns the access token, if there is one,
// because it may turn out to be revoked. Its errors are those of Post.
func (c *Client) authorize(
	ctx context.Context, req *http.Request, p relay.Post,
) (token accessToken, err error) {
	a := p.Auth
	switch {
	case a == nil:
	case a.Basic != nil:
		req.SetBasicAuth(a.Basic.Username, a.Basic.Password)
	case a.Bearer != "":
		return token, setHeader(req, "authorization", "Bearer "+a.Bearer)
	case a.APIKey != nil && a.APIKey.Header != "":
		return token, setHeader(req, a.APIKey.Header, a.APIKey.Value)
	case a.APIKey != nil:
		relay.AddQuery(req.URL, url.QueryEscape(a.APIKey.Query)+"="+url.QueryEscape(a.APIKey.Value))
	case a.OAuth2 != nil:
		if token, err = c.tokens.get(ctx, a.OAuth2); err == nil {
			err = setHeader(req, "authorization", "Bearer "+token.value)
		}
	case a.SigV4 != nil:
		err = c.signV4(ctx, req, a.SigV4, p.Body)
	}
	return token, err
}

func setHeader(req *http.Request, name, value string) error {
	if err := checkHeader(name, value); err != nil {
		return blocked(err)
	}
	req.Header[headerKey(name)] = []string{value}
	return nil
}

// signedV4 are headers of AWS's signature. Headers of these names that came from a provider are
// removed, so they do not stand beside ours.
var signedV4 = []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"}

func (c *Client) signV4(
	ctx context.Context, req *http.Request, s *catalog.SigV4, body []byte,
) error {
	if c.credentials == nil {
		return noCredentials(fmt.Errorf(
			"%w: sigv4 works only in a deployed relay, which has a role to sign with", errAuth,
		))
	}
	credentials, err := c.roles.credentials(ctx, s)
	if err != nil {
		return err
	}
	for _, name := range signedV4 {
		req.Header.Del(name)
	}
	sum := sha256.Sum256(body)
	hash, signer := hex.EncodeToString(sum[:]), c.signer
	if s.Service == string(destination.S3) {
		signer = c.signerS3
		req.Header.Set("X-Amz-Content-Sha256", hash) // only S3 needs it
	}
	if err := signer.SignHTTP(
		ctx, credentials, req, hash, s.Service, s.Region, time.Now(),
	); err != nil {
		return fmt.Errorf("egress: sigv4: %w", err)
	}
	return nil
}

// redacted replaces credentials in an answer.
const redacted = "[redacted]"

// redact removes the request's credentials from the beginning of an answer, in the forms in which
// they were sent and may come back. Failing endpoints often show the request that they got, and
// answers are recorded. cut means that the answer has more, so its end may be the beginning of a
// secret.
func redact(body []byte, req *http.Request, p relay.Post, cut bool) []byte {
	if len(body) == 0 {
		return body
	}
	for _, secret := range secretsOf(req, p) {
		body = bytes.ReplaceAll(body, []byte(secret), []byte(redacted))
		for n := len(secret) - 1; cut && n > 0; n-- {
			if rest, found := bytes.CutSuffix(body, []byte(secret[:n])); found {
				body = rest
				break
			}
		}
	}
	return body[:min(len(body), relay.MaxResponseBytes)]
}

// secretsOf returns all forms of the secrets in a request, the longest first, because one may be a
// part of another.
func secretsOf(req *http.Request, p relay.Post) (all []string) {
	scheme, credentials, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	_, password, _ := req.BasicAuth()
	secrets := []string{
		cmp.Or(credentials, scheme), password, req.Header.Get("X-Amz-Security-Token"),
	}
	if p.Auth != nil && p.Auth.APIKey != nil {
		secrets = append(secrets, p.Auth.APIKey.Value)
	}
	for _, secret := range append(secrets, p.Secrets...) {
		all = append(all, formsOf(secret)...)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	all = slices.Compact(all)
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// formsOf returns a text unchanged, and as JSON, HTML and URLs quote it.
func formsOf(text string) []string {
	forms := []string{text, html.EscapeString(text), url.QueryEscape(text), url.PathEscape(text)}
	for _, escapeHTML := range []bool{false, true} { // & or \u0026
		var quoted bytes.Buffer
		e := json.NewEncoder(&quoted)
		e.SetEscapeHTML(escapeHTML)
		_ = e.Encode(text) // encoding a string cannot fail
		forms = append(forms, string(quoted.Bytes()[1:quoted.Len()-2]))
	}
	return forms
}
