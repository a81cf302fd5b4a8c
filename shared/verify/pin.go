package verify

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"webhook-relay/shared/document"
)

// pin ties webhooks to one customer of a provider that signs those of all customers with one key. Without it anybody who is a customer
// too could send on what he gets, and it would be taken as the operator's own. The zero pin ties nothing.
type pin struct {
	setting string   // lists what is taken
	paths   []string // of the values in the document that name the customer, joined by a slash
}

// pinned is a pin with what is taken.
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

// check refuses a proved request of another customer.
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
		return fmt.Errorf("%w: %s in the body is not in settings.%s", ErrMismatch, strings.Join(p.paths, "/"), p.setting)
	}
	return nil
}

// fill returns a body that is the first customer's, for who signs it. What has no document is returned as it is.
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

// set puts a value at a path, and objects on the way to it.
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
