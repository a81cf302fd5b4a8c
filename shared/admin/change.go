package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// change records a change in the audit log, and then makes it. So no change is missing there. If
// the change fails, another entry says so. before and after must have no secrets.
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
	if _, err := s.audit.Append(ctx, c.tenant, e); err != nil {
		return fmt.Errorf("admin: audit log, nothing was changed: %w", err)
	}
	c.audited = true
	failure := do()
	if failure == nil {
		return nil
	}
	e.Before, e.After, e.Failed = nil, nil, problemOf(failure).Title
	// the client may have gone, and the time for its request may be over
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if _, err := s.audit.Append(ctx, c.tenant, e); err != nil {
		return errors.Join(failure, fmt.Errorf("admin: audit log: %w", err))
	}
	return failure
}

// auditTimeout is the time for the entry that says that a change failed.
const auditTimeout = 2 * time.Second

// document returns v as JSON; nil for nil.
func document(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	return b, err
}
