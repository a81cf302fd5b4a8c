package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// mercadoPago is the scheme of Mercado Pago. It signs data.id of the query, the request's id and a
// time, and nothing of the body.
type mercadoPago struct{}

const (
	mercadoPagoHeader  = "x-signature"
	mercadoPagoRequest = "x-request-id"
	mercadoPagoID      = "data.id"
)

var mercadoPagoLayout = layout{separator: ",", equals: "=", signature: "v1", timestamp: "ts"}

func (mercadoPago) trust() Trust { return Authenticated }

// window is unlimited: Mercado Pago's own libraries check the time only if they are told to.
func (mercadoPago) window() time.Duration { return Unlimited }

func (mercadoPago) describe() string {
	return "header " + mercadoPagoHeader +
		": hex of HMAC-SHA256 over data.id of the query, header " + mercadoPagoRequest +
		" and the time; not over the body"
}

func (mercadoPago) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &mercadoPagoProof{
		macs: newMacs(sha256.New, lowerHex{}, raw), fresh: k.freshness(Unlimited),
	}, err
}

type mercadoPagoProof struct {
	macs  *macs
	fresh freshness
}

func (*mercadoPagoProof) headers() []string { return []string{mercadoPagoHeader} }

func (p *mercadoPagoProof) check(_ context.Context, r Request) error {
	if r.Header[mercadoPagoHeader] == "" {
		return fmt.Errorf("%w: header %s", ErrMissing, mercadoPagoHeader)
	}
	var room [4]string
	timestamp, signatures, err := mercadoPagoLayout.read(
		mercadoPagoHeader, r.Header[mercadoPagoHeader], room[:0],
	)
	if err != nil {
		return err
	}
	if len(signatures) != 1 {
		return malformed(mercadoPagoHeader, "a list with one v1=…")
	}
	// the documentation's example has seconds
	at, err := readTime(timeUnix, "header "+mercadoPagoHeader, timestamp)
	if err != nil {
		return err
	}
	text, err := mercadoPagoText(r, timestamp)
	if err != nil {
		return err
	}
	if err := p.macs.check("header "+mercadoPagoHeader, signatures[0], text); err != nil {
		return err
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// mercadoPagoText returns the signed text. Pairs that the webhook does not have are left out. A
// body about another resource than the signed one is refused.
func mercadoPagoText(r Request, timestamp string) (string, error) {
	request := r.Header[mercadoPagoRequest]
	if strings.Contains(request, ",") {
		return "", repeated(mercadoPagoRequest)
	}
	query, err := url.ParseQuery(r.Query)
	if err != nil || len(query[mercadoPagoID]) > 1 {
		return "", fmt.Errorf("%w: the query has not one %s", ErrMalformed, mercadoPagoID)
	}
	id := strings.ToLower(query.Get(mercadoPagoID))
	told, err := mercadoPagoTold(r.Body)
	switch {
	case err != nil:
		return "", err
	case strings.Contains(id+request, ";"):
		return "", fmt.Errorf(
			"%w: %s in the query or header %s has a semicolon", ErrMalformed, mercadoPagoID,
			mercadoPagoRequest,
		)
	case told != "" && told != id: // only the query's id is signed
		return "",
			fmt.Errorf(
				"%w: the %s in the body is not the one in the query", ErrMismatch, mercadoPagoID,
			)
	}
	if id != "" {
		id = "id:" + id + ";"
	}
	if request != "" {
		request = "request-id:" + request + ";"
	}
	return id + request + "ts:" + timestamp + ";", nil
}

// mercadoPagoTold returns the id of the resource that the body is about. It refuses a body that
// could be read in two ways.
func mercadoPagoTold(body []byte) (string, error) {
	if len(body) == 0 {
		return "", nil
	}
	found, err := strictly(document.NewStrictPaths([]string{"data", "id"}), body)
	if err != nil {
		return "", err
	}
	return strings.ToLower(document.Scalar(found[0])), nil
}

func (p *mercadoPagoProof) sign(r *Request, w Webhook, at time.Time) error {
	id, err := mercadoPagoTold(r.Body)
	if err != nil {
		return err
	}
	if id != "" {
		r.Query = url.Values{mercadoPagoID: {id}}.Encode()
	}
	r.Header[mercadoPagoRequest] = w.DeliveryID
	timestamp := writeTime(timeMillis, at)
	text, err := mercadoPagoText(*r, timestamp)
	r.Header[mercadoPagoHeader] = mercadoPagoLayout.write(timestamp, p.macs.sign(text))
	return err
}
