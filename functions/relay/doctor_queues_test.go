package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueuesAreJudged(t *testing.T) {
	t.Parallel()
	type verdict struct{ Result, What string }
	for name, tt := range map[string]struct {
		counts map[string]int
		want   []verdict
	}{
		"nothing waits":  {map[string]int{"Ingest": 0, "Dead": 0}, []verdict{{isOK, "queues"}}},
		"some wait":      {map[string]int{"Ingest": 999, "Retry": 5}, []verdict{{isOK, "queues"}}},
		"many wait":      {map[string]int{"Ingest": 1000}, []verdict{{isWarn, "queue Ingest"}}},
		"some have died": {map[string]int{"Dead": 1}, []verdict{{isWarn, "queue Dead"}}},
		"a bug": {
			map[string]int{"DeliveryDlq": 1, "Dead": 2, "IngestDlq": 0, "OrderedIngestDlq": 7},
			[]verdict{
				{isWarn, "queue Dead"}, {isFail, "queue DeliveryDlq"},
				{isFail, "queue OrderedIngestDlq"},
			},
		},
	} {
		var got []verdict
		for _, f := range judgeQueues(tt.counts) {
			got = append(got, verdict{f.Result, f.What})
			if (f.Do == "") != (f.Result == isOK) || f.Detail == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
