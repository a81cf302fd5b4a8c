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
func (m *made) listen(reply Reply, now time.Time) {
	if m.Outcome == Succeeded || m.StatusCode == 0 {
		return
	}
	if wait, ok := retry.RetryAfter(reply.Header[headerRetryAfter], now); ok &&
		reply.StatusCode >= 400 {
		m.retryAfter = wait
	}
	switch reply.StatusCode {
	case 429:
		m.pause = now.Add(max(m.retryAfter, gate.OverloadPause))
	case 502, 503, 504:
		if m.retryAfter > 0 {
			m.pause = now.Add(m.retryAfter)
		}
		m.overload = reply.StatusCode != 503
	case 410:
		m.disable, m.final = "it answered 410 Gone", Declined
	}
	switch strings.ToLower(strings.TrimSpace(reply.Header[headerDelivery])) {
	case sayDisable:
		m.disable, m.final = "it answered webhook-delivery: disable", Declined
	case sayAbort:
		m.final = Declined
	}
}
