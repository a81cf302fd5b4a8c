package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/transform/jq/wire"
)

// maxSends is how many bytes all transforms of an endpoint may have, because they are stored with
// the endpoint.
const maxSends = 128 << 10

// sends collects the transforms of subscriptions. One belongs to a source and an endpoint: an event
// is sent to an endpoint once, however many subscriptions take it.
type sends struct {
	checker *checker
	by      map[string]map[string]send // by endpoint and source
	seen    map[[2]string]bool         // problems that are reported already
}

// send is the transform of the first subscription from a source to an endpoint; spec is "" if it
// has none.
type send struct {
	path string
	spec string
}

// add reads the transform of a subscription.
func (s *sends) add(path string, sub subscription) {
	if s.by == nil {
		s.by, s.seen = map[string]map[string]send{}, map[[2]string]bool{}
	}
	of := s.by[sub.Endpoint]
	if of == nil {
		of = map[string]send{}
		s.by[sub.Endpoint] = of
	}
	spec, ok := s.checker.send(path+".send", &sub.Send)
	pair := [2]string{sub.Source, sub.Endpoint}
	first, twice := of[sub.Source]
	switch {
	case !ok || s.seen[pair]:
		s.seen[pair] = true
	case !twice:
		of[sub.Source] = send{path: path, spec: spec}
	case first.spec != spec:
		s.seen[pair] = true
		s.checker.fail(
			path+".send", "differs from the send of %s on line %d, which has the same source and "+
				"endpoint; give both the same, or send to a second endpoint with the same URL",
			first.path, s.checker.line(first.path),
		)
	}
}

// endpointSends reads the transforms of an endpoint that is a resource of its own. aimed tells
// whether it sends to a destination in AWS.
func (c *checker) endpointSends(nodes map[string]yaml.Node, aimed bool) map[string]string {
	var specs map[string]string
	size := 0
	for _, source := range slices.Sorted(maps.Keys(nodes)) {
		path, node := "send."+source, nodes[source]
		if _, plain := catalog.SplitName(source); !nameForm().MatchString(plain) {
			c.fail(path, "%q is not the name of a source", source)
			continue
		}
		if spec, ok := c.send(path, &node); ok && spec != "" {
			if specs == nil {
				specs = map[string]string{}
			}
			specs[source], size = spec, size+len(spec)
		}
	}
	if size > maxSends {
		c.fail("send", "has %d bytes in all; there can be %d", size, maxSends)
	}
	if aimed {
		for source, spec := range specs {
			c.checkBodyOnly("send."+source, spec)
		}
	}
	return specs
}

// addTo stores the transforms with their endpoints.
func (s *sends) addTo(endpoints []catalog.Endpoint) {
	for i := range endpoints {
		e := &endpoints[i]
		size := 0
		for _, source := range slices.Sorted(maps.Keys(s.by[e.Name])) {
			send := s.by[e.Name][source]
			if send.spec == "" {
				continue
			}
			if e.Sends == nil {
				e.Sends = map[string]string{}
			}
			e.Sends[source] = send.spec
			if e.Destination != nil {
				s.checker.checkBodyOnly(send.path+".send", send.spec)
			}
			size += len(send.spec)
		}
		path := fmt.Sprintf("endpoints[%d]", i)
		if size > maxSends {
			s.checker.fail(
				path, "its subscriptions have %d bytes of send in all; there can be %d", size,
				maxSends,
			)
		}
	}
}

// send returns a subscription's transform as JSON, "" if there is none. ok is false if it is wrong.
func (c *checker) send(path string, node *yaml.Node) (spec string, ok bool) {
	if node.IsZero() {
		return "", true
	}
	var b strings.Builder
	if misfit, problem := writeJSON(&b, node); misfit != nil {
		c.failAt(misfit.Line, path, "%s", strings.ReplaceAll(problem, "a filter", "a send"))
		return "", false
	}
	t, err := transform.Parse([]byte(b.String()))
	if err != nil {
		c.failSend(path, err)
		return "", false
	}
	if t.UsesJQ() && c.jq != nil {
		if err := c.jq(t.Program()); err != nil {
			c.failSend(path, err)
			return "", false
		}
	}
	for _, name := range t.Headers() {
		if catalog.IsReserved(name) {
			c.fail(
				path+".headers."+name,
				"is set by the relay or by the connection itself, so it cannot be set here",
			)
			return "", false
		}
	}
	return b.String(), true
}

// failSend reports what is wrong with a transform, with the line and column in its text.
func (c *checker) failSend(path string, err error) {
	if e, ok := errors.AsType[*transform.ParseError](err); ok {
		where := strings.TrimSuffix(path+"."+e.At, ".")
		c.fail(where, "%s%s", inText(e.Line, e.Column), e.Problem)
	} else if e, ok := errors.AsType[*wire.CheckError](err); ok {
		c.fail(path+".jq", "%s%s", inText(e.Line, e.Column), e.Problem)
	} else {
		c.fail(path, "%w", err)
	}
}

// inText says where in a text something is; "" if that is not known.
func inText(line, column int) string {
	switch line {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("column %d of the text: ", column)
	}
	return fmt.Sprintf("line %d, column %d of the text: ", line, column)
}

// CheckSend returns what is wrong with a transform, as JSON, or nil. Error: ErrInvalid; see
// Problems, whose paths begin with send. jq is as of Relay.
func CheckSend(text []byte, jq func(program string) error) error {
	c := &checker{lines: map[string]int{}, jq: jq}
	node, err := c.document(text)
	if err != nil {
		return err
	}
	if c.send("send", node); len(c.problems) > 0 {
		return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(c.problems...))
	}
	return nil
}

// JSON returns a document of YAML or JSON as JSON, with its numbers as they are written.
func JSON(text []byte) ([]byte, error) {
	c := &checker{}
	node, err := c.document(text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if misfit, problem := writeJSON(&b, node); misfit != nil {
		return nil, fmt.Errorf("line %d %s", misfit.Line, strings.ReplaceAll(
			problem, "a filter", "JSON",
		))
	}
	return []byte(b.String()), nil
}
