package relay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// Refusal tells why a request was refused. The set is closed.
type Refusal string

// The reasons to refuse a request.
const (
	RefusedSource    Refusal = "source"    // there is no such source
	RefusedMethod    Refusal = "method"    // the source does not take this method
	RefusedSize      Refusal = "size"      // the body is too large
	RefusedAddress   Refusal = "address"   // the source takes no requests from this address
	RefusedSecret    Refusal = "secret"    // no secret yet, and no window is open for one
	RefusedMissing   Refusal = "missing"   // no signature or token
	RefusedMalformed Refusal = "malformed" // a malformed signature, more than one, a trigger's form
	RefusedMismatch  Refusal = "mismatch"  // no secret makes this signature, or a wrong token
	RefusedTimestamp Refusal = "timestamp" // signed too long ago, or in the future
	RefusedMisfit    Refusal = "misfit"    // not as the schema of its type wants it
	RefusedRate      Refusal = "rate"      // the tenant sends more than its rate
	RefusedOther     Refusal = "other"
)

// refusals maps errors to reasons. The first match counts.
var refusals = []struct {
	err    error
	reason Refusal
}{
	{catalog.ErrNotFound, RefusedSource},
	{verify.ErrMethod, RefusedMethod},
	{ErrTooLarge, RefusedSize},
	{verify.ErrAddress, RefusedAddress},
	{verify.ErrNoSecret, RefusedSecret},
	{catalog.ErrNotOpen, RefusedSecret},
	{verify.ErrMissing, RefusedMissing},
	{verify.ErrMalformed, RefusedMalformed},
	{verify.ErrRepeated, RefusedMalformed},
	{trigger.ErrForm, RefusedMalformed},
	{verify.ErrMismatch, RefusedMismatch},
	{ErrSchema, RefusedMisfit},
	{ErrRate, RefusedRate},
	{verify.ErrStale, RefusedTimestamp},
	{verify.ErrFuture, RefusedTimestamp},
}

// RefusalOf returns why a request was refused, from the error of Receiver.Receive.
func RefusalOf(err error) Refusal {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return RefusedOther
}

// RefusedRequest is what may be kept of a refused request: nothing that it proves, and nothing that
// it should not have sent. So there is neither a body nor a header's value.
type RefusedRequest struct {
	Reason    Refusal
	Source    string // as in its URL; with RefusedSource there is no such source
	Method    string
	RemoteIP  string   // address of the client
	Headers   []string // their names, sorted
	BodyBytes int
	At        time.Time // UTC, whole milliseconds
}

// Refusals keeps refused requests for the operator to look at. Anybody can cause them, so it keeps
// few of them, and most calls do nothing.
type Refusals interface {
	// NoteRefused keeps r, or not. What goes wrong with that is of no consequence.
	NoteRefused(ctx context.Context, r RefusedRequest)
}

// noteRefused notes a request that was refused.
func (r *Receiver) noteRefused(ctx context.Context, in Inbound, err error) {
	if r.cfg.Refusals == nil || errors.Is(err, ErrUnavailable) {
		return
	}
	r.cfg.Refusals.NoteRefused(ctx, RefusedRequest{
		Reason: RefusalOf(err), Source: in.Source, Method: in.Method, RemoteIP: in.RemoteIP,
		Headers: slices.Sorted(maps.Keys(in.Header)), BodyBytes: len(in.Body),
		At: wholeMillis(in.ReceivedAt),
	})
}
