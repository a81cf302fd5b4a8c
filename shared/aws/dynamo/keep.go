package dynamo

import (
	"context"
	"fmt"
	"time"
)

// KeepEvent implements relay.EventKeeper.
func (l *Ledger) KeepEvent(ctx context.Context, eventID string, until time.Time) error {
	_, err := l.do(ctx, updateItem, request{
		Key:       key(eventID, eventSort),
		Update:    "SET expires_at = :until",
		Condition: "expires_at > :now AND expires_at < :until",
		Values: item{
			":now": number(time.Now().Unix()), ":until": number(until.Unix()),
		},
	})
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: keep event %s: %w", eventID, err)
	}
	return nil
}
