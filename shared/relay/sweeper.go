package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// strandedAfter is how late an attempt must be to be looked into. A message that makes us fail comes back for half an hour before it is
	// put aside where it is counted; the rest is for an outage of ours.
	strandedAfter = 2 * time.Hour
	// sweptHours: each event is looked at by this many hourly runs. Only the first may leave where it is what may lie in a queue, so that one run that
	// fails is made good by the next. If two fail in a row, that is three hours without one, which is noticed.
	sweptHours = 3
	// sweepReserve is the part of an invocation that is kept for putting back what was found.
	sweepReserve = 30 * time.Second
	// sweepSources bounds how many sources are looked at at once, and sweepReads how many events of each. Most sources have no event in an
	// hour, which takes several reads to know.
	sweepSources = 4
	sweepReads   = 8
	// maxFound bounds what one run holds in memory; the next run finds the rest.
	maxFound = 10_000
)

// SweeperConfig is what a Sweeper works with.
type SweeperConfig struct {
	Names         Names
	Subscriptions Subscriptions // they say which endpoints are ordered
	Ledger        Ledger
	Delivery      Queue // first attempts
	Retry         Queue // later attempts
	// OverdueMayLieIn are the queues that can hold the message of a delivery that is late: the retry queue, that of ordered deliveries, and
	// the dead-letter queue of the deliverer.
	OverdueMayLieIn []Backlog
	// UnstartedMayLieIn are those that can hold what an event still waits for: the ingest, delivery and retry queues, the ordered ones, and
	// the dead-letter queues of the fan-out and the deliverer.
	UnstartedMayLieIn []Backlog
	Now               func() time.Time
}

// Sweeper finds deliveries whose message a bug or an outage has lost, and puts them back on their queue. Run it hourly; what it finds
// is normally nothing. It never writes to the ledger.
//
// Two things tell it of a loss. A delivery waits for an attempt that is more than two hours late; or an event whose hour ended two
// hours ago names an endpoint that has no delivery on record. Neither is proof: the message may lie in a backlog, or in a
// dead-letter queue. So the sweeper puts nothing back as long as there are as many messages in those queues as it has found, each of
// which might be one of theirs. Where there are fewer some are lost for certain, and since nobody can tell which, all are sent. The next two runs send
// them in any case: on a busy relay there is always a message somewhere, and what each run withholds would be lost for good. What is overdue is sent
// so again after each day. First attempts at ordered endpoints are not: to stand in line for hours is nothing unusual there.
//
// A copy of a message that is still there is recognised by the deliverer, which reads the record before it makes any attempt so late. It costs a second
// POST only where both are in hand at the same moment.
//
// It does not find what belongs to a source or an endpoint that is no longer in the catalog, nor an event that was put on record only hours
// after it was accepted and whose deliveries were lost then, nor a first attempt at an ordered endpoint that was lost while as many others stood in line.
type Sweeper struct {
	cfg    SweeperConfig
	routes *cache[routes]
}

// NewSweeper returns a Sweeper. It calls nothing yet.
func NewSweeper(cfg SweeperConfig) *Sweeper {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sweeper{cfg, newRoutes(0, cfg.Now, cfg.Subscriptions)}
}

// Run sweeps once. It ends in time before ctx's deadline, and then reports that it did not get through: it begins with the oldest, so
// that the next run goes on with what was left. The error joins everything that failed; the report holds in any case.
func (s *Sweeper) Run(ctx context.Context) (SweepReport, error) {
	began := s.cfg.Now()
	r := &sweep{Sweeper: s, late: began.Add(-strandedAfter), listed: map[string]bool{}, lacks: map[string]int{}}
	sources, endpoints, err := s.cfg.Names.Names(ctx)
	if err != nil {
		return SweepReport{}, err
	}
	looking, stop := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		looking, stop = context.WithDeadline(ctx, deadline.Add(-sweepReserve))
	}
	defer stop()
	err = errors.Join(r.findOverdue(looking, endpoints), r.findUnstarted(looking, append(sources, OperatorSource)))
	if looking.Err() != nil && ctx.Err() == nil {
		err = nil // no time left, which is no failure
		r.report.Partial = true
	}
	err = errors.Join(err,
		r.putBack(ctx, &r.overdue, s.cfg.OverdueMayLieIn, r.resume),
		r.putBack(ctx, &r.unstarted, s.cfg.UnstartedMayLieIn, r.start))
	for _, event := range r.unstarted.seenTo {
		delete(r.lacks, event)
	}
	for _, n := range r.lacks {
		r.report.Left += n
	}
	r.report.Duration = s.cfg.Now().Sub(began)
	return r.report, err
}

// sweep is one run.
type sweep struct {
	*Sweeper
	late   time.Time       // what was due before is late
	listed map[string]bool // the deliveries that the ledger lists as overdue, by event and endpoint

	mu        sync.Mutex
	report    SweepReport
	lacks     map[string]int // missing deliveries, by event
	overdue   found          // events of overdue deliveries, once for each of them
	unstarted found          // events that lack deliveries
}

// found are the ids of events of which something is to be put back.
type found struct {
	doubtful []string // unless it may lie in a queue
	certain  []string // in any case
	seenTo   []string // of both, what was put back, or left where it may lie
}

func (f *found) add(event string, certain bool) {
	if certain {
		f.certain = append(f.certain, event)
	} else {
		f.doubtful = append(f.doubtful, event)
	}
}

func (f *found) full() bool { return len(f.doubtful)+len(f.certain) >= maxFound }

// lastHour is the end of the last hour that is looked at.
func (r *sweep) lastHour() time.Time { return r.late.Truncate(time.Hour) }

// lost tells whether what was due in an hour is taken for lost by now: by all runs but the first that look for first attempts, and those at the same
// time of each day after.
func (r *sweep) lost(due time.Time) bool {
	hours := r.lastHour().Sub(due.Truncate(time.Hour)) / time.Hour % 24
	return hours > 1 && hours <= sweptHours
}

func (r *sweep) findOverdue(ctx context.Context, endpoints []string) error {
	for _, endpoint := range endpoints {
		for page, more := Page(""), true; more; more = page != "" {
			var late []Delivery
			var err error
			if late, page, err = r.cfg.Ledger.Overdue(ctx, endpoint, r.late, page); err != nil {
				return err
			}
			r.report.Overdue += len(late)
			for _, d := range late {
				r.listed[d.EventID+" "+d.Endpoint] = true
				r.overdue.add(d.EventID, r.lost(d.NextAt))
			}
			if r.overdue.full() {
				r.report.Partial = true
				return nil
			}
		}
	}
	return nil
}

func (r *sweep) findUnstarted(ctx context.Context, sources []string) error {
	last := r.lastHour()
	for hour := last.Add(-sweptHours * time.Hour); hour.Before(last); hour = hour.Add(time.Hour) {
		g, looking := errgroup.WithContext(ctx)
		g.SetLimit(sweepSources)
		for _, source := range sources {
			g.Go(func() error { return r.lookAtHour(looking, source, hour) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (r *sweep) lookAtHour(ctx context.Context, source string, hour time.Time) error {
	for page, more := Page(""), true; more; more = page != "" {
		var events []EventRecord
		var err error
		if events, page, err = r.cfg.Ledger.EventsBySource(ctx, source, hour, page); err != nil {
			return err
		}
		g, looking := errgroup.WithContext(ctx)
		g.SetLimit(sweepReads)
		for _, e := range events {
			g.Go(func() error { return r.lookAt(looking, e) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if r.full() {
			return nil
		}
	}
	return nil
}

// full tells whether there is no room for more events.
func (r *sweep) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.unstarted.full() {
		return false
	}
	r.report.Partial = true
	return true
}

// lookAt adds an event to the sums.
func (r *sweep) lookAt(ctx context.Context, e EventRecord) error {
	deliveries, err := r.cfg.Ledger.DeliveriesOf(ctx, e.ID)
	if err != nil {
		return err
	}
	missing := missing(e, deliveries)
	inLine, err := r.mayStandInLine(ctx, e.Source, missing)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Events++
	r.report.Missing += len(missing)
	r.report.Deliveries += len(e.Endpoints)
	for _, d := range deliveries {
		if !slices.Contains(e.Endpoints, d.Endpoint) {
			continue // the operator had it routed there later
		}
		switch d.Status {
		case Delivered:
			r.report.Delivered++
		case Dead:
			r.report.Dead++
		case Waiting:
			if r.isWatched(d) {
				r.report.Waiting++
			}
		}
	}
	if len(missing) > 0 {
		r.lacks[e.ID] = len(missing)
		r.unstarted.add(e.ID, r.lost(e.ReceivedAt) && !inLine)
	}
	return nil
}

// isWatched tells whether the attempt that d waits for is to come, or is overdue and found so. A run that found more than it can hold does not know.
func (r *sweep) isWatched(d Delivery) bool {
	return !d.NextAt.Before(r.late) || r.listed[d.EventID+" "+d.Endpoint] || r.report.Partial
}

// mayStandInLine tells whether the first attempts at all of these endpoints may be behind others.
func (r *sweep) mayStandInLine(ctx context.Context, source string, endpoints []string) (bool, error) {
	if len(endpoints) == 0 {
		return false, nil
	}
	rs, err := r.routes.get(ctx, source)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(endpoints, func(endpoint string) bool { return !rs.orders[endpoint].On }), nil
}

// missing are the endpoints of an event that have no delivery on record.
func missing(e EventRecord, deliveries []Delivery) []string {
	return slices.DeleteFunc(slices.Clone(e.Endpoints), func(endpoint string) bool {
		return slices.ContainsFunc(deliveries, func(d Delivery) bool { return d.Endpoint == endpoint })
	})
}

// putBack sends what is missing of the events that were found: of the doubtful ones unless all of it may lie in a queue.
func (r *sweep) putBack(ctx context.Context, f *found, mayLieIn []Backlog,
	send func(context.Context, EventRecord, []Delivery) []error,
) error {
	var failed []error
	ids := f.certain
	switch all, err := mayLie(ctx, len(f.doubtful), mayLieIn); {
	case err != nil:
		failed = append(failed, err)
	case all:
		r.report.Withheld += len(f.doubtful)
		f.seenTo = append(f.seenTo, f.doubtful...)
	default:
		ids = append(ids, f.doubtful...)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		event, deliveries, err := r.cfg.Ledger.Event(ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) { // else it has expired since, and nothing is to be sent
			return errors.Join(append(failed, err)...)
		}
		before := len(failed)
		for _, err := range send(ctx, event, deliveries) {
			if err != nil {
				failed = append(failed, fmt.Errorf("put back %s: %w", id, err))
			} else {
				r.report.PutBack++
			}
		}
		if len(failed) == before {
			f.seenTo = append(f.seenTo, id)
		}
	}
	return errors.Join(failed...)
}

// mayLie tells whether so many messages may all lie in queues.
func mayLie(ctx context.Context, n int, queues []Backlog) (bool, error) {
	if n == 0 {
		return false, nil
	}
	for _, q := range queues {
		lying, err := q.Backlog(ctx)
		if err != nil {
			return false, err
		}
		if n -= lying; n <= 0 {
			return true, nil
		}
	}
	return false, nil
}

// resume sends an event's overdue deliveries on with their next attempt.
func (r *sweep) resume(ctx context.Context, e EventRecord, deliveries []Delivery) []error {
	var out []Outgoing
	for _, d := range deliveries {
		if d.Status == Waiting && d.NextAt.Before(r.late) {
			out = append(out, nextOf(d, e.Event))
		}
	}
	return sendSome(ctx, r.cfg.Retry, out)
}

// start sends the first attempts of an event that have not been made.
func (r *sweep) start(ctx context.Context, e EventRecord, deliveries []Delivery) []error {
	return sendSome(ctx, r.cfg.Delivery, firstOf(e.Event, missing(e, deliveries)))
}

func sendSome(ctx context.Context, q Queue, out []Outgoing) []error {
	var errs []error
	for chunk := range slices.Chunk(out, sendChunk) {
		errs = append(errs, q.Send(ctx, chunk)...)
	}
	return errs
}
