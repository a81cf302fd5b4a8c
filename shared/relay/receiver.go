package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/verify"
)

// Why a request is refused at the ingress, beside ErrNotFound (no such source) and the errors of package verify.
var (
	ErrMethod      = errors.New("relay: method not allowed")      // sources take POST
	ErrTooLarge    = errors.New("relay: body too large")          // over ReceiverConfig.MaxBodyBytes
	ErrUnavailable = errors.New("relay: temporarily unavailable") // a store or queue of ours is down; nothing was accepted
)

// Defaults of ReceiverConfig.
const (
	// DefaultMaxBodyBytes leaves room for base64 in the 6 MB that Lambda takes.
	DefaultMaxBodyBytes = 4 << 20
	// DefaultInlineBodyBytes: a larger body costs more as a part of the ledger's item (1 write unit per KB) than as an
	// object in S3, and a fan-out of ten such bodies still fits one batch of messages.
	DefaultInlineBodyBytes = 16 << 10
	// MaxInlineBodyBytes keeps an event's item below DynamoDB's 400 KB and ten deliveries below SQS's 1 MiB.
	MaxInlineBodyBytes = 64 << 10
)

// ReceiverConfig is what a Receiver works with. Zero numbers mean their defaults.
type ReceiverConfig struct {
	Sources         Sources
	Ingest          Queue
	Bodies          Bodies
	Reporter        Reporter
	MaxBodyBytes    int           // bytes; DefaultMaxBodyBytes
	InlineBodyBytes int           // bytes; larger bodies go to Bodies; DefaultInlineBodyBytes
	CacheTTL        time.Duration // DefaultCacheTTL
	Now             func() time.Time
}

// Receiver is the first stage: it verifies a webhook and makes it safe.
type Receiver struct {
	cfg     ReceiverConfig
	sources *cache[*verify.Verifier]
}

// NewReceiver returns a Receiver. It calls nothing yet.
func NewReceiver(cfg ReceiverConfig) *Receiver {
	cfg.MaxBodyBytes = orDefault(cfg.MaxBodyBytes, DefaultMaxBodyBytes)
	cfg.InlineBodyBytes = min(orDefault(cfg.InlineBodyBytes, DefaultInlineBodyBytes), MaxInlineBodyBytes)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Receiver{cfg: cfg}
	r.sources = newCache(cfg.CacheTTL, cfg.Now, r.loadSource)
	return r
}

// Inbound is a request to a source's URL.
type Inbound struct {
	Source     string
	Method     string
	Header     Header
	Body       []byte
	ReceivedAt time.Time // when the front door got it: signed timestamps are judged against this
}

// Receive verifies in and accepts it. When it returns an event id, the webhook is safe: its message is in the ingest queue, and
// its body, if large, in Bodies. Errors: ErrMethod, ErrNotFound, ErrTooLarge, those of package verify, or ErrUnavailable; then
// nothing was accepted.
func (r *Receiver) Receive(ctx context.Context, in Inbound) (string, error) {
	began := r.cfg.Now()
	e, err := r.receive(ctx, in)
	r.cfg.Reporter.Received(ctx, ReceiveReport{
		Source: in.Source, EventID: e.ID, Type: e.Type, BodyBytes: len(in.Body), Duration: r.cfg.Now().Sub(began), Err: err,
	})
	return e.ID, err
}

func (r *Receiver) receive(ctx context.Context, in Inbound) (Event, error) {
	if n := len(in.Body); n > r.cfg.MaxBodyBytes {
		return Event{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, r.cfg.MaxBodyBytes)
	}
	verifier, err := r.sources.get(ctx, in.Source)
	if err != nil {
		return Event{}, unavailableUnlessNotFound(err)
	}
	if in.Method != "POST" {
		return Event{}, fmt.Errorf("%w: %s", ErrMethod, in.Method)
	}
	found, err := verifier.Verify(verify.Request{Header: in.Header, Body: in.Body, ReceivedAt: in.ReceivedAt})
	if err != nil {
		return Event{}, err
	}
	e := Event{
		ID:         EventID(in.Source, found.DeliveryID),
		Receipt:    randomID(),
		Source:     in.Source,
		Type:       found.EventType,
		ReceivedAt: wholeMillis(in.ReceivedAt),
		Header:     storedHeader(in.Header, verifier.SignatureHeaders()),
		Trace:      newTrace(in.Header["traceparent"]),
		Body:       in.Body,
	}
	if err := r.accept(ctx, e); err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return e, nil
}

// accept makes e safe: the body first, so that no message ever points to a body that is not there.
func (r *Receiver) accept(ctx context.Context, e Event) error {
	if len(e.Body) > r.cfg.InlineBodyBytes {
		ref := BodyRef{bodyKey(e.Source, e.ReceivedAt, e.Body), len(e.Body)}
		if err := r.cfg.Bodies.Put(ctx, ref.Key, e.Body); err != nil {
			return err
		}
		e.Body, e.BodyRef = nil, &ref
	}
	return sendOne(ctx, r.cfg.Ingest, Outgoing{Body: EncodeEvent(e)})
}

func (r *Receiver) loadSource(ctx context.Context, name string) (*verify.Verifier, error) {
	s, err := r.cfg.Sources.Source(ctx, name)
	if err != nil {
		return nil, err
	}
	v, err := verify.New(s.Verify, s.Secrets)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", name, err)
	}
	return v, nil
}

func unavailableUnlessNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func sendOne(ctx context.Context, q Queue, m Outgoing) error {
	return q.Send(ctx, []Outgoing{m})[0]
}
