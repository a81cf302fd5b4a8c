package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"

	"golang.org/x/sync/errgroup"
)

const (
	// strandedAfter is how late an attempt must be to be taken for lost.
	strandedAfter = relay.SweepDelay
	// strandedInLine is the same at an ordered endpoint, where hours in the queue behind others are nothing unusual.
	strandedInLine = 24 * time.Hour
	// firstLook is how far back a Sweeper without a cursor begins.
	firstLook = 24 * time.Hour
	// sweepReserve is the part of an invocation that is kept for the page that is being looked at, and for the cursor.
	sweepReserve = 30 * time.Second
	// saveCursorAfter is how many events a run that is killed may have to look at again.
	saveCursorAfter = 1000
	// sweepEndpoints and sweepCalls bound how many endpoints are asked for overdue deliveries, and how many deliveries are
	// put back, at the same time.
	sweepEndpoints = 8
	sweepCalls     = 16
)

// SweeperConfig is what a Sweeper works with.
type SweeperConfig struct {
	Names         catalog.Names
	Subscriptions catalog.Subscriptions // they tell which endpoints are ordered
	States        gate.EndpointStates   // they tell which are slow; nil: none is
	Ledger        Ledger
	Deliveries    relay.Deliveries
	Cursors       SweepCursors // nil: none is kept, and each run looks at the events of a day
	Delivery      relay.Queue  // first attempts
	Retry         relay.Queue  // later attempts
	Now           func() time.Time
}

// Sweeper finds deliveries whose message a bug or an outage has lost, and sends them again. Run it hourly; it normally finds
// nothing. It has two rules:
//
//   - A waiting delivery whose attempt is two hours late, a day at an ordered or a slow endpoint, is due now, and its message is
//     sent again.
//   - Each event is looked at once, two to three hours after it was accepted. Of its deliveries those that are not on record
//     are recorded as waiting and due now, and their first attempts are sent. From then on the first rule watches them.
//
// A message that was not lost but is late, in a backlog or a dead-letter queue, then has a copy. That does no harm: the
// deliverer reads the record before it makes an attempt so late, and drops the second. It costs a second POST only where both
// are in hand at the same moment.
//
// A cursor says how far the second rule has got. So a run that ends early, or is killed, skips nothing: the next one goes on
// there. A run looks at some thousand events a second (docs/cost.md), hours that were left behind are made up for.
//
// The Sweeper does not find deliveries of an event that was recorded only hours after it was accepted, nor of an event whose
// source is no longer in the catalog.
type Sweeper struct{ cfg SweeperConfig }

// NewSweeper returns a Sweeper. It calls nothing yet. The error names what cfg lacks.
func NewSweeper(cfg SweeperConfig) (*Sweeper, error) {
	if err := relay.Lacks("SweeperConfig", map[string]bool{
		"Names": cfg.Names == nil, "Subscriptions": cfg.Subscriptions == nil, "Ledger": cfg.Ledger == nil, "Deliveries": cfg.Deliveries == nil,
		"Delivery": cfg.Delivery == nil, "Retry": cfg.Retry == nil,
	}); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sweeper{cfg}, nil
}

// Run sweeps once. It ends in time before ctx's deadline, and then reports that it did not get through. The error joins
// everything that failed; the report holds in any case.
func (s *Sweeper) Run(ctx context.Context) (SweepReport, error) {
	began := s.cfg.Now()
	r := &sweep{Sweeper: s, ctx: ctx, began: time.Now(), now: began}
	sources, endpoints, err := s.cfg.Names.Names(ctx)
	if err != nil {
		return SweepReport{}, err
	}
	sources = append(sources, catalog.OwnSource)
	slices.Sort(sources)
	if err := r.learn(sources, endpoints); err != nil {
		return SweepReport{}, err
	}
	err = errors.Join(r.resumeOverdue(endpoints), r.lookAtEvents(sources))
	r.report.Duration = s.cfg.Now().Sub(began)
	return r.report, err
}

// sweep is one run.
type sweep struct {
	*Sweeper
	ctx    context.Context // a sweep is one call of Run
	began  time.Time
	now    time.Time
	late   map[string]time.Time // by endpoint of the catalog: what was due before is late
	listed bool                 // all that the ledger lists as overdue is due now

	mu     sync.Mutex
	report SweepReport
}

// learn finds out when a delivery to each endpoint is late.
func (r *sweep) learn(sources, endpoints []string) error {
	r.late = make(map[string]time.Time, len(endpoints))
	for _, name := range endpoints {
		r.late[name] = r.now.Add(-strandedAfter)
	}
	g, err := r.cfg.Subscriptions.Generation(r.ctx)
	if err != nil {
		return err
	}
	if err := r.learnSlow(); err != nil {
		return err
	}
	var mu sync.Mutex
	return each(sources, func(source string) error {
		subs, err := r.cfg.Subscriptions.Subscriptions(r.ctx, g, source)
		mu.Lock()
		defer mu.Unlock()
		for _, s := range subs {
			if s.Order.On {
				r.late[s.Endpoint] = r.now.Add(-strandedInLine)
			}
		}
		return err
	})
}

// learnSlow finds out which endpoints are slow, or were so within the last day: their deliveries may stand in a backlog of their own.
func (r *sweep) learnSlow() error {
	if r.cfg.States == nil {
		return nil
	}
	troubled, err := r.cfg.States.TroubledEndpoints(r.ctx)
	if err != nil {
		return err
	}
	for _, name := range troubled {
		if _, known := r.late[name]; !known {
			continue
		}
		state, _, err := r.cfg.States.EndpointState(r.ctx, name)
		if err != nil {
			return err
		}
		if r.now.Sub(state.SlowUntil) < strandedInLine {
			r.late[name] = r.now.Add(-strandedInLine)
		}
	}
	return nil
}

// isLate tells whether an attempt at an endpoint that was due at a time is late.
func (r *sweep) isLate(endpoint string, due time.Time) bool {
	late, known := r.late[endpoint]
	if !known { // in the catalog no more: its delivery is to end
		late = r.now.Add(-strandedAfter)
	}
	return due.Before(late)
}

// isKnown tells whether the catalog has an endpoint, so that its overdue deliveries are listed.
func (r *sweep) isKnown(endpoint string) bool {
	_, known := r.late[endpoint]
	return known
}

// lastHour is the end of the last hour whose events are looked at.
func (r *sweep) lastHour() time.Time { return r.now.Add(-strandedAfter).Truncate(time.Hour) }

// timeLeft tells whether there is some of a share of the time that the run has, less the reserve.
func (r *sweep) timeLeft(share float64) bool {
	deadline, ok := r.ctx.Deadline()
	if !ok {
		return true
	}
	reserve := min(sweepReserve, deadline.Sub(r.began)/2)
	whole := deadline.Sub(r.began) - reserve
	return time.Since(r.began) < time.Duration(share*float64(whole))
}

func (r *sweep) count(change func(*SweepReport)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.report)
}

// resumeOverdue is the first rule. It leaves half of the time to the second.
func (r *sweep) resumeOverdue(endpoints []string) error {
	g, ctx := errgroup.WithContext(r.ctx)
	g.SetLimit(sweepEndpoints)
	for _, endpoint := range endpoints {
		g.Go(func() error { return r.resumeOverdueOf(ctx, endpoint) })
	}
	err := g.Wait()
	r.listed = err == nil && !r.report.Partial
	return err
}

func (r *sweep) resumeOverdueOf(ctx context.Context, endpoint string) error {
	for page, more := relay.Page(""), true; more; more = page != "" {
		if !r.timeLeft(0.5) {
			r.count(func(rep *SweepReport) { rep.Partial = true })
			return nil
		}
		late, next, err := r.cfg.Ledger.Overdue(ctx, endpoint, r.late[endpoint], page)
		if err != nil {
			return err
		}
		page = next
		r.count(func(rep *SweepReport) { rep.Overdue += len(late) })
		if err := each(late, func(d relay.Delivery) error { return r.resume(ctx, d) }); err != nil {
			return err
		}
	}
	return nil
}

// resume records an overdue delivery as due now, and sends its next attempt. If it dies between the two, the delivery is overdue
// again in two hours.
func (r *sweep) resume(ctx context.Context, d relay.Delivery) error {
	record, err := r.cfg.Ledger.EventRecord(ctx, d.EventID)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil // it has expired since, and there is nothing to send
	}
	if err != nil {
		return err
	}
	err = makeDue(ctx, r.cfg.Ledger, r.cfg.Deliveries, record, d, r.cfg.Now())
	if errors.Is(err, catalog.ErrConflict) {
		return nil // its attempt was made a moment ago
	}
	if err != nil {
		return err
	}
	if err := relay.Send(ctx, r.cfg.Retry, relay.NextAttempt(d, record.Event)); err != nil {
		return fmt.Errorf("put back %s to %s: %w", d.EventID, d.Endpoint, err)
	}
	r.count(func(rep *SweepReport) { rep.PutBack++ })
	return nil
}

// lookAtEvents is the second rule: it looks at the events from the cursor on to the last hour that ended two hours ago.
func (r *sweep) lookAtEvents(sources []string) error {
	c, err := r.cursor()
	if err != nil {
		return err
	}
	end := r.lastHour()
	err = c.run(end, sources)
	if c.at.Hour.Before(end) {
		r.count(func(rep *SweepReport) { rep.Partial, rep.Behind = true, int(end.Sub(c.at.Hour)/time.Hour) })
	}
	return errors.Join(err, c.save())
}

// cursor moves through the events.
type cursor struct {
	*sweep
	at      SweepCursor
	saved   SweepCursor
	unsaved int // events since
}

func (r *sweep) cursor() (*cursor, error) {
	c := &cursor{sweep: r}
	if r.cfg.Cursors != nil {
		var err error
		if c.at, err = r.cfg.Cursors.SweepCursor(r.ctx); err != nil {
			return nil, err
		}
		c.saved = c.at
	}
	if c.at.Hour.IsZero() {
		c.at.Hour = r.lastHour().Add(-firstLook)
	}
	return c, nil
}

func (c *cursor) save() error {
	if c.cfg.Cursors == nil || c.at == c.saved {
		return nil
	}
	c.saved, c.unsaved = c.at, 0
	return c.cfg.Cursors.SaveSweepCursor(c.ctx, c.at)
}

// run moves the cursor to a time, as long as there is time left.
func (c *cursor) run(end time.Time, sources []string) error {
	for c.at.Hour.Before(end) {
		for _, source := range sources {
			if source < c.at.Source || source == c.at.Source && c.at.Page == "" {
				continue // done
			}
			if through, err := c.runSource(source); err != nil || !through {
				return err
			}
		}
		c.at = SweepCursor{Hour: c.at.Hour.Add(time.Hour)}
	}
	return nil
}

// runSource looks at what is left of a source's events of the cursor's hour. False: there is no time left.
func (c *cursor) runSource(source string) (bool, error) {
	page := relay.Page("")
	if source == c.at.Source {
		page = c.at.Page
	}
	for more := true; more; more = page != "" {
		if !c.timeLeft(1) {
			return false, nil
		}
		next, events, err := c.lookAtPage(source, c.at.Hour, page)
		if err != nil {
			return false, err
		}
		page = next
		c.at.Source, c.at.Page = source, page
		if c.unsaved += events; c.unsaved >= saveCursorAfter {
			if err := c.save(); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// look is what a page of events came to.
type look struct {
	sum   SweepReport
	found []finding
}

// finding is an event with deliveries to be put back.
type finding struct {
	event   string
	missing []string // endpoints without a delivery on record
	overdue []string // endpoints whose delivery waits for an attempt that is late
}

// lookAtPage looks at a page of a source's events of an hour, puts back what is lost of them, and returns the next page. An
// error means that the page has to be looked at again.
func (r *sweep) lookAtPage(source string, hour time.Time, from relay.Page) (next relay.Page, events int, err error) {
	var l look
	next, err = r.cfg.Ledger.Outcomes(r.ctx, source, hour, from, func(o EventOutcome) { r.lookAt(&l, o) })
	if err != nil {
		return "", 0, err
	}
	err = each(l.found, func(f finding) error { return r.putBack(&l.sum, f) })
	r.count(func(rep *SweepReport) { rep.add(l.sum) })
	return next, l.sum.Events, err
}

// lookAt adds an event to the sums.
func (r *sweep) lookAt(l *look, o EventOutcome) {
	wanted := make(map[string]bool, len(o.Endpoints))
	for _, name := range o.Endpoints {
		wanted[name] = true
	}
	f := finding{event: o.EventID}
	l.sum.Events++
	l.sum.Deliveries += len(wanted)
	for _, d := range o.Deliveries {
		if !wanted[d.Endpoint] {
			continue // the operator had the event routed there later
		}
		delete(wanted, d.Endpoint)
		switch {
		case d.Status == relay.Delivered:
			l.sum.Delivered++
		case d.Status == relay.Dead:
			l.sum.Dead++
		case d.Status == relay.Waiting && (!r.isLate(d.Endpoint, d.NextAt) || !r.listed && r.isKnown(d.Endpoint)):
			l.sum.Waiting++ // or what the next run resumes, since this one could not resume all
		case d.Status == relay.Waiting:
			f.overdue = append(f.overdue, d.Endpoint)
		}
	}
	for _, name := range o.Endpoints {
		if wanted[name] {
			f.missing = append(f.missing, name)
		}
	}
	l.sum.Missing += len(f.missing)
	if len(f.missing)+len(f.overdue) > 0 {
		l.found = append(l.found, f)
	}
}

func (r *sweep) putBack(sum *SweepReport, f finding) error {
	for _, endpoint := range f.overdue {
		if err := r.resumeUnlisted(sum, f.event, endpoint); err != nil {
			return err
		}
	}
	if len(f.missing) == 0 {
		return nil
	}
	record, err := r.cfg.Ledger.EventRecord(r.ctx, f.event)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil // it has expired since, and there is nothing to send
	case errors.Is(err, format.ErrFormat): // to look again would not help
		r.mu.Lock()
		sum.Left += len(f.missing)
		r.mu.Unlock()
		return nil
	case err != nil:
		return err
	}
	var failed []error
	for chunk := range slices.Chunk(f.missing, relay.DefaultChunk) {
		failed = append(failed, r.start(sum, record, chunk))
	}
	return errors.Join(failed...)
}

// resumeUnlisted resumes a delivery that is still overdue after everything that the ledger lists so has been resumed. If it should
// have been listed then, it counts as unaccounted for: it is in none of the sums.
func (r *sweep) resumeUnlisted(sum *SweepReport, event, endpoint string) error {
	d, err := r.cfg.Deliveries.Delivery(r.ctx, event, endpoint)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	overdue := err == nil && d.Status == relay.Waiting && r.isLate(endpoint, d.NextAt)
	r.mu.Lock()
	if !overdue || !r.isKnown(endpoint) {
		sum.Waiting++
	}
	if overdue {
		sum.Overdue++
	}
	r.mu.Unlock()
	if !overdue {
		return nil
	}
	return r.resume(r.ctx, d)
}

// start records deliveries of an event as waiting and due now, and sends their first attempts.
func (r *sweep) start(sum *SweepReport, record relay.EventRecord, endpoints []string) error {
	begun := make([]error, len(endpoints))
	var g errgroup.Group
	g.SetLimit(sweepCalls)
	for i, name := range endpoints {
		g.Go(func() error {
			d := relay.Delivery{EventID: record.ID, Endpoint: name, Source: record.Source, Type: record.Type, ExpiresAt: record.ExpiresAt}
			begun[i] = makeDue(r.ctx, r.cfg.Ledger, r.cfg.Deliveries, record, d, r.cfg.Now())
			return nil
		})
	}
	_ = g.Wait()
	var failed []error
	var lost []string
	for i, err := range begun {
		switch {
		case err == nil:
			lost = append(lost, endpoints[i])
		case !errors.Is(err, catalog.ErrConflict): // else its attempt was made a moment ago
			failed = append(failed, err)
		}
	}
	for _, err := range r.cfg.Delivery.Send(r.ctx, relay.FirstAttempts(record.Event, lost)) {
		if err != nil {
			failed = append(failed, fmt.Errorf("put back %s: %w", record.ID, err))
		} else {
			r.count(func(rep *SweepReport) { rep.PutBack++ })
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sum.Left += len(failed)
	return errors.Join(failed...)
}

// add adds the sums of a page.
func (r *SweepReport) add(page SweepReport) {
	r.Events += page.Events
	r.Deliveries += page.Deliveries
	r.Delivered += page.Delivered
	r.Dead += page.Dead
	r.Waiting += page.Waiting
	r.Missing += page.Missing
	r.Left += page.Left
	r.Overdue += page.Overdue
}

// each calls do for every value, several at a time, and joins the errors.
func each[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	var g errgroup.Group
	g.SetLimit(sweepCalls)
	for i, v := range all {
		g.Go(func() error {
			errs[i] = do(v)
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(errs...)
}
