package verify

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// public is the scheme of a signature made with the provider's private key. The secrets are the
// public keys. They need not stay secret, but whoever could replace one could sign.
type public struct {
	signature algorithm
	// the form in which the provider shows its public key: keyHex or keyBase64 of the bare key,
	// keySPKI for all other forms
	keyForm  string
	header   string // of the signature; lower case, as all names here
	encoding string // of the signature: hex (lower case), base64
	layout   layout // zero: the header holds one signature

	payload         []string // the signed text: placeholders, and text between them
	idHeader        string   // required with {id}: an id, or a nonce
	timestampHeader string   // required with {timestamp}, unless the layout holds the time
	timestampFormat string   // of {timestamp}, which is in timestampHeader or in the layout
	tolerance       time.Duration
	twice           bool   // the SHA-256 of the payload is signed
	form            string // {body} stands for this field of a form, decoded
}

// algorithm is a kind of key with its hash. With crypto.Hash(0) the message itself is signed.
type algorithm struct {
	name string
	hash crypto.Hash
	fits func(key crypto.PublicKey) error // says why a key does not fit; nil: it fits
	make func(seed []byte) (crypto.Signer, error)
	pss  bool // for RSA: RSASSA-PSS, with a salt of the hash's size (RFC 8017, section 8.1)
}

// The algorithms. Two senders use SHA-1, and no other should. An attacker gains nothing from a
// collision, because they cannot choose both messages.
var (
	ed25519Pure = algorithm{
		name: "Ed25519", hash: 0, fits: wantEd25519, make: makeEd25519, pss: false,
	}
	ecdsaSHA256 = algorithm{
		name: "ECDSA-SHA256", hash: crypto.SHA256, fits: wantP256, make: makeP256, pss: false,
	}
	ecdsaSHA1 = algorithm{
		name: "ECDSA-SHA1", hash: crypto.SHA1, fits: wantP256, make: makeP256, pss: false,
	}
	rsaSHA256 = algorithm{
		name: "RSA-SHA256", hash: crypto.SHA256, fits: wantRSA, make: makeRSA, pss: false,
	}
	rsaSHA1 = algorithm{
		name: "RSA-SHA1", hash: crypto.SHA1, fits: wantRSA, make: makeRSA, pss: false,
	}
	rsaSHA512 = algorithm{
		name: "RSA-SHA512", hash: crypto.SHA512, fits: wantRSA, make: makeRSA, pss: false,
	}
	rsaPSSSHA512 = algorithm{
		name: "RSA-PSS-SHA512", hash: crypto.SHA512, fits: wantRSA, make: makeRSA, pss: true,
	}
)

// digest returns the hash of a message, or the message itself if that is signed.
func (a algorithm) digest(message []byte) []byte {
	if a.hash == 0 {
		return message
	}
	h := a.hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// verified tells whether signature is the key owner's signature of digest.
func (a algorithm) verified(key crypto.PublicKey, digest, signature []byte) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, digest, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		if a.pss {
			return rsa.VerifyPSS(
				key, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto},
			) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
	}
	return false
}

// sign makes a signature with the private key from SignWith.
func (a algorithm) sign(key crypto.Signer, message []byte) ([]byte, error) {
	if key == nil {
		return nil, errNeedsKey
	}
	if a.pss {
		return key.Sign(
			rand.Reader, a.digest(message),
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash},
		)
	}
	return key.Sign(rand.Reader, a.digest(message), a.hash)
}

// errNeedsKey says that the configuration can verify but not sign.
var errNeedsKey = errors.New(
	"verify: the configured key cannot sign; give SignWith its private half",
)

func (s public) trust() Trust { return Verified }

func (s public) window() time.Duration {
	if s.timestampHeader == "" && !s.layout.timed() {
		return 0
	}
	return cmp.Or(s.tolerance, DefaultTolerance)
}

func (s public) describe() string {
	over := strings.NewReplacer("\n", `\n`).Replace(strings.Join(s.payload, ""))
	if s.form != "" {
		over = "the form's field " + s.form
	}
	if s.twice {
		over = "the SHA-256 of " + over
	}
	form := s.encoding
	if s.layout.timed() {
		form = s.layout.write("<time>", form)
	}
	return fmt.Sprintf("header %s: %s of %s over %s", s.header, form, s.signature.name, over)
}

// makeKey implements keyMaker.
func (s public) makeKey(seed []byte) (secret, signing string, err error) {
	key, err := s.signature.make(seed)
	if err != nil {
		return "", "", err
	}
	if secret, err = writePublic(s.keyForm, key.Public()); err != nil {
		return "", "", err
	}
	signing, err = writePrivate(key)
	return secret, signing, err
}

func (s public) prepare(k *keys) (proof, error) {
	p := &publicProof{public: s, decoder: encodings[s.encoding], fresh: k.freshness(s.window())}
	var err error
	if p.keys, err = s.readKeys(k); err != nil {
		return nil, err
	}
	p.private, err = readPrivate(s.signature, k.signing)
	return p, err
}

// readKeys returns the public keys in the secrets. There must be at least one.
func (s public) readKeys(k *keys) (all []crypto.PublicKey, err error) {
	if err := checkSecrets(k.secrets); err != nil {
		return nil, err
	}
	for i, secret := range k.secrets {
		key, err := readPublic(s.keyForm, secret)
		if err == nil {
			err = s.signature.fits(key)
		}
		if err != nil {
			return nil, wrong(fmt.Sprintf("secrets[%d]", i), "%v", err)
		}
		all = append(all, key)
	}
	return all, nil
}

// publicProof is a public scheme with its keys.
type publicProof struct {
	public
	decoder encoding
	keys    []crypto.PublicKey
	private crypto.Signer // nil: cannot sign
	fresh   freshness
}

func (p *publicProof) headers() []string { return []string{p.header} }

func (p *publicProof) check(_ context.Context, r Request) error {
	var room [4]string
	listed, encoded, err := p.signatures(r.Header, room[:0])
	if err != nil {
		return err
	}
	message, sentAt, err := p.message(r, listed)
	if err != nil {
		return err
	}
	digest, decoded := p.signature.digest(message), 0
	for _, text := range encoded {
		signature, err := decode(p.decoder, text)
		if err != nil {
			continue
		}
		decoded++
		if slices.ContainsFunc(p.keys, func(k crypto.PublicKey) bool {
			return p.signature.verified(k, digest, signature)
		}) {
			if sentAt.IsZero() {
				return nil
			}
			return p.fresh.check(sentAt, r.ReceivedAt)
		}
	}
	if decoded == 0 {
		return malformed(p.header, "a signature in "+p.encoding)
	}
	return fmt.Errorf(
		"%w: header %s, signatures %d, keys %d", ErrMismatch, p.header, decoded, len(p.keys),
	)
}

// maxSignature is longer than any encoded signature of the accepted keys. A longer text is not
// decoded.
const maxSignature = 2048

// base64Strict accepts base64 only in the form that its senders write.
var base64Strict = base64.StdEncoding.Strict()

func decode(e encoding, text string) ([]byte, error) {
	if text == "" || len(text) > maxSignature {
		return nil, errors.New("no length of a signature")
	}
	raw := make([]byte, len(text))
	n, err := e.Decode(raw, []byte(text))
	return raw[:n], err
}

// signatures returns the signatures in the header, and the time if the layout holds it.
func (p *publicProof) signatures(
	h Header, room []string,
) (timestamp string, signatures []string, err error) {
	if p.layout == (layout{}) {
		value, err := single(h, p.header)
		return "", append(room, value), err
	}
	if h[p.header] == "" {
		return "", nil, fmt.Errorf("%w: header %s", ErrMissing, p.header)
	}
	return p.layout.read(p.header, h[p.header], room)
}

// message returns the signed text and the signed time. The time is zero if none is signed. listed
// is the time from the layout.
func (p *publicProof) message(
	r Request, listed string,
) (message []byte, sentAt time.Time, err error) {
	if p.form != "" {
		message, err = onlyField(r.Body, p.form)
		return message, sentAt, err
	}
	if len(p.payload) == 1 {
		return r.Body, sentAt, nil
	}
	id, timestamp, where := "", listed, p.header
	if p.idHeader != "" {
		if id, err = p.signedID(r.Header); err != nil {
			return nil, sentAt, err
		}
	}
	if p.timestampHeader != "" {
		where = p.timestampHeader
		if timestamp, err = single(r.Header, where); err != nil {
			return nil, sentAt, err
		}
	}
	if sentAt, err = readTime(p.timestampFormat, "header "+where, timestamp); err != nil {
		return nil, sentAt, err
	}
	if err := p.checkSeam(r.Body); err != nil {
		return nil, sentAt, err
	}
	message = make([]byte, 0, len(id)+len(timestamp)+len(r.Body)+len(p.payload))
	for _, part := range p.payload {
		switch part {
		case placeID:
			message = append(message, id...)
		case placeTimestamp:
			message = append(message, timestamp...)
		case placeBody:
			message = append(message, r.Body...)
		default:
			message = append(message, part...)
		}
	}
	if p.twice {
		sum := sha256.Sum256(message)
		message = sum[:]
	}
	return message, sentAt, nil
}

// checkSeam refuses a body that begins with a digit directly after the time. The same signature
// would also fit another division into time and body.
func (p *publicProof) checkSeam(body []byte) error {
	after := p.payload[slices.Index(p.payload, placeTimestamp)+1]
	if after == placeBody && len(body) > 0 && '0' <= body[0] && body[0] <= '9' {
		return fmt.Errorf(
			"%w: the body begins with a digit, so the border between time and body is ambiguous",
			ErrMalformed,
		)
	}
	return nil
}

// signedID returns the id. As with an HMAC, it must not contain the text that follows it in the
// payload.
func (p *publicProof) signedID(h Header) (string, error) {
	id, err := single(h, p.idHeader)
	if end := p.payload[slices.Index(p.payload, placeID)+1]; err == nil &&
		strings.Contains(id, end) {
		err = malformed(p.idHeader, fmt.Sprintf("an id without %q", end))
	}
	return id, err
}

// formField returns a field of a form. It refuses a field that occurs twice, because readers differ
// in which one they use.
func formField(body []byte, name string) ([]byte, error) {
	fields, err := readForm(body)
	if err != nil {
		return nil, err
	}
	value, err := formValue(fields, name)
	return []byte(value), err
}

// onlyField returns the field of a form that has no other field.
func onlyField(body []byte, name string) ([]byte, error) {
	value, err := formField(body, name)
	if err != nil {
		return nil, err
	}
	if fields, err := readForm(body); err != nil || len(fields) > 1 {
		return nil, errOtherFields
	}
	return value, nil
}

func (p *publicProof) sign(r *Request, w Webhook, at time.Time) error {
	if p.form != "" {
		r.Header["content-type"] = formType
	}
	if p.idHeader != "" {
		r.Header[p.idHeader] = w.DeliveryID
	}
	timestamp := writeTime(p.timestampFormat, at)
	if p.timestampHeader != "" {
		r.Header[p.timestampHeader] = timestamp
	}
	message, _, err := p.message(*r, timestamp)
	if err != nil {
		return err
	}
	signature, err := p.signature.sign(p.private, message)
	if err != nil {
		return err
	}
	r.Header[p.header] = p.layout.write(timestamp, string(p.decoder.AppendEncode(nil, signature)))
	return nil
}
