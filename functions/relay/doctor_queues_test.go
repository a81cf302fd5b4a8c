package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
)

func TestQueuesAreJudged(t *testing.T) {
	t.Parallel()
	type verdict struct{ Result, What string }
	queue := func(name string, holds admin.Holds, messages int) admin.Queue {
		return admin.Queue{Name: name, Messages: messages, Holds: holds, Runbook: "Chapter"}
	}
	work, dead, unprocessed := admin.HoldsWork, admin.HoldsDead, admin.HoldsUnprocessed
	for name, tt := range map[string]struct {
		queues []admin.Queue
		want   []verdict
	}{
		"nothing waits": {
			[]admin.Queue{queue("ingest", work, 0), queue("dead", dead, 0)},
			[]verdict{{isOK, "queues"}},
		},
		"some wait": {
			[]admin.Queue{queue("ingest", work, 999), queue("retry", work, 5)},
			[]verdict{{isOK, "queues"}},
		},
		"many wait":      {[]admin.Queue{queue("ingest", work, 1000)}, []verdict{{isWarn, "queue ingest"}}},
		"some have died": {[]admin.Queue{queue("dead", dead, 1)}, []verdict{{isWarn, "queue dead"}}},
		"a bug": {
			[]admin.Queue{
				queue("dead", dead, 2), queue("delivery-dlq", unprocessed, 1),
				queue("ingest-dlq", unprocessed, 0), queue("ordered-ingest-dlq", unprocessed, 7),
			},
			[]verdict{
				{isWarn, "queue dead"}, {isFail, "queue delivery-dlq"},
				{isFail, "queue ordered-ingest-dlq"},
			},
		},
	} {
		var got []verdict
		for _, f := range judgeQueues(tt.queues) {
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
