package relay

import (
	"time"

	"webhook-relay/shared/sign"
)

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
