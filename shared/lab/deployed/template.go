package deployed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"webhook-relay/shared/lab/runtimeapi"
)

// ErrTemplate says that the template is wrong, or uses something that the host does not play.
var ErrTemplate = errors.New("deployed: template")

// artifact is the stack's name in the cloud assembly.
const artifact = "Relay"

// account and region are those of the played stack. The emulators use the same account.
const (
	account = "000000000000"
	region  = runtimeapi.DefaultRegion
)

type template struct {
	name string // of the stack

	Resources map[string]resource
	Outputs   map[string]struct{ Value any }
}

type resource struct {
	Type       string
	Properties map[string]any
	Metadata   struct {
		Asset string `json:"aws:asset:path"`
	}
}

// physical is what a logical id stands for once the resource exists.
type physical struct {
	ref        string
	attributes map[string]string // nil: nothing runs on it, and any attribute gets a made-up value
}

// maker creates a resource. It may resolve the resource's properties, which first creates the
// resources that they refer to.
type maker func(id string, r resource) (physical, error)

// resolver replaces the template's intrinsic functions by values, and creates each resource when it
// is first referred to.
type resolver struct {
	template
	make maker
	made map[string]*physical // nil: being created
}

func readTemplate(assembly string) (template, error) {
	var t template
	if err := readJSON(assembly, artifact+".template.json", &t); err != nil {
		return t, err
	}
	var manifest struct {
		Artifacts map[string]struct {
			Properties struct{ StackName string }
		}
	}
	if err := readJSON(assembly, "manifest.json", &manifest); err != nil {
		return t, err
	}
	if t.name = manifest.Artifacts[artifact].Properties.StackName; t.name == "" {
		return t, fmt.Errorf("%w: manifest.json has no stack %s", ErrTemplate, artifact)
	}
	return t, nil
}

func readJSON(assembly, file string, v any) error {
	text, err := os.ReadFile(filepath.Join(assembly, file))
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrTemplate, file, err)
	}
	return nil
}

func newResolver(t template, m maker) *resolver {
	return &resolver{template: t, make: m, made: map[string]*physical{}}
}

// ofType returns the logical ids of the resources of a type, sorted.
func (r *resolver) ofType(name string) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(r.Resources)) {
		if r.Resources[id].Type == name {
			ids = append(ids, id)
		}
	}
	return ids
}

// all creates every resource and resolves all its properties, as CloudFormation does.
func (r *resolver) all() error {
	for _, id := range slices.Sorted(maps.Keys(r.Resources)) {
		if _, err := r.physical(id); err != nil {
			return err
		}
		if _, err := r.value(r.Resources[id].Properties); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
}

// outputs returns the stack's outputs.
func (r *resolver) outputs() (map[string]string, error) {
	values := make(map[string]string, len(r.Outputs))
	for name, o := range r.Outputs {
		text, err := r.text(o.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		values[name] = text
	}
	return values, nil
}

func (r *resolver) physical(id string) (physical, error) {
	p, begun := r.made[id]
	switch declared, ok := r.Resources[id]; {
	case !ok:
		return physical{}, fmt.Errorf("%w: there is no resource %s", ErrTemplate, id)
	case p != nil:
		return *p, nil
	case begun:
		return physical{}, fmt.Errorf("%w: %s refers to itself", ErrTemplate, id)
	default:
		r.made[id] = nil
		made, err := r.make(id, declared)
		if err != nil {
			return physical{}, fmt.Errorf("%s: %w", id, err)
		}
		r.made[id] = &made
		return made, nil
	}
}

// properties resolves the properties of a resource into v, whose fields have the same names. A
// property without a field in v is not played, so it is an error.
func (r *resolver) properties(id string, v any) error {
	resolved, err := r.value(r.Resources[id].Properties)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	text, err := json.Marshal(resolved)
	if err == nil {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(v)
	}
	if err != nil {
		return fmt.Errorf("%w: %s says what is not played: %w", ErrTemplate, id, err)
	}
	return nil
}

// value resolves a JSON value.
func (r *resolver) value(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = r.value(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		for name, argument := range v {
			if len(v) == 1 && (name == "Ref" || strings.HasPrefix(name, "Fn::")) {
				return r.call(name, argument)
			}
		}
		object := make(map[string]any, len(v))
		for name := range v {
			var err error
			if object[name], err = r.value(v[name]); err != nil {
				return nil, err
			}
		}
		return object, nil
	}
	return v, nil
}

func (r *resolver) text(v any) (string, error) {
	v, err := r.value(v)
	if err != nil {
		return "", err
	}
	text, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%w: %v is not a string", ErrTemplate, v)
	}
	return text, nil
}

// call evaluates an intrinsic function. It knows those that the template uses.
func (r *resolver) call(name string, argument any) (any, error) {
	list, _ := argument.([]any)
	text, isText := argument.(string)
	switch {
	case name == "Ref" && isText:
		return r.ref(text)
	case name == "Fn::GetAtt" && len(list) == 2:
		return r.attribute(fmt.Sprint(list[0]), fmt.Sprint(list[1]))
	case name == "Fn::Join" && len(list) == 2:
		return r.join(list)
	case name == "Fn::Sub" && isText:
		return r.substitute(text)
	}
	return nil, fmt.Errorf("%w: %s of %v", ErrTemplate, name, argument)
}

func (r *resolver) ref(id string) (string, error) {
	switch id {
	case "AWS::Partition":
		return "aws", nil
	case "AWS::Region":
		return region, nil
	case "AWS::AccountId":
		return account, nil
	case "AWS::URLSuffix":
		return "amazonaws.com", nil
	}
	p, err := r.physical(id)
	return p.ref, err
}

func (r *resolver) attribute(id, name string) (string, error) {
	p, err := r.physical(id)
	if err != nil {
		return "", err
	}
	if p.attributes == nil {
		return p.ref + "." + name, nil
	}
	value, ok := p.attributes[name]
	if !ok {
		return "", fmt.Errorf(
			"%w: %s, a %s, has no attribute %s", ErrTemplate, id, r.Resources[id].Type, name,
		)
	}
	return value, nil
}

func (r *resolver) join(list []any) (string, error) {
	parts, ok := list[1].([]any)
	if !ok {
		return "", fmt.Errorf("%w: Fn::Join of %v", ErrTemplate, list[1])
	}
	texts := make([]string, len(parts))
	for i := range parts {
		var err error
		if texts[i], err = r.text(parts[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(texts, fmt.Sprint(list[0])), nil
}

var placeholder = regexp.MustCompile(`\$\{[^}]+\}`)

func (r *resolver) substitute(text string) (string, error) {
	var failed error
	text = placeholder.ReplaceAllStringFunc(text, func(found string) string {
		id, attribute, isAttribute := strings.Cut(strings.Trim(found, "${}"), ".")
		value, err := r.ref(id)
		if isAttribute {
			value, err = r.attribute(id, attribute)
		}
		failed = errors.Join(failed, err)
		return value
	})
	return text, failed
}
