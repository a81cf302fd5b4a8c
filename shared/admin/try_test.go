package admin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
)

// TestTryShowsWhatADestinationGets: the envelope or what the transform made, and the options for
// this event.
func TestTryShowsWhatADestinationGets(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *admin.Config) { c.Local = true })
	boss := r.token(access.Admin, "")
	const queue = "arn:aws:sqs:eu-central-1:123456789012:orders.fifo"
	r.apply(boss, "", `sources: [{name: app, provider: none}]
endpoints:
  - {name: queue, url: "`+queue+`", group: "{data.n}"}
  - {name: archive, url: "s3://archive/{source}/{type}.{data.n}.json", envelope: json}
  - {name: bus, url: "arn:aws:events:eu-central-1:123456789012:event-bus/b", envelope: raw}
  - {name: shaped, url: "`+queue+`"}
  - {name: failing, url: "`+queue+`", group: "{data.n / 0}"}
subscriptions:
  - {source: app, endpoint: queue}
  - {source: app, endpoint: archive}
  - {source: app, endpoint: bus}
  - {source: app, endpoint: shaped, send: {body: ["{data.n}"]}}
  - {source: app, endpoint: failing}
`, `"0"`).wants(200, nil)
	var got, list struct{ Results []admin.Trial }
	r.send(request{method: "POST", path: "/v1/try", token: boss, body: map[string]any{
		"event":        map[string]any{"source": "app", "data": []any{1}},
		"subscription": "app-bus",
	}}).wants(200, &list)
	if s := list.Results[0].Sends; !strings.Contains(s.Error, "JSON object only") {
		t.Errorf("%+v", s)
	}
	r.send(request{method: "POST", path: "/v1/try", token: boss, body: map[string]any{
		"event": map[string]any{"source": "app", "type": "paid", "data": map[string]any{"n": 7}},
	}}).wants(200, &got)
	sends, summaries := map[string]admin.Sends{}, map[string]string{}
	for _, trial := range got.Results {
		s := *trial.Sends
		summaries[trial.Endpoint] = s.Summary()
		if trial.Endpoint == "archive" { // its time is another each time
			s.Body = ""
		}
		sends[trial.Endpoint] = s
	}
	const json = "application/json"
	want := map[string]admin.Sends{
		"queue": {
			To: queue, Options: map[string]string{"group": "7"}, ContentType: json,
			Body: `{"n":7}`,
		},
		"archive": {To: "arn:aws:s3:::archive/app/paid.7.json", ContentType: json},
		"bus": {
			To:   "arn:aws:events:eu-central-1:123456789012:event-bus/b",
			Body: `{"n":7}`, ContentType: json,
		},
		"shaped":  {To: queue, Body: `[7]`, ContentType: json},
		"failing": {To: queue, Error: "7 is divided by 0"},
	}
	if diff := cmp.Diff(want, sends); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for endpoint, want := range map[string]string{
		"queue":   "application/json to " + queue + " group=7",
		"failing": "nothing to " + queue + ": 7 is divided by 0",
	} {
		if summaries[endpoint] != want {
			t.Errorf("%s: %s", endpoint, summaries[endpoint])
		}
	}
}
