package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/retry"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/verify"
)

// target is an endpoint that is ready for POSTs.
type target struct {
	catalog.Endpoint
	// signers[n] signs with Secrets and with the first n of Retiring, which end from the last one
	// on.
	signers []*sign.Signer
	foreign *verify.Verifier // makes Auth.Signature; nil: not configured
	secrets []string         // removed from the endpoint's answers
	refers  bool             // some of its values are references to secrets stored elsewhere
	// unready says what the operator has to mend before anything can be sent; nil: nothing.
	unready error
}

// targetBytes is the memory that a target takes beside its own text: signers, headers, maps.
const targetBytes = 2 << 10

func (t *target) Bytes() int {
	size := targetBytes*(1+len(t.signers)) + 2*len(t.URL)
	for name, value := range t.Header {
		size += 2 * (len(name) + len(value))
	}
	if t.TLS != nil {
		size += len(t.TLS.Certificate) + len(t.TLS.Key) + len(t.TLS.Authorities)
	}
	return size
}

// Lasting is false for an endpoint with references: those secrets may change while the catalog does
// not.
func (t *target) Lasting() bool { return !t.refers }

// made is an attempt, with what the endpoint said beside its status.
type made struct {
	Attempt
	final      Reason        // no attempt follows, for this reason; "": the schedule decides
	retryAfter time.Duration // this delivery's Retry-After
	pause      time.Time     // no delivery to this endpoint before then
	overload   bool          // a sign of overload: the endpoint is paused if it repeats it
	disable    string        // why the endpoint wants no more; "": it did not say so
}

func (m made) verdict(probe bool) gate.Verdict {
	why := string(m.Outcome)
	if m.StatusCode != 0 {
		why = strconv.Itoa(m.StatusCode)
	}
	return gate.Verdict{
		Failed: m.Outcome != Succeeded, Why: why, Probe: probe, Pause: m.pause,
		Overload: m.overload, Disable: m.disable,
	}
}

// skip returns the attempt that is recorded when none is made, because the delivery dies.
func (s *step) skip(why Reason, text string) made {
	return made{
		Attempt: Attempt{
			Number: s.task.Attempt, At: wholeMillis(s.cfg.Now()), Outcome: Skipped, Error: text,
		},
		final: why,
	}
}

// verdictOf returns what the gate is told about an attempt.
func verdictOf(ep *target, a made, admitted gate.Admission) gate.Verdict {
	v := a.verdict(admitted.Probe)
	if ep.Concurrency > 0 {
		v.Took = max(a.Duration, time.Millisecond)
	}
	return v
}

// attemptAdmitted makes the attempt, then releases what the gate admitted.
func (s *step) attemptAdmitted(
	ctx context.Context, ep *target, admitted gate.Admission,
) (made, error) {
	defer s.gate.Release(ctx, ep.Name, admitted)
	return s.attempt(ctx, ep)
}

// attempt makes the POST.
func (s *step) attempt(ctx context.Context, ep *target) (made, error) {
	began := s.cfg.Now()
	m := made{Attempt: Attempt{Number: s.task.Attempt, At: wholeMillis(began)}}
	body, err := s.body(ctx)
	if err != nil {
		return made{}, err
	}
	if !enoughTime(ctx, ep) { // the gate and the body may have taken some
		return made{}, errDeadline
	}
	post, err := s.request(ep, s.event, m.Number, body, began)
	var reply Reply
	if err == nil {
		stop := s.watch(ctx)
		reply, err = s.cfg.Poster.Post(ctx, post)
		stop()
	}
	ended := s.cfg.Now()
	m.Duration = ended.Sub(began).Truncate(time.Millisecond)
	if err := m.conclude(reply, err); err != nil {
		return made{}, err
	}
	m.listen(reply, ended)
	return m, nil
}

// request returns the signed POST of an event. Its error is a *PostError.
func (d *Deliverer) request(
	ep *target, e Event, attempt int, body []byte, at time.Time,
) (Post, error) {
	p := Post{
		URL:     ep.URL,
		Header:  outboundHeader(e, ep.Endpoint, attempt, ep.signerAt(at).Headers(e.ID, at, body)),
		Body:    body,
		Timeout: ep.Timeout,
		TLS:     ep.TLS,
	}
	if ep.Prove == catalog.ProveOptions {
		p.Header[headerRequestOrigin] = d.cfg.Origin
	}
	err := ep.authorize(&p, e, at)
	return p, err
}

// conclude notes how the POST ended. It returns an error only if the failure is ours: then no
// attempt is used up.
func (a *Attempt) conclude(reply Reply, err error) error {
	if failed, ok := errors.AsType[*PostError](err); ok {
		a.Outcome, a.Error = failed.Outcome, failed.Err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	a.StatusCode, a.Response = reply.StatusCode, reply.Body
	a.Outcome = FailedAnswer
	if a.StatusCode >= 200 && a.StatusCode < 300 {
		a.Outcome = Succeeded
	}
	return nil
}

func (s *step) body(ctx context.Context) ([]byte, error) {
	if s.event.BodyRef == nil {
		return s.event.Body, nil
	}
	return s.cfg.Bodies.Get(ctx, s.event.BodyRef.Key)
}

func (d *Deliverer) loadEndpoint(
	ctx context.Context, s catalog.State, k catalog.Key,
) (*target, error) {
	ep, err := d.cfg.Endpoints.Endpoint(ctx, s.Generation, k.String())
	if err != nil {
		return nil, err
	}
	ep.Timeout = min(cmp.Or(ep.Timeout, catalog.DefaultEndpointTimeout), catalog.MaxEndpointTimeout)
	if ep.Schedule == nil {
		ep.Schedule = retry.DefaultSchedule
	}
	t := &target{Endpoint: ep, refers: slices.ContainsFunc(ep.References(), catalog.IsReference)}
	if err := t.addSigners(d.cfg.Now()); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", k, err)
	}
	if err := t.arm(ctx, d.cfg.Secrets); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", k, err)
	}
	return t, nil
}
