package catalog

import (
	"crypto/sha256"
	"encoding/hex"
)

// ProofKind is how an endpoint proves itself before it gets its first delivery, and again when its URL has changed. The set is closed.
type ProofKind string

// The kinds of proof.
const (
	ProveNothing ProofKind = ""
	// ProvePing: it answers a POST of type PingType, signed as deliveries are, with 2xx.
	ProvePing ProofKind = "ping"
	// ProveOptions: it grants the handshake of the CloudEvents 1.0 webhook specification
	// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md, section 4).
	ProveOptions ProofKind = "options"
)

// Proves names what an endpoint has to prove to a relay of that origin; "": nothing. It is a hash: the URL may have a secret in it.
func (ep Endpoint) Proves(origin string) string {
	if ep.Prove == ProveNothing {
		return ""
	}
	if ep.Prove == ProvePing {
		origin = "" // it is not told
	}
	sum := sha256.Sum256([]byte(string(ep.Prove) + "\x00" + ep.URL + "\x00" + origin))
	return hex.EncodeToString(sum[:20])
}
