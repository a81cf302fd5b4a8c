package conformance

import (
	"bytes"
	"slices"
	"testing"

	"webhook-relay/shared/relay/catalog"
)

// Sealer tests a catalog.Sealer.
func Sealer(t *testing.T, fresh func(t *testing.T) catalog.Sealer) {
	for name, test := range map[string]func(*testing.T, catalog.Sealer){
		"what was sealed opens":               sealerOpens,
		"another name opens nothing":          sealerOtherName,
		"a changed byte is noticed":           sealerTampered,
		"what was never sealed does not open": sealerForeign,
		"the secret cannot be seen":           sealerHides,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}

const sealedName = "source/github"

var secret = []byte(`["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]`)

func seal(t *testing.T, s catalog.Sealer, plain []byte) []byte {
	t.Helper()
	sealed, err := s.Seal(t.Context(), sealedName, plain)
	must(t, "Seal", err)
	return sealed
}

// refuses checks that sealed does not open, and that the error does not contain the secret.
func refuses(t *testing.T, s catalog.Sealer, what, name string, sealed []byte) {
	t.Helper()
	plain, err := s.Open(t.Context(), name, sealed)
	if err == nil {
		t.Errorf("%s: opened as %q", what, plain)
	} else if bytes.Contains([]byte(err.Error()), secret) {
		t.Errorf("%s: the error tells the secret: %v", what, err)
	}
}

func sealerOpens(t *testing.T, s catalog.Sealer) {
	for _, plain := range [][]byte{secret, binary(), []byte("x"), slices.Repeat(binary(), 8)} {
		got, err := s.Open(t.Context(), sealedName, seal(t, s, plain))
		must(t, "Open", err)
		equal(t, "plain", string(plain), string(got))
	}
}

func sealerOtherName(t *testing.T, s catalog.Sealer) {
	sealed := seal(t, s, secret)
	for _, name := range []string{
		"endpoint/github", "source/github2", "source/githu", "SOURCE/github", "",
	} {
		refuses(t, s, "name "+name, name, sealed)
	}
}

func sealerTampered(t *testing.T, s catalog.Sealer) {
	sealed := seal(t, s, secret)
	for _, i := range []int{len(sealed) - 1, len(sealed) / 2, len(sealed) * 3 / 4} {
		changed := slices.Clone(sealed)
		changed[i] ^= 1
		refuses(t, s, "changed byte", sealedName, changed)
	}
	refuses(t, s, "cut at the end", sealedName, sealed[:len(sealed)-1])
	refuses(t, s, "cut at the start", sealedName, sealed[1:])
}

func sealerForeign(t *testing.T, s catalog.Sealer) {
	refuses(t, s, "plain text", sealedName, secret)
	refuses(t, s, "one byte", sealedName, []byte{1})
	refuses(t, s, "nothing", sealedName, nil)
}

func sealerHides(t *testing.T, s catalog.Sealer) {
	if sealed := seal(t, s, secret); bytes.Contains(sealed, secret[2:20]) {
		t.Errorf("the sealed form shows the secret: %q", sealed)
	}
}
