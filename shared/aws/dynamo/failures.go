package dynamo

import (
	"context"
	"fmt"
	"time"

	"webhook-relay/shared/relay"
)

const (
	failurePrefix = "failure#"
	countSort     = "count"
)

// CountFailure implements relay.Failures. If an answer is lost and the call is repeated, the
// failure counts twice.
func (l *Ledger) CountFailure(ctx context.Context, messageID string) (int, error) {
	return l.updateFailures(ctx, messageID, "SET expires_at = :expires ADD failures :n", 1)
}

// ForgetFailures implements relay.Failures.
func (l *Ledger) ForgetFailures(ctx context.Context, messageID string) error {
	_, err := l.updateFailures(ctx, messageID, "SET expires_at = :expires, failures = :n", 0)
	return err
}

// updateFailures runs the update, in which :n is n, and returns the number of failures after it.
func (l *Ledger) updateFailures(
	ctx context.Context, messageID, update string, n int64,
) (int, error) {
	out, err := l.do(ctx, updateItem, request{
		Key:    key(failurePrefix+messageID, countSort),
		Update: update,
		Values: item{
			":n": number(n), ":expires": number(time.Now().Add(relay.MaxQueueTime).Unix()),
		},
		Returns: updated,
	})
	if err != nil {
		return 0, fmt.Errorf("dynamo: failures of message %s: %w", messageID, err)
	}
	return int(numberOf(out.Attributes, "failures")), nil
}
