package relay

import (
	"time"

	"webhook-relay/shared/sign"
)

// addSigners makes the signers for the present, and for the times after each of the retiring
// secrets has ended.
func (t *target) addSigners(now time.Time) error {
	t.endpoint.Retiring = t.endpoint.StillRetiring(now)
	secrets := t.endpoint.SigningSecrets(now)
	for n := range len(t.endpoint.Retiring) + 1 {
		signer, err := sign.New(secrets[:len(t.endpoint.Secrets)+n])
		if err != nil {
			return err
		}
		t.signers = append(t.signers, signer)
	}
	return nil
}

// signerAt returns the signer for a time. It is asked at each use, because the endpoint may stay in
// the cache for longer than its retiring secrets may sign.
func (t *target) signerAt(at time.Time) *sign.Signer {
	return t.signers[len(t.endpoint.StillRetiring(at))]
}
