package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"webhook-relay/shared/sign"
)

const (
	// DefaultKeep is how long a replaced secret still signs, so that receivers have time to change.
	DefaultKeep = 24 * time.Hour
	// MaxSecrets is how many secrets of an endpoint may sign at the same time. Each adds an entry
	// of about 50 characters to webhook-signature (88 for Ed25519), and receivers try every entry.
	MaxSecrets = 5
	// rotateTries is the number of tries of a rotation that conflicts with other changes of the
	// endpoint.
	rotateTries = 5
)

// Reasons why an endpoint's secrets are not rotated. Nothing was written.
var (
	// ErrSecretsConfigured means that the secrets are in the configuration file. The next "apply"
	// would restore them.
	ErrSecretsConfigured = errors.New("relay: secrets are configured")
	// ErrTooManySecrets means that one more secret would make more than MaxSecrets.
	ErrTooManySecrets = errors.New("relay: too many secrets")
	// ErrKeep means that the time to keep the old secrets is negative.
	ErrKeep = errors.New("relay: negative time to keep a secret")
)

// RetiringSecret is a secret that was replaced. It is stored in the catalog: do not change its JSON
// names.
type RetiringSecret struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"` // it signs before this time only
}

// SigningSecrets returns the secrets that sign at a time: the current ones, then the retiring ones,
// the last to end first.
func (ep Endpoint) SigningSecrets(now time.Time) []string {
	secrets := slices.Clone(ep.Secrets)
	for _, r := range ep.StillRetiring(now) {
		secrets = append(secrets, r.Secret)
	}
	return secrets
}

// StillRetiring returns those of Retiring that still sign at a time.
func (ep Endpoint) StillRetiring(now time.Time) []RetiringSecret {
	return slices.DeleteFunc(slices.Clone(ep.Retiring), func(r RetiringSecret) bool {
		return !now.Before(r.Until)
	})
}

// Rotate gives an endpoint a new secret, which signs first. The secrets so far sign beside it until
// keep from now; a secret that was to end sooner still does. So every request has a signature of
// each, and the receiver can change at any time before. A keep of 0 ends the old secrets at once,
// which is for a secret that has leaked; the usual value is DefaultKeep. Requests have the new
// signature when the deliver function's cache has expired (DefaultCacheTTL). The old signatures end
// exactly on time.
//
// Rotate returns the endpoint as it is now. Secrets[0] is the new secret, to be shown once.
// Concurrent calls are made one after the other. It reads and writes the endpoint alone. Errors:
// ErrNotFound if there is no such endpoint; ErrSecretsConfigured; ErrTooManySecrets; ErrKeep;
// ErrConflict if others changed the endpoint at each try.
func Rotate(
	ctx context.Context, editor Editor, endpoint string, keep time.Duration, now time.Time,
) (Endpoint, error) {
	if keep < 0 {
		return Endpoint{}, fmt.Errorf("%w: %v", ErrKeep, keep)
	}
	for try := 1; ; try++ {
		r, err := editor.Resource(ctx, KindEndpoint, endpoint)
		if err != nil {
			return Endpoint{}, fmt.Errorf("endpoint %q: %w", endpoint, err)
		}
		ep := *r.Endpoint
		if err := ep.rotate(sign.NewSecret(), keep, now); err != nil {
			return Endpoint{}, fmt.Errorf("endpoint %s: %w", endpoint, err)
		}
		r.Endpoint = &ep
		// its manager stays the same
		_, err = editor.Edit(ctx, Edit{Put: &r, Base: r.Revision, By: r.ManagedBy})
		if err == nil {
			return ep, nil
		}
		if !errors.Is(err, ErrConflict) || try == rotateTries {
			return Endpoint{}, err
		}
	}
}

func (ep *Endpoint) rotate(secret string, keep time.Duration, now time.Time) error {
	if !ep.SecretsMade {
		return fmt.Errorf("%w: the configuration file has them; replace the secret there, and apply the file. "+
			"(If the file has none, apply it once, and rotate again)", ErrSecretsConfigured)
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

// Succeed prepares an endpoint of a new catalog that replaces the endpoint was. If it has no
// secrets of its own, it takes those of was. Secrets that it no longer has still sign beside its
// own until keep from now, so that the receiver has time to change. Secrets that were retiring
// already keep their end. A keep of 0 ends all of them at once. Errors: ErrTooManySecrets, ErrKeep.
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

// retire makes the secrets that the endpoint no longer has sign until end. Retiring is sorted by
// end, the last first.
func (ep *Endpoint) retire(was Endpoint, end, now time.Time) error {
	ep.Retiring = nil
	for _, old := range was.Secrets {
		ep.Retiring = append(ep.Retiring, RetiringSecret{Secret: old, Until: end})
	}
	ep.Retiring = append(ep.Retiring, was.Retiring...)
	ep.Retiring = slices.DeleteFunc(ep.StillRetiring(now), func(r RetiringSecret) bool {
		return slices.Contains(ep.Secrets, r.Secret)
	})
	sort.SliceStable(ep.Retiring, func(i, j int) bool {
		return ep.Retiring[j].Until.Before(ep.Retiring[i].Until)
	})
	if n := len(ep.Secrets) + len(ep.Retiring); n > MaxSecrets && len(ep.Retiring) > 0 {
		first := ep.Retiring[len(ep.Retiring)-1]
		return fmt.Errorf("%w: %d would sign at once, at most %d may; wait until %s, when the oldest one ends, or end all old ones now with --keep 0s",
			ErrTooManySecrets, n, MaxSecrets, first.Until.Format(time.RFC3339))
	}
	return nil
}
