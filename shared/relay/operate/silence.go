package operate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

const (
	// usualGaps is how many of its usual gaps a source may be silent, and quiet how long at least.
	usualGaps = 10
	quiet     = time.Hour
	// longestGaps is how many of its longest gaps it may be silent: nights and weekends are usual.
	longestGaps = 1.5
	// learnFor is how long a source is looked at before its silence is learned. It has nights and a
	// weekend.
	learnFor = 7 * 24 * time.Hour
	// The usual gap is that of about this time. After gapHalves a longest gap counts for half.
	gapsOver  = 7 * 24 * time.Hour
	gapHalves = 28 * 24 * time.Hour
	// missedSweep is how far the sweep's cursor is behind if a sweep was left out: the relay may
	// have been off, and the silence its own.
	missedSweep = 3 * time.Hour
	// watchKept is how long a document stays after a relay is gone. It is written again when half
	// of the time is over.
	watchKept = 400 * 24 * time.Hour
)

// watchCollection has what the sweep knows of sources: a document for each tenant under pulsePrefix
// and its id, and one for each source whose events are checked under typesPrefix and its name.
const (
	watchCollection = "sources"
	pulsePrefix     = "pulse/"
	typesPrefix     = "types/"
)

// Pulse is what the hourly sweep knows of the webhooks of a source.
type Pulse struct {
	LastAt time.Time // the newest one; zero: there was none
	// ExpectedBy is until when the next one should come; zero: that is not known
	ExpectedBy time.Time
	// SilentSince is when the newest one came, or when the sweep saw the source first, if
	// source.silent was sent; zero: it is not silent
	SilentSince time.Time
}

// Pulses returns what the sweep knows of a tenant's sources, by plain name. It takes one read.
func Pulses(ctx context.Context, documents Documents, tenant string) (map[string]Pulse, error) {
	d, err := documents.Document(ctx, watchCollection, pulsePrefix+tenant)
	if errors.Is(err, catalog.ErrNotFound) {
		return map[string]Pulse{}, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := decodePulses(d.Body)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Pulse, len(doc.Lines))
	for _, l := range doc.Lines {
		out[l.Name] = Pulse{
			LastAt: l.Last, ExpectedBy: l.expectedBy(doc.Since), SilentSince: l.SilentSince,
		}
	}
	return out, nil
}

// pulsesDoc is the document of a tenant's sources.
type pulsesDoc struct {
	Version int `json:"v"`
	// the state of the catalog whose expectations are in the lines
	Generation catalog.Generation `json:"generation"`
	Revision   int64              `json:"revision"`
	// from when on no sweep was left out
	Since time.Time   `json:"since"`
	Lines []pulseLine `json:"lines"` // by name
}

// pulseLine is a source.
type pulseLine struct {
	Name          string    `json:"name"`
	Added         time.Time `json:"added"` // when a sweep saw it first
	ExpectSeconds int64     `json:"expectSeconds,omitempty"`
	Last          time.Time `json:"last,omitzero"`
	// Of the hours up to Hour, the last with webhooks that was counted:
	Hour    time.Time `json:"hour,omitzero"`
	Weekly  float64   `json:"weekly,omitempty"` // webhooks in a week; older ones count for less
	Longest float64   `json:"longestHours,omitempty"`

	SilentSince time.Time `json:"silentSince,omitzero"`
}

func decodePulses(b []byte) (doc pulsesDoc, err error) {
	if b, err = unpack(b); err == nil {
		err = format.Decode(b, &doc, &doc.Version)
	}
	return doc, err
}

// may returns how long the source may be silent; zero: that is not known.
func (l *pulseLine) may() time.Duration {
	switch {
	case l.ExpectSeconds > 0:
		return time.Duration(l.ExpectSeconds) * time.Second
	case l.Weekly == 0 || l.Hour.Sub(l.Added) < learnFor:
		return 0
	}
	longest := time.Duration(longestGaps * l.Longest * float64(time.Hour))
	return max(usualGaps*l.gap(), longest, quiet).Round(time.Minute)
}

// gap returns the usual time between two webhooks.
func (l *pulseLine) gap() time.Duration {
	return time.Duration(float64(gapsOver) / max(l.Weekly, 1))
}

// heard returns when the newest webhook came, or when a sweep saw the source first.
func (l *pulseLine) heard() time.Time {
	if l.Last.IsZero() {
		return l.Added
	}
	return l.Last
}

// expectedBy returns until when the next webhook should come; zero: that is not known. since is
// from when on the sweep has looked without a break.
func (l *pulseLine) expectedBy(since time.Time) time.Time {
	may := l.may()
	if may == 0 {
		return time.Time{}
	}
	return latest(l.heard(), since).Add(may).UTC()
}

// why tells people how the expectation came about.
func (l *pulseLine) why() string {
	if l.ExpectSeconds > 0 {
		return fmt.Sprintf("a webhook is expected every %s", l.may())
	}
	return fmt.Sprintf("usually there are %.0f webhooks a week", max(l.Weekly, 1))
}

// count adds the webhooks of an hour. since is as of expectedBy.
func (l *pulseLine) count(hour time.Time, n int, since time.Time) {
	if passed := hour.Sub(l.Hour); !l.Hour.IsZero() && passed > 0 {
		empty := hour.Sub(latest(l.Hour.Add(time.Hour), since))
		l.Longest *= math.Exp2(-float64(passed) / float64(gapHalves))
		l.Longest = max(l.Longest, empty.Hours())
		l.Weekly *= math.Exp(-float64(passed) / float64(gapsOver))
	}
	l.Weekly += float64(n)
	l.Hour = latest(l.Hour, hour)
}

// beats are the webhooks of a source in the hours that a run looks at.
type beats struct {
	hours  map[time.Time]int
	newest time.Time
}

// hear notes an event. It is called by one goroutine at a time.
func (r *sweep) hear(o EventOutcome) {
	b := r.heard[o.Source]
	if b == nil {
		b = &beats{hours: map[time.Time]int{}}
		r.heard[o.Source] = b
	}
	b.hours[o.ReceivedAt.UTC().Truncate(time.Hour)]++
	b.newest = latest(b.newest, o.ReceivedAt)
}

// pulses are the sources of a tenant, as a run sees them.
type pulses struct {
	tenant  string
	doc     pulsesDoc
	changed bool
}

// watches tells whether the run looks for silent sources.
func (r *sweep) watches() bool {
	return r.cfg.Documents != nil && r.cfg.Catalogs != nil && r.cfg.Notifier != nil
}

// watch looks for sources that have become silent, or have ended their silence, and for types that
// have drifted. counted is the first hour whose events were not all counted; gap is how far the
// sweep was behind.
func (r *sweep) watch(counted time.Time, gap time.Duration) error {
	if !r.watches() {
		return nil
	}
	docs, err := r.watched()
	if err != nil {
		return err
	}
	all := slices.Sorted(maps.Keys(r.sources))
	found := make([]*pulses, len(all))
	err = each(indexes(all), func(i int) (err error) {
		found[i], err = r.pulsesOf(all[i], docs, gap)
		return err
	})
	if err != nil {
		return err
	}
	if r.timeLeft(1) {
		err = r.listen(found, counted)
		if err == nil {
			err = each(found, r.judge)
		}
	}
	return errors.Join(err, each(found, r.savePulses), r.compare(docs), r.forget(docs))
}

// watched reads the documents of watchCollection, by key.
func (r *sweep) watched() (map[string]Document, error) {
	all := map[string]Document{}
	for from, more := "", true; more; more = from != "" {
		docs, next, err := r.cfg.Documents.DocumentsIn(
			r.ctx, watchCollection, DocumentRange{From: from, Limit: MaxDocuments},
		)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			all[d.Key] = d
		}
		from = next
	}
	return all, nil
}

// pulsesOf returns the sources of a tenant with what the run has heard of them.
func (r *sweep) pulsesOf(
	tenant string, docs map[string]Document, gap time.Duration,
) (*pulses, error) {
	now := r.now.UTC().Truncate(time.Second)
	p := &pulses{tenant: tenant}
	if d, is := docs[pulsePrefix+tenant]; is {
		// A document that cannot be read is begun anew.
		p.doc, _ = decodePulses(d.Body)
		p.changed = d.ExpiresAt.Sub(now) < watchKept/2
	}
	if p.doc.Since.IsZero() || gap > missedSweep {
		p.doc.Since, p.changed = now, true
	}
	if err := r.expect(p, now); err != nil {
		return nil, err
	}
	for i := range p.doc.Lines {
		l := &p.doc.Lines[i]
		b := r.heard[catalog.Qualify(tenant, l.Name)]
		if b == nil {
			continue
		}
		for _, hour := range slices.SortedFunc(maps.Keys(b.hours), time.Time.Compare) {
			l.count(hour, b.hours[hour], p.doc.Since)
		}
		l.Last, p.changed = latest(l.Last, b.newest.UTC()), true
	}
	return p, nil
}

// expect gives a line to each source, with its expectation. It reads these only if the catalog has
// changed.
func (r *sweep) expect(p *pulses, now time.Time) error {
	state := r.states[p.tenant]
	if p.doc.Generation == state.Generation && p.doc.Revision == state.Revision &&
		len(p.doc.Lines) == len(r.sources[p.tenant]) {
		return nil
	}
	known := make(map[string]pulseLine, len(p.doc.Lines))
	for _, l := range p.doc.Lines {
		known[l.Name] = l
	}
	p.doc.Lines, p.changed = nil, true
	for after, more := "", true; more; more = after != "" {
		found, next, err := r.cfg.Catalogs.For(p.tenant).Resources(
			r.ctx, catalog.KindSource, after, sourcesAtOnce,
		)
		if err != nil {
			return err
		}
		for _, res := range found {
			l, is := known[res.Name]
			if !is {
				l = pulseLine{Name: res.Name, Added: now}
			}
			l.ExpectSeconds = int64(res.Source.Expect / time.Second)
			p.doc.Lines = append(p.doc.Lines, l)
		}
		after = next
	}
	p.doc.Generation, p.doc.Revision = state.Generation, state.Revision
	return nil
}

// sourcesAtOnce is how many sources of a catalog are read at once.
const sourcesAtOnce = 250

// listen finds newer webhooks of the sources that are silent, or would be: those of the hours that
// no sweep has looked at. Usually there are no such sources, and nothing is read.
func (r *sweep) listen(found []*pulses, counted time.Time) error {
	wanted := map[string]*pulseLine{}
	for _, p := range found {
		for i := range p.doc.Lines {
			l := &p.doc.Lines[i]
			by := l.expectedBy(p.doc.Since)
			if !l.SilentSince.IsZero() || !by.IsZero() && by.Before(r.now) {
				wanted[catalog.Qualify(p.tenant, l.Name)] = l
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	complete := true
	err := r.cfg.Ledger.Arrivals(r.ctx, counted, func(k EventKey) bool {
		if l := wanted[k.Source]; l != nil {
			l.Last = latest(l.Last, k.ReceivedAt.UTC())
			delete(wanted, k.Source)
		}
		complete = r.timeLeft(1)
		return complete && len(wanted) > 0
	})
	if err == nil && !complete {
		err = errors.New("sweep: no time to look for silent sources; the next run does")
	}
	return err
}

// judge tells of the sources of a tenant that have become silent, and of those that are no longer.
func (r *sweep) judge(p *pulses) error {
	var failed []error
	for i := range p.doc.Lines {
		l := &p.doc.Lines[i]
		told, err := r.tellPulse(p, l)
		if p.changed = p.changed || told; err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// tellPulse tells of a source if its silence has begun or ended. If the run is killed before that
// is saved, the next one sends the same event again, which the fan-out drops.
func (r *sweep) tellPulse(p *pulses, l *pulseLine) (told bool, err error) {
	by := l.expectedBy(p.doc.Since)
	change := PulseChange{
		Source: catalog.Qualify(p.tenant, l.Name), At: r.now, LastAt: l.Last, ExpectedBy: by,
		SilentSince: l.SilentSince, Reason: l.why(),
	}
	switch silent := !l.SilentSince.IsZero(); {
	case !silent && !by.IsZero() && by.Before(r.now):
		change.SilentSince = l.heard()
		if err := r.cfg.Notifier.TellSilent(r.ctx, change); err != nil {
			return false, err
		}
		l.SilentSince = change.SilentSince
	case silent && l.Last.After(l.SilentSince):
		if err := r.cfg.Notifier.TellResumed(r.ctx, change); err != nil {
			return false, err
		}
		l.SilentSince = time.Time{}
	default:
		return false, nil
	}
	return true, nil
}

// savePulses saves the sources of a tenant. Nothing else writes the document.
func (r *sweep) savePulses(p *pulses) error {
	if !p.changed {
		return nil
	}
	p.doc.Version = format.Version
	_, err := r.cfg.Documents.PutDocument(r.ctx, watchCollection, Document{
		Key: pulsePrefix + p.tenant, Body: pack(format.Encode(p.doc)),
		ExpiresAt: relay.Expiry(r.now, watchKept),
	}, AnyVersion)
	return err
}

// forget deletes the documents of tenants that have no sources any more, and of sources that are
// gone.
func (r *sweep) forget(docs map[string]Document) error {
	var gone []string
	for key := range docs {
		if tenant, is := strings.CutPrefix(key, pulsePrefix); is && len(r.sources[tenant]) == 0 {
			gone = append(gone, key)
		}
		if source, is := strings.CutPrefix(key, typesPrefix); is &&
			!slices.Contains(r.sources[""], source) {
			gone = append(gone, key)
		}
	}
	return each(gone, func(key string) error {
		return r.cfg.Documents.DeleteDocument(r.ctx, watchCollection, key, AnyVersion)
	})
}
