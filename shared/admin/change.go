package admin

import (
	"context"
	"encoding/json"
	"errors"

	"webhook-relay/shared/relay/access"
)

// orError returns p if err is target, and otherwise err.
func orError(err, target error, p *Problem) error {
	if errors.Is(err, target) {
		p.cause = err
		return p
	}
	return err
}

// change records the change of a request in the audit log, and makes it: see access.Audit.Change.
// before and after must have no secrets.
func (s *server) change(
	ctx context.Context, target string, before, after any, do func() error,
) error {
	c := callOf(ctx)
	e := access.Entry{
		Who: c.principal.Who, Action: c.route.ID, Target: target, RequestID: c.requestID,
	}
	var err error
	if e.Before, err = document(before); err != nil {
		return err
	}
	if e.After, err = document(after); err != nil {
		return err
	}
	return s.audit.Change(ctx, c.tenant, e, do, func(err error) string {
		return problemOf(err).Title
	})
}

// document returns v as JSON; nil for nil.
func document(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return b, err
}
