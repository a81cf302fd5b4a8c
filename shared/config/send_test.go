package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/transform/jq/program"
)

const sendHead = `
sources: [{name: s, provider: github, secrets: [gh-secret]}, {name: t, provider: github, secrets: [gh-secret]}]
endpoints: [{name: e, url: https://e.example.com}, {name: f, url: https://f.example.com}]
subscriptions:
`

func TestSend(t *testing.T) {
	t.Parallel()
	got, err := config.Parse("relay.yaml", []byte(sendHead+`
  - {source: s, endpoint: e, types: [push], send: {preset: slack, text: "{data.a} & <b>"}}
  - {source: s, endpoint: e, types: [ping], send: {preset: slack, text: "{data.a} & <b>"}}
  - {source: s, endpoint: f}
  - source: t
    endpoint: e
    send:
      body: {id: "{data.n}", n: 1.50, list: [true, null]}
      path: /v2/{data.id}
      headers: {X-Kind: "{type}"}
  - source: relay
    endpoint: e
    send:
      jq: |
        .data
        | {a}
`), lookup)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"s": `{"preset":"slack","text":"{data.a} & <b>"}`,
		"t": `{"body":{"id":"{data.n}","n":1.50,"list":[true,null]},"path":"/v2/{data.id}",` +
			`"headers":{"X-Kind":"{type}"}}`,
		"relay": `{"jq":".data\n| {a}\n"}`,
	}
	if diff := cmp.Diff(want, got.Endpoints[0].Sends); diff != "" || got.Endpoints[1].Sends != nil {
		t.Error(diff)
	}
}

func TestSendIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ subscriptions, want string }{
		"a template": {
			`- {source: s, endpoint: e, send: {body: {a: ["x", "{data.x | uper}"]}}}`,
			`relay.yaml:6: subscriptions[0].send.body.a[1]: column 11 of the text: there is no function "uper"; is it upper?`,
		},
		"a template of two lines": {
			"- source: s\n    endpoint: e\n    send:\n      body: |\n        one\n        {nope}",
			`relay.yaml:9: subscriptions[0].send.body: line 2, column 2 of the text: there is no "nope" in an event`,
		},
		"jq": {
			`- {source: s, endpoint: e, send: {jq: ".data | nope"}}`,
			`relay.yaml:6: subscriptions[0].send.jq: column 9 of the text: function not defined: nope/0`,
		},
		"jq of two lines": {
			"- source: s\n    endpoint: e\n    send:\n      jq: |\n        .data\n        | now",
			`relay.yaml:9: subscriptions[0].send.jq: line 2, column 3 of the text: now cannot be used: the same event must give`,
		},
		"a preset": {
			`- {source: s, endpoint: e, send: {preset: slak, text: x}}`,
			`relay.yaml:6: subscriptions[0].send.preset: there is no preset "slak"; there are cloudevents,`,
		},
		"no map": {
			`- {source: s, endpoint: e, send: slack}`,
			`relay.yaml:6: subscriptions[0].send: it is not a map; write for example`,
		},
		"a reserved header": {
			`- {source: s, endpoint: e, send: {headers: {Webhook-Id: x}}}`,
			`relay.yaml:6: subscriptions[0].send.headers.webhook-id: is set by the relay`,
		},
		"YAML that is no JSON": {
			`- {source: s, endpoint: e, send: {body: !!binary aGk=}}`,
			`relay.yaml:6: subscriptions[0].send: has YAML that a send cannot have`,
		},
		"two of one pair": {
			"- {source: s, endpoint: e, send: {body: 1}}\n  - {source: t, endpoint: e}\n" +
				"  - {source: s, endpoint: e, send: {body: 2}}",
			`relay.yaml:8: subscriptions[2].send: differs from the send of subscriptions[0] on line 6, which has the same source and endpoint`,
		},
		"one of a pair without": {
			"- {source: s, endpoint: e, send: {body: 1}}\n  - {source: s, endpoint: e}",
			`relay.yaml:7: subscriptions[1].send: differs from`,
		},
		"too much for one endpoint": {
			`- {source: s, endpoint: e, send: {body: "` + strings.Repeat("x", 60_000) + `"}}` +
				"\n" +
				`  - {source: t, endpoint: e, send: {body: "` + strings.Repeat("x", 60_000) +
				`"}}` + "\n" +
				`  - {source: relay, endpoint: e, send: {body: "` + strings.Repeat("x", 60_000) +
				`"}}`,
			"relay.yaml:3: endpoints[0]: its subscriptions have 180033 bytes of send in all; there can be 131072",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.ParseFor(
				"", "relay.yaml", []byte(sendHead+"\n  "+test.subscriptions+"\n"),
				config.Relay{JQ: program.Check}, lookup, nil,
			)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v\nwant %s", err, test.want)
			}
		})
	}
}
