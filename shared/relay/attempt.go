package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/retry"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/transform"
	"webhook-relay/shared/verify"
)

// target is an endpoint that is ready for POSTs.
type target struct {
	endpoint catalog.Endpoint
	// signers[n] signs with Secrets and with the first n of Retiring, which end from the last one
	// on.
	signers    []*sign.Signer
	foreign    *verify.Verifier // makes Auth.Signature; nil: not configured
	secrets    []string         // removed from the endpoint's answers
	refers     bool             // some of its values are references to secrets stored elsewhere
	transforms transforms
	// to is the AWS resource that URL names, with the endpoint's texts for it; nil: none
	to    *destination.Destination
	texts *transform.Texts
	// unready says what the operator has to mend before anything can be sent; nil: nothing.
	unready error
}

// targetBytes is the memory that a target takes beside its own text: signers, headers, maps.
const targetBytes = 2 << 10

func (t *target) Bytes() int {
	size := targetBytes*(1+len(t.signers)) + 2*len(t.endpoint.URL)
	for name, value := range t.endpoint.Header {
		size += 2 * (len(name) + len(value))
	}
	if tls := t.endpoint.TLS; tls != nil {
		size += len(tls.Certificate) + len(tls.Key) + len(tls.Authorities)
	}
	return size
}

// Lasting is false for an endpoint with references: those secrets may change while the catalog does
// not.
func (t *target) Lasting() bool { return !t.refers }

// attemptResult is an attempt, with what the endpoint said beside its status.
type attemptResult struct {
	attempt    Attempt
	final      Reason        // no attempt follows, for this reason; "": the schedule decides
	retryAfter time.Duration // this delivery's Retry-After
	pause      time.Time     // no delivery to this endpoint before then
	overload   bool          // a sign of overload: the endpoint is paused if it repeats it
	disable    string        // why the endpoint wants no more; "": it did not say so
	code       string        // what a destination calls its error; "": none
}

func (r attemptResult) verdict(probe bool) gate.Verdict {
	why := string(r.attempt.Outcome)
	if r.attempt.StatusCode != 0 {
		why = cmp.Or(r.code, strconv.Itoa(r.attempt.StatusCode))
	}
	return gate.Verdict{
		Failed: r.attempt.Outcome != Succeeded, Why: why, Probe: probe, Pause: r.pause,
		Overload: r.overload, Disable: r.disable,
	}
}

// skip returns the attempt that is recorded when none is made, because the delivery dies.
func (s *step) skip(why Reason, text string) attemptResult {
	return attemptResult{
		attempt: Attempt{
			Number: s.task.Attempt, At: wholeMillis(s.cfg.Now()), Outcome: Skipped, Error: text,
		},
		final: why,
	}
}

// verdictOf returns what the gate is told about an attempt.
func verdictOf(ep *target, a attemptResult, admitted gate.Admission) gate.Verdict {
	v := a.verdict(admitted.Probe)
	if ep.endpoint.Concurrency > 0 {
		v.Took = max(a.attempt.Duration, time.Millisecond)
	}
	return v
}

// attemptAdmitted makes the attempt, then releases what the gate admitted.
func (s *step) attemptAdmitted(
	ctx context.Context, ep *target, admitted gate.Admission,
) (attemptResult, error) {
	defer s.deliverer.gate.Release(ctx, ep.endpoint.Name, admitted)
	return s.attempt(ctx, ep)
}

// attempt makes the POST.
func (s *step) attempt(ctx context.Context, ep *target) (attemptResult, error) {
	began := s.cfg.Now()
	r := attemptResult{attempt: Attempt{Number: s.task.Attempt, At: wholeMillis(began)}}
	body, err := s.body(ctx)
	if err != nil {
		return attemptResult{}, err
	}
	if !enoughTime(ctx, ep) { // the gate and the body may have taken some
		return attemptResult{}, errDeadline
	}
	stop := s.watch(ctx)
	reply, err := s.send(ctx, ep, body, began)
	stop()
	ended := s.cfg.Now()
	r.attempt.Duration = ended.Sub(began).Truncate(time.Millisecond)
	if err := r.attempt.conclude(reply, err); err != nil {
		return attemptResult{}, err
	}
	r.listen(reply, ended)
	return r, nil
}

// request returns the POST of this attempt. Its error is a *PostError.
func (s *step) request(ep *target, body []byte, at time.Time) (Post, error) {
	if s.addressed != nil {
		return s.requestTo(ep), nil
	}
	return s.deliverer.request(ep, s.event, s.task.Attempt, s.toSend(body), at)
}

// request returns the signed POST of an event. Its error is a *PostError.
func (d *Deliverer) request(
	ep *target, e Event, attempt int, c transform.Result, at time.Time,
) (Post, error) {
	p := Post{
		URL:     ep.endpoint.URL,
		Header:  outboundHeader(e, ep.endpoint, attempt, ep.signerAt(at).Headers(e.ID, at, c.Body)),
		Body:    c.Body,
		Timeout: ep.endpoint.Timeout,
		TLS:     ep.endpoint.TLS,
	}
	if c.Method != "" {
		p.reshape(e, c)
	}
	if ep.endpoint.Prove == catalog.ProveOptions {
		p.Header[headerRequestOrigin] = d.cfg.Origin
	}
	err := ep.authorize(&p, e, at)
	return p, err
}

// conclude notes how the POST ended. It returns an error only if the failure is ours: then no
// attempt is used up.
func (a *Attempt) conclude(reply Reply, err error) error {
	if failed, ok := errors.AsType[*PostError](err); ok {
		a.Outcome, a.Error, a.Timing = failed.Outcome, failed.Err.Error(), failed.Timing
		return nil
	}
	if err != nil {
		return err
	}
	a.StatusCode, a.Response, a.Timing = reply.StatusCode, reply.Body, reply.Timing
	accepted := a.StatusCode >= 200 && a.StatusCode < 300
	if reply.Result != nil {
		accepted, a.Error = reply.Result.Verdict == destination.Accepted, reply.Result.Text
	}
	a.Outcome = FailedAnswer
	if accepted {
		a.Outcome = Succeeded
	}
	return nil
}

// body returns the event's body. A stored one is read once.
func (s *step) body(ctx context.Context) ([]byte, error) {
	if s.stored == nil {
		var err error
		if s.stored, err = s.event.Content(ctx, s.cfg.Bodies); err != nil {
			return nil, err
		}
	}
	return s.stored, nil
}

// toSend returns what a transform made of the event; without one, its body as it came.
func (s *step) toSend(body []byte) transform.Result {
	if s.content != nil {
		return *s.content
	}
	return transform.Result{Body: body}
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
	t := &target{endpoint: ep, refers: slices.ContainsFunc(ep.References(), catalog.IsReference)}
	if err := t.addSigners(d.cfg.Now()); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", k, err)
	}
	if err := t.arm(ctx, d.cfg.Secrets); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", k, err)
	}
	if err := t.aim(d.cfg.Region); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", k, err)
	}
	return t, nil
}
