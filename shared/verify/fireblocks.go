package verify

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// fireblocks is the scheme of Fireblocks: a detached JSON Web Signature (RFC 7515) in a header,
// with the body as its payload. The keys are published for each region, under an id.
type fireblocks struct{}

const (
	fireblocksHeader    = "fireblocks-webhook-signature"
	fireblocksAlgorithm = "RS512"
)

// fireblocksHosts are the hosts with the keys of each environment.
var fireblocksHosts = map[string]string{
	"": "keys.fireblocks.io", production: "keys.fireblocks.io", "eu": "eu-keys.fireblocks.io",
	"eu2":   "eu2-keys.fireblocks.io",
	sandbox: "sandbox-keys.fireblocks.io",
}

func (fireblocks) trust() Trust { return Verified }

func (fireblocks) describe() string {
	return "header " + fireblocksHeader + ": detached JSON Web Signature, " + fireblocksAlgorithm +
		", over {body}"
}

// makeKey implements keyMaker.
func (fireblocks) makeKey(seed []byte) (secret, signing string, err error) {
	return makePublished(rsaSHA512, seed)
}

// pin implements pinner.
func (fireblocks) pin(signing string) (map[string]string, error) {
	return keySetOf(rsaSHA512, signing)
}

func (fireblocks) publicHalf(key string) (string, error) { return fetchedKey(rsaSHA512, key) }

func (fireblocks) prepare(k *keys) (proof, error) {
	environment := k.settings[settingEnvironment]
	if fireblocksHosts[environment] == "" {
		return nil, wrong(
			"settings."+settingEnvironment, "%q is unknown; known are eu, eu2, %s, %s", environment,
			production, sandbox,
		)
	}
	p := &fireblocksProof{}
	var err error
	p.keyByID, err = newKeyByID(k, rsaSHA512, findFireblocks)
	return p, err
}

func findFireblocks(ctx context.Context, k *keys, id string) (crypto.PublicKey, error) {
	return k.findInSet(
		ctx, "https://"+fireblocksHosts[k.settings[settingEnvironment]]+"/.well-known/jwks.json",
		id,
	)
}

type fireblocksProof struct {
	fireblocks
	keyByID
}

func (*fireblocksProof) headers() []string { return []string{fireblocksHeader} }

func (p *fireblocksProof) check(ctx context.Context, r Request) error {
	value, err := single(r.Header, fireblocksHeader)
	if err != nil {
		return err
	}
	head, id, signature, ok := readDetached(value)
	if !ok {
		return malformed(fireblocksHeader, "a detached JSON Web Signature, "+fireblocksAlgorithm)
	}
	key, err := p.find(ctx, fireblocksHeader, id)
	if err != nil {
		return err
	}
	if wantRSA(key) != nil ||
		!rsaSHA512.verified(key, rsaSHA512.digest(detachedText(head, r.Body)), signature) {
		return fmt.Errorf("%w: header %s", ErrMismatch, fireblocksHeader)
	}
	return nil
}

// webEncoding is the base64url of JSON Web Signatures, in the only form that senders write.
var webEncoding = base64.RawURLEncoding.Strict()

// readDetached returns the head of a detached signature, the id of its key, and the signature. It
// accepts only fireblocksAlgorithm.
func readDetached(value string) (head, keyID string, signature []byte, ok bool) {
	head, encoded, cut := strings.Cut(value, "..")
	if !cut {
		return "", "", nil, false
	}
	text, err := decode(webEncoding, head)
	if err != nil {
		return "", "", nil, false
	}
	found, err := document.NewStrictPaths(
		[]string{"alg"}, []string{"kid"}, []string{"crit"}, []string{"b64"},
	).Find(text, nil)
	if err != nil || document.Scalar(found[0]) != fireblocksAlgorithm ||
		len(found[2])+len(found[3]) > 0 {
		return "", "", nil, false
	}
	keyID = document.Scalar(found[1])
	signature, err = decode(webEncoding, encoded)
	return head, keyID, signature, err == nil && keyID != "" && len(keyID) <= maxValueBytes
}

// detachedText returns the signed text.
func detachedText(head string, body []byte) []byte {
	return webEncoding.AppendEncode([]byte(head+"."), body)
}

func (p *fireblocksProof) sign(r *Request, _ Webhook, _ time.Time) error {
	text, err := json.Marshal(map[string]string{"alg": fireblocksAlgorithm, "kid": p.exampleID()})
	if err != nil {
		return err
	}
	head := webEncoding.EncodeToString(text)
	signature, err := rsaSHA512.sign(p.private, detachedText(head, r.Body))
	r.Header[fireblocksHeader] = head + ".." + webEncoding.EncodeToString(signature)
	return err
}
