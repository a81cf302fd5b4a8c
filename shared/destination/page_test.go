package destination_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/lab/page"
)

// TestPageHasTheKinds compares the table of docs/destinations.md with the code: forms, actions,
// envelopes and keys.
func TestPageHasTheKinds(t *testing.T) {
	t.Parallel()
	var got, want [][]string
	for _, row := range page.Rows(t, "../../docs/destinations.md", "destination-kinds") {
		keys := page.Names(row[3])
		slices.Sort(keys)
		got = append(got, append([]string{
			page.Names(row[0])[0], page.Names(row[1])[0], page.Names(row[2])[0],
		}, keys...))
	}
	for _, k := range destination.Kinds() {
		d := destination.Destination{Kind: k}
		row := []string{
			k.Form(), d.Action(destination.Options{}),
			string(d.Envelope(destination.Options{})),
		}
		for _, key := range strings.Fields("bus_source claim detail_type group region stream wait") {
			if k.HasOption(key) {
				row = append(row, key)
			}
		}
		want = append(want, row)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-code +page):\n%s", diff)
	}
}
