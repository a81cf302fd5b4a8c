package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
)

func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for ours, want := range map[time.Duration]string{
		0: isOK, 900 * time.Millisecond: isOK, 5 * time.Second: isOK, 7 * time.Second: isWarn,
		-30 * time.Second: isWarn, 2 * time.Minute: isFail, -time.Hour: isFail,
	} {
		if f := skewOf(noon, noon.Add(ours)); f.Result != want || (f.Do == "") != (want == isOK) {
			t.Errorf("%s: %+v, want %s", ours, f, want)
		}
	}
}

// TestSilentSources: a source that the sweep found silent is told, unless a webhook came since.
func TestSilentSources(t *testing.T) {
	t.Parallel()
	d := &doctor{now: noon}
	last := noon.Add(-3 * time.Hour).Truncate(time.Hour)
	at := func(after time.Duration) *time.Time { t := last.Add(after); return &t }
	for name, tt := range map[string]struct {
		accepted int
		heard    *admin.Heard
		want     string
	}{
		"heard":                 {7, &admin.Heard{LastAt: at(0), ExpectedBy: at(4 * time.Hour)}, isOK},
		"not looked at yet":     {7, nil, isOK},
		"silent":                {7, &admin.Heard{SilentSince: at(9 * time.Minute), ExpectedBy: at(time.Hour)}, isWarn},
		"silent, since heard":   {7, &admin.Heard{SilentSince: at(-26 * time.Hour)}, isOK},
		"never":                 {0, nil, isWarn},
		"never, and expected":   {0, &admin.Heard{SilentSince: at(0)}, isWarn},
		"none in a week, usual": {0, &admin.Heard{LastAt: at(-9 * 24 * time.Hour), ExpectedBy: at(99 * time.Hour)}, isOK},
	} {
		v := admin.SourceView{Spec: admin.SourceSpec{Name: name}, Heard: tt.heard}
		f := d.source(v, tt.accepted, last)
		if f.Result != tt.want || f.What != name || f.Detail == "" ||
			(f.Do == "") != (tt.want == isOK) {
			t.Errorf("%s: %+v, want %s", name, f, tt.want)
		}
	}
}

// TestWhatDied: deliveries that died are told with the command that sends them again, and what is
// unaccounted for is a failure.
func TestWhatDied(t *testing.T) {
	t.Parallel()
	for stats, want := range map[string]finding{
		`{"items":[{"name":"a","delivered":2}]}`: {Result: isOK},
		`{"items":[{"name":"a","dead":1},{"name":"b"},{"name":"c","dead":2},{"name":"a","dead":1}]}`: {
			Result: isWarn, Do: "relay redrive --endpoint a,c --since 24h",
		},
		`{"items":[{"name":"a","dead":1,"unaccounted":-1}]}`: {
			Result: isFail, Do: "-1 are unaccounted for",
		},
	} {
		d := &doctor{now: noon, api: answering(t, stats)}
		found, err := d.deliveries(t.Context())
		if err != nil || len(found) != 1 || found[0].Result != want.Result ||
			!strings.HasPrefix(found[0].Do, want.Do) {
			t.Errorf("%s: %+v, %v, want %+v", stats, found, err, want)
		}
	}
}

// TestCertificates that are not trusted are a failure.
func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	c, err := client.New(client.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	d := &doctor{now: noon, api: &connection{Client: c}}
	if f := d.certificate(t.Context()); f.Result != isFail || !strings.Contains(
		f.Detail, "certificate",
	) {
		t.Errorf("%+v", f)
	}
}

// answering returns a relay that answers everything with a text.
func answering(t *testing.T, text string) *connection {
	t.Helper()
	if !json.Valid([]byte(text)) {
		t.Fatalf("%s is no JSON", text)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return &connection{Client: c, close: func() error { return nil }}
}
