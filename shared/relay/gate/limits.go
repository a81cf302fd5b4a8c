package gate

import (
	"cmp"
	"time"
)

// Limits is the part of an endpoint's configuration that says when it may be called.
type Limits struct {
	Name        string
	Timeout     time.Duration // of an attempt
	RateLimit   int           // attempts in each RatePer, over all instances; 0: no limit
	RatePer     time.Duration // zero: a second
	Concurrency int           // attempts in flight, over all instances; 0: no limit
	// names the proof that it must give before its first delivery; "": none
	Proof string
}

// rate returns the endpoint's rate limit, or the rate that it allowed with its proof (attempts a
// minute) if that is lower.
func (ep Limits) rate(allowed int) rate {
	own := rate{attempts: ep.RateLimit, per: cmp.Or(ep.RatePer, time.Second)}
	if granted := (rate{attempts: allowed, per: time.Minute}); ep.Proof != "" &&
		granted.below(own) {
		return granted
	}
	return own
}
