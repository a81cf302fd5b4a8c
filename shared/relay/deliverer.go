package relay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/transform"
)

const (
	// recordReserve is the time that an invocation reserves after an attempt, for one write to the
	// ledger and one message to a queue.
	recordReserve = 5 * time.Second
	// recordDelay is the delay of the message that carries an attempt which could not be recorded.
	// The ledger may be back by then.
	recordDelay = 30 * time.Second
	// settleTime is the delay of a copy of a message. By then the attempt of the first copy has
	// ended (it takes at most MaxEndpointTimeout) and is recorded, so that the deliverer can
	// recognise the copy.
	settleTime = catalog.MaxEndpointTimeout + 15*time.Second
	// scheduleSettle is the delay of a copy where the scheduler may send the first message too. The
	// scheduler is up to a minute late.
	scheduleSettle = settleTime + time.Minute
	// keepMargin is the last part of an event's retention. If a waiting delivery's next attempt is
	// due in that part, or later, the event is kept for longer. The sweeper needs the event to send
	// a lost message again.
	keepMargin = 24 * time.Hour
	// earlySlack is how early a message may come and still count as due.
	earlySlack = 5 * time.Second
	// overdueAfter is how late the next attempt of a waiting delivery may be. After that its
	// message counts as lost.
	overdueAfter = MaxDelay
)

// errDeadline means that the message is received again without an attempt.
var errDeadline = errors.New("relay: not enough time left in this invocation for an attempt")

// DelivererConfig configures a Deliverer. A zero number means its default.
type DelivererConfig struct {
	Endpoints  catalog.Endpoints
	Deliveries Deliveries
	Bodies     Bodies
	Poster     Poster
	Retry      Queue // later attempts
	// deliveries to slow endpoints; nil: they stay in the other queues
	Slow    Queue
	Ordered OrderedQueue // all attempts of ordered endpoints; needed if there are any
	// dead deliveries; a message redriven to Retry begins a new cycle
	Dead      Queue
	Poison    Queue     // messages that we cannot process
	Scheduler Scheduler // waits longer than MaxDelay
	// secrets that endpoints refer to; nil: deliveries to those endpoints fail
	Secrets  catalog.SecretStore
	States   gate.EndpointStates
	Quotas   gate.Quotas
	Slots    gate.Slots
	Failures Failures
	Keeper   EventKeeper
	Operator Operator // nil: nobody is told
	// Claims stores what is too large for a destination that wants a pointer to it; nil: such
	// deliveries die as TooLarge
	Claims Claims
	// JQ runs jq programs of transforms; nil: deliveries whose transform has one fail
	JQ        transform.Runner
	Reporter  Reporter
	Retention time.Duration // DefaultRetention
	CacheTTL  time.Duration // DefaultCacheTTL
	// Region is the AWS region of the relay, where a bucket is whose endpoint names no region; "":
	// not on AWS.
	Region string
	// Origin is the DNS name that the relay gives as its own in the handshake of ProveOptions;
	// default DefaultOrigin.
	Origin string
	Now    func() time.Time
	Random func() float64 // in [0, 1), for jitter
}

// Deliverer is the third stage. It POSTs a delivery and records the attempt. Then it sends the next
// attempt's message, or lets the delivery die.
type Deliverer struct {
	cfg       DelivererConfig
	states    *catalog.States
	endpoints *catalog.Cache[*target]
	gate      *gate.Gate
	failures  failures
	locks     deliveryLocks
	streaks   streaks
}

// NewDeliverer returns a Deliverer. It calls nothing yet. The error names what cfg lacks.
func NewDeliverer(cfg DelivererConfig) (*Deliverer, error) {
	if err := Lacks("DelivererConfig", map[string]bool{
		"Endpoints": cfg.Endpoints == nil, "Deliveries": cfg.Deliveries == nil,
		"Bodies": cfg.Bodies == nil, "Poster": cfg.Poster == nil,
		"Retry": cfg.Retry == nil, "Dead": cfg.Dead == nil, "Poison": cfg.Poison == nil,
		"Scheduler": cfg.Scheduler == nil,
		"States":    cfg.States == nil, "Quotas": cfg.Quotas == nil, "Slots": cfg.Slots == nil,
		"Failures": cfg.Failures == nil,
		"Keeper":   cfg.Keeper == nil, "Reporter": cfg.Reporter == nil,
	}); err != nil {
		return nil, err
	}
	cfg.Retention = cmp.Or(cfg.Retention, DefaultRetention)
	cfg.Origin = cmp.Or(cfg.Origin, DefaultOrigin)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	cfg.Operator = toldOrNot(cfg.Operator)
	d := &Deliverer{cfg: cfg}
	d.states = catalog.NewStates(catalog.StatesConfig{
		TTL: cfg.CacheTTL, Now: cfg.Now, Generations: cfg.Endpoints,
	})
	d.endpoints = catalog.NewCache(catalog.CacheConfig[*target]{
		States: d.states, Load: d.loadEndpoint, Names: cfg.Endpoints.EndpointNames,
		Depends: func(name string) []string { return []string{catalog.EndpointChange(name)} },
	})
	d.gate = gate.New(gate.Config{
		States: cfg.States, Quotas: cfg.Quotas, Slots: cfg.Slots, Now: cfg.Now, Random: cfg.Random,
	})
	d.failures = failures{counts: cfg.Failures, random: cfg.Random}
	return d, nil
}

// Process handles a batch of delivery messages, for first attempts and for retries, and returns an
// Action for each. One bad message fails alone. ctx must have the invocation's deadline: an attempt
// begins only if there is time to finish and record it.
func (d *Deliverer) Process(ctx context.Context, msgs []Message) []Action {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	ends := eachMessage(msgs, func(i int) (Action, error) {
		s := &step{deliverer: d, cfg: &d.cfg, msg: msgs[i], queue: queueOf(msgs[i])}
		end := recovered(func() (Action, error) { return s.run(work) })
		action := d.failures.decide(ctx, s.queue.countedAs(s), end.action, end.err, s.setAside)
		s.tell(ctx, cmp.Or(end.err, end.action.Err))
		return action, nil
	})
	actions := make([]Action, len(msgs))
	for i, end := range ends {
		actions[i] = end.action
		if end.err != nil { // a panic in decide
			actions[i] = Action{Retry: true, Err: end.err}
		}
	}
	return actions
}

// tell reports how the message ended. err is our own failure.
func (s *step) tell(ctx context.Context, err error) {
	if err != nil {
		s.report.Err = err
	}
	if s.report.Err != nil || s.report.Status != "" || s.report.Held > 0 || s.report.Change != nil {
		s.cfg.Reporter.Attempted(ctx, s.report)
	}
}

// step is one message in Process.
type step struct {
	deliverer *Deliverer
	cfg       *DelivererConfig // the deliverer's
	msg       Message
	queue     queueing // what differs between ordered and other queues
	reads     bool     // task and event are decoded from the message
	task      task
	fromSlow  bool // the message came by the slow queue
	event     Event
	record    Delivery // as stored; zero if there is none
	report    AttemptReport

	stored  []byte            // the event's body, once it was read
	content *transform.Result // what a transform made of the event; nil: it is sent as it came
	// what a destination gets, and its request; nil: the endpoint has a URL of its own
	addressed *addressed
}

// run handles the message. Each row below may be the end; otherwise the next row follows.
//
//	step     ends if                                       and then
//	run      the message is unreadable                     it is set aside
//	         it is a hop of a long wait                    it is sent again
//	locate   its attempt is recorded already               the rest is done, see finish
//	         the record says: wait for longer              the message is sent for that time
//	         it was received too often without effect      it is set aside
//	prepare  it carries an unrecorded attempt              the attempt is recorded
//	         the endpoint is removed, the delivery too old the delivery dies
//	         the endpoint is ordered, the queue is not     the delivery goes to the ordered queue
//	         too little time is left                       it is received again at once
//	         its transform fails or leaves nothing         the delivery dies, or is unneeded
//	         its destination cannot take it                the delivery dies
//	admit    the endpoint is slow                          it is sent to the slow queue
//	         the gate holds or refuses it                  the delivery waits, or dies
//	         the endpoint has no proof yet                 the proof is asked for, the delivery waits
//	post     always                                        the attempt is recorded, then see finish
func (s *step) run(ctx context.Context) (Action, error) {
	var err error
	s.task, s.event, err = taskOf(s.msg)
	s.reads = err == nil
	s.fromSlow, s.task.Slow = s.task.Slow, false // messages sent from here on go to other queues
	s.report = AttemptReport{
		EventID: s.event.ID, Source: s.event.Source, Type: s.event.Type, Endpoint: s.task.Endpoint,
	}
	if err != nil {
		s.report.Err = err
		return Action{}, s.setAside(ctx)
	}
	if s.task.NotBefore.After(s.cfg.Now().Add(earlySlack)) {
		return s.queue.sendAt(ctx, s, s.task, s.task.NotBefore, s.msg.Resent)
	}
	waited, unlock, err := s.deliverer.locks.lock(ctx, s.event.ID+" "+s.task.Endpoint)
	if err != nil {
		return Action{}, err
	}
	defer unlock()
	return s.locate(ctx, waited)
}

// locate reads the delivery's record and decides whether an attempt is due.
func (s *step) locate(ctx context.Context, afterCopy bool) (Action, error) {
	if err := s.readRecord(ctx, afterCopy); err != nil {
		return Action{}, err
	}
	if s.queue.keepsOrder() || s.task.Cycle {
		s.resume()
	}
	if s.record.Attempts >= s.task.Attempt {
		return s.finish(ctx)
	}
	if s.early() {
		return s.queue.sendAt(ctx, s, s.task, s.record.NextAt, true)
	}
	err := s.deliverer.failures.suspect(ctx, s.queue.countedAs(s), s.queue.inVain(s))
	if err != nil {
		s.report.Err = err
		return Action{}, s.setAside(ctx)
	}
	return s.prepare(ctx)
}

// prepare loads the endpoint and checks whether the delivery may still be attempted.
func (s *step) prepare(ctx context.Context) (Action, error) {
	ep, err := s.endpoint(ctx)
	if err != nil {
		return Action{}, err
	}
	if s.task.Made != nil {
		return s.recordMade(ctx, ep)
	}
	if ep != nil && ep.endpoint.Order.On && !s.queue.keepsOrder() {
		return Action{}, s.enqueueOrdered(ctx, ep.endpoint.Order)
	}
	if ep != nil && s.tooOld(ep, s.cfg.Now()) {
		if ep, err = s.currentEndpoint(ctx); err != nil {
			return Action{}, err
		}
	}
	if ep == nil {
		return s.save(ctx, s.skip(EndpointGone, "the endpoint is no longer in the catalog"), nil)
	}
	if s.tooOld(ep, s.cfg.Now()) {
		return s.save(
			ctx,
			s.skip(
				Expired,
				"the delivery is older than the endpoint's max_age, or was queued for 13 days",
			),
			ep,
		)
	}
	if !enoughTime(ctx, ep) { // check before the gate takes a slot at the endpoint
		return Action{Retry: true, Err: errDeadline}, nil
	}
	ep, ended, err := s.shape(ctx, ep)
	switch {
	case err != nil:
		return Action{}, err
	case ended != nil:
		return s.save(ctx, *ended, ep)
	}
	return s.admit(ctx, ep)
}

// admit asks the gate whether the endpoint may be called now.
func (s *step) admit(ctx context.Context, ep *target) (Action, error) {
	limits := s.limits(ctx, ep)
	if sent, err := s.bypass(ctx, &limits); sent || err != nil {
		return Action{}, err
	}
	admitted, err := s.deliverer.gate.Admit(ctx, limits, s.record.Reserved)
	switch {
	case err != nil:
		return Action{}, err
	case admitted.Disabled != "":
		return s.save(
			ctx, s.skip(EndpointGone, "the endpoint is disabled: "+admitted.Disabled), ep,
		)
	case !admitted.Held.IsZero():
		return s.hold(ctx, s.withinAge(ep, admitted.Held), admitted.By, admitted.Reserved)
	case admitted.Unproven:
		return s.prove(ctx)
	}
	return s.post(ctx, ep, admitted)
}

// post makes the attempt, tells the gate its result and records it.
func (s *step) post(ctx context.Context, ep *target, admitted gate.Admission) (Action, error) {
	a, err := s.attemptAdmitted(ctx, ep, admitted)
	if errors.Is(err, errDeadline) {
		return Action{Retry: true, Err: err}, nil
	}
	if err != nil {
		return Action{}, err
	}
	if a.final != "" {
		if ep, err = s.heed(ctx, &a, ep); err != nil {
			return s.queue.unrecorded(ctx, s, a, err)
		}
	}
	switch change, err := s.deliverer.gate.Tell(ctx, s.task.Endpoint, verdictOf(ep, a, admitted)); {
	case err == nil:
		s.changed(ctx, change)
		a.disable = "" // done
	case a.disable != "":
		// once the attempt is recorded, nothing would disable the endpoint
		return s.queue.unrecorded(ctx, s, a, err)
	}
	return s.save(ctx, a, ep)
}

// limits returns what the gate needs to know of an endpoint.
func (s *step) limits(ctx context.Context, ep *target) gate.Limits {
	e := &ep.endpoint
	tenant, _ := catalog.SplitName(e.Name)
	return gate.Limits{
		Name: e.Name, Timeout: e.Timeout, RateLimit: e.RateLimit, RatePer: e.RatePer,
		Concurrency: e.Concurrency, Proof: e.Proves(s.cfg.Origin), Tenant: tenant,
		TenantRate: s.deliverer.states.Rates(ctx, tenant).Delivered,
	}
}

// enoughTime tells whether an attempt can end and be recorded before the invocation ends.
func enoughTime(ctx context.Context, ep *target) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= ep.endpoint.Timeout+recordReserve
}

// endpoint returns the delivery's endpoint, or nil if the catalog does not have it. Where the cache
// does not have it, the catalog itself is read.
func (s *step) endpoint(ctx context.Context) (*target, error) {
	ep, err := s.deliverer.endpoints.Get(ctx, catalog.KeyOf(s.task.Endpoint))
	if errors.Is(err, catalog.ErrNotFound) {
		return s.currentEndpoint(ctx)
	}
	return ep, err
}

// currentEndpoint returns the delivery's endpoint as the catalog has it now, or nil if the catalog
// does not have it. Final decisions never rest on the cache: an endpoint may have been removed,
// restored or changed a moment ago.
func (s *step) currentEndpoint(ctx context.Context) (*target, error) {
	ep, err := s.deliverer.endpoints.Current(ctx, catalog.KeyOf(s.task.Endpoint))
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil //nolint:nilnil // none, and no error
	}
	return ep, err
}

// heed returns the endpoint as it is now, after it answered that it wants no more deliveries. If
// its URL has changed meanwhile, the answer came from the old URL and does not count.
func (s *step) heed(ctx context.Context, a *attemptResult, asked *target) (*target, error) {
	ep, err := s.currentEndpoint(ctx)
	if err != nil {
		return asked, err
	}
	if ep == nil {
		return asked, nil // save notices that it is removed
	}
	if ep.endpoint.URL != asked.endpoint.URL {
		a.final, a.disable = "", ""
	}
	return ep, nil
}

// setAside moves a message to the dead-letter queue of bugs: it is unreadable, or our handling of
// it failed too often. A readable message keeps its id, so that it goes on from the same point
// after a redrive.
func (s *step) setAside(ctx context.Context) error {
	out := Outgoing{Body: s.msg.Body, Group: s.task.Endpoint, Resent: true}
	if s.reads {
		t := s.task
		t.Origin, t.Cycle = s.origin(), t.Cycle || s.queue.keepsOrder()
		out.Body = t.encode(s.raw())
	}
	return Send(ctx, s.cfg.Poison, out)
}

// early tells whether the record says that the delivery waits for longer. Then a copy of this
// message usually comes at that time. There is none if the function died after it wrote the record
// and before it sent the copy.
func (s *step) early() bool {
	return s.task.Made == nil && s.record.Status == Waiting &&
		s.record.NextAt.After(s.cfg.Now().Add(earlySlack))
}

// withinAge returns when a held delivery comes back: at until, or when its age limit is reached, if
// that is earlier.
func (s *step) withinAge(ep *target, until time.Time) time.Time {
	maxAge := ep.endpoint.MaxAge
	if dies := s.event.ReceivedAt.Add(maxAge + time.Millisecond); maxAge > 0 && until.After(dies) {
		return dies
	}
	return until
}

// hold delays the delivery without an attempt. The record says that it waits, so that it is listed
// and the sweeper finds it if its message is lost. A reservation stays with the delivery until its
// next attempt.
func (s *step) hold(
	ctx context.Context, until time.Time, by gate.Hold, reserved bool,
) (Action, error) {
	now := wholeMillis(s.cfg.Now())
	d := s.record
	if d.Attempts == 0 {
		d = s.blank()
	}
	s.queue.mark(s, &d)
	d.Step = s.task.Step
	d.Status, d.Reason, d.NextAt, d.Held, d.UpdatedAt = Waiting, "",
		until.UTC().Truncate(time.Millisecond), by, now
	d.Reserved = d.Reserved || reserved
	d.ExpiresAt = s.expires(d)
	switch err := s.cfg.Deliveries.SaveDelivery(ctx, d, d.Attempts); {
	case errors.Is(err, catalog.ErrConflict): // another copy of the message was faster
		return s.finishRecorded(ctx)
	case err != nil:
		return Action{}, err
	}
	s.record = d
	if err := s.keepWaiting(ctx); err != nil {
		return Action{}, err
	}
	s.report.Held, s.report.HeldBy = until.Sub(now), by
	return s.queue.sendAt(ctx, s, s.task, until, true)
}

// finishRecorded reads the record that another copy of the message wrote first, and does what that
// copy may have left undone: it may have died since.
func (s *step) finishRecorded(ctx context.Context) (Action, error) {
	var err error
	s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.DeliveryTo(s.task.Endpoint))
	if err != nil {
		return Action{}, err
	}
	return s.finish(ctx)
}

// finish does what is left to do after the recorded attempt, if this message is responsible for it.
// The message that made the attempt sends the next one. Any other message does so only if the next
// attempt is so late that its message must be lost. A message of an ordered queue also stands for
// the next attempt.
func (s *step) finish(ctx context.Context) (Action, error) {
	d := s.record
	if s.queue.keepsOrder() && d.Status == Waiting {
		if err := s.keepWaiting(ctx); err != nil {
			return Action{}, err
		}
		return s.queue.sendAt(ctx, s, s.task, d.NextAt, true)
	}
	if d.Attempts != s.task.Attempt || d.Status == Delivered {
		return Action{}, nil
	}
	ours := d.MessageID == s.origin()
	// an earlier run recorded the attempt, and may have sent the message too
	resent := s.report.Status == ""
	switch {
	case d.Status == Waiting && (ours || s.cfg.Now().After(d.NextAt.Add(overdueAfter))):
		if err := s.keepWaiting(ctx); err != nil {
			return Action{}, err
		}
		next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: s.task.Step + 1}
		if !resent {
			return s.queue.sendAt(ctx, s, next, d.NextAt, false)
		}
		return s.queue.sendAt(ctx, s, next, s.whenSettled(d), true)
	case d.Status == Dead && ours:
		return Action{}, s.died(ctx, resent)
	}
	return Action{}, nil
}

// keepWaiting prolongs the retention of the event if the delivery's next attempt comes near its
// end, or later.
func (s *step) keepWaiting(ctx context.Context) error {
	if s.record.NextAt.Before(s.event.ReceivedAt.Add(s.cfg.Retention - keepMargin)) {
		return nil
	}
	return s.cfg.Keeper.KeepEvent(ctx, s.record.EventID, s.record.ExpiresAt)
}

// whenSettled returns when a copy of a waiting delivery's next message is to come: after the first
// one has been handled. The scheduler recognises a copy by its time, so it gets the same time.
func (s *step) whenSettled(d Delivery) time.Time {
	at, now := d.NextAt, s.cfg.Now()
	switch {
	case at.Sub(now) > MaxDelay:
		return at
	case at.Before(now):
		at = now
	}
	// if the scheduler refused the first one, that comes in hops, at scheduleSettle
	if d.NextAt.Sub(d.UpdatedAt) > MaxDelay {
		at = at.Add(scheduleSettle)
	}
	return at.Add(settleTime)
}

// origin is the id of the message that makes, or made, the task's attempt.
func (s *step) origin() string {
	if s.task.Made != nil {
		return s.task.Made.MessageID
	}
	return cmp.Or(s.task.Origin, s.msg.ID)
}

// scheduleName names a wait for the scheduler. The same wait has the same name, so that it is
// scheduled once. The next wait of the same attempt has another name, because the scheduler forgets
// a name only some time after it has fired.
func scheduleName(eventID string, t task, at time.Time) string {
	sum := sha256.Sum256([]byte(t.Endpoint))
	return eventID + "-" + idEncoding.EncodeToString(sum[:8]) + "-" + strconv.Itoa(t.Attempt) +
		"-" + strconv.FormatInt(at.Unix(), 36)
}
