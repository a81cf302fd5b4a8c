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

// NewDeliverer returns a Deliverer. It calls nothing yet. The error names what cfg lacks.
func NewDeliverer(cfg DelivererConfig) (*Deliverer, error) {
	if err := Lacks("DelivererConfig", map[string]bool{
		"Endpoints": cfg.Endpoints == nil, "Deliveries": cfg.Deliveries == nil, "Bodies": cfg.Bodies == nil, "Poster": cfg.Poster == nil,
		"Retry": cfg.Retry == nil, "Dead": cfg.Dead == nil, "Poison": cfg.Poison == nil, "Scheduler": cfg.Scheduler == nil,
		"States": cfg.States == nil, "Quotas": cfg.Quotas == nil, "Slots": cfg.Slots == nil, "Failures": cfg.Failures == nil,
		"Keeper": cfg.Keeper == nil, "Reporter": cfg.Reporter == nil,
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
	d.endpoints = catalog.NewCache(cfg.CacheTTL, cfg.Now, cfg.Endpoints, d.loadEndpoint, cfg.Endpoints.EndpointNames)
	d.gate = gate.New(gate.Config{States: cfg.States, Quotas: cfg.Quotas, Slots: cfg.Slots, Now: cfg.Now, Random: cfg.Random})
	d.failures = failures{counts: cfg.Failures, random: cfg.Random}
	return d, nil
}

// Process takes a batch of delivery messages, first attempts and later ones, and returns what is to become of each. One bad message fails
// alone. ctx must have the invocation's deadline: an attempt is begun only if it can end, and be recorded, before it.
func (d *Deliverer) Process(ctx context.Context, msgs []Message) []Action {
	work, cancel := beforeDeadline(ctx)
	defer cancel()
	ends := eachMessage(msgs, func(i int) (Action, error) {
		s := &step{Deliverer: d, msg: msgs[i], queue: queueOf(msgs[i])}
		end := recovered(func() (Action, error) { return s.run(work) })
		action := d.failures.decide(ctx, s.queue.countedAs(s), end.action, end.err, s.setAside)
		s.tell(ctx, cmp.Or(end.err, end.action.Err))
		return action, nil
	})
	actions := make([]Action, len(msgs))
	for i, end := range ends {
		actions[i] = end.action
		if end.err != nil { // a panic while that was decided
			actions[i] = Action{Retry: true, Err: end.err}
		}
	}
	return actions
}

// tell reports what became of a message; err is our own failure.
func (s *step) tell(ctx context.Context, err error) {
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
	queue  queueing // what depends on the queue that it came by
	reads  bool     // the message can be read: task and event are what it says
	task   task
	lane   string // of the message: see task.Lane
	event  Event
	record Delivery // as stored; zero if there is none
	report AttemptReport
}

// run handles the message. Each of these steps may be the last; else the next one follows.
//
//	step     ends where                                    and then
//	run      the message is unreadable                     it is set aside
//	         it is a hop of a long wait                    it is sent on
//	locate   its attempt is on record                      what follows the attempt is done, see finish
//	         the delivery waits for longer, on record      its message is sent for that time
//	         it was handed out too often to no effect      it is set aside
//	prepare  it brings an attempt that was not recorded    that is recorded
//	         the endpoint is gone, or the delivery too old the delivery dies
//	         the endpoint is ordered, the queue is not     the delivery gets in line
//	         too little time is left                       it is handed out again at once
//	admit    the endpoint is slow                          it is sent to the slow queue
//	         the gate holds or refuses it                  the delivery waits, or dies
//	         the endpoint has not proved itself            it is asked to, and the delivery waits
//	post     always                                        the attempt is recorded, and what follows is done
func (s *step) run(ctx context.Context) (Action, error) {
	var err error
	s.task, s.event, err = decodeTask(s.msg.Body)
	s.reads = err == nil
	s.lane, s.task.Lane = s.task.Lane, "" // what is sent from here on goes to other queues
	s.report = AttemptReport{EventID: s.event.ID, Source: s.event.Source, Type: s.event.Type, Endpoint: s.task.Endpoint}
	if err != nil {
		s.report.Err = err
		return Action{}, s.setAside(ctx)
	}
	if s.task.NotBefore.After(s.cfg.Now().Add(earlySlack)) {
		return s.queue.sendAt(ctx, s, s.task, s.task.NotBefore, s.msg.Resent)
	}
	waited, done, err := s.copies.take(ctx, s.event.ID+" "+s.task.Endpoint)
	if err != nil {
		return Action{}, err
	}
	defer done()
	return s.locate(ctx, waited)
}

// locate finds out where the delivery stands.
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
	if err := s.failures.suspect(ctx, s.queue.countedAs(s), s.queue.inVain(s)); err != nil {
		s.report.Err = err
		return Action{}, s.setAside(ctx)
	}
	return s.prepare(ctx)
}

// prepare finds the endpoint, and whether the delivery may still be attempted.
func (s *step) prepare(ctx context.Context) (Action, error) {
	ep, err := s.endpoint(ctx)
	if err != nil {
		return Action{}, err
	}
	if s.task.Made != nil {
		return s.recordMade(ctx, ep)
	}
	if ep != nil && ep.Order.On && !s.queue.keepsOrder() {
		return Action{}, s.lineUp(ctx, ep.Order)
	}
	if ep != nil && s.tooOld(ep, s.cfg.Now()) {
		if ep, err = s.currentEndpoint(ctx); err != nil {
			return Action{}, err
		}
	}
	if ep == nil {
		return s.save(ctx, s.withhold(Removed, EndpointGone, "the endpoint is no longer in the catalog"), nil)
	}
	if s.tooOld(ep, s.cfg.Now()) {
		return s.save(ctx, s.withhold(Withheld, Expired, "the delivery is older than the endpoint's max_age, or has stood in line for too long"), ep)
	}
	if !enoughTime(ctx, ep) { // before a place at the endpoint is taken
		return Action{Retry: true, Err: errDeadline}, nil
	}
	return s.admit(ctx, ep)
}

// admit asks the gate whether the endpoint may be called now.
func (s *step) admit(ctx context.Context, ep *target) (Action, error) {
	limits := s.limits(ep)
	if sent, err := s.bypass(ctx, &limits); sent || err != nil {
		return Action{}, err
	}
	admitted, err := s.gate.Admit(ctx, limits, s.record.Reserved)
	switch {
	case err != nil:
		return Action{}, err
	case admitted.Disabled != "":
		return s.save(ctx, s.withhold(Withheld, EndpointGone, "the endpoint is disabled: "+admitted.Disabled), ep)
	case !admitted.Held.IsZero():
		return s.hold(ctx, s.withinAge(ep, admitted.Held), admitted.Reserved)
	case admitted.Unproved:
		return s.prove(ctx)
	}
	return s.post(ctx, ep, admitted)
}

// post makes the attempt, tells the gate of it and records it.
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
	switch change, err := s.gate.Tell(ctx, s.task.Endpoint, verdictOf(ep, a, admitted)); {
	case err == nil:
		s.changed(ctx, change)
		a.disable = "" // it is
	case a.disable != "":
		return s.queue.unrecorded(ctx, s, a, err) // once the attempt is on record nobody would do it
	}
	return s.save(ctx, a, ep)
}

// limits is what the gate has to know of an endpoint.
func (s *step) limits(ep *target) gate.Limits {
	return gate.Limits{
		Name: ep.Name, Timeout: ep.Timeout, RateLimit: ep.RateLimit, RatePer: ep.RatePer, Concurrency: ep.Concurrency, Proof: ep.Proves(s.cfg.Origin),
	}
}

// enoughTime tells whether an attempt can end, and be recorded, before the invocation does.
func enoughTime(ctx context.Context, ep *target) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= ep.Timeout+recordReserve
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
		t.Origin, t.Cycle = s.origin(), t.Cycle || s.queue.keepsOrder()
		out.Body = t.encode(s.raw())
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
func (s *step) hold(ctx context.Context, until time.Time, reserved bool) (Action, error) {
	now := wholeMillis(s.cfg.Now())
	d := s.record
	if d.Attempts == 0 {
		d = s.blank()
	}
	s.queue.mark(s, &d)
	d.Step = s.task.Step
	d.Status, d.Reason, d.NextAt, d.Held, d.UpdatedAt = Waiting, "", until.UTC().Truncate(time.Millisecond), true, now
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
	s.report.Held = until.Sub(now)
	return s.queue.sendAt(ctx, s, s.task, until, true)
}

// finishRecorded reads the record that another copy of the message was faster to write, and does what it may have left: it may have died since.
func (s *step) finishRecorded(ctx context.Context) (Action, error) {
	var err error
	if s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint); err != nil {
		return Action{}, err
	}
	return s.finish(ctx)
}

// finish does what is left to do after the attempt that is on record, if it is ours to do: the message that made the attempt
// sends the next one, and so does any other once the next attempt is so late that its message must be lost. The message of an ordered queue is that of the
// next attempt too.
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
	resent := s.report.Status == "" // the attempt was recorded by an earlier run, which may have got this far
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

// keepWaiting keeps the event of a delivery whose next attempt comes late in the retention.
func (s *step) keepWaiting(ctx context.Context) error {
	if s.record.NextAt.Before(s.event.ReceivedAt.Add(s.cfg.Retention - keepMargin)) {
		return nil
	}
	return s.cfg.Keeper.KeepEvent(ctx, s.record.EventID, s.record.ExpiresAt)
}

// whenSettled is when a copy of a waiting delivery's next message is to come: when the first one is in hand no more. The scheduler knows it for a copy by
// its time.
func (s *step) whenSettled(d Delivery) time.Time {
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

// scheduleName is the same for the same wait, so that it is arranged once, and another for the next wait of the same attempt: the
// scheduler forgets a name only some time after it has fired.
func scheduleName(eventID string, t task, at time.Time) string {
	sum := sha256.Sum256([]byte(t.Endpoint))
	return eventID + "-" + idEncoding.EncodeToString(sum[:8]) + "-" + strconv.Itoa(t.Attempt) + "-" + strconv.FormatInt(at.Unix(), 36)
}
