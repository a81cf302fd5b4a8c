package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// errUnready means that the operator has to mend the endpoint's configuration, or a secret that it
// refers to, before anything can be sent.
var errUnready = errors.New("relay: no credentials for the endpoint")

// references resolves the references of one endpoint. It reads each secret once, because several
// values may be parts of one secret.
type references struct {
	store catalog.SecretStore
	read  map[string]string
}

// resolve returns the secret that a value refers to. A value that is no reference is returned as it
// is.
func (r references) resolve(ctx context.Context, value string) (string, error) {
	reference, ok := strings.CutPrefix(value, catalog.SecretPrefix)
	if !ok {
		return value, nil
	}
	name, member, isMember := strings.Cut(reference, "#")
	text, err := r.secret(ctx, name)
	if err != nil {
		return "", err
	}
	if isMember {
		var object map[string]any
		// Without an object there is no member. The error is dropped because it would quote the
		// secret.
		_ = json.Unmarshal([]byte(text), &object)
		text, _ = object[member].(string)
	}
	if text == "" {
		return "",
			fmt.Errorf("%w: %s is empty, or is not a string in a JSON object", errUnready, value)
	}
	return text, nil
}

func (r references) secret(ctx context.Context, name string) (string, error) {
	if text, known := r.read[name]; known {
		return text, nil
	}
	if r.store == nil {
		return "", fmt.Errorf(
			"%w: %s%s: this host has no secret store; use env:NAME", errUnready,
			catalog.SecretPrefix,
			name,
		)
	}
	text, err := r.store.Secret(ctx, name)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", fmt.Errorf("%w: %s%s: %v", errUnready, catalog.SecretPrefix, name, err) //nolint:errorlint // the endpoint itself is found
	}
	if err == nil {
		r.read[name] = text
	}
	return text, err
}

// arm resolves the endpoint's references and prepares its signature. A mistake that the operator
// has to mend is kept in t.unready, and the attempts report it. An error is our own failure.
func (t *target) arm(ctx context.Context, store catalog.SecretStore) error {
	err := t.resolve(ctx, references{store: store, read: map[string]string{}})
	t.secrets = t.endpoint.Hidden()
	if err == nil && t.endpoint.Auth != nil && t.endpoint.Auth.Signature != nil {
		t.foreign, t.unready = t.endpoint.Auth.Signature.Verifier(t.endpoint.URL)
	}
	if errors.Is(err, errUnready) {
		t.unready, err = err, nil
	}
	return err
}

// resolve replaces references by the secrets. It works on copies, so that the catalog's own values
// stay unchanged.
func (t *target) resolve(ctx context.Context, r references) error {
	if t.endpoint.TLS != nil {
		own := *t.endpoint.TLS
		t.endpoint.TLS = &own
		for _, value := range []*[]byte{&own.Certificate, &own.Key, &own.Authorities} {
			text, err := r.resolve(ctx, string(*value))
			if err != nil {
				return err
			}
			*value = []byte(text)
		}
	}
	if t.endpoint.Auth == nil {
		return nil
	}
	t.endpoint.Auth = t.endpoint.Auth.Clone()
	for _, value := range t.endpoint.Auth.SecretValues() {
		var err error
		if *value, err = r.resolve(ctx, *value); err != nil {
			return err
		}
	}
	return nil
}

// authorize adds the endpoint's authentication to a request, or returns why it cannot.
func (t *target) authorize(p *Post, e Event, at time.Time) error {
	p.Auth, p.Secrets = t.endpoint.Auth, t.secrets
	err := t.unready
	if err == nil && t.foreign != nil {
		err = t.signForeign(p, e, at)
	}
	if err != nil {
		return &PostError{Outcome: AuthFailed, Err: err}
	}
	return nil
}

func (t *target) signForeign(p *Post, e Event, at time.Time) error {
	header, err := t.endpoint.Auth.Signature.Sign(
		t.foreign, p.URL,
		verify.Webhook{Body: p.Body, DeliveryID: e.ID, EventType: e.Type}, at,
	)
	if err != nil {
		return err
	}
	if t.endpoint.Auth.Signature.Alone {
		for _, name := range catalog.StandardHeaders {
			delete(p.Header, name)
		}
	}
	for _, name := range t.endpoint.Auth.Signature.Companions() {
		if p.Header[name] != "" {
			// the value of the webhook, or of the operator, is better than a made-up one
			delete(header, name)
		}
	}
	maps.Copy(p.Header, header)
	return nil
}
