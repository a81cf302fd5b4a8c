package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/sign"
)

const (
	// DefaultKeep is how long a secret that was replaced goes on signing, for receivers to change over.
	DefaultKeep = 24 * time.Hour
	// MaxSecrets is how many secrets of an endpoint may sign at a time: webhook-signature has an entry of some 50 characters for each (88 for
	// Ed25519), and receivers try them all.
	MaxSecrets = 5
	// rotateTries bounds the tries of a rotation that meets other changes of the catalog.
	rotateTries = 5
)

// Why an endpoint's secrets are not rotated. Nothing was written.
var (
	// ErrSecretsConfigured: they stand in the configuration file, which the next "apply" would put back in force.
	ErrSecretsConfigured = errors.New("relay: secrets are configured")
	// ErrTooManySecrets: with one more there would be more than MaxSecrets.
	ErrTooManySecrets = errors.New("relay: too many secrets")
	// ErrKeep: a time to keep the old secrets that is negative.
	ErrKeep = errors.New("relay: negative time to keep a secret")
)

// RetiringSecret is a secret that another has replaced. It is part of the catalog: names in JSON are kept.
type RetiringSecret struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"` // it signs before, and not any more from then on
}

// SigningSecrets returns the secrets that sign at a time, the newest first.
func (ep Endpoint) SigningSecrets(now time.Time) []string {
	secrets := slices.Clone(ep.Secrets)
	for _, r := range ep.StillRetiring(now) {
		secrets = append(secrets, r.Secret)
	}
	return secrets
}

// StillRetiring returns those of Retiring that still sign at a time.
func (ep Endpoint) StillRetiring(now time.Time) []RetiringSecret {
	return slices.DeleteFunc(slices.Clone(ep.Retiring), func(r RetiringSecret) bool { return !now.Before(r.Until) })
}

// Rotate gives an endpoint a new secret, which signs first, and lets those of before sign beside it until keep from now; one that was to
// end sooner still does. So every request carries a signature of each, and the receiver changes over when it likes. A keep of 0 ends them at
// once, which is for a secret that has leaked; DefaultKeep is the usual. Requests carry the new signature once the deliver function's cache
// has run out (DefaultCacheTTL), and the old ones not a moment too long.
//
// It returns the endpoint as it is now: Secrets[0] is the new secret, to be shown once. Calls at the same time come one after the other.
// ErrNotFound: there is no such endpoint. ErrSecretsConfigured, ErrTooManySecrets, ErrKeep. ErrConflict: others changed the catalog all the
// time.
func Rotate(ctx context.Context, store CatalogStore, endpoint string, keep time.Duration, now time.Time) (Endpoint, error) {
	if keep < 0 {
		return Endpoint{}, fmt.Errorf("%w: %v", ErrKeep, keep)
	}
	for try := 1; ; try++ {
		catalog, revision, err := store.LoadCatalog(ctx)
		if err != nil {
			return Endpoint{}, err
		}
		at := slices.IndexFunc(catalog.Endpoints, func(e Endpoint) bool { return e.Name == endpoint })
		if at < 0 {
			return Endpoint{}, fmt.Errorf("endpoint %q: %w", endpoint, ErrNotFound)
		}
		catalog.Endpoints = slices.Clone(catalog.Endpoints) // the store may have handed out its own
		ep := &catalog.Endpoints[at]
		if err := ep.rotate(sign.NewSecret(), keep, now); err != nil {
			return Endpoint{}, fmt.Errorf("endpoint %s: %w", endpoint, err)
		}
		err = store.ReplaceCatalog(ctx, catalog, revision)
		if err == nil {
			return *ep, nil
		}
		if !errors.Is(err, ErrConflict) || try == rotateTries {
			return Endpoint{}, err
		}
	}
}

func (ep *Endpoint) rotate(secret string, keep time.Duration, now time.Time) error {
	if !ep.SecretsMade {
		return fmt.Errorf("%w: the configuration file names them; put the new one first in its secrets, before those of now, and apply it. "+
			"(If it names none, apply it once, and rotate again)", ErrSecretsConfigured)
	}
	end := now.Add(keep).UTC().Truncate(time.Second)
	var retiring []RetiringSecret
	for _, old := range ep.Secrets {
		retiring = append(retiring, RetiringSecret{old, end})
	}
	for _, r := range ep.Retiring {
		if end.Before(r.Until) {
			r.Until = end
		}
		retiring = append(retiring, r)
	}
	ep.Secrets, ep.Retiring = []string{secret}, retiring
	if ep.Retiring = ep.StillRetiring(now); len(ep.Retiring) >= MaxSecrets {
		oldest := ep.Retiring[len(ep.Retiring)-1]
		return fmt.Errorf("%w: %d sign already, at most %d may; the oldest ends at %s, or end them all at once by keeping none",
			ErrTooManySecrets, len(ep.Retiring), MaxSecrets, oldest.Until.Format(time.RFC3339))
	}
	return nil
}

// addSigners makes the signers for now and for when, one by one, the retiring secrets will have ended.
func (t *target) addSigners(now time.Time) error {
	t.Retiring = t.StillRetiring(now)
	secrets := t.SigningSecrets(now)
	for n := range len(t.Retiring) + 1 {
		signer, err := sign.New(secrets[:len(t.Secrets)+n])
		if err != nil {
			return err
		}
		t.signers = append(t.signers, signer)
	}
	return nil
}

// signerAt returns the signer of a time. The endpoint may stay in the cache for longer than its retiring secrets may sign.
func (t *target) signerAt(at time.Time) *sign.Signer { return t.signers[len(t.StillRetiring(at))] }
