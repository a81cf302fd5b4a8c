package catalog

import (
	"crypto/sha256"
	"encoding/hex"
)

// ProofKind is the proof that an endpoint must give before its first delivery, and again after its
// URL has changed. The set is closed.
type ProofKind string

// The kinds of proof.
const (
	ProveNothing ProofKind = ""
	// ProvePing: it must answer 2xx to a POST of type PingType, signed as deliveries are.
	ProvePing ProofKind = "ping"
	// ProveOptions: it must grant the handshake of the CloudEvents 1.0 webhook specification
	// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md, section 4).
	ProveOptions ProofKind = "options"
)

// Proves names the proof that an endpoint owes to a relay of that origin; "": none. The name is a
// hash, because the URL may contain a secret.
func (ep Endpoint) Proves(origin string) string {
	if ep.Prove == ProveNothing {
		return ""
	}
	if ep.Prove == ProvePing {
		origin = "" // a ping does not contain it
	}
	sum := sha256.Sum256([]byte(string(ep.Prove) + "\x00" + ep.URL + "\x00" + origin))
	return hex.EncodeToString(sum[:20])
}
