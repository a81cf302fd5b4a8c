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

// The responders of the handshakes. Whoever asks chooses what is echoed and, in some, what is signed. So a value is short and of few
// characters, it is sent as text or JSON and never as HTML, and no responder signs what could be a webhook: each says why not.

// maxChallengeBytes bounds what is echoed or signed. The longest that is documented, Microsoft Graph's, has about 120.
const maxChallengeBytes = 512

// Bytes that a challenge may have beside letters and digits.
const (
	tokenMarks   = "-._~+/="
	signedMarks  = "-_~+/=" // of what is signed for anybody: without the dots of a JSON Web Token
	namingMarks  = "-._"
	originMarks  = "-.:*/"
	visibleMarks = " !\"#$%&'()*+,-./:;=?@[\\]^_`{|}~" // no angle brackets: nothing that is echoed shall be taken for HTML
)

// challenge returns value if it is short and made of ASCII letters, digits and marks.
func challenge(where, value, marks string) (string, error) {
	switch {
	case value == "":
		return "", fmt.Errorf("%w: %s", ErrMissing, where)
	case len(value) > maxChallengeBytes:
		return "", fmt.Errorf("%w: %s has %d bytes, at most %d", ErrMalformed, where, len(value), maxChallengeBytes)
	case strings.ContainsFunc(value, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(marks, r) }):
		return "", fmt.Errorf("%w: %s has other characters than letters, digits and %s", ErrMalformed, where, marks)
	}
	return value, nil
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// noHandshake is what responders return for any other request.
func noHandshake() (*Result, error) { return nil, nil } //nolint:nilnil // as handshake has it

// queried returns the challenge in a query, "" if there is none.
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
	text, _ := json.Marshal(body) // of strings alone
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

func echoChallenge(_ *keys, r Request) (*Result, error) { return echoQueried(r, "GET", "challenge") }
func echoCheck(_ *keys, r Request) (*Result, error)     { return echoQueried(r, "GET", "check") }

func echoValidationToken(_ *keys, r Request) (*Result, error) {
	return echoQueried(r, "POST", "validationToken")
}

// acknowledgeHead says that there is something at the URL.
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

// echoRingCentral answers the request that has nothing but the header: on some webhooks the same header is the token.
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

// echoSmartsheet answers what has the header, whatever its body: of a webhook nothing is taken then.
func echoSmartsheet(_ *keys, r Request) (*Result, error) {
	value, err := offered(r, "smartsheet-hook-challenge")
	if value == "" || err != nil {
		return nil, err
	}
	return emptyReply(200, Header{"smartsheet-hook-response": value}), nil
}

// answerMeta confirms a subscription to who knows the token that was given to Meta.
func answerMeta(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "hub.challenge", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	query, _ := url.ParseQuery(r.Query)
	if mode := query.Get("hub.mode"); mode != "subscribe" {
		return nil, fmt.Errorf("%w: hub.mode in the query is not subscribe", ErrMalformed)
	}
	if err := k.matchSetting("verify_token", "hub.verify_token", query.Get("hub.verify_token")); err != nil {
		return nil, err
	}
	return textReply(value), nil
}

// matchSetting holds what a request says against a setting, in constant time.
func (k *keys) matchSetting(setting, where, sent string) error {
	if sent == "" {
		return fmt.Errorf("%w: %s in the query", ErrMissing, where)
	}
	want := sha256.Sum256([]byte(k.settings[setting]))
	return matchToken([][sha256.Size]byte{want}, sent, where+" in the query, held against settings."+setting)
}

// answerWebSub confirms a subscription to the topic that the source is for, if it was asked for with the token: anybody may ask a hub to subscribe
// this URL, with a secret of his own, which would take the place of the operator's. The token is in the URL that the hub was given (WebSub has no other
// place for it), or in hub.verify_token, which PubSubHubbub 0.3 has. (To leave, let the lease run out: everybody may ask a hub to end a subscription.)
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

// checkVerifyToken refuses a token that could be guessed.
func checkVerifyToken(k *keys) error {
	const least = 16
	if n := len(k.settings["verify_token"]); n < least {
		return wrong("settings.verify_token", "has %d characters; at least %d, at random, keep others from guessing it", n, least)
	}
	return nil
}

// answerX signs what anybody asks for, with the key that signs webhooks. That is no use to a forger: a challenge has no brace, and a webhook
// is taken only if it is a JSON object.
func answerX(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "crc_token", signedMarks)
	if value == "" || err != nil {
		return nil, err
	}
	sum := hmacSHA256(k.secrets[0], value)
	return jsonReply(map[string]string{"response_token": "sha256=" + base64.StdEncoding.EncodeToString(sum)}), nil
}

// answerLinkedIn signs what anybody asks for. What a webhook's signature is made over begins with "hmacsha256=", which no challenge does: it
// has no "=".
func answerLinkedIn(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challengeCode", "-_")
	if value == "" || err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{
		"challengeCode": value, "challengeResponse": hex.EncodeToString(hmacSHA256(k.secrets[0], value)),
	}), nil
}

// answerSmartcar signs what anybody asks for; it is made safe as answerX is.
func answerSmartcar(k *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "eventType") != "VERIFY" {
		return noHandshake()
	}
	value, err := challenge("data.challenge in the body", strictValue(r.Body, "data", "challenge"), "-_")
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"challenge": hex.EncodeToString(hmacSHA256(k.secrets[0], value))}), nil
}

func hmacSHA256(secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// answerBraintree signs what anybody asks for, if it has the form of Braintree's challenges. A payload of that form is refused
// (see braintreeProof), so that no such signature is one of a webhook.
func answerBraintree(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "bt_challenge", "")
	if value == "" || err != nil {
		return nil, err
	}
	if !isBraintreeChallenge(value) {
		return nil, fmt.Errorf("%w: bt_challenge in the query is not 20 to 32 digits of hex in lower case", ErrMalformed)
	}
	mac := hmac.New(sha1.New, braintreeKey(k.secrets[0]))
	mac.Write([]byte(value))
	return textReply(k.settings["public_key"] + "|" + hex.EncodeToString(mac.Sum(nil))), nil
}

// answerEBay hashes what anybody asks for, before the verification token and the URL. Webhooks are signed with another key, of eBay's, so that
// the hash proves nothing but this.
func answerEBay(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challenge_code", namingMarks)
	if value == "" || err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(value + k.settings["verification_token"] + k.url))
	return jsonReply(map[string]string{"challengeResponse": hex.EncodeToString(sum[:])}), nil
}

// answerFitbit says yes to the right code and no to any other: Fitbit tries both.
func answerFitbit(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "verify", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	want, sent := sha256.Sum256([]byte(k.settings["verification_code"])), sha256.Sum256([]byte(value))
	if subtle.ConstantTimeCompare(want[:], sent[:]) != 1 {
		return emptyReply(404, nil), nil
	}
	return emptyReply(204, nil), nil
}

// answerMonday echoes the challenge of a body that is nothing else.
func answerMonday(_ *keys, r Request) (*Result, error) {
	var body map[string]string
	if len(r.Body) > 2*maxChallengeBytes || json.Unmarshal(r.Body, &body) != nil || len(body) != 1 || body["challenge"] == "" {
		return noHandshake()
	}
	value, err := challenge("challenge in the body", body["challenge"], tokenMarks)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"challenge": value}), nil
}

// answerCloudEvents grants what the sender asks for (CloudEvents' HTTP 1.1 Web Hooks, section 4): its origin, at the rate it names. The grant says
// that it may try; each event needs the token.
func answerCloudEvents(_ *keys, r Request) (*Result, error) {
	if r.Method != "OPTIONS" {
		return noHandshake()
	}
	origin, err := challenge("header webhook-request-origin", r.Header["webhook-request-origin"], originMarks)
	if err != nil {
		return nil, err
	}
	h := Header{"webhook-allowed-origin": origin, "allow": "POST, OPTIONS"}
	if rate := r.Header["webhook-request-rate"]; rate != "" {
		if h["webhook-allowed-rate"], err = challenge("header webhook-request-rate", rate, "*"); err != nil {
			return nil, err
		}
	}
	return emptyReply(200, h), nil
}

// learnAsana takes the secret that Asana hands over, and echoes it.
func learnAsana(k *keys, r Request) (*Result, error) {
	value, err := offered(r, "x-hook-secret")
	if value == "" || err != nil {
		return nil, err
	}
	return k.learn(value, Header{"x-hook-secret": value})
}

// learnVerificationToken takes the token that Notion or Gusto hands over. The operator confirms it there.
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

// learn takes a secret, if there is none yet: otherwise anybody could bring his own.
func (k *keys) learn(secret string, header Header) (*Result, error) {
	const least = 16 // bytes; what the providers send has twice as many
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

// answerSlack echoes the challenge of a verification, which is signed as any request.
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

// answerZoom signs what a signed request asks for. What Zoom signs has a colon ("v0:…"), and a challenge has none: whoever has a copy of
// such a request gains nothing by it.
func answerZoom(_ context.Context, k *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "event") != "endpoint.url_validation" {
		return noHandshake()
	}
	value, err := challenge("payload.plainToken in the body", strictValue(r.Body, "payload", "plainToken"), tokenMarks)
	if err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"plainToken": value, "encryptedToken": hex.EncodeToString(hmacSHA256(k.secrets[0], value))}), nil
}

// answerTwitch echoes the challenge of a new subscription, and takes note of the end of one.
func answerTwitch(_ context.Context, _ *keys, r Request) (*Result, error) {
	switch r.Header["twitch-eventsub-message-type"] {
	case "webhook_callback_verification":
		value, err := challenge("challenge in the body", strictValue(r.Body, "challenge"), visibleMarks)
		if err != nil {
			return nil, err
		}
		return textReply(value), nil
	case "revocation":
		return emptyReply(204, nil), nil
	}
	return noHandshake()
}

// answerXero answers the intent to receive: a signed list of no events.
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

// answerBitbucketTest answers the button Test connection.
func answerBitbucketTest(_ *keys, r Request) (*Result, error) {
	if r.Header["x-event-key"] != "diagnostics:ping" {
		return noHandshake()
	}
	return &Result{Reply: &Reply{Status: 200}}, nil
}

// answerWooCommerce answers the ping of a webhook that is saved; there is no order in it.
func answerWooCommerce(_ *keys, r Request) (*Result, error) {
	id, err := formField(r.Body, "webhook_id")
	if r.Header["x-wc-webhook-signature"] != "" || err != nil || strings.Trim(string(id), "0123456789") != "" {
		return noHandshake()
	}
	return &Result{Reply: &Reply{Status: 200}}, nil
}

// answerOura confirms a subscription to who knows the token that was given to Oura.
func answerOura(k *keys, r Request) (*Result, error) {
	value, err := queried(r, "GET", "challenge", tokenMarks)
	if value == "" || err != nil {
		return nil, err
	}
	query, _ := url.ParseQuery(r.Query)
	if err := k.matchSetting("verification_token", "verification_token", query.Get("verification_token")); err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"challenge": value}), nil
}

// answerTebex answers a webhook that tests the URL with its id.
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

// answerVercelDrain answers a request without a signature, by which Vercel asks whether the URL is ours: the header is no secret, Vercel shows it for
// the URL to say it.
func answerVercelDrain(k *keys, r Request) (*Result, error) {
	if r.Header["x-vercel-signature"] != "" {
		return noHandshake()
	}
	return emptyReply(200, Header{"x-vercel-verify": k.settings["verify"]}), nil
}

// answerStrava confirms a subscription to who knows the token that was given to Strava.
func answerStrava(k *keys, r Request) (*Result, error) {
	answer, err := answerMeta(k, r)
	if answer == nil || err != nil {
		return nil, err
	}
	return jsonReply(map[string]string{"hub.challenge": answer.Reply.Body}), nil
}
