package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"runtime"
	"strings"
	"testing"

	"webhook-relay/shared/verify"
)

// What Verify may allocate for an unsigned request: this multiple of the body's size, plus a
// constant. (Decoding a token in the body and sorting a form's fields by name make copies.)
const (
	memoryMultiple = 8
	memoryBeside   = 128 << 10
)

// hostileBodies returns bodies of about size bytes for which different readers use the most memory.
func hostileBodies(size int) map[string][]byte {
	fill := func(before, unit, after string) []byte {
		n := max(0, size-len(before)-len(after)) / len(unit)
		return []byte(before + strings.Repeat(unit, n) + after)
	}
	long := strings.Repeat("n", size/2)
	part := "\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1"
	bodies := map[string][]byte{
		"members under a long name": fill(`{"`+long+`":{`, `"00000":0,`, `"a":0}}`),
		"members":                   fill(`{`, `"a":0,`, `"b":0}`),
		"empty members":             fill(`{`, `"":0,`, `"":0}`),
		"members in two cases":      fill(`{`, `"Type":0,"type":0,`, `"b":0}`),
		"numbers":                   fill(`[`, `1,`, `1]`),
		"texts":                     fill(`[`, `"",`, `""]`),
		"escapes":                   fill(`{"type":"`, `\u00e9`, `"}`),
		"escaped names":             fill(`{`, `"\u0061":0,`, `"a":0}`),
		"objects":                   fill(`[`, `{},`, `{}]`),
		"lists in lists":            fill(`{"events":`+strings.Repeat("[", size/2), `]`, `}`),
		"objects in objects":        fill(strings.Repeat(`{"a":`, size/6)+"0", `}`, ``),
		"never closed":              fill(``, `{"a":[`, ``),
		"items": fill(
			`{"notificationItems":[`, `{"NotificationRequestItem":{}},`, `0]}`,
		),
		"values":                   fill(`{"value":[`, `{"a":0},`, `{}]}`),
		"a long text":              fill(`{"signature":{"token":"`, `a`, `"}}`),
		"fields":                   fill(``, `a&`, `b`),
		"empty fields":             fill(``, `&`, `a=`),
		"equal signs":              fill(`a`, `=`, ``),
		"escapes in a form":        fill(`payload=`, `%41`, ``),
		"payloads":                 fill(``, `payload=1&`, ``),
		"a payload of Braintree":   fill(`bt_signature=a&bt_payload=`, `QUFB`, ``),
		"dots":                     fill(``, `.`, ``),
		"a token":                  fill(`e30.`, `e30`, `.e30`),
		"a token with a long head": fill(``, `e30`, `.e30.e30`),
		"parts":                    fill("--b", part, "\r\n--b--"),
		"a part's long header": fill(
			"--b\r\nContent-Disposition: form-data; name=", "a", "\r\n\r\n1\r\n--b--",
		),
		"a part's headers":         fill("--b\r\n", "a:\r\n", "\r\n1\r\n--b--"),
		"XML":                      fill(`<a>`, `<b/>`, `</a>`),
		"zeros":                    fill(``, "\x00", ``),
		"bytes that are not UTF-8": fill(`{"a":"`, "\xff", `"}`),
		"white space":              fill(``, " ", `{}`),
		"digits":                   fill(`{"timestamp":`, "1", `}`),
	}
	for _, name := range []string{"members", "zeros"} {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		for range 64 {
			_, _ = w.Write(bodies[name]) // a buffer takes all
		}
		_ = w.Close()
		bodies[name+", compressed"] = out.Bytes()
	}
	return bodies
}

// requestsOf returns requests with the headers of a provider's webhook, with a signature of another
// body and without one.
func requestsOf(t testing.TB, provider string) (*verify.Verifier, []verify.Request) {
	t.Helper()
	s := newSubject(t, verify.Config{Provider: provider}, "current")
	bare := s.request
	bare.Header = verify.Header{"content-type": "application/x-www-form-urlencoded"}
	return s.verifier, []verify.Request{s.request, bare}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

func checkMemory(t *testing.T, v *verify.Verifier, provider, what string, r verify.Request) {
	t.Helper()
	bound := memoryMultiple*len(r.Body) + memoryBeside
	var err error
	used := allocated(func() { _, err = v.Verify(context.Background(), r) })
	if err != nil && used > bound { // what is proved may cost more
		t.Errorf(
			"%s, %s of %d bytes: %d bytes are allocated, at most %d", provider, what, len(r.Body),
			used, bound,
		)
	}
}

// No test may run in parallel, because its memory would be counted too.
func TestMemoryBeforeTheProof(t *testing.T) {
	for _, size := range []int{1 << 10, 64 << 10} {
		bodies := hostileBodies(size)
		for _, provider := range verify.Providers() {
			if provider == "none" {
				continue // it proves nothing
			}
			v, requests := requestsOf(t, provider)
			for what, body := range bodies {
				for _, r := range requests {
					r.Header, r.Body = maps.Clone(r.Header), body
					checkMemory(t, v, provider, what, r)
				}
			}
		}
	}
}

func FuzzMemoryBeforeTheProof(f *testing.F) {
	for _, body := range hostileBodies(4 << 10) {
		f.Add(uint8(0), uint8(1), body)
	}
	type subject struct {
		provider string
		verifier *verify.Verifier
		requests []verify.Request
	}
	var subjects []subject
	for _, provider := range verify.Providers() {
		if provider != "none" {
			v, requests := requestsOf(f, provider)
			subjects = append(subjects, subject{provider, v, requests})
		}
	}
	f.Fuzz(func(t *testing.T, which, times uint8, body []byte) {
		s := subjects[int(which)%len(subjects)]
		for _, r := range s.requests {
			r.Header, r.Body = maps.Clone(r.Header), bytes.Repeat(body, int(times)%16+1)
			checkMemory(t, s.verifier, s.provider, "a body", r)
		}
	})
}
