package relay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/transform"
)

// deniedWait is the shortest wait after a destination has refused for lack of a permission.
// Somebody has to grant it, which takes longer than the first waits of the schedule.
const deniedWait = 5 * time.Minute

// addressed is what a destination gets.
type addressed struct {
	message destination.Message
	request destination.Request
	claim   string // the URL of the content that the message points to; "": the message has it
}

// aim parses the address of an endpoint that has a destination. region is the relay's own.
func (t *target) aim(region string) error {
	options := t.endpoint.Destination
	if options == nil {
		return nil
	}
	to, err := destination.Parse(t.endpoint.URL)
	if err != nil {
		return fmt.Errorf("url %w", err)
	}
	to = to.In(cmp.Or(options.Region, region))
	if a := t.endpoint.Auth; a != nil && a.SigV4 != nil {
		v4 := *a.SigV4
		v4.Region = to.Region
		t.endpoint.Auth = &catalog.Auth{SigV4: &v4}
	}
	t.to = &to
	t.texts, err = to.ParseTexts(*options)
	return err
}

// sameAim tells whether two versions of an endpoint send to the same destination in the same way.
func (t *target) sameAim(other *target) bool {
	a, b := t.endpoint.Destination, other.endpoint.Destination
	return t.endpoint.URL == other.endpoint.URL && (a == nil) == (b == nil) &&
		(a == nil || *a == *b)
}

// address makes the request to the endpoint's destination, if it has one. It is made before the
// gate is asked, as a transform is: an event that the destination cannot take is no probe.
func (s *step) address(ctx context.Context, ep *target) (err error) {
	if ep.to == nil {
		return nil
	}
	options := *ep.endpoint.Destination
	m := destination.Message{
		Once: s.once(), Endpoint: ep.endpoint.Name, Attempt: s.task.Attempt, At: s.cfg.Now(),
		Trace: childTrace(s.event.Trace),
	}
	needed := ep.texts.NeedsData() || s.content == nil && ep.to.NeedsData(options)
	if m.Event, err = s.transformable(ctx, needed); err != nil {
		return err
	}
	if tenant, _ := catalog.SplitName(ep.endpoint.Name); tenant != "" {
		_, m.Event.Source = catalog.SplitName(m.Event.Source) // the name that the tenant knows
	}
	if s.content != nil {
		m.Shaped, m.ContentType = s.content.Body, s.content.ContentType
	}
	if m.Texts, err = ep.texts.Apply(m.Event); err != nil {
		return err
	}
	request, err := ep.to.Request(m, options)
	s.addressed = &addressed{message: m, request: request}
	if errors.Is(err, destination.ErrTooLarge) && s.canClaim(ep) {
		return s.claim(ctx, ep)
	}
	return err
}

// canClaim tells whether a pointer can be sent in place of the content.
func (s *step) canClaim(ep *target) bool {
	return ep.endpoint.Destination.HasClaims() && s.cfg.Claims != nil && s.addressed.claim == ""
}

// claim stores the content that is to be sent, and makes the request that sends a pointer to it.
func (s *step) claim(ctx context.Context, ep *target) error {
	options, m := *ep.endpoint.Destination, s.addressed.message
	content, contentType, err := ep.to.Content(m, options)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	stored, err := s.cfg.Claims.Claim(ctx, hex.EncodeToString(sum[:]), contentType, content)
	if err != nil {
		return err
	}
	m = m.Claimed(content, contentType, stored)
	request, err := ep.to.Request(m, options)
	s.addressed = &addressed{message: m, request: request, claim: stored.URL}
	return err
}

// send makes the POST. If the destination takes less than its service, and wants pointers, it gets
// one.
func (s *step) send(ctx context.Context, ep *target, body []byte, at time.Time) (Reply, error) {
	post, err := s.request(ep, body, at)
	if err != nil {
		return Reply{}, err
	}
	reply, err := s.cfg.Poster.Post(ctx, post)
	if err != nil || reply.Result == nil || reply.Result.Verdict != destination.TooLarge ||
		!s.canClaim(ep) {
		return reply, err
	}
	if err := s.claim(ctx, ep); err != nil {
		return Reply{}, err
	}
	if !enoughTime(ctx, ep) {
		return Reply{}, errDeadline
	}
	return s.cfg.Poster.Post(ctx, s.requestTo(ep))
}

// once returns what is the same for all attempts of a cycle: the event's id, and after a replay the
// number of the cycle's first attempt too. A service that drops repeats must not drop a replay.
func (s *step) once() string {
	if first := s.task.Attempt - s.task.Step; first > 1 {
		return s.event.ID + "-" + strconv.Itoa(first)
	}
	return s.event.ID
}

// unfit returns why a delivery dies if the error says that nothing can be sent; "": it does not.
func unfit(err error) (why Reason, text string) {
	if failed, ok := errors.AsType[*transform.Error](err); ok {
		return TransformFailed, failed.Problem
	}
	if failed, ok := errors.AsType[*destination.UnfitError](err); ok {
		return TransformFailed, failed.Problem
	}
	if errors.Is(err, destination.ErrTooLarge) {
		return TooLarge, err.Error()
	}
	return "", ""
}

// requestTo returns the POST to the endpoint's destination.
func (s *step) requestTo(ep *target) Post {
	r := s.addressed.request
	p := Post{
		Method: r.Method, URL: r.URL, Header: Header{"user-agent": UserAgent}, Body: r.Body,
		Timeout: ep.endpoint.Timeout, Auth: ep.endpoint.Auth, Secrets: ep.secrets,
		To: &Destination{
			Destination: *ep.to, Options: *ep.endpoint.Destination, Message: s.addressed.message,
			Request: r,
		},
	}
	for name, value := range r.Header {
		p.Header[name] = value
	}
	if s.addressed.claim != "" { // who has it may read the content
		p.Secrets = append(slices.Clone(p.Secrets), s.addressed.claim)
	}
	return p
}

// heedDestination notes what a destination said beside its status.
func (r *attemptResult) heedDestination(result destination.Result, now time.Time) {
	switch result.Verdict {
	case destination.Throttled:
		r.pause = now.Add(gate.OverloadPause)
	case destination.Denied:
		r.retryAfter = deniedWait
	case destination.TooLarge:
		r.final = TooLarge
	case destination.Accepted, destination.Failed, destination.Unprepared:
	}
	r.code = result.Code
}
