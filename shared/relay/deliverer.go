package relay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"webhook-relay/shared/retry"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/verify"
)

// DefaultMaxReceives is how often a message is handed out before it is put aside as poison.
const DefaultMaxReceives = 5

const (
	// recordReserve is the time an invocation keeps for what follows a POST: a record and a message.
	recordReserve = 5 * time.Second
	// recordDelay is how long an attempt that could not be recorded waits in the queue for the ledger to come back.
	recordDelay = 30 * time.Second
	// settleTime is how long a copy of a message is held back: by then the attempt that the first copy led to has ended (it takes
	// MaxEndpointTimeout at most) and is on record, and the copy can be told apart from it.
	settleTime = MaxEndpointTimeout + 15*time.Second
	// scheduleSettle is the same for one that the scheduler carries as well, which is late by up to a minute.
	scheduleSettle = settleTime + time.Minute
	// earlySlack: a message this little before its time is as good as due.
	earlySlack = 5 * time.Second
	// overdueAfter: a waiting delivery whose next attempt is late by this much has lost its message.
	overdueAfter = MaxDelay
)

// Why a message is handed out again without an attempt.
var (
	errDeadline = errors.New("relay: not enough time left in this invocation for an attempt")
	errPoison   = errors.New("relay: put aside in the dead-letter queue")
)

// DelivererConfig is what a Deliverer works with. Zero numbers mean their defaults.
type DelivererConfig struct {
	Endpoints   Endpoints
	Deliveries  Deliveries
	Bodies      Bodies
	Poster      Poster
	Retry       Queue        // later attempts
	Slow        Queue        // deliveries to endpoints that take long to answer; nil: they go with the others
	Ordered     OrderedQueue // deliveries of ordered endpoints, for all their attempts; needed where there are such
	Dead        Queue        // deliveries that ran out of attempts; sent back to Retry they begin a new cycle
	Poison      Queue        // messages that we cannot process
	Scheduler   Scheduler    // waits longer than MaxDelay
	Secrets     SecretStore  // what endpoints refer to; nil: deliveries to those that do fail
	States      EndpointStates
	Quotas      Quotas
	Slots       Slots
	Operator    *Notifier // is told what the operator wants to know; nil: nothing is
	Reporter    Reporter
	Retention   time.Duration // DefaultRetention
	MaxReceives int           // DefaultMaxReceives
	CacheTTL    time.Duration // DefaultCacheTTL
	Origin      string        // the DNS name that the relay gives itself towards endpoints that prove themselves by ProveOptions; DefaultOrigin
	Now         func() time.Time
	Random      func() float64 // in [0, 1), for jitter
}

// Deliverer is the third stage: it POSTs a delivery, records the attempt, and sees to what follows.
type Deliverer struct {
	cfg       DelivererConfig
	endpoints *cache[*target]
	gate      *gate
	copies    copies
}

// target is an endpoint ready to be POSTed to.
type target struct {
	Endpoint
	signers []*sign.Signer   // by how many of Retiring sign beside Secrets: they end from the last one on
	foreign *verify.Verifier // makes Auth.Signature; nil: none is wanted
	secrets []string         // what its answers are rid of
	unready error            // why nothing can be sent before the operator has mended something; nil: it can
}

// NewDeliverer returns a Deliverer. It calls nothing yet.
func NewDeliverer(cfg DelivererConfig) *Deliverer {
	cfg.Retention = orDefault(cfg.Retention, DefaultRetention)
	cfg.MaxReceives = orDefault(cfg.MaxReceives, DefaultMaxReceives)
	cfg.Origin = orDefault(cfg.Origin, DefaultOrigin)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	d := &Deliverer{cfg: cfg}
	d.endpoints = newCache(cfg.CacheTTL, cfg.Now, d.loadEndpoint)
	d.gate = newGate(cfg)
	return d
}

// Process takes a batch of delivery messages, first attempts and later ones, and returns one error for each: nil where the message
// is done with, else why it is to be handed out again. One bad message fails alone. ctx must carry the invocation's deadline: an
// attempt is begun only if it can end, and be recorded, before it.
func (d *Deliverer) Process(ctx context.Context, msgs []Message) []error {
	return eachMessage(msgs, func(i int) error {
		step := &step{Deliverer: d, msg: msgs[i]}
		err := recovered(func() error { return step.run(ctx) })
		step.report.Err = err
		switch {
		case errors.Is(err, errPoison):
			err = nil
		case errors.Is(err, errInLine):
			step.report.Err = nil
		case err != nil && step.inOrder():
			step.holdOff(ctx)
		}
		if step.report.Err != nil || step.report.Status != "" || step.report.Held > 0 || step.report.Change != nil {
			d.cfg.Reporter.Attempted(ctx, step.report)
		}
		return err
	})
}

// step is the way of one message through Process.
type step struct {
	*Deliverer
	msg    Message
	task   task
	lane   string // of the message: see task.Lane
	event  Event
	record Delivery // as stored; zero if there is none
	report AttemptReport
}

func (s *step) run(ctx context.Context) error {
	var err error
	s.task, s.event, err = decodeTask(s.msg.Body)
	s.lane, s.task.Lane = s.task.Lane, "" // what is sent from here on goes to other queues
	s.report = AttemptReport{EventID: s.event.ID, Source: s.event.Source, Type: s.event.Type, Endpoint: s.task.Endpoint}
	if err != nil || !s.inOrder() && s.isWorn() {
		return s.putAside(ctx, err)
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
	if s.inOrder() {
		s.resume()
	}
	if s.record.Attempts >= s.task.Attempt {
		return s.finish(ctx)
	}
	if s.early() {
		return s.sendAt(ctx, s.task, s.record.NextAt, true)
	}
	if s.inOrder() && s.isWorn() {
		return s.putAside(ctx, nil)
	}
	ep, err := s.endpoints.get(ctx, s.task.Endpoint)
	if err != nil && !errors.Is(err, ErrNotFound) {
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
		return s.save(ctx, s.withhold(Withheld, Expired, "the delivery is older than the endpoint's max_age, or has stood in line for too long"), ep)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < ep.Timeout+recordReserve {
		return errDeadline
	}
	limits := ep.Endpoint
	if sent, err := s.bypass(ctx, &limits); sent || err != nil {
		return err
	}
	p, err := s.gate.admit(ctx, limits, s.turn())
	switch {
	case err != nil:
		return err
	case p.disabled != "":
		return s.save(ctx, s.withhold(Withheld, EndpointGone, "the endpoint is disabled: "+p.disabled), ep)
	case !p.held.IsZero():
		return s.hold(ctx, p.held, p.place)
	case p.unproved:
		return s.prove(ctx)
	}
	a, err := s.admitted(ctx, ep, p)
	if err != nil {
		return err
	}
	switch change, err := s.gate.tell(ctx, ep.Name, a.verdict(p.probe)); {
	case err == nil:
		s.changed(ctx, change)
		a.disable = "" // it is
	case a.disable != "":
		return s.carry(ctx, a, err) // once the attempt is on record nobody would do it
	}
	return s.save(ctx, a, ep)
}

// recordMade records the attempt that the message carries, and disables the endpoint if that could not be done when it was made.
func (s *step) recordMade(ctx context.Context, ep *target) error {
	a := s.task.Made.made()
	if a.disable != "" {
		change, err := s.gate.tell(ctx, s.task.Endpoint, a.verdict(false))
		if err != nil {
			return err
		}
		s.changed(ctx, change)
	}
	return s.save(ctx, a, ep)
}

// putAside moves a message that is unreadable, or that has failed too often by our own fault, to the dead-letter queue of bugs. One that
// can be read keeps its id, so that it goes on where it stood once it is redriven.
func (s *step) putAside(ctx context.Context, cause error) error {
	out := Outgoing{Body: s.msg.Body, Group: s.task.Endpoint, Resent: true}
	if cause == nil {
		cause = fmt.Errorf("handed out %d times, at most %d", s.msg.Receives, s.cfg.MaxReceives)
		t := s.task
		t.Origin = s.origin()
		out.Body = t.encode(EncodeEvent(s.event))
	}
	if err := sendOne(ctx, s.cfg.Poison, out); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errPoison, cause)
}

// readRecord reads where the delivery stands. A first attempt that is handed out for the first time has no record, unless a copy of it was in
// hand, or it comes so late that the sweeper may have sent one: the read, one call for each delivery, is saved.
func (s *step) readRecord(ctx context.Context, afterCopy bool) error {
	late := s.cfg.Now().Sub(s.event.ReceivedAt) > strandedAfter
	if !afterCopy && !late && s.task.Attempt == 1 && s.msg.Receives <= 1 && !s.msg.Resent && s.task.Made == nil {
		return nil
	}
	var err error
	s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// early tells whether the delivery is on record as waiting for longer. Then a copy of this message will come at its time, unless the
// function died after it had put that on record and before it sent one.
func (s *step) early() bool {
	return s.task.Made == nil && s.record.Status == Waiting && s.record.NextAt.After(s.cfg.Now().Add(earlySlack))
}

// made is an attempt and what the endpoint said beside its status.
type made struct {
	Attempt
	final      Reason        // why no other attempt follows, whatever the schedule says; "" where it decides
	retryAfter time.Duration // how long the endpoint wants to be left alone by this delivery
	pause      time.Time     // until when it wants to be left alone by all
	overload   bool          // there may be too much to do for it: it wants to be left alone by all if it says so more than once
	disable    string        // it wants no more, and why
}

func (m made) verdict(probe bool) verdict {
	why := string(m.Outcome)
	if m.StatusCode != 0 {
		why = strconv.Itoa(m.StatusCode)
	}
	return verdict{failed: m.Outcome != Succeeded, why: why, probe: probe, pause: m.pause, overload: m.overload, disable: m.disable}
}

// withhold is the attempt that is put on record where none is made.
func (s *step) withhold(outcome Outcome, why Reason, text string) made {
	return made{Attempt: Attempt{Number: s.task.Attempt, At: wholeMillis(s.cfg.Now()), Outcome: outcome, Error: text}, final: why}
}

// turn is when a place in the endpoint's rate is kept for the delivery; zero: none is.
func (s *step) turn() time.Time {
	if !s.record.Place {
		return time.Time{}
	}
	return s.record.NextAt
}

// hold puts the delivery off without an attempt, then a place may be kept for it. It is on record as waiting, so that it can be seen, and found again should its message be lost.
func (s *step) hold(ctx context.Context, until time.Time, place bool) error {
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
	d.Place = place
	switch err := s.cfg.Deliveries.SaveDelivery(ctx, d, d.Attempts); {
	case errors.Is(err, ErrConflict): // another copy of the message was faster
		if s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint); err != nil {
			return err
		}
		return s.finish(ctx)
	case err != nil:
		return err
	}
	s.report.Held = until.Sub(now)
	return s.sendAt(ctx, s.task, until, true)
}

// admitted is attempt with the pass of the gate.
func (s *step) admitted(ctx context.Context, ep *target, p pass) (made, error) {
	defer s.gate.release(ctx, ep.Name, p)
	return s.attempt(ctx, ep)
}

// attempt makes the POST.
func (s *step) attempt(ctx context.Context, ep *target) (made, error) {
	began := s.cfg.Now()
	m := made{Attempt: Attempt{Number: s.task.Attempt, At: wholeMillis(began)}}
	body, err := s.body(ctx)
	if err != nil {
		return made{}, err
	}
	post, err := s.request(ep, s.event, m.Number, body, began)
	var reply Reply
	if err == nil {
		stop := s.watch(ctx)
		reply, err = s.cfg.Poster.Post(ctx, post)
		stop()
	}
	ended := s.cfg.Now()
	m.Duration = ended.Sub(began).Truncate(time.Millisecond)
	if err := m.conclude(reply, err); err != nil {
		return made{}, err
	}
	m.listen(reply, ep.Endpoint, ended)
	return m, nil
}

// request is the POST of an event, signed. Its error is a *PostError.
func (d *Deliverer) request(ep *target, e Event, attempt int, body []byte, at time.Time) (Post, error) {
	p := Post{
		URL:     ep.URL,
		Header:  outboundHeader(e, ep.Endpoint, attempt, ep.signerAt(at).Headers(e.ID, at, body)),
		Body:    body,
		Timeout: ep.Timeout,
		TLS:     ep.TLS,
	}
	if ep.Prove == ProveOptions {
		p.Header[headerRequestOrigin] = d.cfg.Origin
	}
	err := ep.authorize(&p, e, at)
	return p, err
}

// conclude notes how the POST ended. An error that is not the endpoint's is returned: no attempt was used up.
func (a *Attempt) conclude(reply Reply, err error) error {
	if failed, ok := errors.AsType[*PostError](err); ok {
		a.Outcome, a.Error = failed.Outcome, failed.Err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	a.StatusCode, a.Response = reply.StatusCode, reply.Body
	a.Outcome = Rejected
	if a.StatusCode >= 200 && a.StatusCode < 300 {
		a.Outcome = Succeeded
	}
	return nil
}

func (s *step) body(ctx context.Context) ([]byte, error) {
	if s.event.BodyRef == nil {
		return s.event.Body, nil
	}
	return s.cfg.Bodies.Get(ctx, s.event.BodyRef.Key)
}

// save records the attempt and sees to what follows.
func (s *step) save(ctx context.Context, a made, ep *target) error {
	next := s.after(a, ep)
	err := s.cfg.Deliveries.SaveDelivery(ctx, next, s.record.Attempts)
	if errors.Is(err, ErrConflict) {
		// Another copy of the message recorded this attempt first, and may have died before it did what follows.
		if s.record, err = s.cfg.Deliveries.Delivery(ctx, s.event.ID, s.task.Endpoint); err != nil {
			return err
		}
		return s.finish(ctx)
	}
	if err != nil {
		return s.carry(ctx, a, err)
	}
	s.record = next
	s.report.Attempt, s.report.Status = a.Attempt, s.record.Status
	s.report.Age = s.record.UpdatedAt.Sub(s.event.ReceivedAt)
	s.report.Reason = s.record.Reason
	if s.record.Status == Waiting {
		s.report.Wait = s.record.NextAt.Sub(s.record.UpdatedAt)
	}
	return s.finish(ctx)
}

// changed tells of a change of the endpoint's state. If that fails it is not told again: the state itself shows it, and the delivery does not
// wait for it. What becomes of the relay's own events is told to nobody: they never feed on themselves. (Not to tell the endpoint itself would not do:
// two that get each other's changes, and fail at times, could go on for ever.)
func (s *step) changed(ctx context.Context, c *EndpointChange) {
	s.report.Change = c
	if s.event.Source != OperatorSource {
		_ = s.cfg.Operator.TellChange(ctx, c)
	}
}

// died tells of the death that is on record, and sends the delivery to where the dead lie. Both are done again if either fails.
func (s *step) died(ctx context.Context, resent bool) error {
	d := s.record
	if s.event.Source != OperatorSource {
		if err := s.cfg.Operator.tellDead(ctx, d, s.event.Trace); err != nil {
			return err
		}
	}
	again := task{Endpoint: d.Endpoint, Attempt: d.Attempts + 1}
	return sendOne(ctx, s.cfg.Dead, Outgoing{Body: again.encode(EncodeEvent(s.event)), Group: d.Endpoint, Resent: resent})
}

// blank is the delivery's record without an attempt.
func (s *step) blank() Delivery {
	return Delivery{
		EventID: s.event.ID, Endpoint: s.task.Endpoint, Source: s.event.Source, Type: s.event.Type, MessageID: s.origin(), Receives: s.counted(),
		ExpiresAt: expiry(s.event.ReceivedAt, s.cfg.Retention),
	}
}

// after returns the delivery's record with a added.
func (s *step) after(a made, ep *target) Delivery {
	d := s.blank()
	d.Attempts, d.UpdatedAt, d.History = s.task.Attempt, wholeMillis(s.cfg.Now()), slices.Concat(s.record.History, []Attempt{a.Attempt})
	if extra := len(d.History) - MaxHistory; extra > 0 {
		d.History = d.History[extra:]
	}
	if a.Outcome == Succeeded {
		d.Status = Delivered
		return d
	}
	d.Status, d.Reason = Dead, a.final
	if d.Reason != "" {
		return d
	}
	if ep == nil {
		d.Reason = EndpointGone
		return d
	}
	wait, again := retry.Wait(ep.Schedule, s.task.Step, s.cfg.Random)
	next := d.UpdatedAt.Add(max(wait, retry.Jitter(a.retryAfter, s.cfg.Random))).Truncate(time.Millisecond)
	switch {
	case !again:
		d.Reason = Exhausted
	case s.tooOld(ep, next):
		d.Reason = Expired
	default:
		d.Status, d.NextAt, d.Step = Waiting, next, s.task.Step+1
	}
	return d
}

// carry sends an attempt that could not be recorded on with its message, so that it is recorded later and not made twice. In an ordered queue
// nothing can be sent past those behind it: there the attempt is made again.
func (s *step) carry(ctx context.Context, a made, cause error) error {
	if s.inOrder() {
		return cause
	}
	t := s.task
	t.Made = &madeAttempt{s.origin(), toAttemptDoc(a.Attempt), a.final, a.retryAfter.Milliseconds(), a.disable}
	err := sendOne(ctx, s.cfg.Retry, Outgoing{Body: t.encode(EncodeEvent(s.event)), Group: t.Endpoint, Delay: recordDelay, Resent: true})
	if err != nil {
		return errors.Join(cause, err)
	}
	s.report.Attempt, s.report.Err = a.Attempt, cause
	return nil
}

// finish does what is left to do after the attempt that is on record, if it is ours to do: the message that made the attempt
// sends the next one, and so does any other once the next attempt is so late that its message must be lost.
func (s *step) finish(ctx context.Context) error {
	d := s.record
	if s.inOrder() && d.Status == Waiting {
		return s.wait(ctx, d.NextAt)
	}
	if d.Attempts != s.task.Attempt || d.Status == Delivered {
		return nil
	}
	ours := d.MessageID == s.origin()
	resent := s.report.Status == "" // the attempt was recorded by an earlier run, which may have got this far
	switch {
	case d.Status == Waiting && (ours || s.cfg.Now().After(d.NextAt.Add(overdueAfter))):
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
	return orDefault(s.task.Origin, s.msg.ID)
}

// sendAt sends t so that it comes back at the given time: by the queue's delay, by the scheduler if that is too short, and in hops of the
// queue's delay if the scheduler refuses. A message of an ordered queue stays where it is.
func (s *step) sendAt(ctx context.Context, t task, at time.Time, resent bool) error {
	if s.inOrder() {
		return s.wait(ctx, at)
	}
	wait := max(at.Sub(s.cfg.Now()), 0)
	out := Outgoing{Group: t.Endpoint, Resent: resent}
	if wait <= MaxDelay {
		t.NotBefore = time.Time{}
		out.Body, out.Delay = t.encode(EncodeEvent(s.event)), wait
		return sendOne(ctx, s.cfg.Retry, out)
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
	return sendOne(ctx, s.cfg.Retry, out)
}

// scheduleName is the same for the same wait, so that it is arranged once, and another for the next wait of the same attempt: the
// scheduler forgets a name only some time after it has fired.
func scheduleName(eventID string, t task, at time.Time) string {
	sum := sha256.Sum256([]byte(t.Endpoint))
	return eventID + "-" + idEncoding.EncodeToString(sum[:8]) + "-" + strconv.Itoa(t.Attempt) + "-" + strconv.FormatInt(at.Unix(), 36)
}

func (d *Deliverer) loadEndpoint(ctx context.Context, name string) (*target, error) {
	ep, err := d.cfg.Endpoints.Endpoint(ctx, name)
	if err != nil {
		return nil, err
	}
	ep.Timeout = min(orDefault(ep.Timeout, DefaultEndpointTimeout), MaxEndpointTimeout)
	if ep.Schedule == nil {
		ep.Schedule = retry.DefaultSchedule
	}
	t := &target{Endpoint: ep}
	if err := t.addSigners(d.cfg.Now()); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	if err := t.arm(ctx, d.cfg.Secrets); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return t, nil
}
