package verify

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// standard is the scheme of Standard Webhooks with both of its signatures: v1, an HMAC, and v1a,
// Ed25519. Each secret says which of the two it is for, so that a sender can change from one to the
// other.
type standard struct{ v1 signed }

// The prefixes of v1a's keys. Public keys are given as secrets, the private key to SignWith.
const (
	standardPublic  = "whpk_"
	standardPrivate = "whsk_"
)

func (s standard) trust() Trust          { return Verified }
func (s standard) window() time.Duration { return s.v1.window() }

func (s standard) describe() string {
	return s.v1.describe() + "; or v1a, Ed25519 over the same"
}

// makeKey implements keyMaker.
func (s standard) makeKey(seed []byte) (secret, signing string, err error) {
	return s.v1.makeKey(seed)
}

func (s standard) v1a() public {
	l := s.v1.layout
	l.signature = "v1a"
	return public{
		signature: ed25519Pure, header: s.v1.Header, encoding: "base64", layout: l,
		payload:  []string{placeID, ".", placeTimestamp, ".", placeBody},
		idHeader: s.v1.IDHeader, timestampHeader: s.v1.TimestampHeader, tolerance: s.v1.Tolerance,
	}
}

func (s standard) prepare(k *keys) (proof, error) {
	if err := checkSecrets(k.secrets); err != nil {
		return nil, err
	}
	symmetric, v1a := *k, s.v1a()
	asymmetric := &publicProof{
		public: v1a, decoder: encodings["base64"], fresh: k.freshness(v1a.window()),
	}
	symmetric.secrets = nil
	for i, secret := range k.secrets {
		if err := s.sort(secret, &symmetric, asymmetric); err != nil {
			return nil, wrong(fmt.Sprintf("secrets[%d]", i), "%v", err)
		}
	}
	p := &standardProof{standard: s}
	if len(symmetric.secrets) > 0 {
		v1, err := s.v1.prepare(&symmetric)
		if err != nil {
			return nil, err
		}
		p.proofs = append(p.proofs, v1)
	}
	if len(asymmetric.keys) > 0 {
		p.proofs = append(p.proofs, asymmetric)
	}
	if k.signing == "" {
		return p, nil
	}
	private, err := readStandardPrivate(k.signing)
	asymmetric.private = private
	p.signer = asymmetric
	return p, err
}

// sort adds a secret to the keys of its version.
func (s standard) sort(secret string, symmetric *keys, asymmetric *publicProof) error {
	if strings.HasPrefix(secret, standardPrivate) {
		return errors.New(
			"is a private key, which cannot verify; give its public half, " + standardPublic +
				"…",
		)
	}
	text, isPublic := strings.CutPrefix(secret, standardPublic)
	if !isPublic {
		_, err := readKey(s.v1.Key, secret)
		symmetric.secrets = append(symmetric.secrets, secret)
		return err
	}
	key, err := readPublic(keyBase64, text)
	if err == nil {
		err = wantEd25519(key)
	}
	asymmetric.keys = append(asymmetric.keys, key)
	return err
}

// readStandardPrivate reads a private key: the seed, or the seed followed by the public key.
func readStandardPrivate(text string) (crypto.Signer, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, standardPrivate))
	if n := len(raw); err != nil || (n != ed25519.SeedSize && n != ed25519.PrivateKeySize) {
		return nil, errors.New(
			"verify: SignWith: the key is not " + standardPrivate +
				" followed by the base64 of an Ed25519 key",
		)
	}
	return ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), nil
}

// standardProof holds the proofs of a source's secrets: v1, v1a or both.
type standardProof struct {
	standard
	proofs []proof
	signer proof // set by SignWith; nil: the first of proofs signs
}

func (p *standardProof) headers() []string { return p.proofs[0].headers() }

// check accepts a request that any of the proofs accepts. Of two refusals it returns the one that
// says more: only authentic requests are stale or in the future, and ErrMalformed may only mean
// that there is no signature of that version.
func (p *standardProof) check(ctx context.Context, r Request) error {
	var refusal error
	for _, one := range p.proofs {
		err := one.check(ctx, r)
		if err == nil || errors.Is(err, ErrStale) || errors.Is(err, ErrFuture) {
			return err
		}
		if refusal == nil || errors.Is(refusal, ErrMalformed) {
			refusal = err
		}
	}
	return refusal
}

func (p *standardProof) sign(r *Request, w Webhook, at time.Time) error {
	if p.signer != nil {
		return p.signer.sign(r, w, at)
	}
	return p.proofs[0].sign(r, w, at)
}
