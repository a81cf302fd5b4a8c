package transform_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/jsonschema-go/jsonschema"

	"webhook-relay/shared/transform"
)

// full are specifications with every option of each preset, and minimal with none that may be left
// out. EVIL is replaced by an expression of the payload.
var (
	full = map[string]string{
		"slack": `"text":"a *EVIL* b","title":"EVIL","fields":{"A":"EVIL","B":"EVIL"},
			"footer":"EVIL","channel":"C1"`,
		"discord": `"text":"a **EVIL** b","title":"EVIL","description":"EVIL","footer":"EVIL",
			"fields":{"A":"EVIL","B":"EVIL","C":"EVIL","D":"EVIL","E":"EVIL","F":"EVIL","G":"EVIL",
			"H":"EVIL","I":"EVIL","J":"EVIL"},"url":"https://example.com/EVIL","username":"EVIL"`,
		"teams": `"text":"a **EVIL** b","title":"EVIL","footer":"EVIL","url":"EVIL",
			"fields":{"A":"EVIL","B":"EVIL","C":"EVIL","D":"EVIL","E":"EVIL","F":"EVIL","G":"EVIL",
			"H":"EVIL","I":"EVIL","J":"EVIL"}`,
		"pagerduty": `"summary":"EVIL","routing_key":"0123456789abcdef0123456789abcdef",
			"action":"resolve","dedup_key":"EVIL","severity":"EVIL","source":"EVIL",
			"timestamp":"{time}","component":"EVIL","group":"EVIL","class":"EVIL","details":"EVIL",
			"url":"EVIL"`,
		"cloudevents": `"id":"EVIL","source":"EVIL","type":"EVIL","subject":"EVIL","time":"{time}",
			"data":{"x":"EVIL"}`,
		"eventbridge": `"detail_type":"EVIL","source":"EVIL","account":"123456789012",
			"region":"eu-central-1","detail":"EVIL"`,
	}
	minimal = map[string]string{
		"slack": `"text":"EVIL"`, "discord": `"text":"EVIL"`, "teams": `"text":"EVIL"`,
		"pagerduty":   `"summary":"EVIL","routing_key":"0123456789abcdef0123456789abcdef"`,
		"cloudevents": ``, "eventbridge": ``,
	}
)

// payloads are documents with a member x, which the specifications show.
var payloads = map[string]string{
	"a word":           `{"x":"word"}`,
	"nothing":          `{}`,
	"null":             `{"x":null}`,
	"empty":            `{"x":""}`,
	"a number":         `{"x":12345678901234567890}`,
	"an object":        `{"x":{"y":["<!channel>"]}}`,
	"a list":           `[1,2]`,
	"mentions":         `{"x":"@everyone <!channel> <@U1> <#C1> <@&1> <at>All</at> @here"}`,
	"links":            `{"x":"<https://evil.example|bank> [bank](https://evil.example) https://evil.example"}`,
	"escapes":          `{"x":"&lt;!channel&gt; \\<!here> \\\\[a](b) &amp;"}`,
	"control":          `{"x":"a\u0000b\nc\td\u001b\u007f\u2028\u202e"}`,
	"code":             "{\"x\":\"```@everyone``` `x` > # - *a* _b_ ~c~ ||d||\"}",
	"long":             `{"x":"` + strings.Repeat("word ", 20_000) + `"}`,
	"long escapes":     `{"x":"` + strings.Repeat("<&>*_", 20_000) + `"}`,
	"long beyond BMP":  `{"x":"` + strings.Repeat("😀", 50_000) + `"}`,
	"long of quotes":   `{"x":"` + strings.Repeat(`\"`, 50_000) + `"}`,
	"long of controls": `{"x":"` + strings.Repeat(`\u0001`, 30_000) + `"}`,
	"a link":           `{"x":"https://example.com/a?b=c"}`,
	"another scheme":   `{"x":"javascript:alert(1)"}`,
}

func specOf(preset, options string) string {
	if options != "" {
		options = "," + strings.NewReplacer("EVIL", "{data.x}", "\n", "", "\t", "").Replace(options)
	}
	return `{"preset":"` + preset + `"` + options + `}`
}

// TestPresetsFitTheirSchemas checks each preset's output against the receiver's documented schema.
func TestPresetsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for preset := range transform.Presets() {
		text, err := os.ReadFile(filepath.Join("testdata", "schema", preset+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var schema jsonschema.Schema
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, payload := range payloads {
			for _, options := range []string{full[preset], minimal[preset]} {
				got, err := apply(t, specOf(preset, options), payload)
				if err != nil {
					t.Errorf("%s, %s: %v", preset, name, err)
					continue
				}
				var value any
				if err := json.Unmarshal(got.Body, &value); err != nil {
					t.Errorf("%s, %s: %v in %.300s", preset, name, err, got.Body)
				} else if err := resolved.Validate(value); err != nil {
					t.Errorf("%s, %s: %v in %.300s", preset, name, err, got.Body)
				}
			}
		}
	}
}

// TestSchemasRefuse: a schema that accepts everything would prove nothing.
func TestSchemasRefuse(t *testing.T) {
	t.Parallel()
	for preset, bad := range map[string]string{
		"slack":       `{"text":"x","blocks":[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]}`,
		"discord":     `{"content":"` + strings.Repeat("x", 2001) + `"}`,
		"teams":       `{"type":"message","attachments":[{"contentType":"x","content":{}}]}`,
		"pagerduty":   `{"event_action":"trigger","payload":{"summary":"x","source":"x","severity":"info"}}`,
		"cloudevents": `{"specversion":"1.0","id":"","source":"x","type":"x"}`,
		"eventbridge": `{"version":"0"}`,
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "schema", preset+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var schema jsonschema.Schema
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal([]byte(bad), &value); err != nil {
			t.Fatal(err)
		}
		if resolved.Validate(value) == nil {
			t.Errorf("%s: the schema accepts %.100s", preset, bad)
		}
	}
}

// TestPresetSizes checks what a schema cannot say.
func TestPresetSizes(t *testing.T) {
	t.Parallel()
	for name, payload := range payloads {
		got, err := apply(t, specOf("teams", full["teams"]), payload)
		if err != nil || len(got.Body) > 28<<10 {
			t.Errorf("teams, %s: %d bytes, %v", name, len(got.Body), err)
		}
		got, err = apply(t, specOf("pagerduty", full["pagerduty"]), payload)
		if err != nil || len(got.Body) > 512<<10 {
			t.Errorf("pagerduty, %s: %d bytes, %v", name, len(got.Body), err)
		}
		got, err = apply(t, specOf("discord", full["discord"]), payload)
		if err != nil {
			t.Fatal(err)
		}
		var message struct {
			Content, Username string
			Embeds            []struct {
				Title, Description string
				Footer             struct{ Text string }
				Fields             []struct{ Name, Value string }
			}
		}
		if err := json.Unmarshal(got.Body, &message); err != nil {
			t.Fatal(err)
		}
		e := message.Embeds[0]
		sum := e.Title + e.Description + e.Footer.Text
		for _, f := range e.Fields {
			sum += f.Name + f.Value
		}
		if n := len(utf16.Encode([]rune(sum))); n > 6000 {
			t.Errorf("discord, %s: the embed has %d characters", name, n)
		}
		if n := len(utf16.Encode([]rune(message.Content))); n > 2000 {
			t.Errorf("discord, %s: the content has %d characters", name, n)
		}
	}
}

// TestPayloadsStayText: no text of a payload mentions anybody, links or formats.
func TestPayloadsStayText(t *testing.T) {
	t.Parallel()
	got, err := apply(t, specOf("slack", full["slack"]), payloads["mentions"])
	if err != nil || strings.ContainsAny(string(got.Body), "<>") {
		t.Errorf("slack: %s, %v", got.Body, err)
	}
	if got, err = apply(t, specOf("slack", full["slack"]), payloads["escapes"]); err != nil ||
		!strings.Contains(string(got.Body), "&amp;lt;!channel&amp;gt;") {
		t.Errorf("slack: %s, %v", got.Body, err)
	}
	if got, err = apply(t, specOf("slack", full["slack"]), payloads["links"]); err != nil ||
		strings.Contains(string(got.Body), "<") ||
		strings.Count(string(got.Body), `"mrkdwn"`) != strings.Count(
			string(got.Body), `"verbatim":true`,
		) {
		t.Errorf("slack links: %s, %v", got.Body, err)
	}
	for _, receiver := range []string{"discord", "teams"} {
		for _, payload := range []string{"mentions", "links", "escapes", "code"} {
			got, err := apply(t, specOf(receiver, minimal[receiver]), payloads[payload])
			if err != nil {
				t.Fatal(err)
			}
			text := between(t, got.Body)
			special := "*_~`<>#[]("
			if receiver == "discord" {
				special += "@:|"
				if !strings.Contains(string(got.Body), `"allowed_mentions":{"parse":[]}`) {
					t.Error("discord may mention")
				}
			}
			for i := range len(text) {
				before := len(text[:i]) - len(strings.TrimRight(text[:i], `\`))
				if strings.IndexByte(special, text[i]) >= 0 && before%2 == 0 {
					t.Errorf("%s, %s: %q is not escaped in %s", receiver, payload, text[i], text)
				}
			}
		}
	}
}

// between returns the message's only text.
func between(t *testing.T, body []byte) string {
	t.Helper()
	var message struct {
		Content     string
		Attachments []struct {
			Content struct{ Body []struct{ Text string } }
		}
	}
	if err := json.Unmarshal(body, &message); err != nil {
		t.Fatal(err)
	}
	if len(message.Attachments) > 0 {
		return message.Attachments[0].Content.Body[0].Text
	}
	return message.Content
}

func TestCloudEventsBinary(t *testing.T) {
	t.Parallel()
	got, err := apply(
		t, `{"preset":"cloudevents","mode":"binary","subject":"{data.x}","headers":{"X":"y"}}`,
		`{"x":"é \"%\u0001"}`,
	)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ce-specversion": "1.0", "ce-id": "evt_1", "ce-source": "/in/stripe",
		"ce-type": "invoice.paid", "ce-time": "2026-11-30T12:34:56.789Z",
		"ce-subject": "%C3%A9%20%22%25%01", "x": "y",
	}
	for name, value := range want {
		if got.Header[name] != value {
			t.Errorf("%s is %q, want %q", name, got.Header[name], value)
		}
	}
	if len(got.Header) != len(want) || got.ContentType != "application/json" {
		t.Errorf("got %v, %s", got.Header, got.ContentType)
	}
}

func TestCloudEventsWithoutDocument(t *testing.T) {
	t.Parallel()
	parsed, err := transform.Parse([]byte(`{"preset":"cloudevents"}`))
	if err != nil {
		t.Fatal(err)
	}
	e := sample("\x00\x01")
	e.Data, e.Header = nil, map[string]string{"content-type": "application/x-thing"}
	got, err := parsed.Apply(t.Context(), e, nil)
	if err != nil || !strings.Contains(
		string(got.Body), `"datacontenttype":"application/x-thing","data_base64":"AAE="`,
	) || got.ContentType != "application/cloudevents+json; charset=utf-8" {
		t.Errorf("%s, %v", got.Body, err)
	}
}

// TestActionIsChecked: a word of the payload that PagerDuty does not know fails, but a severity
// only falls back.
func TestActionIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := apply(
		t, `{"preset":"pagerduty","summary":"x","action":"{data.x}"}`, `{"x":"open"}`,
	); err == nil || !strings.Contains(err.Error(), `action: "open" is not one of trigger`) {
		t.Errorf("the error is %v", err)
	}
	got, err := apply(
		t, `{"preset":"pagerduty","summary":"x","severity":"{data.x}"}`, `{"x":"open"}`,
	)
	if err != nil || !strings.Contains(string(got.Body), `"severity":"error"`) {
		t.Errorf("%s, %v", got.Body, err)
	}
}
