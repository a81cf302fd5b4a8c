package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/http/httpguts"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// ErrInvalid is returned for a configuration that is not valid. The message lists all errors, one a
// line.
var ErrInvalid = errors.New("config: invalid")

// file is the form of the YAML file.
type file struct {
	Sources       []source       `yaml:"sources"`
	Endpoints     []endpoint     `yaml:"endpoints"`
	Subscriptions []subscription `yaml:"subscriptions"`
	// of a tenant's file only
	Portal *portal `yaml:"portal"`
	Rates  *rates  `yaml:"rates"`
}

type source struct {
	Name      string   `yaml:"name"`
	Provider  string   `yaml:"provider"`
	Secrets   []string `yaml:"secrets"`
	HMAC      *hmac    `yaml:"hmac"`
	EventType *locator `yaml:"event_type"`
	EventID   *locator `yaml:"event_id"`
	Once      string   `yaml:"once"`

	Tenant   *tenantOf      `yaml:"tenant"`
	Validate string         `yaml:"validate"`
	Types    *types         `yaml:"types"`
	Expect   *time.Duration `yaml:"expect"`

	URL        string            `yaml:"url"`
	AllowedIPs []string          `yaml:"allowed_ips"`
	Settings   map[string]string `yaml:"settings"`
}

type hmac struct {
	Header          string        `yaml:"header"`
	Algorithm       string        `yaml:"algorithm"`
	Encoding        string        `yaml:"encoding"`
	Key             string        `yaml:"key"`
	Prefix          string        `yaml:"prefix"`
	Payload         string        `yaml:"payload"`
	TimestampHeader string        `yaml:"timestamp_header"`
	TimestampJSON   string        `yaml:"timestamp_json"`
	TimestampFormat string        `yaml:"timestamp_format"`
	IDHeader        string        `yaml:"id_header"`
	Tolerance       time.Duration `yaml:"tolerance"`
}

type locator struct {
	Header string `yaml:"header"`
	JSON   string `yaml:"json"`
	Body   bool   `yaml:"body"`
}

type endpoint struct {
	Name    string            `yaml:"name"`
	URL     string            `yaml:"url"`
	Secrets []string          `yaml:"secrets"`
	Headers map[string]string `yaml:"headers"`
	Timeout *time.Duration    `yaml:"timeout"`
	Retry   *retrying         `yaml:"retry"`
	TLS     *tlsFiles         `yaml:"tls"`

	RateLimit   string `yaml:"rate_limit"`
	Concurrency *int   `yaml:"concurrency"`
	Auth        *auth  `yaml:"auth"`
	Prove       string `yaml:"prove"`
	Ordered     order  `yaml:"ordered"`

	// Of a destination in AWS only: see destination.go.
	Envelope   string `yaml:"envelope"`
	Group      string `yaml:"group"`
	DetailType string `yaml:"detail_type"`
	BusSource  string `yaml:"bus_source"`
	Stream     string `yaml:"stream"`
	Region     string `yaml:"region"`
	Claim      string `yaml:"claim"`
	Wait       *bool  `yaml:"wait"`
	Role       string `yaml:"role"`
	ExternalID string `yaml:"external_id"`

	// By source. Of a single resource only: in a file it is at the subscription.
	Send map[string]yaml.Node `yaml:"send"`
}

type subscription struct {
	Name     string    `yaml:"name"`
	Source   string    `yaml:"source"`
	Endpoint string    `yaml:"endpoint"`
	Types    []string  `yaml:"types"`
	Filter   yaml.Node `yaml:"filter"`
	Send     yaml.Node `yaml:"send"`
}

// Read reads the file at path. Endpoints without secrets in the file have none yet: see
// FillSecrets. lookup is os.LookupEnv, or a test's own function. The files that it names are
// relative to its own folder.
func Read(path string, lookup func(string) (string, bool)) (catalog.Catalog, error) {
	return (&checker{name: path, lookup: lookup, open: FilesBeside(path)}).read()
}

// FilesBeside returns what reads the files that the file at path names.
func FilesBeside(path string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return os.ReadFile(name)
	}
}

// Parse reads text as Read reads a file. name is the file's name in errors. The text can name no
// other files. jq programs are not checked: see ParseFor.
func Parse(name string, text []byte, lookup func(string) (string, bool)) (catalog.Catalog, error) {
	return (&checker{name: name, lookup: lookup}).parse(text)
}

// checker turns the file into a catalog and collects the errors.
type checker struct {
	signatures map[string][]string // by source, the headers that contain its proof

	name           string
	lookup         func(string) (string, bool)
	open           func(string) ([]byte, error) // nil: there are no other files
	tenant         string                       // whose catalog the file is for; "": the operator's
	tenantSettings TenantSettings               // of the file
	local          bool                         // rejects settings that need AWS
	deployed       bool                         // rejects credentials sent over http
	jq             func(program string) error   // as of Relay
	lines          map[string]int               // the line of each value, by the value's path
	problems       []error
}

func (c *checker) read() (catalog.Catalog, error) {
	text, err := os.ReadFile(c.name)
	if err != nil {
		return catalog.Catalog{}, fmt.Errorf("config: %w", err)
	}
	return c.parse(text)
}

func (c *checker) parse(text []byte) (catalog.Catalog, error) {
	document, err := c.document(text)
	if err != nil {
		return catalog.Catalog{}, err
	}
	c.lines = map[string]int{}
	c.shape("", document, reflect.TypeFor[file]())
	var cat catalog.Catalog
	if len(c.problems) == 0 {
		var f file
		if err := document.Load(&f, yaml.WithKnownFields()); err != nil {
			return catalog.Catalog{}, c.yamlError(err)
		}
		cat = c.catalog(f)
	}
	if len(c.problems) > 0 {
		return catalog.Catalog{}, fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(c.problems...))
	}
	return cat, nil
}

// fail records a problem of the value at a path such as "endpoints[2].url".
func (c *checker) fail(path, format string, args ...any) {
	c.failAt(c.line(path), path, format, args...)
}

// failAt records a problem on a line. The path is escaped if need be, because it contains keys of
// the file, which may hold any character.
func (c *checker) failAt(line int, path, format string, args ...any) {
	path = strings.TrimPrefix(path, ".") // a single resource has no path of its own
	if strings.ContainsFunc(path, unicode.IsControl) {
		path = strings.Trim(strconv.Quote(path), `"`)
	}
	c.problems = append(c.problems, &Problem{
		File: c.name, Line: line, Path: path, Err: fmt.Errorf(format, args...),
	})
}

// line returns the line of the value at path. If there is no such value, it returns the line of the
// nearest enclosing one.
func (c *checker) line(path string) int {
	for path != "" && c.lines[path] == 0 {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return max(c.lines[path], 1)
}

// nameForm is the form of names. Names are part of URLs, keys, schedule names and message group
// ids.
var nameForm = pattern.Lazy(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (c *checker) catalog(f file) catalog.Catalog {
	var out catalog.Catalog
	sources, endpoints, subscriptions := names{}, names{}, names{}
	for i, s := range f.Sources {
		path := fmt.Sprintf("sources[%d]", i)
		c.checkName(path, s.Name, sources)
		if s.Name == catalog.OwnSource {
			c.fail(
				path+".name",
				"%q is the source of the relay's own events; it exists already, so only name it in subscriptions",
				s.Name,
			)
		}
		out.Sources = append(out.Sources, c.source(path, s))
	}
	for i, e := range f.Endpoints {
		path := fmt.Sprintf("endpoints[%d]", i)
		c.checkName(path, e.Name, endpoints)
		out.Endpoints = append(out.Endpoints, c.endpoint(path, e))
	}
	wanted, sends := map[string]map[string]bool{}, sends{checker: c}
	for i, s := range f.Subscriptions {
		path := fmt.Sprintf("subscriptions[%d]", i)
		if s.Name != "" {
			c.checkName(path, s.Name, subscriptions)
		}
		c.checkSource(path+".source", s.Source, sources)
		c.checkReference(path+".endpoint", s.Endpoint, endpoints)
		c.checkFanOut(path, s, wanted)
		out.Subscriptions = append(out.Subscriptions, c.subscription(path, s))
		sends.add(path, s)
	}
	sends.addTo(out.Endpoints)
	c.tenantSettings = TenantSettings{Portal: c.portalOf(f.Portal), Rates: c.ratesOf(f.Rates)}
	sort.Slice(out.Sources, func(i, j int) bool {
		return out.Sources[i].Name < out.Sources[j].Name
	})
	sort.Slice(out.Endpoints, func(i, j int) bool {
		return out.Endpoints[i].Name < out.Endpoints[j].Name
	})
	sort.SliceStable(out.Subscriptions, func(i, j int) bool {
		return out.Subscriptions[i].Source < out.Subscriptions[j].Source
	})
	catalog.NameSubscriptions(out.Subscriptions)
	return out
}

func (c *checker) subscription(path string, s subscription) catalog.Subscription {
	for j, t := range s.Types {
		if err := route.Validate(t); err != nil {
			c.fail(fmt.Sprintf("%s.types[%d]", path, j), "%w", err)
		}
	}
	return catalog.Subscription{
		Name: s.Name, Source: s.Source, Endpoint: s.Endpoint, Types: s.Types,
		Filter: c.filter(path+".filter", s.Source, &s.Filter),
	}
}

// names maps each name to the path at which it appears first.
type names map[string]string

func (c *checker) checkName(path, name string, seen names) {
	path += ".name"
	if !nameForm().MatchString(name) {
		c.fail(path, "%q is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -", name)
	} else if first, twice := seen[name]; twice {
		c.fail(
			path, "%q is already the name of %s on line %d; use each name once", name,
			strings.TrimSuffix(first, ".name"), c.line(first),
		)
	} else {
		seen[name] = path
	}
}

// checkFanOut reports the subscription that gives a source more endpoints than one event can go to.
// wanted holds the endpoints of each source.
func (c *checker) checkFanOut(path string, s subscription, wanted map[string]map[string]bool) {
	endpoints := wanted[s.Source]
	if endpoints == nil {
		endpoints = map[string]bool{}
		wanted[s.Source] = endpoints
	}
	before := len(endpoints)
	if endpoints[s.Endpoint] = true; len(endpoints) > before &&
		len(endpoints) == relay.MaxEndpoints+1 {
		c.fail(
			path, "source %q has more than %d endpoints; one event can go to %d", s.Source,
			relay.MaxEndpoints, relay.MaxEndpoints,
		)
	}
}

func (c *checker) checkReference(path, name string, known names) {
	if _, ok := known[name]; !ok {
		kind := path[strings.LastIndex(path, ".")+1:]
		c.fail(path, "there is no %s %q in this file", kind, name)
	}
}

func (c *checker) source(path string, s source) catalog.Source {
	out := catalog.Source{Name: s.Name, Tenant: c.tenantOf(path, s.Tenant),
		Secrets: c.secrets(path, s.Secrets), Verify: verify.Config{
			Provider: verify.Canonical(s.Provider), HMAC: (*verify.HMAC)(s.HMAC),
			EventType: (*verify.Locator)(s.EventType), EventID: (*verify.Locator)(s.EventID),
			Once: s.Once, URL: s.URL, AllowedIPs: s.AllowedIPs,
			Settings: c.settings(path, s.Settings),
		}}
	c.types(path, s, &out)
	if s.Expect != nil {
		if out.Expect = *s.Expect; out.Expect < catalog.MinExpect ||
			out.Expect > catalog.MaxExpect {
			c.fail(
				path+".expect", "%s is not between %s and %s; silent sources are looked for once an hour",
				shortDuration(out.Expect), shortDuration(catalog.MinExpect),
				shortDuration(catalog.MaxExpect),
			)
		}
	}
	if trigger.Is(s.Provider) {
		c.trigger(path, s)
		return out
	}
	if len(out.Secrets) < len(s.Secrets) || len(out.Verify.Settings) < len(s.Settings) {
		return out // these problems are reported already
	}
	if s.URL != "" {
		c.checkSignedURL(path+".url", s.URL)
	}
	verifier, err := verify.New(out.Verify, out.Secrets)
	if err != nil {
		c.fail(path, "%w", err)
		return out
	}
	if c.signatures == nil {
		c.signatures = map[string][]string{}
	}
	c.signatures[s.Name] = verifier.SignatureHeaders()
	return out
}

// settings resolves env:NAME in the values. It omits a value that cannot be resolved.
func (c *checker) settings(path string, in map[string]string) map[string]string {
	var out map[string]string
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if value, ok := c.resolve(path+".settings."+name, in[name]); ok {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = value
		}
	}
	return out
}

// secrets resolves env:NAME. It returns nil if any secret cannot be resolved.
func (c *checker) secrets(path string, in []string) []string {
	var out []string
	for i, s := range in {
		if value, ok := c.resolve(fmt.Sprintf("%s.secrets[%d]", path, i), s); ok {
			out = append(out, value)
		}
	}
	if len(out) < len(in) {
		return nil
	}
	return out
}

func (c *checker) endpoint(path string, e endpoint) catalog.Endpoint {
	out := catalog.Endpoint{
		Name: e.Name, Secrets: c.secrets(path, e.Secrets), Header: map[string]string{},
	}
	c.aim(path, e, &out)
	if path != "" && len(e.Send) > 0 {
		c.fail(
			path+".send",
			"belongs to the subscriptions in a file: put it at each from that source to this endpoint",
		)
	}
	if len(out.Secrets) > 0 {
		if _, err := sign.New(out.Secrets); err != nil {
			c.fail(path+".secrets", "%w", err)
		}
	}
	if len(out.Secrets) > catalog.MaxSecrets {
		c.fail(
			path+".secrets", "has %d secrets; at most %d can sign at a time", len(out.Secrets),
			catalog.MaxSecrets,
		)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		value := e.Headers[name]
		if value != "" {
			value, _ = c.resolve(path+".headers."+name, value)
		}
		c.checkHeader(path+".headers", name, value)
		if _, twice := out.Header[strings.ToLower(name)]; twice {
			c.fail(
				path+".headers."+name,
				"is given twice, in different spellings; upper and lower case do not matter in a header's name",
			)
		}
		out.Header[strings.ToLower(name)] = value
	}
	if out.Destination == nil {
		out.Auth = c.auth(path+".auth", e.Auth, out)
	}
	if out.Prove = catalog.ProofKind(e.Prove); e.Prove != "" && out.Prove != catalog.ProvePing &&
		out.Prove != catalog.ProveOptions {
		c.fail(
			path+".prove", "%q is not known; there are %s and %s", e.Prove, catalog.ProvePing,
			catalog.ProveOptions,
		)
	}
	if e.Timeout != nil {
		if out.Timeout = *e.Timeout; out.Timeout < time.Second ||
			out.Timeout > catalog.MaxEndpointTimeout {
			c.fail(
				path+".timeout", "%v is not between 1s and %v", out.Timeout,
				catalog.MaxEndpointTimeout,
			)
		}
	}
	c.retry(path+".retry", e.Retry, &out)
	c.limits(path, e, &out)
	out.TLS = c.tls(path+".tls", e.TLS, out.URL)
	out.Order = c.order(path+".ordered", e.Ordered)
	c.checkOrderedStream(path, out)
	if why := out.NeedsAWS(); why != "" && c.local && out.Destination == nil {
		c.fail(path, "%s", why)
	}
	return out
}

// url returns a URL in the form in which requests use it. It reports an invalid URL and returns it
// unchanged.
func (c *checker) url(path, raw string) string {
	clean, err := cleanURL(raw)
	if err != nil {
		c.fail(path, "%w", err)
		return raw
	}
	return clean
}

// checkSignedURL checks a URL that is part of what a provider signs. It is not changed, because it
// must equal the provider's URL character for character.
func (c *checker) checkSignedURL(path, raw string) {
	clean, err := cleanURL(raw)
	if err == nil && clean != raw {
		err = errors.New("is not written as it is sent: percent-encode spaces and characters outside ASCII, and write the host in Punycode without a " +
			"dot at its end; give the provider the same URL")
	}
	if err != nil {
		c.fail(path, "%w", err)
	}
}

func (c *checker) checkHeader(path, name, value string) {
	path += "." + name
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		c.fail(path, "is not a valid header name")
	case !httpguts.ValidHeaderFieldValue(value):
		c.fail(path, "has a value with control characters; a header cannot contain them")
	case catalog.IsReserved(strings.ToLower(name)):
		c.fail(path, "is set by the relay or by the connection itself, so it cannot be set here")
	}
}

// FillSecrets gives secrets to the endpoints of next that have none: those that the endpoint has in
// current, or a new one. It returns the new secrets by endpoint, to be shown once. Secrets that
// next replaces keep signing for keep: see catalog.Endpoint.Succeed, whose errors it returns. If a
// source's provider hands over its secret in a handshake, the source keeps the secret that it has.
func FillSecrets(
	next *catalog.Catalog, current catalog.Catalog, keep time.Duration, now time.Time,
) (map[string]string, error) {
	sources, endpoints := placesOf(current)
	for i := range next.Sources {
		s := &next.Sources[i]
		if d, _ := verify.Describe(s.Verify.Provider); !d.Learns || len(s.Secrets) > 0 {
			continue
		}
		if at, known := sources[s.Name]; known &&
			current.Sources[at].Verify.Provider == s.Verify.Provider {
			s.Secrets = current.Sources[at].Secrets
		}
	}
	made := map[string]string{}
	for i := range next.Endpoints {
		e := &next.Endpoints[i]
		e.SecretsMade = len(e.Secrets) == 0
		at, known := endpoints[e.Name]
		switch {
		case known:
			if err := e.Succeed(current.Endpoints[at], keep, now); err != nil {
				return nil, fmt.Errorf("endpoint %s: %w", e.Name, err)
			}
		case e.SecretsMade:
			e.Secrets = []string{sign.NewSecret()}
			if e.Destination == nil { // nothing that is sent to a destination is signed with it
				made[e.Name] = e.Secrets[0]
			}
		}
	}
	return made, nil
}

// placesOf returns where the sources and endpoints of a catalog are in it, by name.
func placesOf(c catalog.Catalog) (sources, endpoints map[string]int) {
	sources, endpoints = map[string]int{}, map[string]int{}
	for i := range c.Sources {
		sources[c.Sources[i].Name] = i
	}
	for i := range c.Endpoints {
		endpoints[c.Endpoints[i].Name] = i
	}
	return sources, endpoints
}

// Warnings returns what a deployed relay will not do, or should not do, with a valid catalog, one a
// line.
func Warnings(c catalog.Catalog) []string {
	var lines []string
	for _, e := range c.Endpoints {
		u, err := url.Parse(e.URL)
		if err != nil || e.Destination != nil {
			continue // a valid catalog has no such URL, or it is an ARN
		}
		if u.Scheme == "http" {
			lines = append(
				lines,
				fmt.Sprintf("endpoint %s: http sends webhooks in the clear; use https", e.Name),
			)
		}
		if p := u.Port(); p != "" && p != "80" && p != "443" {
			lines = append(
				lines,
				fmt.Sprintf(
					"endpoint %s: port %s is blocked by the guard unless the stack's egressPorts have it",
					e.Name, p,
				),
			)
		}
		if address, err := netip.ParseAddr(u.Hostname()); err == nil &&
			egress.CheckAddress(address) != nil {
			lines = append(
				lines,
				fmt.Sprintf(
					"endpoint %s: %s is blocked by the guard, which lets nothing through to private and reserved addresses",
					e.Name, address,
				),
			)
		}
	}
	return lines
}
