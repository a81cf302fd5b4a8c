package relay_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// script describes what happens in a run of a world. A seed determines all of it.
type script struct {
	seed                             uint64
	jitter                           float64 // in [0, 1), the same for every wait
	fanouts, deliverers, fanoutBatch int
	chunk                            int // deliveries that a fan-out sends at once
	webhooks                         []webhook
	endpoints                        map[string]*scriptedEndpoint
	faults                           []struct {
		k    int
		mode mode
	}
	sweepFault struct { // of the sweeper
		k    int
		mode mode
	}
	outages  []outage
	losses   []int         // indexes of the batches that a queue loses
	changeAt time.Duration // when "c" is removed from the catalog; 0: never
	backFor  time.Duration // how long after that it is restored; 0: never
	late     time.Duration // the largest delay with which unordered queues hand messages out
	jams     []jam
	retain   time.Duration // the retention; 0: the default
	again    string        // how dead deliveries are sent again at the end; "": not at all
}

// jam is a time in which a queue's messages reach no function: Lambda throttles, or a deployment is
// broken.
type jam struct {
	feed        int // of world.feeds
	from, lasts time.Duration
}

func (j jam) holds(feed int, now time.Duration) bool {
	return feed == j.feed && now >= j.from && now < j.from+j.lasts
}

// webhook is one webhook of a provider.
type webhook struct {
	at                  time.Duration
	id, eventType, body string
	key                 string // in the body; "": none
}

// scriptedEndpoint tells how an endpoint behaves, and what the catalog says of it.
type scriptedEndpoint struct {
	schedule []time.Duration
	types    []string
	order    catalog.Order
	ills     int           // failed attempts of each delivery before one succeeds
	illUntil time.Duration // until then all attempts fail
	ill      answer
	well     answer
	mended   bool

	rateLimit   int
	ratePer     time.Duration
	concurrency int
	maxAge      time.Duration
	final       []string
}

// longestRetryAfter is the longest Retry-After of an endpoint.
const longestRetryAfter = 20 * time.Minute

type answer struct {
	status int // 0: the connection is reset
	takes  time.Duration
	header relay.Header
}

// retryAfter returns the answer's Retry-After.
func (a answer) retryAfter() time.Duration {
	seconds, _ := strconv.Atoi(a.header["retry-after"])
	if a.status < 400 {
		seconds = 0
	}
	return time.Duration(seconds) * time.Second
}

// ends tells whether no attempt follows the failed answer, whatever the schedule says.
func (e *scriptedEndpoint) ends() bool {
	status := strconv.Itoa(e.ill.status)
	return status == "410" || e.ill.header["webhook-delivery"] != "" ||
		slices.Contains(e.final, status) || slices.Contains(e.final, status[:1]+"xx")
}

func (e *scriptedEndpoint) answer(attempt string, now time.Duration) answer {
	n, _ := strconv.Atoi(attempt)
	if !e.mended && (n <= e.ills || now < e.illUntil) {
		return e.ill
	}
	return e.well
}

const forEver = 1 << 30

var (
	schedules = [][]time.Duration{
		{}, {time.Second}, {time.Second, 5 * time.Minute, 20 * time.Minute}, {
			30 * time.Second, 3 * time.Hour,
		},
		{2 * time.Hour, 26 * time.Hour}, {
			5 * time.Second, 16 * time.Minute, time.Minute, 15 * time.Minute,
		},
	}
	shortSchedules = [][]time.Duration{
		{}, {time.Second}, {time.Second, time.Minute, 5 * time.Second},
		{2 * time.Second, 16 * time.Minute},
	}
	singleFaults = []mode{
		before, after, killBefore, killAfter, hangBefore, hangAfter, failFirst, failLast,
		failAllBut1,
	}
	portNames = []string{
		"", "source", "subscriptions", "endpoint", "record event", "read delivery", "save delivery",
		"body", "schedule", "POST",
		"to ingest", "to delivery", "to retry", "to dead", "to ordered ingest", "to line", "hold",
	}
	illAnswers = []answer{
		{status: 500}, {
			status: 503, takes: 2 * time.Second,
		}, {takes: time.Second}, {status: 200, takes: time.Hour}, {status: 301},
	}
	tellingAnswers = []answer{ // beside their status
		{status: 429}, {status: 502, takes: time.Second}, {status: 410}, {
			status: 500, header: relay.Header{"webhook-delivery": "disable"},
		},
		{status: 400, header: relay.Header{"webhook-delivery": "abort-message"}}, {
			status: 503, header: relay.Header{"retry-after": "90"},
		},
		{status: 429, header: relay.Header{"retry-after": "7"}}, {
			status: 500, header: relay.Header{"retry-after": "1200"},
		},
	}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// newScript makes a script from a seed. Short scripts have no wait over some minutes, for adapters
// that run in real time.
func newScript(seed uint64, short bool) script {
	r := rand.New(rand.NewPCG(seed, 0))
	s := script{
		seed: seed, jitter: r.Float64(), fanouts: 1 + r.IntN(2), deliverers: 1 +
			r.IntN(3), fanoutBatch: pick(r, []int{1, 10}),
		endpoints: map[string]*scriptedEndpoint{}, again: pick(
			r, []string{"", "redrive", "replay"},
		),
	}
	from, span := schedules, time.Hour
	if short {
		from, span = shortSchedules, 2*time.Minute
	}
	upTo := func(d time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(d))).Truncate(time.Millisecond)
	}
	for _, name := range []string{"a", "b", "c"}[:1+r.IntN(3)] {
		e := &scriptedEndpoint{
			schedule: pick(r, from), types: pick(
				r, [][]string{nil, {"push"}, {"p*"}},
			), ill: pick(r, illAnswers), well: answer{status: 200},
			ills:  pick(r, []int{0, 0, 1, 2, forEver}),
			order: pick(r, []catalog.Order{{}, {}, {On: true}, {On: true, Key: "data.key"}}),
		}
		if r.IntN(4) == 0 {
			e.well.takes = upTo(14 * time.Second)
		}
		if r.IntN(4) == 0 {
			e.illUntil = upTo(span)
		}
		s.endpoints[name] = e
	}
	for i := range 1 + r.IntN(5) {
		h := webhook{
			id: strconv.Itoa(i), eventType: pick(r, []string{"push", "ping", "other"}), body: "{}",
			key: pick(r, []string{"", "1", "1", "2"}),
		}
		if h.key != "" {
			h.body = `{"data":{"key":` + h.key + `}}`
		}
		if i > 0 && r.IntN(3) == 0 {
			h = s.webhooks[r.IntN(i)] // the provider sends a webhook twice
		} else if r.IntN(4) == 0 {
			h.body += strings.Repeat(" ", relay.DefaultInlineBodyBytes)
		}
		h.at = pick(r, []time.Duration{0, upTo(span / 30), upTo(span / 3)})
		s.webhooks = append(s.webhooks, h)
	}
	if r.IntN(5) == 0 && s.endpoints["c"] != nil {
		s.changeAt = upTo(span / 3)
	}
	s.drawFaults(r, upTo(span))
	s.drawBadDays(rand.New(rand.NewPCG(seed, 3)), span, short)
	s.chunk = []int{1, 2, relay.DefaultChunk}[seed%3]
	for _, name := range sorted(s.endpoints) {
		s.endpoints[name].drawManners(r, span)
	}
	return s
}

// drawBadDays adds what AWS, or an operator, does now and then: queues that deliver late, receives
// that reach no function, an endpoint that is restored soon after its removal, a retention that is
// shorter than the schedule.
func (s *script) drawBadDays(r *rand.Rand, span time.Duration, short bool) {
	if s.changeAt > 0 && r.IntN(2) == 0 {
		s.backFor = 1 + time.Duration(r.Int64N(int64(2*catalog.DefaultCacheTTL)))
	}
	if short {
		return // the rest takes hours
	}
	if s.seed%5 == 3 {
		s.late = time.Minute
	}
	if r.IntN(5) == 0 {
		for range 1 + r.IntN(3) {
			s.jams = append(
				s.jams,
				jam{
					r.IntN(feeds), time.Duration(r.Int64N(int64(span))),
					time.Duration(r.Int64N(int64(12 * time.Hour))),
				},
			)
		}
	}
	if r.IntN(5) == 0 {
		s.retain = pick(r, []time.Duration{20 * time.Hour, 24 * time.Hour, 36 * time.Hour})
	}
}

// drawManners adds what an endpoint asks for and what the operator does, each now and then.
func (e *scriptedEndpoint) drawManners(r *rand.Rand, span time.Duration) {
	rarely := func() bool { return r.IntN(5) == 0 }
	if rarely() {
		e.ill = pick(r, tellingAnswers)
	}
	if rarely() {
		e.rateLimit, e.ratePer = 1+r.IntN(3),
			pick(r, []time.Duration{time.Second, span / 60, span / 12})
	}
	if rarely() {
		e.concurrency = 1 + r.IntN(2)
	}
	if rarely() {
		e.maxAge = span/4 + time.Duration(r.Int64N(int64(2*span)))
	}
	if r.IntN(10) == 0 {
		e.final = []string{pick(r, []string{"4xx", "5xx", "301", "500"})}
	}
}

// drawFaults adds no fault, one, a pair or a few, and now and then a port that is down for a while.
func (s *script) drawFaults(r *rand.Rand, outageTime time.Duration) {
	calls := 6 * len(s.webhooks) * (1 + len(s.endpoints)) // an estimate of their number
	for range pick(r, []int{0, 1, 2, 2, 2, 3, 5}) {
		s.faults = append(s.faults, struct {
			k    int
			mode mode
		}{1 + r.IntN(calls), pick(r, singleFaults)})
	}
	for range pick(r, []int{0, 0, 1, 2}) {
		o := outage{port: pick(r, portNames), from: 1 + r.IntN(calls)}
		if r.IntN(2) == 0 {
			o.calls = 1 + r.IntN(12)
		} else {
			o.lasts = outageTime
		}
		s.outages = append(s.outages, o)
	}
}

// catalog returns the configuration, without the given endpoints.
func (s *script) catalog(without ...string) catalog.Catalog {
	c := catalog.Catalog{Sources: []catalog.Source{{
		Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{bearerToken},
	}}}
	for _, name := range sorted(s.endpoints) {
		if slices.Contains(without, name) {
			continue
		}
		e := s.endpoints[name]
		c.Endpoints = append(c.Endpoints, catalog.Endpoint{
			Name: name, URL: "https://" + name +
				".example.com/", Secrets: []string{endpointSecret}, Schedule: e.schedule,
			Order: e.order, RateLimit: e.rateLimit, RatePer: e.ratePer, Concurrency: e.concurrency,
			MaxAge: e.maxAge, Final: e.final,
		})
		c.Subscriptions = append(
			c.Subscriptions, catalog.Subscription{Source: "app", Endpoint: name, Types: e.types},
		)
	}
	return c
}

// ids returns the different webhooks.
func (s *script) ids() map[string]bool {
	ids := map[string]bool{}
	for _, h := range s.webhooks {
		ids[h.id] = true
	}
	return ids
}
