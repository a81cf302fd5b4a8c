package admin

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay/access"
)

// Change is an entry of the audit log.
type Change struct {
	Number    int64           `json:"number" doc:"1 for the first, then one more for each"`
	At        time.Time       `json:"at"`
	Who       access.Who      `json:"who"`
	Action    string          `json:"action" doc:"The operation" example:"endpoints.put"`
	Target    string          `json:"target,omitempty" doc:"What was changed" example:"endpoint/shipping"`
	RequestID string          `json:"requestId,omitempty" doc:"The request that made it"`
	Failed    string          `json:"failed,omitempty" doc:"Why the change of the entry with this requestId was not made"`
	Before    json.RawMessage `json:"before,omitempty" doc:"What there was. Secrets are shown as fingerprints"`
	After     json.RawMessage `json:"after,omitempty" doc:"What there is. Secrets are shown as fingerprints"`
	Previous  string          `json:"previous,omitempty" doc:"Hash of the entry before it"`
	Hash      string          `json:"hash" doc:"Hash of this entry, which the next one has as previous"`
}

func changeOf(e access.Entry) Change {
	return Change{
		Number: e.Number, At: e.At, Who: e.Who, Action: e.Action, Target: e.Target,
		RequestID: e.RequestID, Failed: e.Failed, Before: e.Before, After: e.After,
		Previous: e.Previous, Hash: e.Hash,
	}
}

// verification is the answer of GET /v1/audit/verify.
type verification struct {
	Body Verification
}

// Verification is the result of a check of the audit log.
type Verification struct {
	Entries int     `json:"entries" doc:"How many entries were compared"`
	First   *Change `json:"first,omitempty" doc:"The oldest of them"`
	Last    *Change `json:"last,omitempty" doc:"The newest of them. Keep its hash: an entry that is altered later changes all hashes after it"`
	Next    string  `json:"next,omitempty" doc:"Where to go on, as the parameter next. Without it, all was checked"`
}

// maxVerified is how many entries one request checks.
const maxVerified = 1000

func registerAudit(r *registrar) {
	handle(r, "audit.list", func(ctx context.Context, in *Paging) (*List[Change, Covered], error) {
		position, err := r.position(ctx, in.Next, nil)
		if err != nil {
			return nil, err
		}
		before, _ := strconv.ParseInt(position, 10, 64) // our own; "" is 0
		found, more, err := r.audit.List(ctx, callOf(ctx).tenant, before, in.Limit)
		if err != nil {
			return nil, err
		}
		place := ""
		if more != 0 {
			place = strconv.FormatInt(more, 10)
		}
		next, err := r.seal(ctx, place, nil)
		items := mapped(found, changeOf)
		return page(items, next, covered(items, len(items), func(c Change) time.Time {
			return c.At
		})), err
	})
	handle(r, "audit.verify", r.verifyAudit)
}

type verifyInput struct {
	Next string `query:"next" maxLength:"2000" doc:"Where to go on: next of the answer before"`
}

func (s *server) verifyAudit(ctx context.Context, in *verifyInput) (*verification, error) {
	position, err := s.position(ctx, in.Next, nil)
	if err != nil {
		return nil, err
	}
	number, hash, _ := strings.Cut(position, " ")
	after := access.Entry{Hash: hash}
	after.Number, _ = strconv.ParseInt(number, 10, 64) // our own; "" is 0
	v, err := s.audit.Verify(ctx, callOf(ctx).tenant, after, maxVerified)
	if err != nil {
		return nil, err
	}
	out := verification{Body: Verification{Entries: v.Entries}}
	if v.Entries > 0 {
		first, last := changeOf(v.First), changeOf(v.Last)
		out.Body.First, out.Body.Last = &first, &last
	}
	if v.More {
		out.Body.Next, err = s.seal(
			ctx, strconv.FormatInt(v.Last.Number, 10)+" "+v.Last.Hash, nil,
		)
	}
	return &out, err
}
