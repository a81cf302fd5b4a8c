package verify

import (
	"cmp"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/url"
	"strings"
	"time"
)

// paypal is the scheme of PayPal: RSA over the id and the time of the transmission, the webhook's
// id, and the CRC-32 of the body.
type paypal struct{}

// settingWebhookID is signed but not sent. It binds a transmission to one listener.
const settingWebhookID = "webhook_id"

const (
	paypalID        = "paypal-transmission-id"
	paypalTime      = "paypal-transmission-time"
	paypalSignature = "paypal-transmission-sig"
	paypalCertURL   = "paypal-cert-url"
	paypalAlgorithm = "paypal-auth-algo"
	paypalRSASHA256 = "SHA256withRSA"
)

// paypalHosts are the hosts with each environment's certificates, and the name in these
// certificates. Anybody can open an account in the sandbox.
var paypalHosts = map[string]struct{ host, name string }{
	production: {"api.paypal.com", "messageverificationcerts.paypal.com"},
	sandbox:    {"api.sandbox.paypal.com", "messageverificationcerts.sandbox.paypal.com"},
}

// paypalWindow is our choice: PayPal states no tolerance. It sends a transmission again for three
// days, and does not say whether it signs it again.
const paypalWindow = 4 * 24 * time.Hour

// trust is not Verified, because a CRC-32 does not protect the body. Four chosen bytes give another
// body the same CRC-32.
func (paypal) trust() Trust { return Authenticated }

func (paypal) window() time.Duration { return paypalWindow }

func (paypal) describe() string {
	return "header " + paypalSignature +
		": base64 of RSA-SHA256 over {id}|{timestamp}|{webhook_id}|{CRC-32 of the body}"
}

// makeKey implements keyMaker.
func (paypal) makeKey(seed []byte) (secret, signing string, err error) {
	return makePublished(rsaSHA256, seed)
}

// pin implements pinner.
func (paypal) pin(signing string) (map[string]string, error) { return certificateOf(signing) }

func (s paypal) prepare(k *keys) (proof, error) {
	if err := noSecrets(k); err != nil {
		return nil, err
	}
	if err := checkEnvironment(k); err != nil {
		return nil, err
	}
	from := paypalHosts[cmp.Or(k.settings[settingEnvironment], production)]
	c, err := newCertificates(k, from.name)
	if err != nil {
		return nil, err
	}
	p := &paypalProof{
		webhookID: strings.TrimSpace(
			k.settings[settingWebhookID],
		), host: from.host, certificates: c, fresh: k.freshness(paypalWindow),
	}
	p.private, err = readPrivate(rsaSHA256, k.signing)
	return p, err
}

type paypalProof struct {
	paypal
	webhookID    string
	host         string // from which certificates are fetched
	certificates *certificates
	private      crypto.Signer // nil: cannot sign
	fresh        freshness
}

func (p *paypalProof) headers() []string { return []string{paypalSignature} }

func (p *paypalProof) check(ctx context.Context, r Request) error {
	text, sentAt, err := p.signedText(r)
	if err != nil {
		return err
	}
	encoded, err := single(r.Header, paypalSignature)
	if err != nil {
		return err
	}
	signature, err := decode(base64Strict, encoded)
	if err != nil {
		return malformed(paypalSignature, "base64")
	}
	certURL := r.Header[paypalCertURL]
	if p.certificates.pinned == nil {
		if certURL, err = p.certificate(r.Header); err != nil {
			return err
		}
	}
	key, err := p.certificates.key(ctx, certURL, r.ReceivedAt)
	if err != nil {
		return err
	}
	if !rsaSHA256.verified(key, rsaSHA256.digest([]byte(text)), signature) {
		return fmt.Errorf("%w: header %s", ErrMismatch, paypalSignature)
	}
	return p.fresh.check(sentAt, r.ReceivedAt)
}

// certificate returns the URL of the certificate. It must be PayPal's own, so that a header cannot
// send our request to another host.
func (p *paypalProof) certificate(h Header) (string, error) {
	text, err := single(h, paypalCertURL)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	const path = "/v1/notifications/certs/CERT-"
	if err != nil || u.Scheme != "https" || u.User != nil || u.Host != p.host || u.RawQuery != "" ||
		u.ForceQuery || u.Fragment != "" ||
		!strings.HasPrefix(u.EscapedPath(), path) ||
		!isName(u.EscapedPath()[len(path):], hexDigits+"-", 64) {
		return "", malformed(
			paypalCertURL, "a URL of PayPal's certificates in settings."+settingEnvironment,
		)
	}
	return text, nil
}

// signedText returns the signed text and the time of sending. Only its last part could contain the
// separator.
func (p *paypalProof) signedText(r Request) (text string, sentAt time.Time, err error) {
	id, err := single(r.Header, paypalID)
	if err != nil {
		return "", sentAt, err
	}
	timestamp, err := single(r.Header, paypalTime)
	if err != nil {
		return "", sentAt, err
	}
	if sentAt, err = readTime(timeRFC3339, "header "+paypalTime, timestamp); err != nil {
		return "", sentAt, err
	}
	name, err := single(r.Header, paypalAlgorithm)
	switch {
	case err != nil:
		return "", sentAt, err
	case name != paypalRSASHA256:
		return "", sentAt, malformed(paypalAlgorithm, paypalRSASHA256)
	case strings.Contains(id, "|"):
		return "", sentAt, malformed(paypalID, `an id without "|"`)
	}
	return fmt.Sprintf("%s|%s|%s|%d", id, timestamp, p.webhookID, crc32.ChecksumIEEE(r.Body)),
		sentAt, nil
}

func (p *paypalProof) sign(r *Request, w Webhook, at time.Time) error {
	r.Header[paypalID], r.Header[paypalTime], r.Header[paypalAlgorithm] = w.DeliveryID,
		writeTime(timeRFC3339, at), paypalRSASHA256
	text, _, err := p.signedText(*r)
	if err != nil {
		return err
	}
	signature, err := rsaSHA256.sign(p.private, []byte(text))
	if err != nil {
		return err
	}
	r.Header[paypalSignature] = base64.StdEncoding.EncodeToString(signature)
	return nil
}
