package verify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"webhook-relay/shared/document"
)

// pin binds webhooks to one customer, for a provider that signs the webhooks of all customers with
// the same key. Without it, any other customer could forward their own webhooks, and they would be
// accepted as the operator's. The zero pin checks nothing.
type pin struct {
	setting string // lists the accepted customers
	// of the values in the document that name the customer; the values are joined by a slash
	paths []string
}

// pinned is a pin with the accepted customers.
type pinned struct {
	pin
	taken  []string
	find   *document.Paths
	holder document.Holder
}

func newPinned(p provider, k *keys) (pinned, error) {
	out := pinned{pin: p.pin, holder: p.holder}
	if p.pin.setting == "" {
		return out, nil
	}
	var paths [][]string
	for _, path := range p.pin.paths {
		paths = append(paths, document.SplitPath(path))
	}
	out.find, out.taken = document.NewStrictPaths(paths...), listed(k.settings[p.pin.setting])
	if len(out.taken) == 0 {
		return out, wrong("settings."+p.pin.setting, "names nothing that is taken")
	}
	return out, nil
}

// check refuses a proved request that is another customer's.
func (p pinned) check(r Request) error {
	if p.setting == "" {
		return nil
	}
	found, err := strictly(p.find, document.Read(r.Header["content-type"], r.Body, p.holder).Text)
	if err != nil {
		return err
	}
	parts := make([]string, len(found))
	for i, value := range found {
		parts[i] = document.Scalar(value)
	}
	if !slices.Contains(p.taken, strings.Join(parts, "/")) {
		return fmt.Errorf(
			"%w: %s in the body is not in settings.%s", ErrMismatch, strings.Join(p.paths, "/"),
			p.setting,
		)
	}
	return nil
}

// fill returns the body with the first accepted customer in it, for signing. A body without a
// document is returned unchanged.
func (p pinned) fill(r Request) []byte {
	if p.setting == "" || p.check(r) == nil {
		return r.Body
	}
	object, err := decodeObject(document.Read(r.Header["content-type"], r.Body, p.holder).Text)
	if err != nil {
		return r.Body
	}
	for i, part := range strings.SplitN(p.taken[0], "/", len(p.paths)) {
		set(object, document.SplitPath(p.paths[i]), part)
	}
	text, err := json.Marshal(object)
	if err != nil || p.holder.Field == "" {
		return text
	}
	return []byte(url.Values{p.holder.Field: {string(text)}}.Encode())
}

// set sets the value at a path, and creates missing objects on the way.
func set(object map[string]any, path []string, value string) {
	for _, name := range path[:len(path)-1] {
		inner, ok := object[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			object[name] = inner
		}
		object = inner
	}
	object[path[len(path)-1]] = value
}
