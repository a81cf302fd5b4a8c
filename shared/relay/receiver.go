package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/schema"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// Reasons to refuse a request from a partner. ErrNotFound (no such source) and the errors of
// package verify are others.
var (
	// over ReceiverConfig.MaxBodyBytes
	ErrTooLarge = errors.New("relay: body too large")
	// a store or queue of ours is down; nothing was promised
	ErrUnavailable = errors.New("relay: temporarily unavailable")
	// a verified webhook does not say whose it is, in the way that Source.Tenant wants: the sender
	// must mend it
	ErrTenant = errors.New("relay: no tenant")
	// the tenant's rate of accepted webhooks is reached; Answer.RetryAfter says when to send again
	ErrRate = errors.New("relay: over the tenant's rate")
	// with ErrUnavailable: the webhook may have been accepted all the same
	ErrUncertain = errors.New("relay: the queue did not answer, so it may have stored the webhook")
)

// Defaults of ReceiverConfig.
const (
	// DefaultMaxBodyBytes leaves room for base64 within the 6 MB that Lambda accepts.
	DefaultMaxBodyBytes = 4 << 20
	// DefaultInlineBodyBytes is about the size, compressed, above which a body in S3 is cheaper
	// than one in the messages. In base64 it still fits into 64 KB of SQS, with its headers.
	DefaultInlineBodyBytes = 40 << 10
	// MaxInlineBodyBytes keeps an event's item below DynamoDB's 400 KB, and ten deliveries below
	// SQS's 1 MiB.
	MaxInlineBodyBytes = 64 << 10
)

// ReceiverConfig configures a Receiver. A zero number means its default.
type ReceiverConfig struct {
	Sources catalog.Sources
	// tells which endpoints are ordered; needed with Ordered
	Subscriptions catalog.Subscriptions
	// for providers that send their secret in a handshake; nil: those are refused
	Learned catalog.LearnedSecrets
	// for providers whose keys must be fetched; nil: those are refused
	Fetcher verify.Fetcher
	Ingest  Queue
	// replaces Ingest for sources with an ordered endpoint; needed if there are any
	Ordered  OrderedQueue
	Bodies   Bodies
	Aside    Queue    // messages of triggers that cannot be read; nil: there are no triggers
	Operator Operator // nil: nobody is told
	Refusals Refusals // nil: refused requests are not kept
	// for tenants with a rate of accepted webhooks; nil: such rates are not heeded
	Quotas       gate.Quotas
	Reporter     Reporter
	MaxBodyBytes int // bytes; DefaultMaxBodyBytes
	// InlineBodyBytes is the largest body in a message, compressed where that pays. Larger bodies,
	// and bodies of more than MaxPackedBodyBytes, go to Bodies. DefaultInlineBodyBytes
	InlineBodyBytes int
	// of delivery ids; an older signed timestamp is refused; DefaultRetention
	Retention time.Duration
	CacheTTL  time.Duration // DefaultCacheTTL
	Now       func() time.Time
}

// Receiver is the first stage. It verifies a webhook and stores it safely.
type Receiver struct {
	cfg     ReceiverConfig
	states  *catalog.States
	sources *catalog.Cache[intake]
	meter   *gate.Meter            // nil: rates are not heeded
	orders  *catalog.Cache[lineup] // nil: no endpoint is ordered
	names   usedNames
}

// intake is a source that is ready to receive.
type intake struct {
	*verify.Verifier
	tenantOf   *catalog.TenantOf // nil: its events belong to the source's tenant
	trigger    string            // the provider whose queue feeds it; "": it receives over HTTP
	rejects    checks            // the schemas that a webhook must fit to be accepted
	learning   bool              // it has no secret yet: its provider will send one in a handshake
	learnUntil time.Time         // it accepts that secret until then; zero: it does not
}

// intakeBytes is the memory that a verifier takes at most, except one with a long list of
// addresses.
const intakeBytes = 8 << 10

func (i intake) Bytes() int    { return intakeBytes + i.rejects.size }
func (i intake) Lasting() bool { return !i.learning }

// lineup is the order of the events of a source, as the subscriptions of one tenant need it.
type lineup catalog.Order

func (lineup) Bytes() int    { return intakeBytes / 32 }
func (lineup) Lasting() bool { return true }

// NewReceiver returns a Receiver. It calls nothing yet. The error names what cfg lacks.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if err := Lacks("ReceiverConfig", map[string]bool{
		"Sources": cfg.Sources == nil, "Ingest": cfg.Ingest == nil, "Bodies": cfg.Bodies == nil,
		"Reporter": cfg.Reporter == nil, "Subscriptions": cfg.Subscriptions == nil &&
			cfg.Ordered != nil,
	}); err != nil {
		return nil, err
	}
	cfg.MaxBodyBytes = cmp.Or(cfg.MaxBodyBytes, DefaultMaxBodyBytes)
	cfg.InlineBodyBytes = min(
		cmp.Or(cfg.InlineBodyBytes, DefaultInlineBodyBytes), MaxInlineBodyBytes,
	)
	cfg.Retention = cmp.Or(cfg.Retention, DefaultRetention)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Operator = toldOrNot(cfg.Operator)
	r := &Receiver{cfg: cfg}
	r.states = catalog.NewStates(catalog.StatesConfig{
		TTL: cfg.CacheTTL, Now: cfg.Now, Generations: cfg.Sources,
		Tenants: cfg.Sources.TenantNames,
	})
	if cfg.Quotas != nil {
		r.meter = gate.NewMeter(cfg.Quotas, cfg.Now)
	}
	r.sources = catalog.NewCache(catalog.CacheConfig[intake]{
		States: r.states, Load: r.loadSource, Names: cfg.Sources.SourceNames,
		Depends: func(name string) []string { return []string{catalog.SourceChange(name)} },
	})
	if cfg.Subscriptions != nil {
		r.orders = catalog.NewCache(catalog.CacheConfig[lineup]{
			States: r.states, Load: r.loadOrder, Depends: catalog.RoutesChanges,
		})
	}
	return r, nil
}

// Inbound is a request to a source's URL.
type Inbound struct {
	Source   string // qualified name
	Method   string
	Query    string // raw, without the "?"
	RemoteIP string // address of the client of the API Gateway or HTTP server
	Header   Header
	Body     []byte
	// when the API Gateway or HTTP server received it; signed timestamps are compared with this
	ReceivedAt time.Time
}

// Answer is what to answer the partner.
type Answer struct {
	EventID string        // of the accepted webhook; "" for a handshake
	Reply   *verify.Reply // the answer that the provider expects; nil: any 2xx
	Allow   []string      // with verify.ErrMethod: the methods that the source accepts
	NoBody  bool          // with an error: the provider expects an answer without a body
	// with ErrRate: when to send it again, at least a second, in whole seconds
	RetryAfter time.Duration

	learned bool // the handshake brought the secret, which is stored
	// why the tenant's rate could not be checked; the webhook is accepted all the same
	unmetered error
}

// Receive verifies in and accepts it, or answers a provider's handshake. If the answer has an event
// id, the webhook is safe: its message is in the ingest queue, and its body, if large, in Bodies.
//
// Errors: ErrNotFound, ErrTooLarge, ErrTenant, ErrSchema, ErrRate, those of package verify, or
// ErrUnavailable. It is also ErrUncertain if the message was sent and the queue's answer is
// missing. Then the partner sends the webhook again; the second one is a duplicate if the first
// arrived.
func (r *Receiver) Receive(ctx context.Context, in Inbound) (Answer, error) {
	began := r.cfg.Now()
	e, answer, err := r.receive(ctx, in)
	report := ReceiveReport{
		Source: in.Source, Tenant: e.Tenant, EventID: e.ID, Type: e.Type, DeliveryID: e.DeliveryID,
		Reused: e.ID != "" && r.names.reused(e),
		Handshake: err == nil &&
			e.ID == "", Learned: answer.learned, Unmetered: answer.unmetered, BodyBytes: len(in.Body), Err: err,
	}
	if answer.learned {
		report.Untold = r.cfg.Operator.TellLearned(ctx, in.Source, began)
	}
	if err != nil {
		r.noteRefused(ctx, in, err)
	}
	report.Duration = r.cfg.Now().Sub(began)
	r.cfg.Reporter.Received(ctx, report)
	return answer, err
}

func (r *Receiver) receive(ctx context.Context, in Inbound) (Event, Answer, error) {
	k := catalog.KeyOf(in.Source)
	if k.String() != in.Source { // such as "/app"
		return Event{}, Answer{}, fmt.Errorf("source %s: %w", in.Source, catalog.ErrNotFound)
	}
	source, err := r.sources.Get(ctx, k)
	if err != nil {
		return Event{}, Answer{}, unavailableUnlessNotFound(err)
	}
	if source.trigger != "" {
		return Event{}, Answer{}, fmt.Errorf(
			"source %s takes messages from its queue only: %w", in.Source, catalog.ErrNotFound,
		)
	}
	e, answer, err := r.take(ctx, in, source)
	if err != nil {
		return Event{}, Answer{
			Allow: source.Methods(), NoBody: source.WantsNoBody(), RetryAfter: answer.RetryAfter,
		}, err
	}
	return e, answer, nil
}

// take verifies and accepts a request to a source.
func (r *Receiver) take(ctx context.Context, in Inbound, source intake) (Event, Answer, error) {
	if n := len(in.Body); n > r.cfg.MaxBodyBytes {
		return Event{}, Answer{},
			fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, r.cfg.MaxBodyBytes)
	}
	found, err := source.Verify(ctx, verify.Request{
		Method: in.Method, Query: in.Query, RemoteIP: in.RemoteIP, Header: in.Header, Body: in.Body,
		ReceivedAt: in.ReceivedAt,
	})
	if err != nil {
		return Event{}, Answer{}, unavailableIfFetch(err)
	}
	if found.Handshake {
		if found.Learned == "" {
			return Event{}, Answer{Reply: found.Reply}, nil
		}
		err := r.learn(ctx, in.Source, source.learnUntil, found.Learned)
		return Event{}, Answer{Reply: found.Reply, learned: err == nil}, err
	}
	e := Event{
		Receipt:    randomID(),
		Source:     in.Source,
		Type:       found.EventType,
		Trust:      found.Trust,
		ReceivedAt: wholeMillis(in.ReceivedAt),
		Header:     storedHeader(in.Header, source.SignatureHeaders()),
		Trace:      newTrace(in.Header[headerTraceparent]),
		Body:       in.Body,
		Holder:     found.Holder,
		DeliveryID: found.DeliveryID,
	}
	if e.Tenant, err = tenantOf(e, in.Header, source.tenantOf); err != nil {
		return Event{}, Answer{}, err
	}
	if result := source.rejects.check(e, e.Body); result != nil && result.Status == schema.Failed {
		return Event{}, Answer{}, fmt.Errorf("%w: %s", ErrSchema, result.text())
	}
	again, unmetered, err := r.count(ctx, e.Tenant)
	if err != nil {
		return Event{}, Answer{RetryAfter: again}, err
	}
	e.ID = eventID(e.Tenant, e.Source, found)
	if err := r.accept(ctx, e); err != nil {
		return Event{}, Answer{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return e, Answer{EventID: e.ID, Reply: found.Reply, unmetered: unmetered}, nil
}

// count counts a verified webhook of a tenant that has a rate. A tenant without one costs no call.
// unmetered is why that was not possible: an outage of the ledger costs no webhook. Error: ErrRate.
func (r *Receiver) count(
	ctx context.Context, tenant string,
) (again time.Duration, unmetered, err error) {
	rate := r.states.Rates(ctx, tenant).Accepted
	if rate.Count == 0 || r.meter == nil {
		return 0, nil, nil
	}
	until, err := r.meter.Count(ctx, tenant, rate)
	if err != nil || until.IsZero() {
		return 0, err, nil
	}
	again = max((until.Sub(r.cfg.Now()) + time.Second - 1).Truncate(time.Second), time.Second)
	return again, nil, fmt.Errorf("%w: %s sends more than %s", ErrRate, tenant, rate)
}

// learn stores the secret that a provider sent in a handshake. It does so before the answer: from
// the answer on, the provider's signatures can be verified. Anybody can send a secret. So one is
// accepted only while the operator has opened a window for it, and a second one is refused. The
// window is known from the cached source: outside of it, nothing is read.
func (r *Receiver) learn(ctx context.Context, source string, until time.Time, secret string) error {
	if r.cfg.Learned == nil {
		return fmt.Errorf(
			"%w: this relay stores no secrets from handshakes; put the secret in the configuration",
			verify.ErrNoSecret,
		)
	}
	if !r.cfg.Now().Before(until) {
		return notOpen(catalog.ErrNotOpen, source)
	}
	err := r.cfg.Learned.LearnSecret(ctx, source, secret)
	switch {
	case err == nil:
		r.sources.Forget(catalog.KeyOf(source))
		return nil
	case errors.Is(err, catalog.ErrConflict):
		return fmt.Errorf("%w: %w", verify.ErrSecondHandshake, err)
	case errors.Is(err, catalog.ErrNotOpen):
		return notOpen(err, source)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

func notOpen(err error, source string) error {
	return fmt.Errorf("%w; run relay secret %s --learn 10m", err, source)
}

// accept makes e safe. The body is stored first, so that no message refers to a missing body.
func (r *Receiver) accept(ctx context.Context, e Event) error {
	o, err := r.order(ctx, e)
	if err != nil {
		return err
	}
	queue, out := r.cfg.Ingest, Outgoing{}
	if o.On {
		queue, out = r.cfg.Ordered, Outgoing{Group: e.place(), Once: e.Receipt}
		if o.Key != "" {
			out.Group = group(o, e.place(), e.document(e.Body))
		}
	}
	e, err = r.stored(ctx, e)
	if err != nil {
		return err
	}
	out.Body, out.Value = EncodeEvent(e), e.decoded()
	if err := Send(ctx, queue, out); err != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return nil
}

// stored returns e as it goes into a message: with its body compressed, or with a reference to its
// body in Bodies.
func (r *Receiver) stored(ctx context.Context, e Event) (Event, error) {
	body, packed := packBody(e.Body)
	switch {
	case len(body) > r.cfg.InlineBodyBytes || packed && len(e.Body) > MaxPackedBodyBytes:
		ref := BodyRef{
			Key: bodyKey(e.place(), e.ReceivedAt, e.Body), Size: len(e.Body), Packed: packed,
		}
		if packed { // one key has one content
			ref.Key += ".z"
		}
		if err := r.cfg.Bodies.Put(ctx, ref.Key, body); err != nil {
			return e, err
		}
		e.Body, e.BodyRef = nil, &ref
	case packed:
		e.Body, e.Packed = nil, body
	}
	return e, nil
}

// order returns the order that an event's subscribers need.
func (r *Receiver) order(ctx context.Context, e Event) (o catalog.Order, err error) {
	if r.orders == nil {
		return o, nil
	}
	for _, k := range e.catalogKeys() {
		needed, err := r.orders.Get(ctx, k)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) { // no such tenant
			return o, err
		}
		o = o.And(catalog.Order(needed))
	}
	return o, nil
}

func (r *Receiver) loadOrder(
	ctx context.Context, s catalog.State, k catalog.Key,
) (lineup, error) {
	if !s.Ordered {
		return lineup{}, nil
	}
	subs, err := catalog.SubscriptionsTo(ctx, r.cfg.Subscriptions, s, k.Tenant, k.Name)
	return lineup(catalog.OrderOf(subs)), err
}

// tenantOf returns the tenant to whom an event belongs. Error: ErrTenant.
func tenantOf(e Event, header Header, from *catalog.TenantOf) (string, error) {
	tenant, _ := catalog.SplitName(e.Source)
	if tenant != "" || from == nil { // a tenant's source has no say in that
		return tenant, nil
	}
	var where string
	switch {
	case from.Header != "":
		where, tenant = "header "+from.Header, header[from.Header]
	case from.JSON != "":
		where = from.JSON
		tenant = document.Value(e.document(e.Body).Text, document.SplitPath(from.JSON)...)
	default:
		return from.ID, nil
	}
	switch {
	case catalog.IsTenant(tenant) || tenant == "" && from.Optional:
		return tenant, nil
	case tenant == "":
		return "", fmt.Errorf("%w: %s is absent", ErrTenant, where)
	}
	return "", fmt.Errorf("%w: %s is not %s", ErrTenant, where, catalog.TenantForm)
}

func (r *Receiver) loadSource(
	ctx context.Context, s catalog.State, k catalog.Key,
) (intake, error) {
	if k.Name == catalog.OwnSource {
		// nobody may send the relay's own events to it
		return intake{}, fmt.Errorf("source %s: %w", k, catalog.ErrNotFound)
	}
	src, err := r.cfg.Sources.Source(ctx, s.Generation, k.String())
	if err != nil {
		return intake{}, err
	}
	if trigger.Is(src.Verify.Provider) {
		return intake{trigger: src.Verify.Provider, tenantOf: src.Tenant}, nil
	}
	v, err := verify.New(
		src.Verify, src.Secrets, verify.FetchBy(r.cfg.Fetcher), verify.MaxAge(r.cfg.Retention),
	)
	if err != nil {
		return intake{}, fmt.Errorf("source %s: %w", k, err)
	}
	var rejects checks
	if src.Validation == catalog.Reject {
		if rejects, err = newChecks(
			catalog.EventTypes{Types: src.Types, Validation: src.Validation},
		); err != nil {
			return intake{}, fmt.Errorf("source %s: %w", k, err)
		}
	}
	return intake{
		Verifier: v, tenantOf: src.Tenant, rejects: rejects,
		learning:   src.Learns() && len(src.Secrets) == 0,
		learnUntil: src.LearnUntil,
	}, nil
}

func unavailableUnlessNotFound(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// unavailableIfFetch tells our own inability to verify from a refusal. After the former the partner
// should send again.
func unavailableIfFetch(err error) error {
	if errors.Is(err, verify.ErrFetch) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// Send sends one message.
func Send(ctx context.Context, q Queue, m Outgoing) error {
	return q.Send(ctx, []Outgoing{m})[0]
}
