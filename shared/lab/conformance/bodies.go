package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// Bodies tests a relay.Bodies.
func Bodies(t *testing.T, fresh func(t *testing.T) relay.Bodies) {
	for name, test := range map[string]func(*testing.T, relay.Bodies){
		"a body comes back byte for byte": bodiesKeep,
		"an unknown key is not found":     bodiesNotFound,
		"a key that exists is replaced":   bodiesReplace,
		"concurrent puts of one key":      bodiesConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

const bodyKey = "2026/01/02/github/mfrggzdfmztwq2lknnwg23tpobyxe43u"

func bodiesKeep(t *testing.T, bodies relay.Bodies) {
	for name, body := range map[string][]byte{
		"empty": {}, "text": []byte("{}\n"), "binary": binary(),
		"1 MiB": slices.Repeat(binary(), 4096), "5 MiB": slices.Repeat(binary(), 5*4096),
	} {
		key := fmt.Sprintf("%s-%d", bodyKey, len(body))
		must(t, "Put "+name, bodies.Put(t.Context(), key, body))
		got, err := bodies.Get(t.Context(), key)
		must(t, "Get "+name, err)
		if !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes came back for %d, or others", name, len(got), len(body))
		}
	}
}

func bodiesNotFound(t *testing.T, bodies relay.Bodies) {
	must(t, "Put", bodies.Put(t.Context(), bodyKey, []byte("1")))
	for _, key := range []string{bodyKey + "x", bodyKey[:len(bodyKey)-1], "unknown"} {
		if _, err := bodies.Get(t.Context(), key); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("Get(%q): %v, want ErrNotFound", key, err)
		}
	}
}

func bodiesReplace(t *testing.T, bodies relay.Bodies) {
	for _, body := range []string{"first", "second"} {
		must(t, "Put", bodies.Put(t.Context(), bodyKey, []byte(body)))
		got, err := bodies.Get(t.Context(), bodyKey)
		must(t, "Get", err)
		equal(t, "body", body, string(got))
	}
}

func bodiesConcurrent(t *testing.T, bodies relay.Bodies) {
	body := slices.Repeat(binary(), 100)
	equal(t, "errors", make([]error, 8), atOnce(8, func(int) error {
		return bodies.Put(t.Context(), bodyKey, body)
	}))
	got, err := bodies.Get(t.Context(), bodyKey)
	must(t, "Get", err)
	equal(t, "body", string(body), string(got))
}
