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
	noisyInFlight = 30              // messages of the group, at least, where the share in flight decides
	forgetAfter   = 5 * time.Minute // without a message sent a group is quiet again
)

// What the documentation does not say.
const (
	detectEvery = time.Second // noisy groups are found so late
	recent      = time.Minute // time constant of the processing time that counts as recent
)

// fairness knows the groups of a queue.
type fairness struct {
	groups   map[string]*group
	ready    []*group // have visible messages
	detected time.Time
}

// group is a message group, which SQS calls a tenant.
type group struct {
	name     string
	single   bool // of a message without a group
	messages int  // in the queue, in whatever state
	visible  []*message
	inFlight int
	noisy    bool
	sentAt   time.Time // when the last message was sent

	busy      float64 // processing time in seconds, the recent more than the earlier
	accounted time.Time
}

// join returns the group of a message that is sent.
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

// leave notes that a message of a group is in the queue no more.
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

// detect finds the noisy groups, from time to time.
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

// next takes the message that is to be handed out next. There must be one.
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

// before tells whether a message of g is handed out before one of another group.
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

// Random returns a number in [0, 1) that follows from a seed, a name and a number. What it decides does
// not depend on the order of calls.
func Random(seed uint64, of string, n int) float64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, seed))
	_, _ = h.Write([]byte(of))
	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(n))) // #nosec G115 -- a count
	x := h.Sum64()                                                   // its high bits hardly depend on the last bytes
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
