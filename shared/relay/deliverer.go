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
)

const (
	// recordReserve is the time an invocation keeps for what follows a POST: a record and a message.
	recordReserve = 5 * time.Second
	// recordDelay is how long an attempt that could not be recorded waits in the queue for the ledger to come back.
	recordDelay = 30 * time.Second
	// settleTime is how long a copy of a message is held back: by then the attempt that the first copy led to has ended (it takes
	// MaxEndpointTimeout at most) and is on record, and the copy can be told apart from it.
	settleTime = catalog.MaxEndpointTimeout + 15*time.Second
	// scheduleSettle is the same for one that the scheduler carries as well, which is late by up to a minute.
	scheduleSettle = settleTime + time.Minute
	// keepMargin: an attempt that comes so little before its event expires, or later, keeps it for longer. The sweeper needs it
	// to put a lost message back.
	keepMargin = 24 * time.Hour
	// earlySlack: a message this little before its time is as good as due.
	earlySlack = 5 * time.Second
	// overdueAfter: a waiting delivery whose next attempt is late by this much has lost its message.
	overdueAfter = MaxDelay
)

// errDeadline: a message is handed out again without an attempt.
var errDeadline = errors.New("relay: not enough time left in this invocation for an attempt")

// DelivererConfig is what a Deliverer works with. Zero numbers mean their defaults.
type DelivererConfig struct {
	Endpoints  catalog.Endpoints
	Deliveries Deliveries
	Bodies     Bodies
	Poster     Poster
	Retry      Queue               // later attempts
	Slow       Queue               // deliveries to endpoints that take long to answer; nil: they go with the others
	Ordered    OrderedQueue        // deliveries of ordered endpoints, for all their attempts; needed where there are such
	Dead       Queue               // deliveries that ran out of attempts; sent back to Retry they begin a new cycle
	Poison     Queue               // messages that we cannot process
	Scheduler  Scheduler           // waits longer than MaxDelay
	Secrets    catalog.SecretStore // what endpoints refer to; nil: deliveries to those that do fail
	States     gate.EndpointStates
	Quotas     gate.Quotas
	Slots      gate.Slots
	Failures   Failures
	Keeper     EventKeeper
	Operator   Operator // nil: is told nothing
	Reporter   Reporter
	Retention  time.Duration // DefaultRetention
	CacheTTL   time.Duration // DefaultCacheTTL
	Origin     string        // the DNS name that the relay gives itself towards endpoints that prove themselves by ProveOptions; DefaultOrigin
	Now        func() time.Time
	Random     func() float64 // in [0, 1), for jitter
}

// Deliverer is the third stage: it POSTs a delivery, records the attempt, and sees to what follows.
type Deliverer struct {
	cfg       DelivererConfig
	endpoints *catalog.Cache[*target]
	gate      *gate.Gate
	failures  failures
	copies    copies
}

// NewDeliverer returns a Deliverer. It calls nothing yet.
func NewDeliverer(cfg DelivererConfig) *Deliverer {
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
	d.endpoints = catalog.NewCache(cfg.CacheTTL, cfg.Now, cfg.Endpoints, d.loadEndpoint, cfg.Endpoints.EndpointNames)
	d.gate = gate.New(gate.Config{States: cfg.States, Quotas: cfg.Quotas, Slots: cfg.Slots, Now: cfg.Now, Random: cfg.Random})
	d.failures = failures{counts: cfg.Failures, random: cfg.Random}
	return d
}

// Process takes a batch of delivery messages, first attempts and later ones, and returns one error for each: nil where the
// message is done with, else an *Again that says when it is to be handed out again. One bad message fails alone. ctx must carry
// the invocation's deadline: an attempt is begun only if it can end, and be recorded, before it.
func (d *Deliverer) Process(ctx context.Context, msgs []Message) []error {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	return eachMessage(msgs, func(i int) error {
		step := &step{Deliverer: d, msg: msgs[i]}
		err := recovered(func() error { return step.run(work) })
		settled := d.failures.settle(ctx, step.countedAs(), err, step.setAside)
		step.tell(ctx, err)
		return settled
	})
}

// tell reports what became of a message whose handling ended with err.
func (s *step) tell(ctx context.Context, err error) {
	var again *Again
	if errors.As(err, &again) {
		err = again.Err
	}
	if err != nil {
		s.report.Err = err
	}
	if s.report.Err != nil || s.report.Status != "" || s.report.Held > 0 || s.report.Change != nil {
		s.cfg.Reporter.Attempted(ctx, s.report)
	}
}

// step is the way of one message through Process.
type step struct {
	*Deliverer
	msg    Message
	reads  bool // the message can be read: task and event are what it says
	task   task
	lane   string // of the message: see task.Lane
	event  Event
	record Delivery // as stored; zero if there is none
	report AttemptReport
}

func (s *step) run(ctx context.Context) error {
	var err error
	s.task, s.event, err = decodeTask(s.msg.Body)
	s.reads = err == nil
	s.lane, s.task.Lane = s.task.Lane, "" // what is sent from here on goes to other queues
	s.report = AttemptReport{EventID: s.event.ID, Source: s.event.Source, Type: s.event.Type, Endpoint: s.task.Endpoint}
	if err == nil && !s.inOrder() {
		err = s.failures.suspect(ctx, s.msg, s.msg.Receives)
	}
	if err != nil {
		s.report.Err = err
		return s.setAside(ctx)
	}
	if s.task.NotBefore.After(s.cfg.Now().Add(earlySlack)) {
		return s.sendAt(ctx, s.task, s.task.NotBefore, s.msg.Resent) // a hop of a long wait
	}
	waited, done, err := s.copies.take(ctx, s.event.ID+" "+s.task.Endpoint)
	if err != nil {
		return err
	}
	defer done()
	if err := s.readRecord(ctx, waited); err != nil {
		return err
	}
	if s.inOrder() || s.task.Cycle {
		s.resume()
	}
	if s.record.Attempts >= s.task.Attempt {
		return s.finish(ctx)
	}
	if s.early() {
		return s.sendAt(ctx, s.task, s.record.NextAt, true)
	}
	if s.inOrder() {
		if err := s.failures.suspect(ctx, s.countedAs(), s.inVain()); err != nil {
			s.report.Err = err
			return s.setAside(ctx)
		}
	}
	ep, err := s.endpoint(ctx)
	if err != nil {
		return err
	}
	if s.task.Made != nil {
		return s.recordMade(ctx, ep)
	}
	if ep == nil {
		return s.save(ctx, s.withhold(Removed, EndpointGone, "the endpoint is no longer in the catalog"), nil)
	}
	if ep.Order.On && !s.inOrder() {
		return s.lineUp(ctx, ep.Order)
	}
	if s.tooOld(ep, s.cfg.Now()) {
		if ep, err = s.currentEndpoint(ctx); err != nil {
			return err
		}
	}
	if ep == nil {
		return s.save(ctx, s.withhold(Removed, EndpointGone, "the endpoint is no longer in the catalog"), nil)
	}
	if s.tooOld(ep, s.cfg.Now()) {
		return s.save(ctx, s.withhold(Withheld, Expired, "the delivery is older than the endpoint's max_age, or has stood in line for too long"), ep)
	}
	if err := enoughTime(ctx, ep); err != nil { // before a place at the endpoint is taken
		return err
	}
	limits := s.limits(ep)
	if sent, err := s.bypass(ctx, &limits); sent || err != nil {
		return err
	}
	admitted, err := s.gate.Admit(ctx, limits, s.record.Reserved)
	switch {
	case err != nil:
		return err
	case admitted.Disabled != "":
		return s.save(ctx, s.withhold(Withheld, EndpointGone, "the endpoint is disabled: "+admitted.Disabled), ep)
	case !admitted.Held.IsZero():
		return s.hold(ctx, s.withinAge(ep, admitted.Held), admitted.Reserved)
	case admitted.Unproved:
		return s.prove(ctx)
	}
	a, err := s.attemptAdmitted(ctx, ep, admitted)
	if err != nil {
		return err
	}
	if a.final != "" {
		if ep, err = s.heed(ctx, &a, ep); err != nil {
			return s.carry(ctx, a, err)
		}
	}
	switch change, err := s.gate.Tell(ctx, s.task.Endpoint, verdictOf(ep, a, admitted)); {
	case err == nil:
		s.changed(ctx, change)
		a.disable = "" // it is
	case a.disable != "":
		return s.carry(ctx, a, err) // once the attempt is on record nobody would do it
	}
	return s.save(ctx, a, ep)
}

// limits is what the gate has to know of an endpoint.
func (s *step) limits(ep *target) gate.Limits {
	return gate.Limits{
		Name: ep.Name, Timeout: ep.Timeout, RateLimit: ep.RateLimit, RatePer: ep.RatePer, Concurrency: ep.Concurrency, Proof: ep.Proves(s.cfg.Origin),
	}
}

// enoughTime returns an error if an attempt might be cut off by the end of the invocation: it would be POSTed and not be recorded.
func enoughTime(ctx context.Context, ep *target) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < ep.Timeout+recordReserve {
		return &Again{Err: errDeadline}
	}
	return nil
}

// endpoint returns the delivery's endpoint; nil: it is not in the catalog, which what is kept of the catalog does not decide.
func (s *step) endpoint(ctx context.Context) (*target, error) {
	ep, err := s.endpoints.Get(ctx, s.task.Endpoint)
	if errors.Is(err, catalog.ErrNotFound) {
		return s.currentEndpoint(ctx)
	}
	return ep, err
}

// currentEndpoint returns the delivery's endpoint as the catalog has it now; nil: it is not in the catalog. Nothing final is
// decided by what is kept of the catalog: an endpoint may have been removed and restored, or changed, a moment ago.
func (s *step) currentEndpoint(ctx context.Context) (*target, error) {
	ep, err := s.endpoints.Current(ctx, s.task.Endpoint)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil //nolint:nilnil // none, and no error
	}
	return ep, err
}

// heed returns the endpoint as it is now, after it has said that it wants no more. If it has moved meanwhile, another said so.
func (s *step) heed(ctx context.Context, a *made, asked *target) (*target, error) {
	ep, err := s.currentEndpoint(ctx)
	if err != nil {
		return asked, err
	}
	if ep == nil {
		return asked, nil // save finds that it is gone
	}
	if ep.URL != asked.URL {
		a.final, a.disable = "", ""
	}
	return ep, nil
}

// setAside moves a message that is unreadable, or that has failed too often by our own fault, to the dead-letter queue of bugs.
// One that can be read keeps its id, so that it goes on where it stood once it is redriven.
func (s *step) setAside(ctx context.Context) error {
	out := Outgoing{Body: s.msg.Body, Group: s.task.Endpoint, Resent: true}
	if s.reads {
		t := s.task
		t.Origin, t.Cycle = s.origin(), t.Cycle || s.inOrder()
		out.Body = t.encode(EncodeEvent(s.event))
	}
	return Send(ctx, s.cfg.Poison, out)
}

// early tells whether the delivery is on record as waiting for longer. Then a copy of this message will come at its time, unless the
// function died after it had put that on record and before it sent one.
func (s *step) early() bool {
	return s.task.Made == nil && s.record.Status == Waiting && s.record.NextAt.After(s.cfg.Now().Add(earlySlack))
}

// withinAge returns when a delivery that is held comes back: not later than it dies of its age.
func (s *step) withinAge(ep *target, until time.Time) time.Time {
	if dies := s.event.ReceivedAt.Add(ep.MaxAge + time.Millisecond); ep.MaxAge > 0 && until.After(dies) {
		return dies
	}
	return until
}

// hold puts the delivery off without an attempt. It is on record as waiting, so that it can be seen, and found again should its
// message be lost. A reservation stays with it until its next attempt.
func (s *step) hold(ctx context.Context, until time.Time, reserved bool) error {
	now := wholeMillis(s.cfg.Now())
	d := s.record
	if d.Attempts == 0 {
		d = s.blank()
	}
	if s.inOrder() {
		d.MessageID, d.Receives = s.origin(), s.counted()
	}
	d.Step = s.task.Step
	d.Status, d.Reason, d.NextAt, d.Held, d.UpdatedAt = Waiting, "", until.UTC().Truncate(time.Millisecond), true, now
	d.Reserved = d.Reserved || reserved
	d.ExpiresAt = s.expires(d)
	switch err := s.cfg.Deliveries.SaveDelivery(ctx, d, d.Attempts); {
	case errors.Is(err, catalog.ErrConflict): // another copy of the message was faster
		if s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint); err != nil {
			return err
		}
		return s.finish(ctx)
	case err != nil:
		return err
	}
	s.record = d
	if err := s.keepWaiting(ctx); err != nil {
		return err
	}
	s.report.Held = until.Sub(now)
	return s.sendAt(ctx, s.task, until, true)
}

// finish does what is left to do after the attempt that is on record, if it is ours to do: the message that made the attempt
// sends the next one, and so does any other once the next attempt is so late that its message must be lost.
func (s *step) finish(ctx context.Context) error {
	d := s.record
	if s.inOrder() && d.Status == Waiting {
		if err := s.keepWaiting(ctx); err != nil {
			return err
		}
		return s.wait(d.NextAt)
	}
	if d.Attempts != s.task.Attempt || d.Status == Delivered {
		return nil
	}
	ours := d.MessageID == s.origin()
	resent := s.report.Status == "" // the attempt was recorded by an earlier run, which may have got this far
	switch {
	case d.Status == Waiting && (ours || s.cfg.Now().After(d.NextAt.Add(overdueAfter))):
		if err := s.keepWaiting(ctx); err != nil {
			return err
		}
		next := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1, Step: s.task.Step + 1}
		if !resent {
			return s.sendAt(ctx, next, d.NextAt, false)
		}
		return s.sendAt(ctx, next, s.settled(d), true)
	case d.Status == Dead && ours:
		return s.died(ctx, resent)
	}
	return nil
}

// keepWaiting keeps the event of a delivery whose next attempt comes late in the retention.
func (s *step) keepWaiting(ctx context.Context) error {
	if s.record.NextAt.Before(s.event.ReceivedAt.Add(s.cfg.Retention - keepMargin)) {
		return nil
	}
	return s.cfg.Keeper.KeepEvent(ctx, s.record.EventID, s.record.ExpiresAt)
}

// settled is when a copy of a waiting delivery's next message is to come: when the first one is in hand no more. The scheduler knows it for a copy by
// its time.
func (s *step) settled(d Delivery) time.Time {
	at, now := d.NextAt, s.cfg.Now()
	switch {
	case at.Sub(now) > MaxDelay:
		return at
	case at.Before(now):
		at = now
	}
	if d.NextAt.Sub(d.UpdatedAt) > MaxDelay { // where the scheduler refused the first, that comes in hops at scheduleSettle
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

// sendAt sends t so that it comes back at the given time: by the queue's delay, by the scheduler if that is too short, and in hops of the
// queue's delay if the scheduler refuses. A message of an ordered queue stays where it is.
func (s *step) sendAt(ctx context.Context, t task, at time.Time, resent bool) error {
	if s.inOrder() {
		return s.wait(at)
	}
	wait := max(at.Sub(s.cfg.Now()), 0)
	out := Outgoing{Group: t.Endpoint, Resent: resent}
	if wait <= MaxDelay {
		t.NotBefore = time.Time{}
		out.Body, out.Delay = t.encode(EncodeEvent(s.event)), wait
		return Send(ctx, s.cfg.Retry, out)
	}
	first := t.NotBefore.IsZero() // not a hop yet
	t.NotBefore = at
	out.Body = t.encode(EncodeEvent(s.event))
	if err := s.cfg.Scheduler.Schedule(ctx, scheduleName(s.event.ID, t, at), at, out); err == nil {
		return nil
	}
	if first {
		t.NotBefore = at.Add(scheduleSettle) // if only the scheduler's answer was lost, its message comes first and is on record by then
	}
	out.Body, out.Delay, out.Resent = t.encode(EncodeEvent(s.event)), MaxDelay, true
	return Send(ctx, s.cfg.Retry, out)
}

// scheduleName is the same for the same wait, so that it is arranged once, and another for the next wait of the same attempt: the
// scheduler forgets a name only some time after it has fired.
func scheduleName(eventID string, t task, at time.Time) string {
	sum := sha256.Sum256([]byte(t.Endpoint))
	return eventID + "-" + idEncoding.EncodeToString(sum[:8]) + "-" + strconv.Itoa(t.Attempt) + "-" + strconv.FormatInt(at.Unix(), 36)
}
