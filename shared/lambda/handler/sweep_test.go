package handler_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/relay/operate"
)

func TestSweepTellsAndFailsAsTheRunDid(t *testing.T) {
	t.Parallel()
	down := errors.New("table down")
	for name, tt := range map[string]struct {
		report operate.SweepReport
		err    error
	}{
		"well":                     {operate.SweepReport{Events: 3, PutBack: 1}, nil},
		"failed after it did some": {operate.SweepReport{Events: 2, PutBack: 1}, down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := 0
			err := handler.Sweep(
				func(context.Context) (operate.SweepReport, error) { return tt.report, tt.err },
				func(_ context.Context, got operate.SweepReport, err error) {
					told++
					if diff := cmp.Diff(tt.report, got); diff != "" || !errors.Is(err, tt.err) {
						t.Errorf("told of %v (-want +got):\n%s", err, diff)
					}
				})(t.Context())
			if !errors.Is(err, tt.err) || told != 1 {
				t.Errorf("%v, told %d times", err, told)
			}
		})
	}
}
