package config

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// Export returns a catalog as a file, with the portal and the rates of a tenant (the zero value:
// nothing is written of them). It contains no secret: a secret, the value of a header or of
// a setting, and what authenticates to an endpoint are each written as env:NAME. Secrets that the
// relay has made are left out, so that applying the file keeps them. A reference to AWS Secrets
// Manager stays as it is.
func Export(c catalog.Catalog, of access.Tenant) ([]byte, error) {
	text, _, err := exported(c, of)
	return text, err
}

// ExportedVariables returns the environment variables that the file of Export refers to, with their
// values. They are secrets.
func ExportedVariables(c catalog.Catalog) map[string]string {
	_, variables, _ := exported(c, access.Tenant{})
	return variables
}

func exported(
	c catalog.Catalog, of access.Tenant,
) (text []byte, variables map[string]string, err error) {
	x := &exporter{variables: map[string]string{}}
	f := file{
		Sources:       make([]source, 0, len(c.Sources)),
		Endpoints:     make([]endpoint, 0, len(c.Endpoints)),
		Subscriptions: make([]subscription, 0, len(c.Subscriptions)),
		Portal:        exportedPortal(of.Portal),
		Rates:         exportedRates(of.Rates),
	}
	sends := map[string]map[string]string{} // by endpoint and source
	for _, s := range c.Sources {
		out := x.source(s)
		if out.Types, err = x.types(s.Types); err != nil {
			return nil, nil, fmt.Errorf("config: types of %s: %w", s.Name, err)
		}
		f.Sources = append(f.Sources, out)
	}
	for _, e := range c.Endpoints {
		f.Endpoints = append(f.Endpoints, x.endpoint(e))
		sends[e.Name] = e.Sends
	}
	for _, s := range c.Subscriptions {
		out := subscription{
			Name: s.Name, Source: s.Source, Endpoint: s.Endpoint, Types: s.Types,
		}
		if out.Filter, err = yamlOf(s.Filter); err != nil {
			return nil, nil, fmt.Errorf("config: filter of %s: %w", s.Name, err)
		}
		if out.Send, err = yamlOf(sends[s.Endpoint][s.Source]); err != nil {
			return nil, nil, fmt.Errorf("config: send of %s: %w", s.Name, err)
		}
		f.Subscriptions = append(f.Subscriptions, out)
	}
	text, err = dump(nodeOf(reflect.ValueOf(&f).Elem()))
	return text, x.variables, err
}

// dumped is how many items of a list are written at once.
const dumped = 100

// dump writes a file in parts. Package yaml keeps all events of a document until its end: 30 MB for
// 1,000 resources of each kind.
func dump(n *yaml.Node) ([]byte, error) {
	if n == nil {
		return yaml.Dump(n)
	}
	var text []byte
	for pair := range slices.Chunk(n.Content, 2) {
		key, value := pair[0], pair[1]
		parts := [][]*yaml.Node{value.Content}
		if value.Kind == yaml.SequenceNode && len(value.Content) > dumped {
			parts = slices.Collect(slices.Chunk(value.Content, dumped))
		}
		for i, content := range parts {
			part := *value
			part.Content = content
			out, err := yaml.Dump(&yaml.Node{
				Kind: yaml.MappingNode, Content: []*yaml.Node{key, &part},
			})
			if err != nil {
				return nil, err
			}
			if i > 0 { // the key is there already
				_, out, _ = bytes.Cut(out, []byte("\n"))
			}
			text = append(text, out...)
		}
	}
	return text, nil
}

// yamlOf returns a JSON text as a node of the file; "": no node.
func yamlOf(text string) (node yaml.Node, err error) {
	if text == "" {
		return node, nil
	}
	if err := yaml.Load([]byte(text), &node); err != nil {
		return node, err
	}
	node = *node.Content[0]
	blockStyle(&node)
	return node, nil
}

// exporter replaces secrets by the names of variables.
type exporter struct{ variables map[string]string }

// notInNames matches what the name of an environment variable cannot contain.
var notInNames = pattern.Lazy(`[^A-Z0-9]+`)

// secret returns env:NAME for a value, with a name made of these parts; "" for none.
func (x *exporter) secret(value string, parts ...string) string {
	if value == "" || catalog.IsReference(value) {
		return value
	}
	wish := strings.Trim(notInNames().ReplaceAllString(
		strings.ToUpper(strings.Join(parts, "_")), "_",
	), "_")
	name := wish
	for n := 2; ; n++ {
		if _, taken := x.variables[name]; !taken {
			break
		}
		name = fmt.Sprint(wish, "_", n)
	}
	x.variables[name] = value
	return "env:" + name
}

func (x *exporter) secrets(values []string, parts ...string) (out []string) {
	for _, value := range values {
		out = append(out, x.secret(value, append(parts, "secret")...))
	}
	return out
}

func (x *exporter) values(in map[string]string, parts ...string) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		out[name] = x.secret(in[name], append(slices.Clone(parts), name)...)
	}
	return out
}

func (x *exporter) source(s catalog.Source) source {
	v := s.Verify
	out := source{
		Name: s.Name, Provider: v.Provider,
		HMAC: (*hmac)(v.HMAC), EventType: (*locator)(v.EventType), EventID: (*locator)(v.EventID),
		Once: v.Once, URL: v.URL, AllowedIPs: v.AllowedIPs, Validate: string(s.Validation),
		Settings: x.values(v.Settings, "source", s.Name),
	}
	if !s.Learns() { // otherwise its provider has sent them
		out.Secrets = x.secrets(s.Secrets, "source", s.Name)
	}
	if s.Expect > 0 {
		out.Expect = &s.Expect
	}
	if t := s.Tenant; t != nil {
		out.Tenant = &tenantOf{ID: t.ID, Header: t.Header, JSON: t.JSON, Optional: t.Optional}
	}
	return out
}

func (x *exporter) endpoint(e catalog.Endpoint) endpoint {
	out := endpoint{
		Name: e.Name, URL: e.URL, Headers: x.values(e.Header, "endpoint", e.Name, "header"),
		Prove: string(e.Prove), Ordered: order{On: e.Order.On},
	}
	if !e.SecretsMade {
		out.Secrets = x.secrets(e.Secrets, "endpoint", e.Name)
	}
	if e.Order.Key != "" {
		out.Ordered.Key = &e.Order.Key
	}
	if e.Timeout > 0 {
		out.Timeout = &e.Timeout
	}
	if e.Concurrency > 0 {
		out.Concurrency = &e.Concurrency
	}
	if e.Schedule != nil || e.MaxAge > 0 || len(e.Final) > 0 {
		out.Retry = &retrying{Final: e.Final}
		if e.Schedule != nil {
			out.Retry.Schedule = &e.Schedule
		}
		if e.MaxAge > 0 {
			out.Retry.MaxAge = &e.MaxAge
		}
	}
	out.RateLimit = catalog.Rate{Count: e.RateLimit, Per: e.RatePer}.String()
	x.aim(e, &out)
	if t := e.TLS; t != nil {
		secret := func(value []byte, part string) string {
			return x.secret(string(value), "endpoint", e.Name, "tls", part)
		}
		out.TLS = &tlsFiles{
			Certificate: secret(t.Certificate, "certificate"), Key: secret(t.Key, "key"),
			CA: secret(t.Authorities, "ca"),
		}
	}
	return out
}

func (x *exporter) auth(e catalog.Endpoint) *auth {
	a := e.Auth
	if a == nil {
		return nil
	}
	secret := func(value, part string) string {
		return x.secret(value, "endpoint", e.Name, part)
	}
	out := &auth{Bearer: secret(a.Bearer, "token")}
	if b := a.Basic; b != nil {
		out.Basic = &basicAuth{
			Username: secret(b.Username, "username"), Password: secret(b.Password, "password"),
		}
	}
	if k := a.APIKey; k != nil {
		out.APIKey = &apiKey{Header: k.Header, Query: k.Query, Value: secret(k.Value, "key")}
	}
	if o := a.OAuth2; o != nil {
		out.OAuth2 = &oauth2{
			TokenURL: o.TokenURL, ClientID: secret(o.ClientID, "client_id"),
			ClientSecret: secret(o.ClientSecret, "client_secret"), Scopes: o.Scopes,
			Audience: o.Audience,
		}
		if o.InBody {
			out.OAuth2.Style = "body"
		}
	}
	if s := a.Signature; s != nil {
		out.Secret = secret(s.Secret, "signature_secret")
		if s.HMAC != nil {
			out.HMAC = (*hmac)(s.HMAC)
		} else {
			out.Provider = s.Provider
		}
		if s.Alone {
			out.Standard = new(bool)
		}
	}
	if v := a.SigV4; v != nil {
		out.SigV4 = &sigV4{
			Service: v.Service, Region: v.Region, Role: v.Role,
			ExternalID: secret(v.ExternalID, "external_id"),
		}
	}
	return out
}

// nodeOf returns a value of the file as YAML, without the keys that are not set; nil: nothing is.
// The value is addressable, so that it need not be copied.
func nodeOf(v reflect.Value) *yaml.Node {
	switch value := v.Addr().Interface().(type) {
	case *yaml.Node:
		if value.Kind == 0 {
			return nil
		}
		return value
	case *time.Duration:
		if *value == 0 {
			return nil
		}
		return scalar(shortDuration(*value))
	case *order:
		if value.Key == nil {
			return scalarIf(value.On, "true")
		}
	case *types:
		if value.List != nil {
			return nodeOf(reflect.ValueOf(&value.List).Elem())
		}
	case *tenantOf:
		if value.ID != "" {
			return quoted(value.ID)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		return nodeOfPointer(v)
	case reflect.Struct:
		return nodeOfStruct(v)
	case reflect.Map:
		return nodeOfMap(v)
	case reflect.Slice:
		return nodeOfSlice(v)
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		return quoted(v.String())
	default: // numbers and truth values
		return scalarIf(!v.IsZero(), fmt.Sprint(v.Interface()))
	}
}

// nodeOfPointer keeps what is given, even if it is empty: no retry differs from the default one.
func nodeOfPointer(v reflect.Value) *yaml.Node {
	if v.IsNil() {
		return nil
	}
	if n := nodeOf(v.Elem()); n != nil {
		return n
	}
	switch v.Elem().Kind() {
	case reflect.Slice:
		return &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	case reflect.Struct:
		return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	default:
		return scalar(fmt.Sprint(v.Elem().Interface()))
	}
}

func nodeOfStruct(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if key == "-" {
			continue
		}
		if value := nodeOf(v.Field(i)); value != nil {
			n.Content = append(n.Content, scalar(key), value)
		}
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

func nodeOfMap(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	in, _ := v.Interface().(map[string]string)
	for _, key := range slices.Sorted(maps.Keys(in)) {
		n.Content = append(n.Content, quoted(key), quoted(in[key]))
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n
}

func nodeOfSlice(v reflect.Value) *yaml.Node {
	if v.Len() == 0 {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	if v.Type().Elem().Kind() != reflect.Struct {
		n.Style = yaml.FlowStyle
	}
	for i := range v.Len() {
		value := nodeOf(v.Index(i))
		if value == nil {
			value = quoted("")
		}
		n.Content = append(n.Content, value)
	}
	return n
}

func scalar(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func scalarIf(there bool, text string) *yaml.Node {
	if !there {
		return nil
	}
	return scalar(text)
}

// plainText matches strings that need no quotes.
var plainText = pattern.Lazy(`^(env:)?[A-Za-z_/][A-Za-z0-9_./-]*$`)

// quoted returns a string, in quotes where it could be read as something else.
func quoted(text string) *yaml.Node {
	n := scalar(text)
	n.Tag = "!!str"
	if !plainText().MatchString(text) || slices.Contains(
		[]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"},
		strings.ToLower(text),
	) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// shortDuration writes a duration without zero parts at its end: 5m and not 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// blockStyle clears the style of JSON's maps and lists, and keeps that of the values.
func blockStyle(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		n.Style = 0
	}
	for _, inner := range n.Content {
		blockStyle(inner)
	}
}
