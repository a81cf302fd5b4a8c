package catalog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"webhook-relay/shared/verify"
)

// Auth is how requests prove to an endpoint that they are the relay's, beside the signature of Standard Webhooks. Exactly one of its fields is
// set. It is part of the catalog, which seals all of it: names in JSON are kept. What is said to be a secret may be a reference (SecretPrefix).
type Auth struct {
	Basic     *BasicAuth `json:"basic,omitempty"`
	Bearer    string     `json:"bearer,omitempty"` // a secret: the token of "Authorization: Bearer …"
	APIKey    *APIKey    `json:"apiKey,omitempty"`
	OAuth2    *OAuth2    `json:"oauth2,omitempty"`
	Signature *Signature `json:"signature,omitempty"`
	SigV4     *SigV4     `json:"sigv4,omitempty"`
}

// BasicAuth is a user name and a password, both secrets (RFC 7617).
type BasicAuth struct {
	Username string `json:"username"` // without a colon
	Password string `json:"password"`
}

// APIKey is a value in a header or in the URL's query: one of the two is set.
type APIKey struct {
	Header string `json:"header,omitempty"` // lower case
	Query  string `json:"query,omitempty"`  // the parameter's name
	Value  string `json:"value"`            // a secret
}

// OAuth2 asks a token endpoint for access tokens by client credentials (RFC 6749, section 4.4).
type OAuth2 struct {
	TokenURL     string   `json:"tokenUrl"` // https
	ClientID     string   `json:"clientId"` // a secret, as far as references go
	ClientSecret string   `json:"clientSecret"`
	Scopes       []string `json:"scopes,omitempty"`
	Audience     string   `json:"audience,omitempty"` // for those who want the parameter; "": it is not sent
	InBody       bool     `json:"inBody,omitempty"`   // id and secret go in the request's body, not in its Authorization header
}

// Signature is one that the receiver knows already: as a provider of package verify signs, or as an HMAC that is described.
type Signature struct {
	Provider string       `json:"provider"`        // a name of verify.Providers
	HMAC     *verify.HMAC `json:"hmac,omitempty"`  // for provider "hmac"
	Secret   string       `json:"secret"`          // a secret, in the provider's own form; the private key, where it signs with one
	Alone    bool         `json:"alone,omitempty"` // the headers of Standard Webhooks are left out
}

// SigV4 signs as AWS wants it, with the credentials of the deliver function's role.
type SigV4 struct {
	Service string `json:"service"` // execute-api, lambda, …
	Region  string `json:"region"`
}

// SecretPrefix begins a reference to a secret of AWS Secrets Manager, in the place of the secret: "aws-secretsmanager:shop/token", or
// "aws-secretsmanager:shop/api#password" for a string in a secret that is a JSON object. The name may be an ARN.
const SecretPrefix = "aws-secretsmanager:"

// IsReference tells whether a value is a reference.
func IsReference(value string) bool { return strings.HasPrefix(value, SecretPrefix) }

// SecretStore keeps secrets that the catalog only refers to. Safe for concurrent use.
type SecretStore interface {
	// Secret returns the secret of a name or ARN as it is now. ErrNotFound: none is to be had by that name; it does not exist, is deleted, or may not
	// be read. No error has a secret in it.
	Secret(ctx context.Context, name string) (string, error)
}

// SecretValues are the values of a that may be references.
func (a *Auth) SecretValues() []*string {
	all := []*string{&a.Bearer}
	if a.Basic != nil {
		all = append(all, &a.Basic.Username, &a.Basic.Password)
	}
	if a.APIKey != nil {
		all = append(all, &a.APIKey.Value)
	}
	if a.OAuth2 != nil {
		all = append(all, &a.OAuth2.ClientID, &a.OAuth2.ClientSecret)
	}
	if a.Signature != nil {
		all = append(all, &a.Signature.Secret)
	}
	return all
}

// Clone returns a copy whose secrets can be written.
func (a *Auth) Clone() *Auth {
	c := *a
	c.Basic, c.APIKey, c.OAuth2, c.Signature = cloned(a.Basic), cloned(a.APIKey), cloned(a.OAuth2), cloned(a.Signature)
	return &c
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// References are the values of an endpoint that may be references.
func (ep Endpoint) References() (all []string) {
	if ep.Auth != nil {
		for _, value := range ep.Auth.SecretValues() {
			all = append(all, *value)
		}
	}
	if ep.TLS != nil {
		all = append(all, string(ep.TLS.Certificate), string(ep.TLS.Key), string(ep.TLS.Authorities))
	}
	return all
}

// minSecretBytes is how long a value of Header, or a part of one, has to be to count as a secret: to take words such as prod out of answers would
// leave holes in all of them.
const minSecretBytes = 6

// Hidden are the texts that no record may have, should the endpoint send them back: values of its headers, whole and as it may take them apart (the
// token of an Authorization, a cookie of several), and what signs as a provider does, which with many is the header itself.
func (ep Endpoint) Hidden() (all []string) {
	for _, value := range ep.Header {
		parts := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" ;,=", r) })
		all = append(append(all, value), parts...)
	}
	all = append(all, secretsOfURL(ep.URL)...)
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecretBytes })
	if ep.Auth != nil && ep.Auth.Signature != nil {
		all = append(all, ep.Auth.Signature.Secret)
	}
	return all
}

// minSecretSegment is how long a segment of a URL's path has to be to count as a secret, as those of chat services' webhooks are.
const minSecretSegment = 20

// secretsOfURL are the values of a URL's query, and what of its path may be a secret.
func secretsOfURL(raw string) (all []string) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil // it cannot be sent to
	}
	for _, values := range u.Query() {
		all = append(all, values...)
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= minSecretSegment {
			all = append(all, segment)
		}
	}
	return all
}

// NeedsAWS tells what of an endpoint only a deployed relay can do, for an operator's eye; "" where there is nothing.
func (ep Endpoint) NeedsAWS() string {
	if ep.Auth != nil && ep.Auth.SigV4 != nil {
		return "sigv4 signs with the role of a deployed function"
	}
	if slices.ContainsFunc(ep.References(), IsReference) {
		return "a deployed relay alone reads AWS Secrets Manager"
	}
	return ""
}

// Verifier returns what makes the signature. Of a provider that signs with a private key, the secret is that key.
func (s *Signature) Verifier(endpointURL string) (*verify.Verifier, error) {
	cfg := verify.Config{Provider: s.Provider, HMAC: s.HMAC}
	if d, _ := verify.Describe(s.Provider); d.NeedsURL != "" || s.HMAC != nil && strings.Contains(s.HMAC.Payload, "{url}") {
		cfg.URL = endpointURL
	}
	return verify.NewSigner(cfg, nil, s.Secret)
}

// Sign returns the headers, less the content type, with which the provider would send w.
func (s *Signature) Sign(v *verify.Verifier, endpointURL string, w verify.Webhook, at time.Time) (verify.Header, error) {
	r, err := v.Sign(w, at)
	if err != nil {
		return nil, err
	}
	delete(r.Header, "content-type")
	_, query, _ := strings.Cut(endpointURL, "?")
	if !bytes.Equal(r.Body, w.Body) || r.Query != "" && r.Query != query {
		return nil, errors.New("relay: this provider's proof is in the body or the URL, which the relay does not change")
	}
	for name, value := range r.Header {
		ours := IsReserved(name)
		switch standard := slices.Contains(StandardHeaders, name); {
		case ours && standard && !s.Alone:
			return nil, fmt.Errorf("relay: header %s is also that of Standard Webhooks, which standard: false leaves out", name)
		case ours && !standard:
			return nil, fmt.Errorf("relay: header %s is set by the relay or by the connection itself", name)
		}
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("relay: header %s would have a control character", name)
		}
	}
	return r.Header, nil
}

// Check tells what keeps deliveries to a URL from being signed so; nil: nothing. A secret that is a reference is taken to be one that fits.
func (s Signature) Check(endpointURL string) error {
	_, err := s.sample(endpointURL)
	return err
}

// sample returns the headers of one that is made for nobody.
func (s Signature) sample(endpointURL string) (verify.Header, error) {
	d, _ := verify.Describe(s.Provider)
	if slices.ContainsFunc(d.Settings, func(one verify.SettingDescription) bool { return !one.Optional }) {
		return nil, fmt.Errorf("relay: provider %s has settings, which an endpoint has none of; describe its signature as hmac", s.Provider)
	}
	if IsReference(s.Secret) {
		_, secret, signing, err := verify.Example(s.Provider, strings.NewReader(strings.Repeat("x", 32)))
		if err != nil {
			return nil, err
		}
		s.Secret = cmp.Or(signing, secret)
	}
	v, err := s.Verifier(endpointURL)
	if err != nil {
		return nil, err
	}
	sample := verify.Webhook{Body: []byte(`{"a":1}`), DeliveryID: "evt_sample", EventType: "sample"}
	return s.Sign(v, endpointURL, sample, time.Unix(0, 0))
}

// Headers are the names, in lower case, of the headers that a sets on requests to a URL, in no particular order.
func (a *Auth) Headers(endpointURL string) []string {
	switch {
	case a.APIKey != nil && a.APIKey.Header == "":
		return nil
	case a.APIKey != nil:
		return []string{a.APIKey.Header}
	case a.Signature != nil:
		header, _ := a.Signature.sample(endpointURL) // none where it cannot be made, see Check
		for _, name := range a.Signature.Companions() {
			delete(header, name) // the endpoint's own headers may have them
		}
		return slices.Collect(maps.Keys(header))
	case a.SigV4 != nil:
		return []string{"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
	default:
		return []string{"authorization"}
	}
}

// IsCredential tells whether who sees one request could send others: what proves it is in it, and no mere signature of it.
func (a *Auth) IsCredential() bool {
	if a.Signature == nil {
		return a.SigV4 == nil
	}
	d, _ := verify.Describe(a.Signature.Provider)
	return d.Trust == verify.Authenticated
}

// Companions are the headers that the signature's provider sends beside its proof.
func (s *Signature) Companions() []string {
	d, _ := verify.Describe(s.Provider)
	return d.Companions
}

// standardHeaders are those of Standard Webhooks.
var StandardHeaders = []string{"webhook-id", "webhook-timestamp", "webhook-signature"}
