package config_test

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/transform/jq/program"
)

const transformsPage = "../../docs/transforms.md"

// inProcess runs jq programs in this process. The examples are harmless.
type inProcess struct{}

func (inProcess) Run(_ context.Context, text string, document []byte) ([][]byte, error) {
	return program.Run(text, document)
}

var fences = regexp.MustCompile("(?s)```(yaml|json)\n(.*?)\n```")

// TestPageExamples runs the examples of docs/transforms.md: a send, the data of an event, and what
// the endpoint gets.
func TestPageExamples(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(transformsPage)
	if err != nil {
		t.Fatal(err)
	}
	blocks := fences.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 12 || len(blocks)%3 != 0 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for example := range slices.Chunk(blocks, 3) {
		send, data, want := example[0][2], example[1][2], example[2][2]
		file := sendHead + "  - source: s\n    endpoint: e\n    " +
			strings.ReplaceAll(send, "\n", "\n    ") + "\n"
		catalog, err := config.Parse("relay.yaml", []byte(file), lookup)
		if err != nil {
			t.Errorf("%s\n%v", send, err)
			continue
		}
		parsed, err := transform.Parse([]byte(catalog.Endpoints[0].Sends["s"]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsed.Apply(t.Context(), transform.Event{
			ID: "evt_1", Type: "example.type", Source: "example", Trust: "verified",
			Time: time.Date(2026, 11, 30, 12, 34, 56, 789e6, time.UTC),
			Data: []byte(data), Body: []byte(data),
		}, inProcess{})
		if err != nil || string(got.Body) != want {
			t.Errorf("%s\ngives %s, %v\nwant  %s", send, got.Body, err, want)
		}
	}
}

func TestPageHasEveryFunctionAndPreset(t *testing.T) {
	t.Parallel()
	var functions []string
	for _, row := range page.Rows(t, transformsPage, "functions") {
		for _, name := range page.Names(row[0]) {
			name, _, _ = strings.Cut(name, "(")
			functions = append(functions, name)
		}
	}
	slices.Sort(functions)
	if diff := cmp.Diff(transform.Functions(), functions); diff != "" {
		t.Errorf("functions (-code +page):\n%s", diff)
	}
	presets := map[string][]string{}
	for _, row := range page.Rows(t, transformsPage, "presets") {
		presets[page.Names(row[0])[0]] = page.Names(row[1])
	}
	want := map[string][]string{}
	for preset, options := range transform.Presets() {
		for _, o := range options {
			want[preset] = append(want[preset], o.Name)
		}
	}
	if diff := cmp.Diff(want, presets); diff != "" {
		t.Errorf("presets (-code +page):\n%s", diff)
	}
}
