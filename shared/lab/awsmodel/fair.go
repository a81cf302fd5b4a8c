package awsmodel

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"time"
)

// The documented thresholds of fair queues.
const (
	noisyShare    = 0.10            // of the messages in flight, or of the processing time
	noisyInFlight = 30              // of the group, at least, for the share in flight to count
	forgetAfter   = 5 * time.Minute // a group is quiet again if nothing was sent to it for so long
)

// Values that the documentation does not state.
const (
	detectEvery = time.Second // delay until noisy groups are detected
	recent      = time.Minute // time constant of the recent processing time
)

// fairness tracks the groups of a queue.
type fairness struct {
	groups   map[string]*group
	ready    []*group // groups with visible messages
	detected time.Time
}

// group is a message group. SQS calls it a tenant.
type group struct {
	name     string
	single   bool // for a message without a group
	messages int  // in the queue, in any state
	visible  []*message
	inFlight int
	noisy    bool
	sentAt   time.Time // when the last message was sent

	busy      float64 // processing time in seconds; recent time counts more
	accounted time.Time
}

// join returns the group of a message that is sent, and adds the message to it.
func (f *fairness) join(name, id string, now time.Time) *group {
	single := name == ""
	if single {
		name = "message " + id
	}
	g := f.groups[name]
	if g == nil {
		g = &group{name: name, single: single, accounted: now}
		f.groups[name] = g
	}
	g.messages++
	g.sentAt = now
	return g
}

// leave removes a message from its group.
func (f *fairness) leave(g *group) {
	if g.messages--; g.single {
		delete(f.groups, g.name)
	}
}

// account adds the processing time since the last call.
func (g *group) account(now time.Time) {
	kept := math.Exp(-now.Sub(g.accounted).Seconds() / recent.Seconds())
	g.busy = g.busy*kept + float64(g.inFlight)*recent.Seconds()*(1-kept)
	g.accounted = now
}

// detect finds the noisy groups, at most once every detectEvery.
func (f *fairness) detect(now time.Time, inFlight int) {
	if now.Sub(f.detected) < detectEvery {
		return
	}
	f.detected = now
	var busy float64
	for _, g := range f.groups {
		g.account(now)
		busy += g.busy
	}
	for _, g := range f.groups {
		held := g.inFlight >= noisyInFlight && float64(g.inFlight) > noisyShare*float64(inFlight)
		g.noisy = g.noisy || held || g.busy > noisyShare*busy
		if len(g.visible) == 0 || now.Sub(g.sentAt) >= forgetAfter {
			g.noisy = false
		}
	}
}

// next removes and returns the message to receive next. There must be one.
func (f *fairness) next(unfair bool) *message {
	best := 0
	for i := 1; i < len(f.ready); i++ {
		if f.ready[i].before(f.ready[best], unfair) {
			best = i
		}
	}
	g := f.ready[best]
	m := g.visible[0]
	if g.visible = g.visible[1:]; len(g.visible) == 0 {
		f.ready = slices.Delete(f.ready, best, best+1)
	}
	return m
}

// before tells whether a message of g is received before a message of the other group.
func (g *group) before(other *group, unfair bool) bool {
	switch {
	case unfair:
	case g.noisy != other.noisy:
		return other.noisy
	case g.noisy && g.inFlight != other.inFlight:
		return g.inFlight < other.inFlight
	}
	return g.visible[0].availableAt.Before(other.visible[0].availableAt)
}

// Random returns a number in [0, 1) that follows from a seed, a name and a number. It does not
// depend on the order of calls.
func Random(seed uint64, of string, n int) float64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	_, _ = h.Write([]byte(of))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) // #nosec G115 -- a count
	// its high bits hardly depend on the last bytes
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
