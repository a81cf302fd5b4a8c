package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// auth is how requests to an endpoint are authenticated, beside the Standard Webhooks signature.
// Exactly one block is set.
type auth struct {
	Basic    *basicAuth `yaml:"basic"`
	Bearer   string     `yaml:"bearer"`
	APIKey   *apiKey    `yaml:"api_key"`
	OAuth2   *oauth2    `yaml:"oauth2"`
	HMAC     *hmac      `yaml:"hmac"`
	Provider string     `yaml:"provider"`
	SigV4    *sigV4     `yaml:"sigv4"`

	Secret string `yaml:"secret"` // only with hmac and provider
	// only with hmac and provider; false: omit the Standard Webhooks headers
	Standard *bool `yaml:"standard"`
}

type basicAuth struct {
	Username string `yaml:"username"`
	Password string `yaml:"password"`
}

type apiKey struct {
	Header string `yaml:"header"`
	Query  string `yaml:"query"`
	Value  string `yaml:"value"`
}

type oauth2 struct {
	TokenURL     string   `yaml:"token_url"`
	ClientID     string   `yaml:"client_id"`
	ClientSecret string   `yaml:"client_secret"`
	Scopes       []string `yaml:"scopes"`
	Audience     string   `yaml:"audience"`
	Style        string   `yaml:"style"`
}

type sigV4 struct {
	Service    string `yaml:"service"`
	Region     string `yaml:"region"`
	Role       string `yaml:"role"`
	ExternalID string `yaml:"external_id"`
}

// kinds returns the keys of the blocks that are set.
func (a auth) kinds() (kinds []string) {
	for _, kind := range []struct {
		key   string
		there bool
	}{
		{
			"api_key", a.APIKey != nil,
		}, {
			"basic", a.Basic != nil,
		}, {"bearer", a.Bearer != ""}, {"hmac", a.HMAC != nil}, {"oauth2", a.OAuth2 != nil},
		{"provider", a.Provider != ""}, {"sigv4", a.SigV4 != nil},
	} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// auth converts an endpoint's auth into the catalog's form. to is the endpoint as read so far.
func (c *checker) auth(path string, a *auth, to catalog.Endpoint) *catalog.Auth {
	if a == nil {
		return nil
	}
	kinds := a.kinds()
	if len(kinds) != 1 {
		c.fail(
			path,
			"must have exactly one of api_key, basic, bearer, hmac, oauth2, provider and sigv4, not %d",
			len(kinds),
		)
		return nil
	}
	signs := a.HMAC != nil || a.Provider != ""
	if !signs && (a.Secret != "" || a.Standard != nil) {
		c.fail(path, "has secret or standard, which only hmac and provider use")
	}
	out := c.authOf(path, kinds[0], *a, to)
	if c.deployed && strings.HasPrefix(strings.ToLower(to.URL), "http:") && out.IsCredential() {
		c.fail(
			path,
			"would be sent in the clear, without encryption; the endpoint's url must begin with https",
		)
	}
	for _, name := range slices.Sorted(slices.Values(out.Headers(to.URL))) {
		if _, twice := to.Header[name]; twice {
			c.fail(
				path+"."+kinds[0],
				"sets the header %s, which headers sets too; remove it from headers", name,
			)
		}
	}
	return out
}

// authOf converts the one block that is set into the catalog's form.
func (c *checker) authOf(path, kind string, a auth, to catalog.Endpoint) *catalog.Auth {
	switch {
	case a.Basic != nil:
		return &catalog.Auth{Basic: c.basicAuth(path+".basic", *a.Basic)}
	case a.Bearer != "":
		return &catalog.Auth{Bearer: c.bearer(path+".bearer", a.Bearer)}
	case a.APIKey != nil:
		return &catalog.Auth{APIKey: c.apiKey(path+".api_key", *a.APIKey, to)}
	case a.OAuth2 != nil:
		return &catalog.Auth{OAuth2: c.oauth2(path+".oauth2", *a.OAuth2)}
	case a.SigV4 != nil:
		return &catalog.Auth{SigV4: c.sigV4(path+".sigv4", *a.SigV4)}
	default:
		return &catalog.Auth{Signature: c.signature(path, kind, a, to)}
	}
}

// reference is the form of what follows catalog.SecretPrefix: the name or ARN of a secret, and
// optionally # and a member of it.
var reference = pattern.Lazy(`^[A-Za-z0-9/_+=.@:-]+(#.+)?$`)

// authSecret resolves a secret that is sent in a header. It returns "" if the secret cannot be
// resolved, and reports why.
func (c *checker) authSecret(path, s string) string {
	s, ok := c.secretOrReference(path, s)
	if ok && !httpguts.ValidHeaderFieldValue(s) {
		c.fail(path, "has control characters, which a header cannot contain")
	}
	return s
}

// bearer resolves the token of the header "Authorization: Bearer …".
func (c *checker) bearer(path, s string) string {
	token := c.authSecret(path, s)
	if scheme, _, more := strings.Cut(token, " "); more && strings.EqualFold(scheme, "Bearer") {
		c.fail(path, "begins with Bearer, which the relay adds itself; write the token only")
	}
	return token
}

// secretOrReference resolves env:NAME. A reference to AWS Secrets Manager stays as it is, and is
// resolved when it is needed.
func (c *checker) secretOrReference(path, s string) (string, bool) {
	s, ok := c.value(path, s, true)
	name, is := strings.CutPrefix(s, catalog.SecretPrefix)
	if is && !reference().MatchString(name) {
		c.fail(
			path,
			"is not a reference to a secret; write %sNAME-or-ARN, and add #KEY for one member of a secret that is a JSON object",
			catalog.SecretPrefix,
		)
		return "", false
	}
	return s, ok
}

func (c *checker) basicAuth(path string, b basicAuth) *catalog.BasicAuth {
	out := &catalog.BasicAuth{
		Username: c.authSecret(path+".username", b.Username),
		Password: c.authSecret(path+".password", b.Password),
	}
	if strings.Contains(out.Username, ":") && !catalog.IsReference(out.Username) {
		c.fail(
			path+".username",
			"has a colon, which a user name cannot contain in Basic authentication",
		)
	}
	return out
}

func (c *checker) apiKey(path string, k apiKey, to catalog.Endpoint) *catalog.APIKey {
	out := &catalog.APIKey{
		Header: strings.ToLower(k.Header), Query: k.Query,
		Value: c.authSecret(path+".value", k.Value),
	}
	switch {
	case (k.Header == "") == (k.Query == ""):
		c.fail(path, "must have exactly one of header and query")
	case k.Header != "":
		c.checkHeader(path+".header", k.Header, "")
	default:
		if u, err := url.Parse(to.URL); err == nil && u.Query().Has(k.Query) {
			c.fail(
				path+".query",
				"the endpoint's url already has a query parameter %s; remove it there", k.Query,
			)
		}
	}
	return out
}

func (c *checker) oauth2(path string, o oauth2) *catalog.OAuth2 {
	tokenURL := c.url(path+".token_url", o.TokenURL)
	if strings.HasPrefix(tokenURL, "http:") {
		c.fail(
			path+".token_url", "must begin with https, because the client's secret is sent there",
		)
	}
	if hint := literalHint(o.Audience); hint != "" {
		c.fail(path+".audience", "%s", hint)
	}
	if o.Style != "" && o.Style != "header" && o.Style != "body" {
		c.fail(path+".style", "%q is neither header (the default) nor body", o.Style)
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(r rune) bool {
			return r <= ' ' || r > '~' || r == '"' || r == '\\'
		}) {
			c.fail(
				fmt.Sprintf("%s.scopes[%d]", path, i),
				"is not a scope; a scope is printable ASCII without spaces, quotes and backslashes",
			)
		}
	}
	out := &catalog.OAuth2{
		TokenURL: tokenURL, Scopes: o.Scopes, Audience: o.Audience, InBody: o.Style == "body",
	}
	out.ClientID, _ = c.secretOrReference(path+".client_id", o.ClientID)
	out.ClientSecret, _ = c.secretOrReference(path+".client_secret", o.ClientSecret)
	return out
}

// awsName is the form of AWS service and region names in a signature.
var awsName = pattern.Lazy(`^[a-z0-9-]+$`)

func (c *checker) sigV4(path string, s sigV4) *catalog.SigV4 {
	if !awsName().MatchString(s.Service) {
		c.fail(
			path+".service", "%q is not the name of an AWS service, such as execute-api or lambda",
			s.Service,
		)
	}
	if !awsName().MatchString(s.Region) {
		c.fail(
			path+".region", "%q is not the name of an AWS region, such as eu-central-1", s.Region,
		)
	}
	out := &catalog.SigV4{Service: s.Service, Region: s.Region}
	c.role(path, s.Role, s.ExternalID, out)
	return out
}

func (c *checker) signature(path, kind string, a auth, to catalog.Endpoint) *catalog.Signature {
	out := &catalog.Signature{Provider: verify.Canonical(a.Provider), Alone: a.Standard != nil &&
		!*a.Standard}
	if a.HMAC != nil {
		out.Provider, out.HMAC = kind, (*verify.HMAC)(a.HMAC)
	}
	var ok bool
	if out.Secret, ok = c.secretOrReference(path+".secret", a.Secret); !ok {
		return out
	}
	if err := out.Check(to.URL); err != nil {
		c.fail(path+"."+kind, "%w", err)
	}
	return out
}
