package conformance

import (
	"slices"
	"testing"

	"webhook-relay/shared/relay"
)

// Failures tests a relay.Failures.
func Failures(t *testing.T, fresh func(t *testing.T) relay.Failures) {
	t.Run("each message has a count of its own", func(t *testing.T) {
		t.Parallel()
		failures := fresh(t)
		for _, want := range []struct {
			message string
			count   int
		}{{"a", 1}, {"a", 2}, {"b", 1}, {"a", 3}} {
			got, err := failures.CountFailure(t.Context(), want.message)
			must(t, "CountFailure", err)
			equal(t, "count of "+want.message, want.count, got)
		}
	})
	t.Run("a count that is forgotten begins anew, and no other does", func(t *testing.T) {
		t.Parallel()
		failures := fresh(t)
		for _, message := range []string{"a", "b"} {
			_, err := failures.CountFailure(t.Context(), message)
			must(t, "CountFailure", err)
		}
		for _, message := range []string{"a", "never counted"} {
			must(t, "ForgetFailures", failures.ForgetFailures(t.Context(), message))
		}
		for message, want := range map[string]int{"a": 1, "b": 2, "never counted": 1} {
			got, err := failures.CountFailure(t.Context(), message)
			must(t, "CountFailure", err)
			equal(t, "count of "+message, want, got)
		}
	})
	t.Run("failures at the same time all count", func(t *testing.T) {
		t.Parallel()
		failures := fresh(t)
		counts := make(chan int, 10)
		for range cap(counts) {
			go func() {
				n, err := failures.CountFailure(t.Context(), "a")
				if err != nil {
					t.Error(err)
				}
				counts <- n
			}()
		}
		var got []int
		for range cap(counts) {
			got = append(got, <-counts)
		}
		slices.Sort(got)
		equal(t, "counts", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, got)
	})
}
