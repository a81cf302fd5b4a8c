package catalog

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

// SigningSecrets returns the secrets that sign at a time: those of now, then those that retire, the last to end first.
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
func Rotate(ctx context.Context, store Store, endpoint string, keep time.Duration, now time.Time) (Endpoint, error) {
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
		return fmt.Errorf("%w: the configuration file names them; put the new one in the place of the old one, and apply it. "+
			"(If it names none, apply it once, and rotate again)", ErrSecretsConfigured)
	}
	was, end := *ep, endOf(keep, now)
	was.Retiring = slices.Clone(ep.Retiring)
	for i := range was.Retiring {
		if end.Before(was.Retiring[i].Until) {
			was.Retiring[i].Until = end
		}
	}
	ep.Secrets = []string{secret}
	return ep.retire(was, end, now)
}

// Succeed prepares an endpoint of a new catalog for the place of the one that it was: without secrets of its own it has those of before, and those
// that it has no longer sign beside its own until keep from now, so that the receiver changes over when it likes. Those that were retiring stay until
// their time has come. A keep of 0 ends all of them at once. ErrTooManySecrets, ErrKeep.
func (ep *Endpoint) Succeed(was Endpoint, keep time.Duration, now time.Time) error {
	switch {
	case keep < 0:
		return fmt.Errorf("%w: %v", ErrKeep, keep)
	case len(ep.Secrets) == 0:
		ep.Secrets = was.Secrets
	}
	if keep == 0 {
		return nil
	}
	return ep.retire(was, endOf(keep, now), now)
}

func endOf(keep time.Duration, now time.Time) time.Time {
	return now.Add(keep).UTC().Truncate(time.Second)
}

// retire lets the secrets that the endpoint was signed with, and has no longer, sign until end. They are in the order in which they end, the last first.
func (ep *Endpoint) retire(was Endpoint, end, now time.Time) error {
	ep.Retiring = nil
	for _, old := range was.Secrets {
		ep.Retiring = append(ep.Retiring, RetiringSecret{old, end})
	}
	ep.Retiring = append(ep.Retiring, was.Retiring...)
	ep.Retiring = slices.DeleteFunc(ep.StillRetiring(now), func(r RetiringSecret) bool { return slices.Contains(ep.Secrets, r.Secret) })
	slices.SortStableFunc(ep.Retiring, func(a, b RetiringSecret) int { return b.Until.Compare(a.Until) })
	if n := len(ep.Secrets) + len(ep.Retiring); n > MaxSecrets && len(ep.Retiring) > 0 {
		first := ep.Retiring[len(ep.Retiring)-1]
		return fmt.Errorf("%w: %d would sign, at most %d may; the first of those from before ends at %s, or end them all at once by keeping none",
			ErrTooManySecrets, n, MaxSecrets, first.Until.Format(time.RFC3339))
	}
	return nil
}
