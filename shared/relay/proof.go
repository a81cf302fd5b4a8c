package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/gate/breaker"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/verify"
)

// PingType is the event type of the request that asks an endpoint for its proof.
const PingType = "webhook.ping"

// DefaultOrigin is the name that a relay gives as its own in a handshake if none is configured.
const DefaultOrigin = "localhost"

// The headers of the handshake.
const (
	headerRequestOrigin = "webhook-request-origin"
	headerRequestRate   = "webhook-request-rate" // requests a minute
	headerAllowedOrigin = "webhook-allowed-origin"
	headerAllowedRate   = "webhook-allowed-rate" // requests a minute
	anyValue            = "*"
)

// perMinute returns the endpoint's rate limit in attempts a minute.
func perMinute(ep *target) float64 {
	per := cmp.Or(ep.endpoint.RatePer, time.Second)
	return float64(ep.endpoint.RateLimit) * float64(time.Minute) / float64(per)
}

// prove asks the endpoint for its proof, unless another instance is doing so, and holds the
// delivery meanwhile.
func (s *step) prove(ctx context.Context) (Action, error) {
	// An instance with an old cache entry would ask for another proof than the others do, and the
	// two proofs would replace each other again and again.
	s.deliverer.endpoints.Forget(catalog.KeyOf(s.task.Endpoint))
	ep, err := s.deliverer.endpoints.Get(ctx, catalog.KeyOf(s.task.Endpoint))
	if err != nil {
		return Action{}, err
	}
	held, err := s.deliverer.gate.ClaimProof(ctx, s.limits(ctx, ep))
	if err != nil {
		return Action{}, err
	}
	if !held.IsZero() {
		return s.hold(ctx, held, gate.HeldUnproven, false)
	}
	v, err := s.ask(ctx, ep)
	if err != nil {
		return Action{}, err
	}
	if change, err := s.deliverer.gate.Tell(ctx, ep.endpoint.Name, v); err == nil {
		s.changed(ctx, change)
	}
	if held, err = s.deliverer.gate.Back(ctx, ep.endpoint.Name); err != nil {
		return Action{}, err
	}
	return s.hold(ctx, held, gate.HeldUnproven, false)
}

// ask sends the request that the endpoint must answer.
func (s *step) ask(ctx context.Context, ep *target) (gate.Verdict, error) {
	began := s.cfg.Now()
	post, err := s.question(ep, began)
	var reply Reply
	if err == nil {
		reply, err = s.cfg.Poster.Post(ctx, post)
	}
	var r attemptResult
	if err := r.attempt.conclude(reply, err); err != nil {
		return gate.Verdict{}, err
	}
	proof := breaker.Proof{Of: ep.endpoint.Proves(s.cfg.Origin), At: wholeMillis(s.cfg.Now())}
	r.listen(reply, proof.At)
	v := r.verdict(true)
	switch {
	case r.attempt.Error != "":
		v.Unproven = string(r.attempt.Outcome) + ": " + r.attempt.Error
	case v.Failed:
		v.Unproven = fmt.Sprintf("it answered %d", r.attempt.StatusCode)
	case ep.endpoint.Prove == catalog.ProveOptions:
		proof.Rate, err = granted(reply.Header, s.cfg.Origin)
		if err != nil {
			v.Failed, v.Unproven = true, err.Error()
		}
	}
	if !v.Failed {
		v.Proof = proof
	}
	return v, nil
}

// ping is the body of that request, in the form that Standard Webhooks recommends.
type ping struct {
	Type string    `json:"type"`
	At   time.Time `json:"timestamp"`
	Data pingData  `json:"data"`
}

type pingData struct {
	Tenant   string `json:"tenant,omitempty"`
	Endpoint string `json:"endpoint"`
}

// PingEvent returns an event that is sent to one endpoint, by its qualified name, to see how it is
// now. Its delivery has one attempt.
func PingEvent(endpoint string, at time.Time) Event {
	at = wholeMillis(at)
	tenant, _ := catalog.SplitName(endpoint)
	return OwnEvent(
		tenant, PingType, endpoint+" "+randomID(), "", format.Encode(pingOf(endpoint, at)), at,
	)
}

// pingOf returns the ping of an endpoint, by its qualified name.
func pingOf(endpoint string, at time.Time) ping {
	tenant, name := catalog.SplitName(endpoint)
	return ping{Type: PingType, At: at, Data: pingData{Tenant: tenant, Endpoint: name}}
}

func (e Event) isPing() bool { return e.Source == catalog.OwnSource && e.Type == PingType }

// question returns the request that the endpoint must answer.
func (s *step) question(ep *target, now time.Time) (Post, error) {
	tenant, _ := catalog.SplitName(ep.endpoint.Name)
	e := Event{
		ID: EventID(tenant, catalog.OwnSource, ""), Source: catalog.OwnSource, Tenant: tenant,
		Trust: verify.Verified, ReceivedAt: wholeMillis(now), Trace: newTrace(""),
	}
	if ep.endpoint.Prove == catalog.ProvePing {
		e.Type, e.Header = PingType, Header{"content-type": "application/json"}
		e.Body = format.Encode(pingOf(ep.endpoint.Name, e.ReceivedAt))
	}
	post, err := s.deliverer.request(ep, e, 1, transform.Result{Body: e.Body}, now)
	if err == nil && ep.endpoint.Prove == catalog.ProveOptions {
		post.Method = "OPTIONS"
		if ep.endpoint.RateLimit > 0 {
			post.Header[headerRequestRate] = strconv.Itoa(int(math.Ceil(perMinute(ep))))
		}
	}
	return post, err
}

// granted reads the endpoint's answer to the handshake. rate is the number of requests a minute
// that it allows, or 0 if it sets no limit. The error says why it allows none, and repeats nothing
// that the endpoint sent.
func granted(answer Header, origin string) (rate int, err error) {
	switch allowed := answer[headerAllowedOrigin]; {
	case allowed == "":
		return 0, errors.New("its answer has no WebHook-Allowed-Origin")
	case allowed != anyValue && !strings.EqualFold(allowed, origin):
		return 0, fmt.Errorf("its WebHook-Allowed-Origin is not %s", origin)
	}
	allowed := answer[headerAllowedRate]
	if allowed == "" || allowed == anyValue {
		return 0, nil
	}
	if rate, err = strconv.Atoi(allowed); err != nil || rate < 1 {
		return 0, errors.New("its WebHook-Allowed-Rate is neither * nor a number of 1 or more")
	}
	return rate, nil
}
