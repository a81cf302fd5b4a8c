package deployed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
)

// differentBodies is how many bodies of a size a scenario sends in turn.
const differentBodies = 100

// bodies returns JSON of a size, or GitHub's published examples if it is 0.
func bodies(b *testing.B, kib int) [][]byte {
	b.Helper()
	if kib == 0 {
		return githubExamples(b)
	}
	random := mathrand.New(mathrand.NewPCG(1, 2)) //nolint:gosec // the same each time
	all := make([][]byte, differentBodies)
	for i := range all {
		all[i] = order(random, kib<<10)
	}
	return all
}

// githubExamples reads the payloads of npm's @octokit/webhooks-examples.
func githubExamples(b *testing.B) (all [][]byte) {
	b.Helper()
	path := repository + "/infra/node_modules/@octokit/webhooks-examples/api.github.com/index.json"
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var kinds []struct{ Examples []json.RawMessage }
	if err := json.Unmarshal(text, &kinds); err != nil {
		b.Fatal(err)
	}
	for _, kind := range kinds {
		for _, example := range kind.Examples {
			var compact bytes.Buffer
			if err := json.Compact(&compact, example); err != nil {
				b.Fatal(err)
			}
			all = append(all, compact.Bytes())
		}
	}
	return all
}

// order returns the JSON of an order with as many items as fit into size bytes. Its ids, amounts
// and times are random, and its texts are of random words, as in a shop's webhooks.
func order(r *mathrand.Rand, size int) []byte {
	out := fmt.Appendf(nil,
		`{"id":"ord_%s","object":"order","status":"paid","currency":"eur","amount":%d,`+
			`"customer":{"id":"cus_%s","name":"%s","email":"%s@example.com","phone":"+49%d"},`+
			`"created_at":"%s","items":[`,
		token(r), r.IntN(1e6), token(r), words(r, 2), words(r, 1), r.IntN(1e9), instant(r))
	const end = `],"note":""}`
	for n := 0; ; n++ {
		item := fmt.Appendf(nil,
			`{"id":"item_%s","object":"item","sku":"SKU-%d","title":"%s","quantity":%d,`+
				`"price":{"amount":%d,"currency":"eur","tax_rate":0.19},"shipped_at":"%s",`+
				`"url":"https://shop.example.com/items/%s"}`,
			token(r), r.IntN(1e5), words(r, 6), 1+r.IntN(9), r.IntN(1e5), instant(r), token(r))
		if len(out)+len(item)+1+len(end) > size {
			break
		}
		if n > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	text := words(r, size/4)
	out = append(out, `],"note":"`...)
	out = append(out, text[:max(0, size-len(out)-len(`"}`))]...)
	return append(out, `"}`...)
}

func token(r *mathrand.Rand) string { return fmt.Sprintf("%016x", r.Uint64()) }

func instant(r *mathrand.Rand) string {
	return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02dZ", 1+r.IntN(12), 1+r.IntN(28), r.IntN(24),
		r.IntN(60), r.IntN(60))
}

// vocabulary are words of a shop.
var vocabulary = strings.Fields(`blue red green small large cotton leather wooden steel glass classic
	modern summer winter shirt jacket chair table lamp bottle shoe glove scarf hat bag box cover
	screen cable phone holder garden kitchen office travel kids women men set pack of with and for
	the a light heavy soft warm dry clean fresh organic vintage limited edition series original`)

func words(r *mathrand.Rand, n int) string {
	picked := make([]string, n)
	for i := range picked {
		picked[i] = vocabulary[r.IntN(len(vocabulary))]
	}
	return strings.Join(picked, " ")
}
