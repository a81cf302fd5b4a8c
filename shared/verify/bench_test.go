package verify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// BenchmarkVerify measures a whole Verify (headers, signature, delivery id, event type) and, in the same run, the bare HMAC that
// no verification can do without. Both take turns and the best times are compared, so that other work on the machine does not
// count. "x-bare" is their ratio; the budget at 1 KiB is 1.2.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct{ name, provider, first, last string }{ // members as the provider has them in the body
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

func benchmarkVerify(b *testing.B, provider string, body []byte) {
	v := newVerifier(b, verify.Config{Provider: provider}, secret("current"))
	w := verify.Webhook{Body: body, DeliveryID: "msg_p5jXN8AQM9LWM0D4loKWxJek", EventType: "push"}
	r := request(b, v, w, signedAt)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret("current"), "whsec_"))
	if err != nil {
		b.Fatal(err)
	}
	head := map[string]string{"stripe": "1700000000.", "standard-webhooks": w.DeliveryID + ".1700000000."}[provider]
	signedText := append([]byte(head), body...)
	whole := func() {
		if _, err := v.Verify(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
	bare := func() {
		mac := hmac.New(sha256.New, key)
		mac.Write(signedText)
		mac.Sum(nil)
	}
	calls := max(1, 16<<10/len(body))
	wholeTime, bareTime := math.Inf(1), math.Inf(1)
	for b.Loop() {
		wholeTime, bareTime = min(wholeTime, each(calls, whole)), min(bareTime, each(calls, bare))
	}
	b.ReportMetric(wholeTime, "ns/op")
	b.ReportMetric(bareTime, "bare-ns/op")
	b.ReportMetric(wholeTime/bareTime, "x-bare")
	b.ReportMetric(testing.AllocsPerRun(100, whole), "allocs/verify")
}

// each returns how many nanoseconds a call takes.
func each(calls int, f func()) float64 {
	start := time.Now()
	for range calls {
		f()
	}
	return float64(time.Since(start)) / float64(calls)
}

// jsonBody returns an object of many small members, some nested, between two others.
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
