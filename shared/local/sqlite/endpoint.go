package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate/breaker"
)

// EndpointState implements relay.EndpointStates.
func (l *Ledger) EndpointState(ctx context.Context, endpoint string) (breaker.State, int64, error) {
	var doc []byte
	var revision int64
	err := l.store.do(ctx, executed, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT state, revision FROM endpoint_states WHERE endpoint = ?",
			func(stmt *sqlite.Stmt) error {
				doc, revision = blob(stmt, 0), stmt.ColumnInt64(1)
				return nil
			}, endpoint)
	})
	if err != nil || doc == nil {
		return breaker.State{}, 0, err
	}
	s, err := breaker.Decode(doc)
	return s, revision, err
}

// SaveEndpointState implements relay.EndpointStates.
func (l *Ledger) SaveEndpointState(
	ctx context.Context, endpoint string, s breaker.State, prior int64,
) error {
	query := "UPDATE endpoint_states SET revision = ?2 + 1, state = ?3 WHERE endpoint = ?1 AND revision = ?2"
	if prior == 0 {
		query = "INSERT OR IGNORE INTO endpoint_states (endpoint, revision, state) VALUES (?1, ?2 + 1, ?3)"
	}
	conflict := false
	err := l.store.do(ctx, executed, func(conn *sqlite.Conn) error {
		err := exec(conn, query, nil, endpoint, prior, breaker.Encode(s))
		conflict = err == nil && conn.Changes() == 0
		return err
	})
	if err == nil && conflict {
		err = fmt.Errorf(
			"sqlite: state of endpoint %s does not have revision %d: %w", endpoint, prior,
			catalog.ErrConflict,
		)
	}
	return err
}

// TroubledEndpoints implements relay.EndpointStates. Only endpoints that have failed have a state.
func (l *Ledger) TroubledEndpoints(ctx context.Context) (troubled []string, err error) {
	states := map[string][]byte{}
	err = l.store.do(ctx, executed, func(conn *sqlite.Conn) error {
		return exec(conn, "SELECT endpoint, state FROM endpoint_states",
			func(stmt *sqlite.Stmt) error {
				states[stmt.ColumnText(0)] = blob(stmt, 1)
				return nil
			})
	})
	for endpoint, doc := range states {
		s, decodeErr := breaker.Decode(doc)
		if decodeErr != nil {
			return nil, decodeErr
		}
		if !s.Well() {
			troubled = append(troubled, endpoint)
		}
	}
	return troubled, err
}
