package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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

// TestSilentSources: a source that is silent for ten times its usual gap, and an hour, is told.
func TestSilentSources(t *testing.T) {
	t.Parallel()
	d := &doctor{now: noon}
	for name, tt := range map[string]struct {
		accepted int
		ago      time.Duration // of the end of the hour of the last webhook
		want     string
	}{
		"busy":            {7 * 24 * 60, 0, isOK},
		"busy, then none": {7 * 24 * 60, 2 * time.Hour, isWarn},
		"busy, an hour":   {7 * 24 * 60, time.Hour, isOK},
		"daily":           {7, 3 * 24 * time.Hour, isOK},
		"never":           {0, 0, isWarn},
	} {
		f := d.source(name, map[string]int{name: tt.accepted}, map[string]time.Time{
			name: noon.Add(-tt.ago - time.Hour),
		})
		if f.Result != tt.want || f.What != name || f.Detail == "" {
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
