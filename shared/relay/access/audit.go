package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

const (
	// AuditRetention is how long entries are kept.
	AuditRetention = 400 * 24 * time.Hour
	// auditTries is the number of tries of an entry that conflicts with those of others.
	auditTries = 12
	auditWait  = 50 * time.Millisecond
)

// ErrTampered means that the chain of entries is broken: one was changed, removed or added later.
var ErrTampered = errors.New("access: audit log broken")

// Entry is a change in the audit log.
type Entry struct {
	Number    int64     // 1 for the first of a tenant, then one more for each
	At        time.Time // UTC, whole milliseconds; never before the entry before it
	Who       Who
	Action    string          // the operation, such as "endpoints.put"
	Target    string          // what was changed, such as "endpoint/shipping"; may be ""
	RequestID string          // of the request that made the change
	Failed    string          // why the change of the entry with this RequestID was not made
	Before    json.RawMessage // what there was, without secrets; nil: nothing
	After     json.RawMessage // what there is, without secrets; nil: nothing
	Previous  string          // hash of the entry before it; "" for the first
	Hash      string          // of the stored form; the next entry has it as Previous
}

// Who is who made a request.
type Who struct {
	// Kind is "token", "iam" (an AWS identity), "command" (relay, with access to the tables) or
	// PortalUser.
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`   // of the token or the session, or the ARN
	Name string `json:"name,omitempty"` // of the token or the user
}

// auditDoc is the stored form of an entry. Hash is not stored: it is the hash of the rest.
type auditDoc struct {
	Version   int             `json:"v"`
	Number    int64           `json:"number"`
	At        time.Time       `json:"at"`
	Who       Who             `json:"who"`
	Action    string          `json:"action"`
	Target    string          `json:"target,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Failed    string          `json:"failed,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Previous  string          `json:"previous,omitempty"`
}

// Audit is the audit log of all tenants. It is safe for concurrent use.
type Audit struct {
	documents operate.Documents
	now       func() time.Time
}

// NewAudit returns the audit log in documents. now is the clock.
func NewAudit(documents operate.Documents, now func() time.Time) *Audit {
	return &Audit{documents: documents, now: now}
}

func auditOf(tenant string) string { return "audit/" + tenant }

// numberKey is the key of an entry: its number in a width in which text sorts as numbers do.
func numberKey(n int64) string { return fmt.Sprintf("%019d", n) }

// Append adds an entry to a tenant's log. It sets Number, At, Previous and Hash, and returns the
// whole entry. Entries of writers at the same time are put one after the other.
func (a *Audit) Append(ctx context.Context, tenant string, e Entry) (Entry, error) {
	for try := 1; ; try++ {
		last, err := a.last(ctx, tenant)
		if err != nil {
			return Entry{}, err
		}
		e.Number, e.Previous = last.Number+1, last.Hash
		if e.At = a.now().UTC().Truncate(time.Millisecond); e.At.Before(last.At) {
			e.At = last.At
		}
		body := encodeEntry(e)
		e.Hash = hashOf(body)
		_, err = a.documents.PutDocument(ctx, auditOf(tenant), operate.Document{
			Key: numberKey(e.Number), Body: body,
			ExpiresAt: e.At.Add(AuditRetention).Truncate(time.Second),
		}, 0)
		if !errors.Is(err, catalog.ErrConflict) || try == auditTries {
			return e, err
		}
		if err := wait(ctx, rand.N(auditWait)); err != nil {
			return Entry{}, err
		}
	}
}

// failureTimeout is the time for the entry that says that a change failed.
const failureTimeout = 2 * time.Second

// Change records a change and then makes it, by do. So no change is missing in the log. If do
// fails, another entry says so, with what why makes of the error. It returns do's error, or why the
// log did not take the entry: nothing was changed then.
func (a *Audit) Change(
	ctx context.Context, tenant string, e Entry, do func() error, why func(error) string,
) error {
	if _, err := a.Append(ctx, tenant, e); err != nil {
		return fmt.Errorf("access: audit log, nothing was changed: %w", err)
	}
	failure := do()
	if failure == nil {
		return nil
	}
	e.Before, e.After, e.Failed = nil, nil, why(failure)
	// the client may have gone, and the time for its request may be over
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failureTimeout)
	defer cancel()
	if _, err := a.Append(ctx, tenant, e); err != nil {
		return errors.Join(failure, fmt.Errorf("access: audit log: %w", err))
	}
	return failure
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// last returns a tenant's newest entry, or the zero entry.
func (a *Audit) last(ctx context.Context, tenant string) (Entry, error) {
	for r := (operate.DocumentRange{Newest: true, Limit: 1}); ; {
		entries, next, err := a.entries(ctx, tenant, r)
		if err != nil || len(entries) > 0 {
			return append(entries, Entry{})[0], err
		}
		if next == "" { // expired ones were left out
			return Entry{}, nil
		}
		r.Before = next
	}
}

func (a *Audit) entries(
	ctx context.Context, tenant string, r operate.DocumentRange,
) (entries []Entry, next string, err error) {
	found, next, err := a.documents.DocumentsIn(ctx, auditOf(tenant), r)
	if err != nil {
		return nil, "", err
	}
	for _, d := range found {
		e, err := decodeEntry(d)
		if err != nil {
			return nil, "", fmt.Errorf("access: audit entry %s: %w", d.Key, err)
		}
		entries = append(entries, e)
	}
	return entries, next, nil
}

// List lists a tenant's entries, newest first, those before a number (0: all), at most limit of
// them. next is the number before which to go on; 0: the end.
func (a *Audit) List(
	ctx context.Context, tenant string, before int64, limit int,
) (entries []Entry, next int64, err error) {
	r := operate.DocumentRange{Newest: true, Limit: limit}
	if before > 0 {
		r.Before = numberKey(before)
	}
	entries, place, err := a.entries(ctx, tenant, r)
	if err != nil || place == "" {
		return entries, 0, err
	}
	next, err = strconv.ParseInt(place, 10, 64)
	return entries, next, err
}

// Verified is the result of Verify.
type Verified struct {
	Entries     int   // how many were compared
	First, Last Entry // the zero entry if there are none
	// More tells that there are entries after Last: verify those after it next.
	More bool
}

// Verify checks the chain of up to limit of a tenant's entries, those after one that was verified
// (the zero entry: from the oldest that is kept). Error: ErrTampered, with the number of the entry.
func (a *Audit) Verify(
	ctx context.Context, tenant string, after Entry, limit int,
) (Verified, error) {
	var v Verified
	r := operate.DocumentRange{From: numberKey(after.Number + 1), Limit: limit}
	entries, next, err := a.entries(ctx, tenant, r)
	if err != nil {
		return v, err
	}
	previous := after
	for _, e := range entries {
		if previous.Number != 0 && (e.Number != previous.Number+1 || e.Previous != previous.Hash) {
			return v, fmt.Errorf("%w: entry %d does not follow entry %d as it is stored",
				ErrTampered, e.Number, previous.Number)
		}
		if v.Entries++; v.Entries == 1 {
			v.First = e
		}
		v.Last, previous = e, e
	}
	v.More = next != ""
	return v, nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func encodeEntry(e Entry) []byte {
	return format.Encode(auditDoc{
		Version: format.Version, Number: e.Number, At: e.At, Who: e.Who, Action: e.Action,
		Target: e.Target, RequestID: e.RequestID, Failed: e.Failed, Before: e.Before,
		After: e.After, Previous: e.Previous,
	})
}

func decodeEntry(d operate.Document) (Entry, error) {
	var doc auditDoc
	if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
		return Entry{}, err
	}
	if numberKey(doc.Number) != d.Key {
		return Entry{}, fmt.Errorf("%w: it calls itself number %d", ErrTampered, doc.Number)
	}
	return Entry{
		Number: doc.Number, At: doc.At, Who: doc.Who, Action: doc.Action, Target: doc.Target,
		RequestID: doc.RequestID, Failed: doc.Failed, Before: bytes.Clone(doc.Before),
		After: bytes.Clone(doc.After), Previous: doc.Previous, Hash: hashOf(d.Body),
	}, nil
}

// Fingerprint returns what is shown of a secret: enough to tell two secrets apart, and nothing of
// the secret itself.
func Fingerprint(secret string) string {
	sum := sha256.Sum256([]byte("fingerprint\x00" + secret))
	return hex.EncodeToString(sum[:6])
}
