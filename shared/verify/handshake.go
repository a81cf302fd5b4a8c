package verify

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what Braintree signs with
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"webhook-relay/shared/document"
)

// The responders of the handshakes. The sender chooses the text that is echoed and, for some
// providers, signed. So the text must be short and of a few characters, and it is sent as text or
// JSON, never as HTML. No responder signs a text that could be a webhook; each comment says why.

// maxChallengeBytes limits a text that is echoed or signed. The longest documented one, Microsoft
// Graph's, has about 120 bytes.
const maxChallengeBytes = 512

// Bytes that a challenge may contain beside letters and digits.
const (
	tokenMarks = "-._~+/="
	// for texts that are signed for anybody: no dots, which a JSON Web Token has
	signedMarks = "-_~+/="
	namingMarks = "-._"
	originMarks = "-.:*/"
	// no angle brackets, so that no echoed text can be read as HTML
	visibleMarks = " !\"#$%&'()*+,-./:;=?@[\\]^_`{|}~"
)

// challenge returns value if it is short and consists of ASCII letters, digits and marks.
func challenge(where, value, marks string) (string, error) {
	switch {
	case value == "":
		return "", fmt.Errorf("%w: %s", ErrMissing, where)
	case len(value) > maxChallengeBytes:
		return "", fmt.Errorf(
			"%w: %s has %d bytes, at most %d", ErrMalformed, where, len(value), maxChallengeBytes,
		)
	case strings.ContainsFunc(value, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune(marks, r)
	}):
		return "", fmt.Errorf(
			"%w: %s has other characters than letters, digits and %s", ErrMalformed, where, marks,
		)
	}
	return value, nil
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// noHandshake is what a responder returns for a request that is no handshake.
func noHandshake() (*Result, error) { return nil, nil } //nolint:nilnil // as handshake has it

// queried returns the challenge in a query parameter, "" if there is none.
func queried(r Request, method, name, marks string) (string, error) {
	values, err := url.ParseQuery(r.Query)
	if cmp.Or(r.Method, "POST") != method || err != nil || !values.Has(name) {
		return "", nil //nolint:nilerr // no query that a provider writes: no handshake
	}
	return challenge(name+" in the query", values.Get(name), marks)
}

func textReply(body string) *Result {
	return &Result{Reply: &Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: body}}
}

func jsonReply(body any) *Result {
	text, _ := json.Marshal(body) // marshalling strings cannot fail
	return &Result{Reply: &Reply{Status: 200, ContentType: "application/json", Body: string(text)}}
}

func emptyReply(status int, header Header) *Result {
	return &Result{Reply: &Reply{Status: status, Header: header}}
}

func echoQueried(r Request, method, name string) (*Result, error) {
	value, err := queried(r, method, name, visibleMarks)
	if value == "" || err != nil {
		return nil, err
	}
	return textReply(value), nil
}

func echoChallenge(_ *keys, r Request) (*Result, error) {
	return echoQueried(r, "GET", "challenge")
}
func echoCheck(_ *keys, r Request) (*Result, error) { return echoQueried(r, "GET", "check") }

func echoValidationToken(_ *keys, r Request) (*Result, error) {
	return echoQueried(r, "POST", "validationToken")
}

// acknowledgeHead answers a HEAD request with 200.
func acknowledgeHead(_ *keys, r Request) (*Result, error) {
	if r.Method != "HEAD" {
		return noHandshake()
	}
	return emptyReply(200, nil), nil
}

// offered returns the challenge in a header, "" if there is none.
func offered(r Request, name string) (string, error) {
	if r.Header[name] == "" {
		return "", nil
	}
	return challenge("header "+name, r.Header[name], tokenMarks)
}

func echoFront(_ *keys, r Request) (*Result, error) {
	value, err := offered(r, "x-front-challenge")
	if value == "" || err != nil {
		return nil, err
	}
	return textReply(value), nil
}

func answerOkta(_ *keys, r Request) (*Result, error) {
	if r.Method != "GET" {
		return noHandshake()
	}
	value, err := offered(r, "x-okta-verification-challenge")
	if value == "" || err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"verification": value}), nil
}

// echoRingCentral answers a request that has the header and no body. Some webhooks have the same
// header, as their token.
func echoRingCentral(_ *keys, r Request) (*Result, error) {
	if len(r.Body) > 0 {
		return noHandshake()
	}
	value, err := offered(r, "validation-token")
	if value == "" || err != nil {
		return nil, err
	}
	return emptyReply(200, Header{"validation-token": value}), nil
}

// echoSmartsheet answers any request that has the header, with or without a body. No event is
// accepted from it.
func echoSmartsheet(_ *keys, r Request) (*Result, error) {
	value, err := offered(r, "smartsheet-hook-challenge")
	if value == "" || err != nil {
		return nil, err
	}
	return emptyReply(200, Header{"smartsheet-hook-response": value}), nil
}

// answerMeta confirms a subscription if the request has the token that the operator gave to Meta.
func answerMeta(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "hub.challenge", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	query, _ := url.ParseQuery(r.Query)
	if mode := query.Get("hub.mode"); mode != "subscribe" {
		return nil, fmt.Errorf("%w: hub.mode in the query is not subscribe", ErrMalformed)
	}
	if err := k.matchSetting(
		"verify_token", "hub.verify_token", query.Get("hub.verify_token"),
	); err != nil {
		return nil, err
	}
	return textReply(value), nil
}

// matchSetting compares a value of the request with a setting, in constant time.
func (k *keys) matchSetting(setting, where, sent string) error {
	if sent == "" {
		return fmt.Errorf("%w: %s in the query", ErrMissing, where)
	}
	want := sha256.Sum256([]byte(k.settings[setting]))
	return matchToken(
		[][sha256.Size]byte{want}, sent, where+" in the query, held against settings."+setting,
	)
}

// answerWebSub confirms a subscription if the request has the token and the source's topic. The
// token is needed because anybody may ask a hub to subscribe this URL with a secret of their own,
// which would replace the operator's. The token is in the URL that was given to the hub (WebSub has
// no other place for it), or in hub.verify_token, which PubSubHubbub 0.3 has. (Unsubscribing is not
// answered, because anybody may ask a hub to end a subscription. Let the lease run out.)
func answerWebSub(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "hub.challenge", visibleMarks)
	if value == "" || err != nil {
		return nil, err
	}
	query, _ := url.ParseQuery(r.Query)
	if mode := query.Get("hub.mode"); mode != "subscribe" {
		return nil, fmt.Errorf("%w: hub.mode in the query is not subscribe", ErrMalformed)
	}
	token := cmp.Or(query.Get("hub.verify_token"), query.Get("verify_token"))
	if err := k.matchSetting("verify_token", "verify_token", token); err != nil {
		return nil, err
	}
	if err := k.matchSetting("topic", "hub.topic", query.Get("hub.topic")); err != nil {
		return nil, err
	}
	return textReply(value), nil
}

// checkVerifyToken refuses a token that is short enough to be guessed.
func checkVerifyToken(k *keys) error {
	const least = 16
	if n := len(k.settings["verify_token"]); n < least {
		return wrong(
			"settings.verify_token",
			"has %d characters; use at least %d random ones, so that nobody can guess it", n, least,
		)
	}
	return nil
}

// answerX signs a text that anybody may choose, with the key that signs webhooks. A forger cannot
// use the signature: a challenge has no brace, and a webhook is accepted only if it is a JSON
// object.
func answerX(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "crc_token", signedMarks)
	if value == "" || err != nil {
		return nil, err
	}
	sum := hmacSHA256(k.secrets[0], value)
	return jsonReply(map[string]string{
		"response_token": "sha256=" + base64.StdEncoding.EncodeToString(sum),
	}), nil
}

// answerLinkedIn signs a text that anybody may choose. The signed text of a webhook begins with
// "hmacsha256=". No challenge does, because it has no "=".
func answerLinkedIn(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challengeCode", "-_")
	if value == "" || err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{
		"challengeCode": value, "challengeResponse": hex.EncodeToString(
			hmacSHA256(k.secrets[0], value),
		),
	}), nil
}

// answerSmartcar signs a text that anybody may choose. It is safe for the same reason as answerX.
func answerSmartcar(k *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "eventType") != "VERIFY" {
		return noHandshake()
	}
	value, err := challenge(
		"data.challenge in the body", strictValue(r.Body, "data", "challenge"), "-_",
	)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{
		"challenge": hex.EncodeToString(hmacSHA256(k.secrets[0], value)),
	}), nil
}

func hmacSHA256(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// answerBraintree signs a text that anybody may choose, if it has the form of Braintree's
// challenges. A payload of that form is refused (see braintreeProof), so no such signature can be a
// webhook's.
func answerBraintree(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "bt_challenge", "")
	if value == "" || err != nil {
		return nil, err
	}
	if !isBraintreeChallenge(value) {
		return nil, fmt.Errorf(
			"%w: bt_challenge in the query is not 20 to 32 digits of hex in lower case",
			ErrMalformed,
		)
	}
	mac := hmac.New(sha1.New, braintreeKey(k.secrets[0]))
	mac.Write([]byte(value))
	return textReply(k.settings["public_key"] + "|" + hex.EncodeToString(mac.Sum(nil))), nil
}

// answerEBay hashes a text that anybody may choose, followed by the verification token and the URL.
// Webhooks are signed with another key, eBay's own, so the hash proves nothing else.
func answerEBay(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challenge_code", namingMarks)
	if value == "" || err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(value + k.settings["verification_token"] + k.url))
	return jsonReply(map[string]string{"challengeResponse": hex.EncodeToString(sum[:])}), nil
}

// answerFitbit answers 204 to the right code and 404 to any other: Fitbit tries both.
func answerFitbit(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "verify", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	want, sent := sha256.Sum256([]byte(k.settings["verification_code"])),
		sha256.Sum256([]byte(value))
	if subtle.ConstantTimeCompare(want[:], sent[:]) != 1 {
		return emptyReply(404, nil), nil
	}
	return emptyReply(204, nil), nil
}

// answerMonday echoes the challenge of a body that has no other member.
func answerMonday(_ *keys, r Request) (*Result, error) {
	var body map[string]string
	if len(r.Body) > 2*maxChallengeBytes || json.Unmarshal(r.Body, &body) != nil ||
		len(body) != 1 || body["challenge"] == "" {
		return noHandshake()
	}
	value, err := challenge("challenge in the body", body["challenge"], tokenMarks)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"challenge": value}), nil
}

// answerCloudEvents allows the sender's origin, at the rate that it asks for (CloudEvents' HTTP 1.1
// Web Hooks, section 4). The answer only allows the sender to try; each event still needs the
// token.
func answerCloudEvents(_ *keys, r Request) (*Result, error) {
	if r.Method != "OPTIONS" {
		return noHandshake()
	}
	origin, err := challenge(
		"header webhook-request-origin", r.Header["webhook-request-origin"], originMarks,
	)
	if err != nil {
		return nil, err
	}
	h := Header{"webhook-allowed-origin": origin, "allow": "POST, OPTIONS"}
	if rate := r.Header["webhook-request-rate"]; rate != "" {
		if h["webhook-allowed-rate"], err = challenge(
			"header webhook-request-rate", rate, "*",
		); err != nil {
			return nil, err
		}
	}
	return emptyReply(200, h), nil
}

// learnAsana learns the secret that Asana hands over, and echoes it.
func learnAsana(k *keys, r Request) (*Result, error) {
	value, err := offered(r, "x-hook-secret")
	if value == "" || err != nil {
		return nil, err
	}
	return k.learn(value, Header{"x-hook-secret": value})
}

// learnVerificationToken learns the token that Notion or Gusto hands over. The operator confirms it
// at the provider.
func learnVerificationToken(k *keys, r Request) (*Result, error) {
	found := strictValue(r.Body, "verification_token")
	if found == "" {
		return noHandshake()
	}
	value, err := challenge("verification_token in the body", found, tokenMarks)
	if err != nil {
		return nil, err
	}
	return k.learn(value, nil)
}

// learn accepts a secret if there is none yet. Otherwise anybody could bring a secret of their own.
func (k *keys) learn(secret string, header Header) (*Result, error) {
	const least = 16 // bytes; the providers send twice as many
	switch {
	case len(k.secrets) > 0:
		return nil, ErrSecondHandshake
	case len(secret) < least:
		return nil, fmt.Errorf("%w: a secret of %d bytes", ErrMalformed, len(secret))
	}
	result := emptyReply(200, header)
	result.Learned = secret
	return result, nil
}

// answerSlack echoes the challenge of a verification request, which is signed like any other
// request.
func answerSlack(_ context.Context, _ *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "type") != "url_verification" {
		return noHandshake()
	}
	value, err := challenge("challenge in the body", strictValue(r.Body, "challenge"), visibleMarks)
	if err != nil {
		return nil, err
	}
	return textReply(value), nil
}

// answerZoom signs the text that a signed request asks for. The signed text of a webhook has a
// colon ("v0:…") and a challenge has none, so a copy of such a request is of no use to an attacker.
func answerZoom(_ context.Context, k *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "event") != "endpoint.url_validation" {
		return noHandshake()
	}
	value, err := challenge(
		"payload.plainToken in the body", strictValue(r.Body, "payload", "plainToken"), tokenMarks,
	)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{
		"plainToken": value, "encryptedToken": hex.EncodeToString(hmacSHA256(k.secrets[0], value)),
	}), nil
}

// answerTwitch echoes the challenge of a new subscription, and acknowledges the end of one.
func answerTwitch(_ context.Context, _ *keys, r Request) (*Result, error) {
	switch r.Header["twitch-eventsub-message-type"] {
	case "webhook_callback_verification":
		value, err := challenge(
			"challenge in the body", strictValue(r.Body, "challenge"), visibleMarks,
		)
		if err != nil {
			return nil, err
		}
		return textReply(value), nil
	case "revocation":
		return emptyReply(204, nil), nil
	}
	return noHandshake()
}

// answerXero answers the "intent to receive": a signed request with an empty list of events.
func answerXero(_ context.Context, _ *keys, r Request) (*Result, error) {
	found, err := strictly(document.NewStrictPaths([]string{"events"}), r.Body)
	if err != nil || !document.IsList(found[0]) {
		return noHandshake()
	}
	for range document.Elements(found[0]) {
		return noHandshake()
	}
	return emptyReply(200, nil), nil
}

// answerBitbucketTest answers the button "Test connection".
func answerBitbucketTest(_ *keys, r Request) (*Result, error) {
	if r.Header["x-event-key"] != "diagnostics:ping" {
		return noHandshake()
	}
	return &Result{Reply: &Reply{Status: 200}}, nil
}

// answerWooCommerce answers the ping that is sent when a webhook is saved. It holds no order.
func answerWooCommerce(_ *keys, r Request) (*Result, error) {
	id, err := formField(r.Body, "webhook_id")
	if r.Header["x-wc-webhook-signature"] != "" || err != nil ||
		strings.Trim(string(id), "0123456789") != "" {
		return noHandshake()
	}
	return &Result{Reply: &Reply{Status: 200}}, nil
}

// answerOura confirms a subscription if the request has the token that the operator gave to Oura.
func answerOura(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challenge", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	query, _ := url.ParseQuery(r.Query)
	if err := k.matchSetting(
		"verification_token", "verification_token", query.Get("verification_token"),
	); err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"challenge": value}), nil
}

// answerTebex answers a webhook that tests the URL with the webhook's id.
func answerTebex(_ context.Context, _ *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "type") != "validation.webhook" {
		return nil, nil //nolint:nilnil // no handshake
	}
	value, err := challenge("id in the body", strictValue(r.Body, "id"), tokenMarks)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"id": value}), nil
}

// answerVercelDrain answers an unsigned request by which Vercel checks the URL. The header is no
// secret: Vercel shows its value so that the URL can return it.
func answerVercelDrain(k *keys, r Request) (*Result, error) {
	if r.Header["x-vercel-signature"] != "" {
		return noHandshake()
	}
	return emptyReply(200, Header{"x-vercel-verify": k.settings["verify"]}), nil
}

// answerStrava confirms a subscription if the request has the token that the operator gave to
// Strava.
func answerStrava(k *keys, r Request) (*Result, error) {
	answer, err := answerMeta(k, r)
	if answer == nil || err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"hub.challenge": answer.Reply.Body}), nil
}
