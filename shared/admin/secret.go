package admin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// Secret is a value that the API never shows. In answers it is a mask. In requests it is either the
// value, or the mask of an answer, which keeps the value.
type Secret struct {
	plain string
	mask  mask
}

// mask is what is shown of a secret.
type mask struct {
	Present     bool   `json:"present"`
	Fingerprint string `json:"fingerprint"`
}

// masked returns a secret as answers show it. A reference to a secret elsewhere is shown as it is.
func masked(plain string) Secret {
	return Secret{
		plain: plain, mask: mask{Present: true, Fingerprint: access.Fingerprint(plain)},
	}
}

func maskedAll(plain []string) []Secret { return mapped(plain, masked) }

// MarshalJSON writes the mask, or a reference.
func (s Secret) MarshalJSON() ([]byte, error) {
	if catalog.IsReference(s.plain) {
		return json.Marshal(s.plain)
	}
	return json.Marshal(s.mask)
}

// UnmarshalJSON reads what MarshalJSON writes: a client of the API knows the mask only.
func (s *Secret) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &s.plain)
	}
	return json.Unmarshal(b, &s.mask)
}

// Shown returns what is shown of a secret: its fingerprint, or the reference to it.
func (s Secret) Shown() string {
	if catalog.IsReference(s.plain) {
		return s.plain
	}
	return s.mask.Fingerprint
}

// Schema implements huma.SchemaProvider.
func (Secret) Schema(r huma.Registry) *huma.Schema {
	const name = "Secret"
	if r.Map()[name] == nil {
		r.Map()[name] = &huma.Schema{
			Description: "A secret. In answers it is a mask, or a reference such as aws-secretsmanager:shop/token. In requests it is the secret, a reference, or the mask of an answer, which keeps what there is.",
			OneOf: []*huma.Schema{
				{Type: huma.TypeString},
				{
					Type: huma.TypeObject, AdditionalProperties: false,
					Properties: map[string]*huma.Schema{
						"present": {Type: huma.TypeBoolean},
						"fingerprint": {
							Type:        huma.TypeString,
							Description: "Tells two secrets apart, and nothing else",
						},
					},
				},
			},
		}
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// RetiringSecret is a secret that was replaced and still signs.
type RetiringSecret struct {
	Fingerprint string    `json:"fingerprint"`
	Until       time.Time `json:"until" doc:"It signs until then"`
}

// unmask replaces the masks in a request's JSON by the secrets of a resource. Error: a problem at
// the mask of another secret.
func unmask(body any, secrets map[string]string, pointer string) (any, error) {
	switch v := body.(type) {
	case map[string]any:
		if mark, ok := v["fingerprint"].(string); ok && v["present"] == true && len(v) == 2 {
			plain, known := secrets[mark]
			if !known {
				return nil, at(
					pointer,
					"has the fingerprint of no secret of this resource; write the secret itself",
				)
			}
			return plain, nil
		}
		for name, value := range v {
			plain, err := unmask(value, secrets, pointer+"/"+name)
			if err != nil {
				return nil, err
			}
			v[name] = plain
		}
	case []any:
		for i, value := range v {
			plain, err := unmask(value, secrets, fmt.Sprintf("%s/%d", pointer, i))
			if err != nil {
				return nil, err
			}
			v[i] = plain
		}
	}
	return body, nil
}

// secretsIn returns the secrets of a view by their fingerprints.
func secretsIn(view any) map[string]string {
	found := map[string]string{}
	collect(reflect.ValueOf(view), found)
	return found
}

func collect(v reflect.Value, found map[string]string) {
	if s, ok := reflect.TypeAssert[Secret](v); ok {
		found[s.mask.Fingerprint] = s.plain
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				collect(v.Field(i), found)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collect(v.MapIndex(key), found)
		}
	default: // nothing else holds secrets
	}
}
