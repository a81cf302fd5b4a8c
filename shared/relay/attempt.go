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

// target is an endpoint ready to be POSTed to.
type target struct {
	catalog.Endpoint
	signers []*sign.Signer   // by how many of Retiring sign beside Secrets: they end from the last one on
	foreign *verify.Verifier // makes Auth.Signature; nil: none is wanted
	secrets []string         // what its answers are rid of
	refers  bool             // to secrets that are kept elsewhere
	unready error            // why nothing can be sent before the operator has mended something; nil: it can
}

// targetBytes is what a target takes beside its own text: signers, headers, maps.
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

// lasting: what the endpoint refers to may change while the catalog does not.
func (t *target) Lasting() bool { return !t.refers }

// made is an attempt and what the endpoint said beside its status.
type made struct {
	Attempt
	final      Reason        // why no other attempt follows, whatever the schedule says; "" where it decides
	retryAfter time.Duration // how long the endpoint wants to be left alone by this delivery
	pause      time.Time     // until when it wants to be left alone by all
	overload   bool          // there may be too much to do for it: it wants to be left alone by all if it says so more than once
	disable    string        // it wants no more, and why
}

func (m made) verdict(probe bool) gate.Verdict {
	why := string(m.Outcome)
	if m.StatusCode != 0 {
		why = strconv.Itoa(m.StatusCode)
	}
	return gate.Verdict{Failed: m.Outcome != Succeeded, Why: why, Probe: probe, Pause: m.pause, Overload: m.overload, Disable: m.disable}
}

// withhold is the attempt that is put on record where none is made.
func (s *step) withhold(outcome Outcome, why Reason, text string) made {
	return made{Attempt: Attempt{Number: s.task.Attempt, At: wholeMillis(s.cfg.Now()), Outcome: outcome, Error: text}, final: why}
}

// verdictOf is what the gate is told of an attempt.
func verdictOf(ep *target, a made, admitted gate.Admission) gate.Verdict {
	v := a.verdict(admitted.Probe)
	if ep.Concurrency > 0 {
		v.Took = max(a.Duration, time.Millisecond)
	}
	return v
}

// attemptAdmitted is attempt within the gate's admission.
func (s *step) attemptAdmitted(ctx context.Context, ep *target, admitted gate.Admission) (made, error) {
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

// request is the POST of an event, signed. Its error is a *PostError.
func (d *Deliverer) request(ep *target, e Event, attempt int, body []byte, at time.Time) (Post, error) {
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

// conclude notes how the POST ended. An error that is not the endpoint's is returned: no attempt was used up.
func (a *Attempt) conclude(reply Reply, err error) error {
	if failed, ok := errors.AsType[*PostError](err); ok {
		a.Outcome, a.Error = failed.Outcome, failed.Err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	a.StatusCode, a.Response = reply.StatusCode, reply.Body
	a.Outcome = Rejected
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

func (d *Deliverer) loadEndpoint(ctx context.Context, g catalog.Generation, name string) (*target, error) {
	ep, err := d.cfg.Endpoints.Endpoint(ctx, g, name)
	if err != nil {
		return nil, err
	}
	ep.Timeout = min(cmp.Or(ep.Timeout, catalog.DefaultEndpointTimeout), catalog.MaxEndpointTimeout)
	if ep.Schedule == nil {
		ep.Schedule = retry.DefaultSchedule
	}
	t := &target{Endpoint: ep, refers: slices.ContainsFunc(ep.References(), catalog.IsReference)}
	if err := t.addSigners(d.cfg.Now()); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	if err := t.arm(ctx, d.cfg.Secrets); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return t, nil
}
