package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/transform"
)

// Preview returns the request of the first attempt that an endpoint would get for an event at a
// time, with its transform and its signature. It is not sent. What authenticates the request in
// another way is not in it, nor are the endpoint's own headers: both have secrets.
//
// jq runs the programs of transforms; nil: an endpoint that has one gets ErrNoPreview. Further
// errors: ErrNothingToSend, and a *transform.Error.
func Preview(
	ctx context.Context, ep catalog.Endpoint, e Event, bodies Bodies, jq transform.Runner,
	at time.Time,
) (Post, error) {
	ep.Header, ep.TLS = nil, nil
	if ep.Auth != nil {
		ep.Auth = &catalog.Auth{Signature: ep.Auth.Signature}
	}
	return unsent(ctx, ep, e, 1, bodies, jq, at)
}

// Hidden stands in an outline for what people need not see: a secret, or a proof.
const Hidden = "(hidden)"

// aSecret signs outlines.
const aSecret = sign.SecretPrefix + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// Outline is Preview of an attempt for people who may see what is sent, and may not send it
// themselves. Hidden stands for its signature, and for the values of the endpoint's own headers.
// What authenticates the request is left out. No secret is needed for it.
func Outline(
	ctx context.Context, ep catalog.Endpoint, e Event, attempt int, bodies Bodies,
	jq transform.Runner, at time.Time,
) (Post, error) {
	hidden := make(map[string]string, len(ep.Header))
	for name := range ep.Header {
		hidden[name] = Hidden
	}
	alone := ep.Auth != nil && ep.Auth.Signature != nil && ep.Auth.Signature.Alone
	ep.Header, ep.TLS, ep.Auth = hidden, nil, nil
	ep.Secrets, ep.Retiring = []string{aSecret}, nil
	p, err := unsent(ctx, ep, e, attempt, bodies, jq, at)
	if err != nil {
		return Post{}, err
	}
	p.Header[standardwebhooks.HeaderWebhookSignature] = Hidden
	if alone {
		for _, name := range catalog.StandardHeaders {
			delete(p.Header, name)
		}
	}
	return p, nil
}

// unsent makes the request of an attempt.
func unsent(
	ctx context.Context, ep catalog.Endpoint, e Event, attempt int, bodies Bodies,
	jq transform.Runner, at time.Time,
) (Post, error) {
	if ep.Destination != nil {
		return Post{}, fmt.Errorf("%w: it is a destination in AWS", ErrNoPreview)
	}
	t := &target{endpoint: ep}
	if err := t.addSigners(at); err != nil {
		return Post{}, err
	}
	if err := t.arm(ctx, nil); err != nil {
		return Post{}, err
	}
	if t.unready != nil {
		return Post{}, fmt.Errorf("%w: %w", ErrNoPreview, t.unready)
	}
	if made, err := t.transformOf(e.Source); err != nil {
		return Post{}, err
	} else if made != nil && made.UsesJQ() && jq == nil {
		return Post{}, fmt.Errorf("%w: its transform is a jq program", ErrNoPreview)
	}
	d := &Deliverer{cfg: DelivererConfig{
		Bodies: bodies, JQ: jq, Origin: DefaultOrigin, Now: func() time.Time { return at },
	}}
	s := &step{deliverer: d, cfg: &d.cfg, event: e}
	body, err := s.body(ctx)
	if err != nil {
		return Post{}, err
	}
	skip, err := s.transform(ctx, t)
	if err != nil {
		return Post{}, err
	}
	if skip {
		return Post{}, ErrNothingToSend
	}
	return d.request(t, e, attempt, s.toSend(body), at)
}

// Errors of Preview and Outline.
var (
	// ErrNothingToSend means that the transform of an endpoint leaves nothing of an event.
	ErrNothingToSend = errors.New("relay: " + nothingToSend)
	// ErrNoPreview means that only the stage deliver can make the requests of an endpoint.
	ErrNoPreview = errors.New("relay: only the relay itself can make requests of this endpoint")
)
