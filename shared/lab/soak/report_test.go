package soak_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/local/keyfile"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// soakResult compares the ledger's records of everything that got a 2xx with what the endpoints
// saw.
type soakResult struct {
	delivered, dead int
	open            int // deliveries that wait or were not attempted
	// events without a record, deliveries recorded as delivered that no endpoint accepted, dead
	// deliveries that are not listed
	lost       int
	duplicates int // POSTs beyond the attempts on record
}

// audit reads the records of some events, and returns those events that still have open deliveries.
// listed are the dead deliveries that are listed.
func (s *soak) audit(
	ctx context.Context, events []string, listed map[string]bool,
) (r soakResult, open []string, err error) {
	store, err := sqlite.Open(s.dir)
	if err != nil {
		return r, nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s.mu.Lock()
	got := maps.Clone(s.got)
	s.mu.Unlock()
	for _, event := range events {
		_, deliveries, err := store.Ledger().Event(ctx, event)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return r, nil, err
		}
		before := r.open
		r.open += len(s.names()) - len(deliveries)
		for _, d := range deliveries {
			r.count(d, got[d.EventID+" "+d.Endpoint], listed[d.EventID+" "+d.Endpoint])
		}
		if r.open > before {
			open = append(open, event)
		}
	}
	return r, open, nil
}

// listDead returns the listed dead deliveries, by event and endpoint.
func (s *soak) listDead(ctx context.Context) (listed map[string]bool, err error) {
	store, err := sqlite.Open(s.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	listed = map[string]bool{}
	for _, name := range s.names() {
		for page, more := relay.Page(""), true; more; more = page != "" {
			var dead []relay.Delivery
			if dead, page, err = store.Ledger().ListDeliveries(
				ctx, operate.Query{Endpoint: name, Statuses: []relay.Status{relay.Dead}}, page,
			); err != nil {
				return nil, err
			}
			for _, d := range dead {
				listed[d.EventID+" "+name] = true
			}
		}
	}
	return listed, nil
}

// count adds a delivery.
func (r *soakResult) count(d relay.Delivery, seen soakSeen, listed bool) {
	r.duplicates += max(seen.posts-d.Attempts, 0)
	switch d.Status {
	case relay.Waiting:
		r.open++
	case relay.Delivered, relay.Unneeded: // nothing here transforms
		r.delivered++
		if !seen.taken {
			r.lost++
		}
	case relay.Dead:
		r.dead++
		if !listed {
			r.lost++
		}
	}
}

// judge prints the figures and returns the verdict.
func (s *soak) judge(ctx context.Context) error {
	listed, err := s.listDead(ctx)
	if err != nil {
		return err
	}
	r, _, err := s.audit(ctx, slices.Collect(maps.Keys(s.sent)), listed)
	if err != nil {
		return err
	}
	swept, err := sweep(ctx, s.dir)
	if err != nil {
		return err
	}
	var through []time.Duration
	for _, w := range s.sent {
		if !w.accepted.IsZero() && !w.delivered.IsZero() {
			through = append(through, max(w.delivered.Sub(w.accepted), 0))
		}
	}
	printf := func(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }
	printf("accepted  %d webhooks, %.0f/s; %d posts got no 2xx; the relay was killed %d times",
		len(s.accepts), float64(len(s.accepts))/s.length.Seconds(), s.refused, s.kills)
	printf("ended     %d deliveries delivered, %d dead and listed", r.delivered, r.dead)
	printf("accept    %s", percentiles(s.accepts))
	printf(
		"delivery  %s from the beginning of the accepted post to its first arrival at %s",
		percentiles(through), soakEndpoint(0),
	)
	printf("memory    %s", s.memoryOverTime())
	printf(
		"duplicate %d POSTs beyond the attempts on record, %d at most for the kills", r.duplicates,
		s.mostDuplicates(),
	)
	printf(
		"swept     %d events: %d deliveries late or missing, %d unaccounted for", swept.Events,
		swept.LateOrMissing(), swept.Unaccounted(),
	)
	printf("open      %d", r.open)
	printf("lost      %d", r.lost)
	return s.verdict(r, swept)
}

// soakInHand is how many deliveries to one endpoint the local host handles at once: 32 first
// attempts and 32 later ones. A kill between a POST and its record lets each be made again.
const soakInHand = 2 * 32

func (s *soak) mostDuplicates() int { return s.kills * soakInHand * len(s.names()) }

func (s *soak) verdict(r soakResult, swept operate.SweepReport) error {
	if r.lost+r.open+swept.LateOrMissing() == 0 && swept.Unaccounted() == 0 &&
		r.duplicates <= s.mostDuplicates() {
		return nil
	}
	return fmt.Errorf("%w: %d lost, %d open, %d late or missing, %d unaccounted for, %d duplicates and %d at most, seed %d",
		errSoak, r.lost, r.open, swept.LateOrMissing(), swept.Unaccounted(), r.duplicates,
		s.mostDuplicates(), s.seed)
}

// sweep searches this hour and the last for lost deliveries, as the relay's own sweeper would three
// hours later. It does not change the cursor, so the relay's sweeper still searches the same
// events.
func sweep(ctx context.Context, dir string) (report operate.SweepReport, err error) {
	store, err := sqlite.Open(dir)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sealer, err := keyfile.New(dir)
	if err != nil {
		return report, err
	}
	visibility := sqlite.QueueOptions{Visibility: time.Minute}
	delivery, err := store.Queue("delivery", visibility)
	if err != nil {
		return report, err
	}
	retry, err := store.Queue("retry", visibility)
	if err != nil {
		return report, err
	}
	catalogs, ledger := store.Catalog(sealer), store.Ledger()
	sweeper, err := operate.NewSweeper(operate.SweeperConfig{
		Names: catalogs, Subscriptions: catalogs, States: ledger, Ledger: ledger,
		Deliveries: ledger,
		Delivery:   delivery, Retry: retry, Now: func() time.Time {
			return time.Now().Add(3 * time.Hour)
		},
	})
	if err != nil {
		return report, err
	}
	return sweeper.Run(ctx)
}

// percentiles returns the 50th, 90th and 99th percentile and the maximum.
func percentiles(times []time.Duration) string {
	if len(times) == 0 {
		return "none"
	}
	slices.Sort(times)
	at := func(p int) time.Duration {
		return times[min(len(times)*p/100, len(times)-1)].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, max %s", at(50), at(90), at(99), at(100))
}

// watchMemory records the relay's resident memory until ctx ends, if the system shows it.
func (s *soak) watchMemory(ctx context.Context) {
	for pause(ctx, soakSample) == nil {
		s.childMu.Lock()
		if s.child != nil {
			if n, ok := residentBytes(s.child.Process.Pid); ok {
				s.memory = append(s.memory, n)
			}
		}
		s.childMu.Unlock()
	}
}

// residentBytes returns the resident memory of a process. It returns false if there is no /proc.
func residentBytes(pid int) (int64, bool) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10, true
		}
	}
	return 0, false
}

// memoryOverTime returns the memory at ten points of the run.
func (s *soak) memoryOverTime() string {
	if len(s.memory) == 0 {
		return "not told by this system"
	}
	const points = 10
	var b strings.Builder
	for i := range min(points, len(s.memory)) {
		fmt.Fprintf(&b, "%d ", s.memory[i*len(s.memory)/min(points, len(s.memory))]>>20)
	}
	return fmt.Sprintf("%sMiB over time, at most %d MiB", b.String(), slices.Max(s.memory)>>20)
}
