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

// Auth is how the relay authenticates to an endpoint, beside the signature of Standard Webhooks.
// Exactly one field is set. It is stored in the catalog, which encrypts all of it: do not change
// its JSON names. A value described as a secret may be a reference (SecretPrefix).
type Auth struct {
	Basic *BasicAuth `json:"basic,omitempty"`
	// a secret: the token of "Authorization: Bearer …"
	Bearer    string     `json:"bearer,omitempty"`
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

// APIKey is a value in a header or in the URL's query. Exactly one of Header and Query is set.
type APIKey struct {
	Header string `json:"header,omitempty"` // lower case
	Query  string `json:"query,omitempty"`  // the parameter's name
	Value  string `json:"value"`            // a secret
}

// OAuth2 gets access tokens from a token endpoint with client credentials (RFC 6749, section 4.4).
type OAuth2 struct {
	TokenURL     string   `json:"tokenUrl"` // https
	ClientID     string   `json:"clientId"` // may be a reference, like a secret
	ClientSecret string   `json:"clientSecret"`
	Scopes       []string `json:"scopes,omitempty"`
	// for token endpoints that need this parameter; "": not sent
	Audience string `json:"audience,omitempty"`
	// id and secret are sent in the body, not in the Authorization header
	InBody bool `json:"inBody,omitempty"`
}

// Signature is a signature that the receiver can verify already: the one of a provider of package
// verify, or a described HMAC.
type Signature struct {
	Provider string       `json:"provider"`       // a name of verify.Providers
	HMAC     *verify.HMAC `json:"hmac,omitempty"` // for provider "hmac"
	// a secret in the provider's form; its private key, if it signs with one
	Secret string `json:"secret"`
	Alone  bool   `json:"alone,omitempty"` // the headers of Standard Webhooks are not sent
}

// SigV4 signs requests for AWS, with the credentials of the deliver function's role, or of another
// role that it assumes.
type SigV4 struct {
	Service string `json:"service"` // execute-api, lambda, …
	Region  string `json:"region"`
	Role    string `json:"role,omitempty"` // ARN of the role to assume; "": none
	// what the role's trust policy asks for; "": nothing
	ExternalID string `json:"externalId,omitempty"`
}

// SecretPrefix begins a reference to a secret of AWS Secrets Manager, which replaces the secret
// itself: "aws-secretsmanager:shop/token". For a string in a secret that is a JSON object it is
// "aws-secretsmanager:shop/api#password". The name may be an ARN.
const SecretPrefix = "aws-secretsmanager:"

// IsReference tells whether a value is a reference.
func IsReference(value string) bool { return strings.HasPrefix(value, SecretPrefix) }

// SecretStore reads secrets to which the catalog only refers. It is safe for concurrent use.
type SecretStore interface {
	// Secret returns the current secret of a name or ARN. ErrNotFound means that it does not exist,
	// is deleted, or may not be read. No error contains a secret.
	Secret(ctx context.Context, name string) (string, error)
}

// SecretValues returns the values of a that may be references.
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

// Clone returns a copy whose secrets can be changed.
func (a *Auth) Clone() *Auth {
	c := *a
	c.Basic, c.APIKey, c.OAuth2, c.Signature = cloned(a.Basic), cloned(a.APIKey), cloned(a.OAuth2),
		cloned(a.Signature)
	return &c
}

func cloned[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// References returns the values of an endpoint that may be references.
func (ep Endpoint) References() (all []string) {
	if ep.Auth != nil {
		for _, value := range ep.Auth.SecretValues() {
			all = append(all, *value)
		}
	}
	if ep.TLS != nil {
		all = append(
			all, string(ep.TLS.Certificate), string(ep.TLS.Key), string(ep.TLS.Authorities),
		)
	}
	return all
}

// minSecretBytes is the shortest value of Header, or part of one, that counts as a secret. If words
// such as prod were removed from answers, every answer would have gaps.
const minSecretBytes = 6

// Hidden returns the texts that must be removed from an endpoint's answers before they are
// recorded. These are the values of its headers and of its URL, as a whole and in their parts (the
// token of an Authorization, each cookie of several), and the secret of its Signature, which many
// providers send as the header itself.
func (ep Endpoint) Hidden() (all []string) {
	for _, value := range ep.Header {
		parts := strings.FieldsFunc(value, func(r rune) bool {
			return strings.ContainsRune(" ;,=", r)
		})
		all = append(append(all, value), parts...)
	}
	all = append(all, secretsOfURL(ep.URL)...)
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecretBytes })
	if ep.Auth != nil && ep.Auth.Signature != nil {
		all = append(all, ep.Auth.Signature.Secret)
	}
	return all
}

// minSecretSegment is the shortest segment of a URL's path that counts as a secret. The webhook
// URLs of chat services have such segments.
const minSecretSegment = 20

// secretsOfURL returns the values of a URL's query, and the segments of its path that may be
// secrets.
func secretsOfURL(raw string) (all []string) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil // nothing can be sent to it
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

// NeedsAWS tells the operator why an endpoint works only in a deployed relay; "" if it works
// everywhere.
func (ep Endpoint) NeedsAWS() string {
	if ep.Auth != nil && ep.Auth.SigV4 != nil {
		return "sigv4 works only in a deployed relay, which has a role to sign with"
	}
	if slices.ContainsFunc(ep.References(), IsReference) {
		return "only a deployed relay reads AWS Secrets Manager"
	}
	return ""
}

// Verifier returns the value that makes the signature. For a provider that signs with a private
// key, the secret is that key.
func (s *Signature) Verifier(endpointURL string) (*verify.Verifier, error) {
	cfg := verify.Config{Provider: s.Provider, HMAC: s.HMAC}
	if d, _ := verify.Describe(s.Provider); d.NeedsURL != "" || s.HMAC != nil &&
		strings.Contains(s.HMAC.Payload, "{url}") {
		cfg.URL = endpointURL
	}
	return verify.NewSigner(cfg, nil, s.Secret)
}

// Sign returns the headers, without the content type, with which the provider would send w.
func (s *Signature) Sign(
	v *verify.Verifier, endpointURL string, w verify.Webhook, at time.Time,
) (verify.Header, error) {
	r, err := v.Sign(w, at)
	if err != nil {
		return nil, err
	}
	delete(r.Header, "content-type")
	_, query, _ := strings.Cut(endpointURL, "?")
	if !bytes.Equal(r.Body, w.Body) || r.Query != "" && r.Query != query {
		return nil, errors.New(
			"relay: this provider's proof is in the body or the URL, which the relay does not change",
		)
	}
	for name, value := range r.Header {
		ours := IsReserved(name)
		switch standard := slices.Contains(StandardHeaders, name); {
		case ours && standard && !s.Alone:
			return nil, fmt.Errorf(
				"relay: header %s is also a header of Standard Webhooks; set standard: false to leave those out",
				name,
			)
		case ours && !standard:
			return nil, fmt.Errorf(
				"relay: header %s is set by the relay or by the connection itself", name,
			)
		}
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("relay: header %s has a control character", name)
		}
	}
	return r.Header, nil
}

// Check returns why deliveries to a URL cannot be signed this way, or nil. A secret that is a
// reference is assumed to be valid.
func (s Signature) Check(endpointURL string) error {
	_, err := s.sample(endpointURL)
	return err
}

// sample returns the headers of a signed sample webhook.
func (s Signature) sample(endpointURL string) (verify.Header, error) {
	d, _ := verify.Describe(s.Provider)
	if slices.ContainsFunc(d.Settings, func(one verify.SettingDescription) bool {
		return !one.Optional
	}) {
		return nil, fmt.Errorf(
			"relay: provider %s needs settings, which an endpoint cannot have; describe its signature with hmac",
			s.Provider,
		)
	}
	if IsReference(s.Secret) {
		secret, signing, err := verify.ExampleKey(
			s.Provider, strings.NewReader(strings.Repeat("x", 32)),
		)
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

// Headers returns the lower-case names of the headers that a sets on requests to a URL, in no
// particular order.
func (a *Auth) Headers(endpointURL string) []string {
	switch {
	case a.APIKey != nil && a.APIKey.Header == "":
		return nil
	case a.APIKey != nil:
		return []string{a.APIKey.Header}
	case a.Signature != nil:
		header, _ := a.Signature.sample(endpointURL) // none if it cannot be made, see Check
		for _, name := range a.Signature.Companions() {
			delete(header, name) // the endpoint's own headers may have them
		}
		return slices.Collect(maps.Keys(header))
	case a.SigV4 != nil:
		return []string{
			"authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
		}
	default:
		return []string{"authorization"}
	}
}

// IsCredential tells whether somebody who sees one request could make others. That is so if the
// request contains the secret itself, and not only a signature made with it.
func (a *Auth) IsCredential() bool {
	if a.Signature == nil {
		return a.SigV4 == nil
	}
	d, _ := verify.Describe(a.Signature.Provider)
	return d.Trust == verify.Authenticated
}

// Companions returns the names of the headers that the signature's provider sends beside its proof.
func (s *Signature) Companions() []string {
	d, _ := verify.Describe(s.Provider)
	return d.Companions
}

// StandardHeaders are the headers of Standard Webhooks.
var StandardHeaders = []string{"webhook-id", "webhook-timestamp", "webhook-signature"}
