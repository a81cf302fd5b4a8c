package relay

import (
	"strings"
	"time"

	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/retry"
)

// What an endpoint can say beside its status. Standard Webhooks names 410, 429, 502, 504 and the
// header webhook-delivery. RFC 9110, section 10.2.3, defines Retry-After and ties it to no status.
const (
	headerRetryAfter = "retry-after"
	headerDelivery   = "webhook-delivery"
	sayDisable       = "disable"
	sayAbort         = "abort-message"
)

// listen notes what the endpoint said beside its status.
func (r *attemptResult) listen(reply Reply, now time.Time) {
	if r.attempt.Outcome == Succeeded || r.attempt.StatusCode == 0 {
		return
	}
	if reply.Result != nil {
		r.heedDestination(*reply.Result, now)
		return
	}
	if wait, ok := retry.RetryAfter(reply.Header[headerRetryAfter], now); ok &&
		reply.StatusCode >= 400 {
		r.retryAfter = wait
	}
	switch reply.StatusCode {
	case 429:
		r.pause = now.Add(max(r.retryAfter, gate.OverloadPause))
	case 502, 503, 504:
		if r.retryAfter > 0 {
			r.pause = now.Add(r.retryAfter)
		}
		r.overload = reply.StatusCode != 503
	case 410:
		r.disable, r.final = "it answered 410 Gone", Declined
	}
	switch strings.ToLower(strings.TrimSpace(reply.Header[headerDelivery])) {
	case sayDisable:
		r.disable, r.final = "it answered webhook-delivery: disable", Declined
	case sayAbort:
		r.final = Declined
	}
}
