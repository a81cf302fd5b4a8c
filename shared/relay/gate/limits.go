package gate

import (
	"cmp"
	"time"
)

// Limits is what an endpoint's configuration says of when it may be called.
type Limits struct {
	Name        string
	Timeout     time.Duration // of an attempt
	RateLimit   int           // attempts in each RatePer, over all instances together; 0: no limit
	RatePer     time.Duration // zero: a second
	Concurrency int           // attempts under way at once, over all instances together; 0: no limit
	Proof       string        // names what it must have proved before it gets anything; "": nothing
}

// rate is the endpoint's limit, or what it allowed when it proved itself, so many a minute, where that is less.
func (ep Limits) rate(allowed int) rate {
	own := rate{ep.RateLimit, cmp.Or(ep.RatePer, time.Second)}
	if granted := (rate{allowed, time.Minute}); ep.Proof != "" && granted.below(own) {
		return granted
	}
	return own
}
