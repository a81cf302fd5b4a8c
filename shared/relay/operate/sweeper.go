package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
)

const (
	// lateAfter is how late an attempt may be before its message counts as lost.
	lateAfter = relay.SweepDelay
	// lateAfterBacklog is the same for ordered and slow endpoints, where a message may wait for
	// hours behind others.
	lateAfterBacklog = 24 * time.Hour
	// firstLook is how far back a Sweeper without a cursor begins.
	firstLook = 24 * time.Hour
	// sweepReserve is the time of an invocation that is reserved to finish the current page and to
	// save the cursor.
	sweepReserve = 30 * time.Second
	// overdueShare is the share of the time in which overdue deliveries are listed.
	overdueShare = 0.5
	// saveCursorAfter is how many events a killed run may leave to look at again.
	saveCursorAfter = 1000
	// sweepEndpoints is how many endpoints are asked for overdue deliveries at the same time.
	// sweepCalls is how many deliveries are sent again at the same time.
	sweepEndpoints = 8
	sweepCalls     = 16
)

// SweeperConfig configures a Sweeper.
type SweeperConfig struct {
	Names         catalog.Names
	Subscriptions catalog.Subscriptions // to find the ordered endpoints
	States        gate.EndpointStates   // to find the slow endpoints; nil: there are none
	Ledger        Ledger
	Deliveries    relay.Deliveries
	Cursors       SweepCursors // nil: no cursor, and each run looks at the events of a day
	Delivery      relay.Queue  // first attempts
	Retry         relay.Queue  // later attempts
	Now           func() time.Time
	Documents     Documents  // of the ledger, for the statistics; nil: nothing is counted
	Jobs          JobStarter // with Documents: resumes jobs whose worker has died; nil: none
	Listeners     Listeners  // nil: nobody can listen
	// With Documents: the sources and what is told of them; nil: none is watched
	Catalogs catalog.Tenants
	Notifier *Notifier
}

// Listeners are the people who listen to events.
type Listeners interface {
	// RemoveOld removes the listeners whose events need not be kept any longer.
	RemoveOld(ctx context.Context) error
}

// Sweeper finds deliveries whose message was lost by a bug or an outage, and sends them again. Run
// it hourly; normally it finds nothing. It has two rules:
//
//   - A waiting delivery is overdue if its attempt is two hours late, or a day at an ordered or
//     slow endpoint. It is recorded as due now, and its message is sent again.
//   - Each event is looked at once, two to three hours after its acceptance. A delivery of it
//     without a record is recorded as waiting and due now, and its first attempt is sent. From then
//     on the first rule watches it.
//
// A message that is only late, in a backlog or in a dead-letter queue, then has a copy. That does
// no harm: the deliverer reads the record before such a late attempt, and drops the second message.
// There is a second POST only if both are handled at the same moment.
//
// A cursor stores the progress of the second rule, and the first endpoint for which the first rule
// had no time. So a run that ends early, or is killed, skips nothing: the next run continues there.
// A run looks at some thousand events a second (docs/cost.md), and makes up for hours that were
// left out.
//
// The Sweeper also writes the statistics of the hours that it looks at: see Statistics. An hour
// that has waiting deliveries is counted again 7 hours, 13 hours, a day and so on after its
// beginning, until they have all ended.
//
// It also tells of sources that have become silent, and of types whose events do not fit their
// schemas any more: see Pulse and Drift.
//
// The Sweeper does not find deliveries of an event that was recorded only hours after its
// acceptance.
type Sweeper struct{ cfg SweeperConfig }

// NewSweeper returns a Sweeper. It calls nothing yet. The error names what cfg lacks.
func NewSweeper(cfg SweeperConfig) (*Sweeper, error) {
	if err := relay.Lacks("SweeperConfig", map[string]bool{
		"Names": cfg.Names == nil, "Subscriptions": cfg.Subscriptions == nil,
		"Ledger": cfg.Ledger == nil, "Deliveries": cfg.Deliveries == nil,
		"Delivery": cfg.Delivery == nil, "Retry": cfg.Retry == nil,
	}); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sweeper{cfg}, nil
}

// Run sweeps once. It ends before the deadline of ctx, and then reports that it is partial. The
// error joins everything that failed. The report is valid in any case.
func (s *Sweeper) Run(ctx context.Context) (SweepReport, error) {
	began := s.cfg.Now()
	r := &sweep{
		Sweeper: s, ctx: ctx, began: time.Now(), now: began, heard: map[string]*beats{},
		checked: map[checkedType]*checked{},
	}
	endpoints, err := r.learn()
	if err != nil {
		return SweepReport{}, err
	}
	c, unread := r.cursor()
	c.at.Endpoint, err = r.resumeOverdue(endpoints, c.at.Endpoint)
	err = errors.Join(r.resumeJobs(), r.removeListeners(), unread, err)
	if unread == nil {
		err = errors.Join(err, r.lookAtEvents(c))
	}
	err = errors.Join(err, r.recount())
	r.report.Duration = s.cfg.Now().Sub(began)
	return r.report, err
}

// resumeJobs starts the work on jobs whose worker has died.
func (r *sweep) resumeJobs() error {
	if r.cfg.Jobs == nil || r.cfg.Documents == nil {
		return nil
	}
	_, err := ResumeJobs(r.ctx, r.cfg.Documents, r.cfg.Jobs, r.now)
	return err
}

func (r *sweep) removeListeners() error {
	if r.cfg.Listeners == nil {
		return nil
	}
	return r.cfg.Listeners.RemoveOld(r.ctx)
}

// sweep is one run.
type sweep struct {
	*Sweeper
	ctx   context.Context // a sweep lasts for one call of Run
	began time.Time
	now   time.Time
	// by endpoint of the catalog: an attempt due before this time is late
	late   map[string]time.Time
	listed bool // everything that the ledger lists as overdue was resumed
	// by tenant: its catalog's state, and the names of its sources if it has some
	states  map[string]catalog.State
	sources map[string][]string
	// what the run has looked at
	heard   map[string]*beats // by source
	checked map[checkedType]*checked

	mu     sync.Mutex
	report SweepReport
}

// learn lists the qualified names of the endpoints and the sources of all tenants, and finds out
// from when on a delivery to each endpoint is late.
func (r *sweep) learn() (endpoints []string, err error) {
	tenants, err := r.cfg.Names.AllTenants(r.ctx)
	if err != nil {
		return nil, err
	}
	tenants = append(tenants, "")
	r.late = map[string]time.Time{}
	r.states, r.sources = map[string]catalog.State{}, map[string][]string{}
	err = each(tenants, func(tenant string) error {
		sources, names, err := r.cfg.Names.Names(r.ctx, tenant)
		if err != nil {
			return err
		}
		state, ordered, err := r.orderedOf(tenant)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.states[tenant] = state
		if len(sources) > 0 {
			r.sources[tenant] = sources
		}
		for _, name := range names {
			name = catalog.Qualify(tenant, name)
			endpoints = append(endpoints, name)
			r.late[name] = r.now.Add(-lateAfter)
			if _, is := ordered[name]; is {
				r.late[name] = r.now.Add(-lateAfterBacklog)
			}
		}
		return err
	})
	slices.Sort(endpoints)
	return endpoints, errors.Join(err, r.learnSlow())
}

// orderedOf returns the state of a tenant's catalog, and its ordered endpoints.
func (r *sweep) orderedOf(
	tenant string,
) (state catalog.State, ordered map[string]catalog.Order, err error) {
	state, err = r.cfg.Subscriptions.State(r.ctx, tenant)
	if err == nil && state.Ordered {
		ordered, err = r.cfg.Subscriptions.OrderedEndpoints(r.ctx, state.Generation, tenant)
	}
	return state, ordered, err
}

// learnSlow finds the endpoints that are slow, or were so within the last day. Their deliveries may
// wait in the slow queue's backlog.
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
		if r.now.Sub(state.SlowUntil) < lateAfterBacklog {
			r.late[name] = r.now.Add(-lateAfterBacklog)
		}
	}
	return nil
}

// isLate tells whether an attempt is late that was due at a time.
func (r *sweep) isLate(endpoint string, due time.Time) bool {
	late, known := r.late[endpoint]
	if !known { // no longer in the catalog: its delivery will die
		late = r.now.Add(-lateAfter)
	}
	return due.Before(late)
}

// isKnown tells whether the catalog has an endpoint. If so, its overdue deliveries are listed.
func (r *sweep) isKnown(endpoint string) bool {
	_, known := r.late[endpoint]
	return known
}

// lastHour returns the end of the last hour whose events are looked at.
func (r *sweep) lastHour() time.Time { return r.now.Add(-lateAfter).Truncate(time.Hour) }

// timeLeft tells whether the run is still within the given share of its time, without the reserve.
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

// resumeOverdue is the first rule. It begins at the endpoint named from, goes around, and leaves
// half of the time for the second rule. It returns the first endpoint for which there was no time;
// "": there is none.
func (r *sweep) resumeOverdue(endpoints []string, from string) (stopped string, err error) {
	at, _ := slices.BinarySearch(endpoints, from)
	endpoints = slices.Concat(endpoints[at:], endpoints[:at])
	var next atomic.Int64 // each takes one in turn
	g, ctx := errgroup.WithContext(r.ctx)
	for range sweepEndpoints {
		g.Go(func() error {
			for r.timeLeft(overdueShare) {
				i := int(next.Add(1)) - 1
				if i >= len(endpoints) {
					return nil
				}
				if err := r.resumeOverdueOf(ctx, endpoints[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return from, err
	}
	if i := int(next.Load()); i < len(endpoints) {
		stopped = endpoints[i]
		r.count(func(rep *SweepReport) { rep.Partial = true })
	}
	r.listed = !r.report.Partial
	return stopped, nil
}

func (r *sweep) resumeOverdueOf(ctx context.Context, endpoint string) error {
	for page, more := relay.Page(""), true; more; more = page != "" {
		if !r.timeLeft(overdueShare) {
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

// resume records an overdue delivery as due now, and sends its next attempt. If the function dies
// between the two, the delivery is overdue again in two hours.
func (r *sweep) resume(ctx context.Context, d relay.Delivery) error {
	record, err := r.cfg.Ledger.EventRecord(ctx, d.EventID)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil // the event has expired since: there is nothing to send
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
		return fmt.Errorf("send %s to %s again: %w", d.EventID, d.Endpoint, err)
	}
	r.count(func(rep *SweepReport) { rep.PutBack++ })
	return nil
}

// lookAtEvents is the second rule. It looks at the events from the cursor to the last hour that
// ended two hours ago.
func (r *sweep) lookAtEvents(c *cursor) error {
	end, began := r.lastHour(), c.at.Hour
	err := c.run(end)
	if c.at.Hour.Before(end) {
		r.count(func(rep *SweepReport) {
			rep.Partial, rep.Behind = true, int(end.Sub(c.at.Hour)/time.Hour)
		})
	}
	// Before the cursor is saved: what a killed run has heard, the next one hears again.
	err = errors.Join(err, r.watch(c.at.Hour, end.Sub(began)))
	return errors.Join(err, c.save())
}

// cursor moves through the events.
type cursor struct {
	*sweep
	at      SweepCursor
	saved   SweepCursor
	unsaved int    // events since the last save
	tally   *tally // of the cursor's hour, up to it; nil: nothing is counted
}

// cursor reads the cursor. After an error its position is unknown.
func (r *sweep) cursor() (*cursor, error) {
	c := &cursor{sweep: r}
	if r.cfg.Cursors != nil {
		var err error
		if c.at, err = r.cfg.Cursors.SweepCursor(r.ctx); err != nil {
			return c, err
		}
		c.saved = c.at
	}
	if c.at.Hour.IsZero() {
		c.at.Hour = r.lastHour().Add(-firstLook)
	}
	var err error
	endpoint := c.at.Endpoint
	c.at, c.tally, err = r.resumeTally(c.at)
	c.at.Endpoint = endpoint
	return c, err
}

func (c *cursor) save() error {
	if c.cfg.Cursors == nil || c.at == c.saved {
		return nil
	}
	if err := c.saveTally(); err != nil {
		return err
	}
	c.saved, c.unsaved = c.at, 0
	return c.cfg.Cursors.SaveSweepCursor(c.ctx, c.at)
}

// run moves the cursor towards end while there is time left.
func (c *cursor) run(end time.Time) error {
	for c.at.Hour.Before(end) {
		if !c.at.Done {
			if !c.timeLeft(1) {
				return nil
			}
			if err := c.nextPage(); err != nil {
				return err
			}
			continue
		}
		if err := c.nextHour(); err != nil {
			return err
		}
	}
	return nil
}

// nextPage looks at the next page of the cursor's hour.
func (c *cursor) nextPage() error {
	next, l, err := c.lookAtPage(c.at.Hour, c.at.Page)
	if err != nil {
		return err
	}
	c.at = c.at.to(next)
	if c.tally != nil {
		c.tally.merge(l.tally)
	}
	if c.unsaved += l.sum.Events; c.unsaved >= saveCursorAfter {
		return c.save()
	}
	return nil
}

// look is the result for a page of events.
type look struct {
	sum   SweepReport
	found []finding
	tally *tally
}

// finding is an event with deliveries to send again.
type finding struct {
	event   string
	at      time.Time // when its webhook was accepted
	missing []string  // endpoints without a recorded delivery
	overdue []string  // endpoints with a waiting delivery that is late
}

// lookAtPage looks at a page of an hour's events, sends again what is lost, and returns the next
// page. After an error the page must be looked at again.
func (r *sweep) lookAtPage(
	hour time.Time, from relay.Page,
) (next relay.Page, l look, err error) {
	l.tally = newTally(hour)
	next, err = r.cfg.Ledger.Outcomes(r.ctx, hour, from, func(o EventOutcome) {
		r.lookAt(&l, o)
	})
	if err != nil {
		return "", l, err
	}
	err = each(l.found, func(f finding) error { return r.putBack(&l.sum, f) })
	r.count(func(rep *SweepReport) { rep.add(l.sum) })
	return next, l, err
}

// lookAt adds an event to the counts.
func (r *sweep) lookAt(l *look, o EventOutcome) {
	wanted := make(map[string]bool, len(o.Endpoints))
	for _, name := range o.Endpoints {
		wanted[name] = true
	}
	l.tally.add(o)
	r.hear(o)
	r.check(o)
	f := finding{event: o.EventID, at: o.ReceivedAt}
	l.sum.Events++
	l.sum.Deliveries += len(wanted)
	for _, d := range o.Deliveries {
		if !wanted[d.Endpoint] {
			continue // the operator routed the event there later
		}
		delete(wanted, d.Endpoint)
		switch {
		case d.Status == relay.Delivered:
			l.sum.Delivered++
		case d.Status == relay.Dead:
			l.sum.Dead++
		case d.Status == relay.Unneeded:
			l.sum.Unneeded++
		case d.Status == relay.Waiting && (!r.isLate(d.Endpoint, d.NextAt) || !r.listed &&
			r.isKnown(d.Endpoint)):
			l.sum.Waiting++ // or overdue, for the next run: this one could not resume everything
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
		k := relay.DeliveryKey{EventID: f.event, Endpoint: endpoint, ReceivedAt: f.at}
		if err := r.resumeUnlisted(sum, k); err != nil {
			return err
		}
	}
	if len(f.missing) == 0 {
		return nil
	}
	record, err := r.cfg.Ledger.EventRecord(r.ctx, f.event)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil // the event has expired since: there is nothing to send
	case errors.Is(err, format.ErrFormat): // looking again would not help
		r.mu.Lock()
		sum.NotSent += len(f.missing)
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

// resumeUnlisted resumes a delivery that is still overdue after every delivery that the ledger
// lists as overdue was resumed. If the ledger should have listed it, it is in none of the counts
// and so counts as unaccounted.
func (r *sweep) resumeUnlisted(sum *SweepReport, k relay.DeliveryKey) error {
	d, err := r.cfg.Deliveries.Delivery(r.ctx, k)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	overdue := err == nil && d.Status == relay.Waiting && r.isLate(k.Endpoint, d.NextAt)
	r.mu.Lock()
	if !overdue || !r.isKnown(k.Endpoint) {
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
	lost, failed := makeAllDue(
		r.ctx, r.cfg.Ledger, r.cfg.Deliveries, record, endpoints, r.cfg.Now(),
	)
	for _, err := range r.cfg.Delivery.Send(r.ctx, relay.FirstAttempts(record.Event, lost)) {
		if err != nil {
			failed = append(failed, fmt.Errorf("send %s again: %w", record.ID, err))
		} else {
			r.count(func(rep *SweepReport) { rep.PutBack++ })
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	sum.NotSent += len(failed)
	return errors.Join(failed...)
}

// add adds the counts of a page.
func (r *SweepReport) add(page SweepReport) {
	r.Events += page.Events
	r.Deliveries += page.Deliveries
	r.Delivered += page.Delivered
	r.Unneeded += page.Unneeded
	r.Dead += page.Dead
	r.Waiting += page.Waiting
	r.Missing += page.Missing
	r.NotSent += page.NotSent
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
