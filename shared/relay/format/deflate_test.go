package format_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/relay/format"
)

func TestDeflateIsReversible(t *testing.T) {
	t.Parallel()
	b := []byte(strings.Repeat(`{"id":1,"text":"é\u0000"}`, 100))
	z := format.Deflate(b)
	if len(z) == 0 || len(z) > len(b)/10 {
		t.Fatalf("%d bytes of %d", len(z), len(b))
	}
	if back, err := format.Inflate(z, len(b)); err != nil || !bytes.Equal(back, b) {
		t.Errorf("%d bytes come back as %d, %v", len(b), len(back), err)
	}
	if _, err := format.Inflate(z, len(b)-1); !errors.Is(err, format.ErrFormat) {
		t.Errorf("beyond the limit: %v", err)
	}
	if _, err := format.Inflate(z[:len(z)/2], len(b)); !errors.Is(err, format.ErrFormat) {
		t.Errorf("cut off: %v", err)
	}
}

// Documents of a size at which their own text repeats little.
func TestDocumentsAreCompressedWithTheTextTheyConsistOf(t *testing.T) {
	t.Parallel()
	doc := []byte(`{"v":1,"messageId":"5f0c8a1e-7a53-4d0c-9c59-8f1b0c6b8d11","routedAt":` +
		`"2026-11-30T22:00:00.123Z","expiresAt":"2026-12-30T22:00:00Z","event":{"v":1,"id":` +
		`"evt_gzjyaomxedg6vrng4k62k4i2oa6qsn37","source":"app","type":"order.created",` +
		`"header":{"content-type":"application/json","user-agent":"GitHub-Hookshot/044aadd"}}}`)
	z := format.DeflateDocument(doc)
	if whole := format.Deflate(doc); len(z) == 0 || len(z) > len(whole)*3/4 {
		t.Errorf("%d bytes, without the text %d of %d", len(z), len(whole), len(doc))
	}
	if back, err := format.InflateDocument(z, len(doc)); err != nil || !bytes.Equal(back, doc) {
		t.Errorf("%q comes back, %v", back, err)
	}
	if back, err := format.Inflate(z, len(doc)); err == nil && bytes.Equal(back, doc) {
		t.Error("it can be read without the text")
	}
}

func TestDeflateLeavesAloneWhatGainsNothing(t *testing.T) {
	t.Parallel()
	random := make([]byte, 4096)
	for i, x := 0, uint32(1); i < len(random); i++ {
		x = x*1664525 + 1013904223
		random[i] = byte(x >> 24)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "short": []byte("aaaaaaaaaaaaaaaa"), "noise": random,
	} {
		if z := format.Deflate(b); z != nil {
			t.Errorf("%s: %d bytes became %d", name, len(b), len(z))
		}
	}
}

func FuzzInflate(f *testing.F) {
	f.Add([]byte(strings.Repeat("abc", 100)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if back, err := format.Inflate(b, 1<<16); err == nil && len(back) > 1<<16 {
			t.Errorf("%d bytes", len(back))
		}
		if z := format.Deflate(b); z != nil {
			if back, err := format.Inflate(z, len(b)); err != nil || !bytes.Equal(back, b) {
				t.Errorf("%q: %v", b, err)
			}
		}
		if back, err := format.InflateDocument(b, 1<<16); err == nil && len(back) > 1<<16 {
			t.Errorf("%d bytes", len(back))
		}
		if z := format.DeflateDocument(b); z != nil {
			back, err := format.InflateDocument(z, len(b))
			if err != nil || !bytes.Equal(back, b) {
				t.Errorf("%q: %v", b, err)
			}
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	text := []byte(strings.Repeat(
		`{"id":1296269,"name":"Hello-World","full_name":"octocat/Hello-World","private":false}`,
		116,
	))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		format.Deflate(text)
	}
}
