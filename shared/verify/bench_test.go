package verify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// BenchmarkVerify measures a whole Verify (headers, signature, delivery id, event type), the proof
// alone, and, in the same run, the bare HMAC that every verification needs. They take turns and the
// best times are compared, so that other work on the machine does not count. "x-bare" is the ratio
// of the whole, "proof-x-bare" the ratio of the proof. The budget of the latter at 1 KiB is 1.2.
func BenchmarkVerify(b *testing.B) {
	// members as the provider has them in the body
	for _, c := range []struct{ name, provider, first, last string }{
		{"github, action first", "github", `"action":"opened"`, `"sender":1`},
		{"github, no action", "github", `"ref":"main"`, `"sender":1`},
		{"standard-webhooks", "standard-webhooks", `"type":"invoice.paid"`, `"data":1`},
		{"stripe, type last", "stripe", `"id":"evt_1"`, `"type":"invoice.paid"`},
		{"stripe, type first", "stripe", `"id":"evt_1","type":"invoice.paid"`, `"data":1`},
	} {
		for _, size := range []int{1 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", c.name, size>>10), func(b *testing.B) {
				benchmarkVerify(b, c.provider, jsonBody(size, c.first, c.last))
			})
		}
	}
}

// BenchmarkVerifyForms measures one provider for each form of HMAC in the table, at 1 KiB, like
// BenchmarkVerify. The id and the type come first in the body.
func BenchmarkVerifyForms(b *testing.B) {
	seen := map[string]bool{}
	for _, provider := range verify.Providers() {
		d, _ := verify.Describe(provider)
		form := formOf(d)
		if seen[form] || !strings.Contains(form, "{body}") ||
			slices.Contains(partlySigned, provider) {
			continue
		}
		seen[form] = true
		b.Run(provider+", "+form, func(b *testing.B) {
			benchmarkVerify(b, provider, jsonBody(1<<10, membersOf(d), `"data":1`))
		})
	}
}

// formOf returns what identifies the form of a provider's proof: everything except names. "" means
// that it is no HMAC in a header.
func formOf(d verify.Description) string {
	header, form, _ := strings.Cut(d.Proof, ": ")
	if !strings.HasPrefix(header, "header ") || !strings.Contains(form, "HMAC-") {
		return ""
	}
	return regexp.MustCompile(`[a-z0-9-]+=`).ReplaceAllString(form, "=")
}

// membersOf returns the members of a body from which a provider's delivery id and event type are
// read.
func membersOf(d verify.Description) string {
	members := map[string]any{}
	for _, l := range slices.Concat(d.DeliveryIDs, d.EventType, []verify.Locator{d.OrEventType}) {
		if l.JSON != "" {
			path := strings.Split(l.JSON, ".")
			members[path[0]] = within(path[1:], members[path[0]])
		}
	}
	if len(members) == 0 {
		return `"ref":"main"`
	}
	text, _ := json.Marshal(members) // strings, objects and arrays
	return string(text[1 : len(text)-1])
}

// within sets a value at a path of an existing object.
func within(path []string, there any) any {
	switch {
	case len(path) == 0:
		return "invoice.paid"
	case path[0] == "0":
		list, _ := there.([]any)
		return []any{within(path[1:], append(list, nil)[0])}
	}
	object, ok := there.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	object[path[0]] = within(path[1:], object[path[0]])
	return object
}

func benchmarkVerify(b *testing.B, provider string, body []byte) {
	s := newSubject(b, verify.Config{Provider: provider}, "current")
	r := request(
		b, s.verifier,
		verify.Webhook{Body: body, DeliveryID: "msg_p5jXN8AQM9LWM0D4loKWxJek", EventType: "push"},
		signedAt,
	)
	whole := func() {
		if _, err := s.verifier.Verify(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
	proof := func() {
		if err := s.verifier.Prove(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
	bare := bareHMAC(s, r)
	hash := func() {}
	if d, _ := verify.Describe(provider); len(d.DeliveryIDs) > 0 && d.DeliveryIDs[0].Body {
		hash = func() { sha256.Sum256(body) } // is the delivery id
	}
	calls := max(1, 16<<10/len(body))
	wholeTime, proofTime, bareTime, hashTime := math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)
	for b.Loop() {
		wholeTime, proofTime = min(wholeTime, each(calls, whole)),
			min(proofTime, each(calls, proof))
		bareTime, hashTime = min(bareTime, each(calls, bare)), min(hashTime, each(calls, hash))
	}
	b.ReportMetric(wholeTime, "ns/op")
	b.ReportMetric(bareTime, "bare-ns/op")
	b.ReportMetric(wholeTime/(bareTime+hashTime), "x-bare")
	b.ReportMetric(proofTime/bareTime, "proof-x-bare")
	b.ReportMetric(testing.AllocsPerRun(100, whole), "allocs/verify")
}

// bareHMAC returns a function that only computes an HMAC, with the provider's hash over as many
// bytes as the provider signs.
func bareHMAC(s subject, r verify.Request) func() {
	d, _ := verify.Describe(s.cfg.Provider)
	_, payload, _ := strings.Cut(d.Proof, " over ")
	payload, _, _ = strings.Cut(payload, ";")
	signed := []byte(strings.NewReplacer("{body}", string(r.Body), "{timestamp}", "1700000000",
		"{id}", "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"{url}", s.cfg.URL, "{method}", "POST").Replace(payload))
	if own, ok := s.verifier.Signed(r); ok {
		signed = own
	}
	newHash := sha256.New
	if strings.Contains(d.Proof, "HMAC-SHA1 ") {
		newHash = sha1.New
	} else if strings.Contains(d.Proof, "HMAC-SHA512 ") {
		newHash = sha512.New
	}
	key := make([]byte, 32)
	return func() {
		mac := hmac.New(newHash, key)
		mac.Write(signed)
		mac.Sum(nil)
	}
}

// each returns the nanoseconds of one call.
func each(calls int, f func()) float64 {
	start := time.Now()
	for range calls {
		f()
	}
	return float64(time.Since(start)) / float64(calls)
}

// jsonBody returns an object with many small members, some nested, between two given members.
func jsonBody(size int, first, last string) []byte {
	const member = `"repository_%d":{"full_name":"octo/hello-world","private":false,"size":108,"topics":["a","b"],` +
		`"description":"My first repository on a rather \"big\" site","url":"https://api.example.com/repos/octo/hello-world"},`
	var b strings.Builder
	b.WriteString("{" + first + ",")
	for i := 0; b.Len()+len(member) < size; i++ {
		fmt.Fprintf(&b, member, i)
	}
	fmt.Fprintf(&b, `"pad":"%s",%s}`, strings.Repeat("x", max(0, size-b.Len()-len(last)-10)), last)
	return []byte(b.String())
}
