package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/relay/catalog"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct { //nolint:errname // a line of a list of problems
	File string // "": a single resource
	Line int    // in File; 1 is the first
	Path string // such as "endpoints[2].url"; "": the whole
	Err  error  // what is wrong there
}

// Error returns the problem as a line.
func (p *Problem) Error() string {
	where := p.Path
	if p.File != "" {
		where = strings.TrimSuffix(fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Path), ": ")
	}
	return strings.TrimPrefix(where+": "+p.Err.Error(), ": ")
}

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// Problems returns all that is wrong, by an error of this package; none: the error is another one.
func Problems(err error) []*Problem {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Problem
		for _, e := range joined.Unwrap() {
			all = append(all, Problems(e)...)
		}
		return all
	}
	if p, ok := err.(*Problem); ok { //nolint:errorlint // the tree is walked here
		return []*Problem{p}
	}
	if next := errors.Unwrap(err); next != nil {
		return Problems(next)
	}
	return nil
}

// Mode tells which relay a configuration is for.
type Mode int

// The modes.
const (
	AnyRelay Mode = iota
	Local         // settings that need AWS are reported
	Deployed      // credentials that would be sent over http are reported
)

// Relay is what must be known of the relay that a configuration is for. The zero value is any.
type Relay struct {
	Mode Mode
	// JQ returns what is wrong with a jq program, such as program.Check, or Check of a jq.Runner
	// where the parser of jq is not linked. Error: a *wire.CheckError; any other is reported as it
	// is. nil: programs are not checked
	JQ func(program string) error
}

// ParseResource reads a single resource, in JSON or YAML, in the form that it has in the file.
// env:NAME is refused. name is the resource's name. Whether a subscription's source and endpoint
// exist is not checked. Error: ErrInvalid; see Problems.
func ParseResource(
	kind catalog.Kind, name string, text []byte, relay Relay,
) (catalog.Resource, error) {
	c := &checker{
		local: relay.Mode == Local, deployed: relay.Mode == Deployed, jq: relay.JQ,
		lines: map[string]int{},
	}
	out := catalog.Resource{Kind: kind, Name: name}
	node, err := c.document(text)
	if err != nil {
		return out, err
	}
	if !nameForm().MatchString(name) {
		c.fail("name", "%q is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -", name)
	}
	switch kind {
	case catalog.KindSource:
		var s source
		if c.load(node, &s) {
			s.Name = name
			if name == catalog.OwnSource {
				c.fail("name", "%q is the source of the relay's own events", name)
			}
			out.Source = new(c.source("", s))
		}
	case catalog.KindEndpoint:
		var e endpoint
		if c.load(node, &e) {
			e.Name = name
			out.Endpoint = new(c.endpoint("", e))
			out.Endpoint.SecretsMade = len(e.Secrets) == 0
			out.Endpoint.Sends = c.endpointSends(e.Send, out.Endpoint.Destination != nil)
		}
	case catalog.KindSubscription:
		var s subscription
		if c.load(node, &s) {
			if !s.Send.IsZero() {
				c.fail("send", "belongs to the endpoint here: put it there as send, by source")
			}
			out.Subscription = new(c.subscription("", s))
			out.Subscription.Name = name
		}
	default:
		return out, fmt.Errorf("%w: there is no kind of resource %q", ErrInvalid, kind)
	}
	if len(c.problems) > 0 {
		return out, fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(c.problems...))
	}
	return out, nil
}

// load reads a node into a resource of the file, and reports whether it fits.
func (c *checker) load(node *yaml.Node, into any) bool {
	c.shape("", node, reflect.TypeOf(into))
	if len(c.problems) > 0 {
		return false
	}
	if err := node.Load(into, yaml.WithKnownFields()); err != nil {
		c.problems = append(c.problems, &Problem{Line: 1, Err: err})
		return false
	}
	return true
}
