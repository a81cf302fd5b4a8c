package destination_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
)

// objectOf returns the request for an object, with its key made of the event.
func objectOf(
	t *testing.T, address string, m destination.Message, o destination.Options,
) (destination.Request, error) {
	t.Helper()
	d := parsed(t, address).In("eu-central-1")
	texts, err := d.ParseTexts(o)
	if err != nil {
		t.Fatal(err)
	}
	if m.Texts, err = texts.Apply(m.Event); err != nil {
		t.Fatal(err)
	}
	return d.Request(m, o)
}

func TestObject(t *testing.T) {
	t.Parallel()
	const path = "https://s3.eu-central-1.amazonaws.com/archive/shop/2026-11-30/evt_1.json"
	header := func(more map[string]string) map[string]string {
		all := map[string]string{
			"content-type":          "application/json",
			"x-amz-meta-webhook-id": "evt_1", "x-amz-meta-relay-source": "shop",
			"x-amz-meta-relay-event-type": "order.paid", "x-amz-meta-relay-trust": "verified",
			"x-amz-meta-relay-attempt": "2", "x-amz-meta-traceparent": "00-1-2-01",
		}
		for name, value := range more {
			if all[name] = value; value == "" {
				delete(all, name)
			}
		}
		return all
	}
	for name, tt := range map[string]struct {
		address string
		o       destination.Options
		change  func(*destination.Message)
		url     string
		header  map[string]string
		body    string
		zipped  bool
	}{
		"as it came": {address: bucket, url: path, header: header(nil), body: `{"n":1}`},
		"bytes in a form of their own": {
			address: bucket, url: path, body: "\xff", change: func(m *destination.Message) {
				m.Event.Body = []byte("\xff")
				m.Event.Header = map[string]string{
					"content-type": "a/b", "content-encoding": "br",
				}
			},
			header: header(map[string]string{"content-type": "a/b", "content-encoding": "br"}),
		},
		"an envelope": {
			address: bucket, o: destination.Options{Envelope: destination.JSON}, url: path,
			header: header(nil), body: envelope,
		},
		"what a transform made": {
			address: bucket, url: path, body: "[7]", change: func(m *destination.Message) {
				m.Shaped, m.ContentType = []byte("[7]"), "x/y"
				m.Event.Header = map[string]string{"content-encoding": "br"}
			},
			header: header(map[string]string{"content-type": "x/y"}),
		},
		"compressed": {
			address: bucket + ".gz", url: path + ".gz", body: `{"n":1}`, zipped: true,
			header: header(map[string]string{"content-encoding": "gzip"}),
		},
		"compressed twice": {
			address: bucket + ".gz", url: path + ".gz", body: `{"n":1}`, zipped: true,
			change: func(m *destination.Message) {
				m.Event.Header = map[string]string{"content-encoding": "br"}
			},
			header: header(map[string]string{"content-encoding": "br, gzip", "content-type": ""}),
		},
		"a key of the event's data stays within its segments": {
			address: "s3://archive/x/{type}/{data.n}/{headers.x}", change: func(m *destination.Message) {
				m.Event.Type, m.Event.Data = "", []byte(`{"n":"../a b+\u0000é"}`)
			},
			url:    "https://s3.eu-central-1.amazonaws.com/archive/x/_/.._a%20b%2B_%C3%A9/_",
			header: header(map[string]string{"x-amz-meta-relay-event-type": ""}), body: `{"n":1}`,
		},
		"a value of dots": {
			address: "s3://archive/x/{data.n}/{id}", change: func(m *destination.Message) {
				m.Event.Data = []byte(`{"n":".."}`)
			},
			url: "https://s3.eu-central-1.amazonaws.com/archive/x/_/evt_1", header: header(nil),
			body: `{"n":1}`,
		},
		"another region": {
			address: "s3://my.bucket/{id}", o: destination.Options{Region: "cn-north-1"},
			url:    "https://s3.cn-north-1.amazonaws.com.cn/my.bucket/evt_1",
			header: header(nil), body: `{"n":1}`,
		},
		"a type that is too long for metadata": {
			address: bucket, url: path, change: func(m *destination.Message) {
				m.Event.Type = strings.Repeat("x", 513)
			},
			header: header(map[string]string{"x-amz-meta-relay-event-type": ""}), body: `{"n":1}`,
		},
		"a type that no header can have": {
			address: bucket, url: path, change: func(m *destination.Message) { m.Event.Type = "é" },
			header: header(map[string]string{"x-amz-meta-relay-event-type": ""}), body: `{"n":1}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := message(`{"n":1}`)
			if tt.change != nil {
				tt.change(&m)
			}
			d := parsed(t, tt.address).In(tt.o.Region).In("eu-central-1")
			texts, err := d.ParseTexts(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if m.Texts, err = texts.Apply(m.Event); err != nil {
				t.Fatal(err)
			}
			got, err := d.Request(m, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if got.Method != "PUT" || got.URL != tt.url || !strings.HasSuffix(got.URL, "_1") &&
				got.Key == "" {
				t.Errorf("%s %s %q, want %s", got.Method, got.URL, got.Key, tt.url)
			}
			crc := crc32.ChecksumIEEE(got.Body)
			if sum := base64.StdEncoding.EncodeToString([]byte{
				byte(crc >> 24), byte(crc >> 16), byte(crc >> 8), byte(crc),
			}); got.Header["x-amz-checksum-crc32"] != sum {
				t.Errorf("checksum %s, want %s", got.Header["x-amz-checksum-crc32"], sum)
			}
			delete(got.Header, "x-amz-checksum-crc32")
			if diff := cmp.Diff(tt.header, got.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if body := unzipped(t, got.Body, tt.zipped); body != tt.body {
				t.Errorf("body %q, want %q", body, tt.body)
			}
			if tt.zipped && string(got.Plain) != tt.body {
				t.Errorf("shown as %q", got.Plain)
			}
		})
	}
}

func unzipped(t *testing.T, body []byte, zipped bool) string {
	t.Helper()
	if !zipped {
		return string(body)
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// TestTheSameObject: attempts of a delivery write the same bytes to the same key.
func TestTheSameObject(t *testing.T) {
	t.Parallel()
	m := message(`{"n":1}`)
	first, err := objectOf(t, bucket+".gz", m, destination.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.Attempt++
	second, err := objectOf(t, bucket+".gz", m, destination.Options{})
	if err != nil || first.URL != second.URL || !bytes.Equal(first.Body, second.Body) {
		t.Errorf("%v, %s, %s", err, first.URL, second.URL)
	}
}

// FuzzObject: no value of a webhook leaves its segment of the key, and the URL has the key as it is.
func FuzzObject(f *testing.F) {
	f.Add("a/b", "..")
	f.Add("", "\x00%2F\xff")
	f.Add("é?#&", "{id}//")
	f.Fuzz(func(t *testing.T, eventType, header string) {
		m := message(`{}`)
		m.Event.Type, m.Event.Header = eventType, map[string]string{"x": header}
		r, err := objectOf(
			t, "s3://archive/a/{type}/{headers.x}-{type}/{id}", m, destination.Options{},
		)
		if err != nil {
			return // it is too long
		}
		u, err := url.Parse(r.URL)
		if err != nil || u.Path != "/archive/"+r.Key || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%v: %s for %q", err, r.URL, r.Key)
		}
		segments := strings.Split(r.Key, "/")
		if len(segments) != 4 || segments[0] != "a" || segments[3] != "evt_1" ||
			slices.Contains(segments, "") || slices.Contains(segments, "..") {
			t.Errorf("%q", segments)
		}
	})
}

func TestAKeyThatIsTooLong(t *testing.T) {
	t.Parallel()
	m := message(`{}`)
	m.Event.Data = []byte(`"` + strings.Repeat("x", 1022) + `"`)
	if _, err := objectOf(t, "s3://archive/a/{data}", m, destination.Options{}); err != nil {
		t.Error(err)
	}
	_, err := objectOf(t, "s3://archive/ab/{data}", m, destination.Options{})
	if unfit, ok := errors.AsType[*destination.UnfitError](err); !ok ||
		!strings.Contains(unfit.Problem, "1025 bytes") {
		t.Error(err)
	}
}

func TestBucketAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		bucket: "", bucket + ".gz": "", "s3://my.bucket/{data.order[\"id\"]}": "",
		"s3://archive/{headers.x-id}":    "",
		"s3://archive/{data.a | upper}/": "names no object",
		"s3://archive":                   "names no object",
		"s3://archive/":                  "names no object",
		"s3://A/{id}":                    "3 to 63",
		"s3://{source}/{id}":             "3 to 63",
		"s3:///{id}":                     "3 to 63",
		"s3://archive//{id}":             "empty segment",
		"s3://archive/../{id}":           "empty segment",
		"s3://archive/{source}/id.json":  "replaces the one before",
		"s3://archive/{{id}}":            "replaces the one before",
	} {
		d, err := destination.Parse(address)
		switch {
		case want == "" && (err != nil || !strings.HasPrefix(d.ARN, "arn:aws:s3:::") ||
			!destination.Is(address)):
			t.Errorf("%s: %v, %+v", address, err, d)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

func TestGrantedBuckets(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]bool{
		"arn:aws:s3:::archive": true, "arn:aws-cn:s3:::archive": true,
		"arn:aws:s3:::archive2": false, "arn:aws:s3:::archive/*": false, "s3:::archive": false,
	} {
		if got := parsed(t, bucket).IsGranted([]string{queue, arn}); got != want {
			t.Errorf("%s: %v", arn, got)
		}
	}
	if !parsed(t, queue).IsGranted([]string{queue}) || parsed(t, fifo).IsGranted([]string{queue}) {
		t.Error("a queue")
	}
}
