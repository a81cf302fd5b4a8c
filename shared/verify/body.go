package verify

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// strictly returns the values at paths of a body that is a JSON object. A proof depends on these
// values, so a body that another reader could read differently is refused.
func strictly(paths *document.Paths, body []byte) ([][]byte, error) {
	found, err := paths.Find(body, nil)
	switch {
	case len(body) == 0:
		return nil, fmt.Errorf("%w: the body is empty", ErrMissing)
	case errors.Is(err, document.ErrAmbiguous):
		return nil,
			fmt.Errorf("%w: the body has a name twice, or in two cases: %w", ErrMalformed, err)
	case err != nil || document.First(body) != '{':
		return nil, fmt.Errorf("%w: the body is not a JSON object", ErrMalformed)
	}
	return found, nil
}

// strictValue returns the value at a path of the body, "" if it is absent or ambiguous.
func strictValue(body []byte, path ...string) string {
	found, err := strictly(document.NewStrictPaths(path), body)
	if err != nil {
		return ""
	}
	return document.Scalar(found[0])
}

// decodeObject decodes a body that is a JSON object, for signing.
func decodeObject(body []byte) (map[string]any, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, fmt.Errorf("%w: the body is not a JSON object", ErrMalformed)
	}
	return object, nil
}

// member returns the value at a path of names. Strings and numbers are returned as they are
// written, all other values as "".
func member(object map[string]any, path ...string) string {
	var value any = object
	for _, name := range path {
		inner, _ := value.(map[string]any)
		value = inner[name]
	}
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// proveBody adds a proof to the body of r, which is a JSON object. The result must pass the check,
// because an added member may differ only in case from an existing one.
func proveBody(p proof, r *Request, change func(object map[string]any) error) (err error) {
	if r.Body, err = rewrite(r.Body, change); err != nil {
		return err
	}
	return p.check(context.Background(), *r)
}

// rewrite applies a change to a body that is a JSON object.
func rewrite(body []byte, change func(object map[string]any) error) ([]byte, error) {
	object, err := decodeObject(body)
	if err != nil {
		return nil, err
	}
	if err := change(object); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(object); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// mailgun is the scheme of Mailgun. It signs a time and a token, both in the body, and nothing of
// the event. A token is used for one webhook only, so it is the delivery id.
type mailgun struct{}

func (mailgun) trust() Trust { return Authenticated }

func (mailgun) describe() string {
	return "body: signature.signature, hex of HMAC-SHA256 over signature.timestamp and signature.token; not over the event"
}

// window returns our default, because Mailgun states no tolerance. Its token changes with each
// attempt, so we assume that the time does too.
func (mailgun) window() time.Duration { return DefaultTolerance }

func (mailgun) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &mailgunProof{
		macs: newMacs(sha256.New, lowerHex{}, raw), paths: document.NewStrictPaths(mailgunPaths...),
		fresh: k.freshness(DefaultTolerance),
	}, err
}

type mailgunProof struct {
	macs  *macs
	paths *document.Paths
	fresh freshness
}

func (*mailgunProof) headers() []string { return nil }

var mailgunPaths = [][]string{
	{"signature", "timestamp"}, {"signature", "token"}, {"signature", "signature"},
}

func (p *mailgunProof) check(_ context.Context, r Request) error {
	var parts [3]string
	found, err := strictly(p.paths, r.Body)
	if err != nil {
		return err
	}
	for i, value := range found {
		if parts[i] = document.Scalar(value); parts[i] == "" {
			return fmt.Errorf("%w: %s in the body", ErrMissing, strings.Join(mailgunPaths[i], "."))
		}
	}
	const where = "signature.timestamp in the body"
	sentAt, err := readTime(timeSeconds, where, parts[0])
	if err != nil {
		return err
	}
	if err := p.macs.check(
		"signature.signature in the body", parts[2], parts[0]+parts[1],
	); err != nil {
		return err
	}
	return p.fresh.check(sentAt, r.ReceivedAt)
}

// sign makes a token unless w has an id. Two webhooks with the same token would count as one.
func (p *mailgunProof) sign(r *Request, w Webhook, at time.Time) error {
	token := w.DeliveryID
	if token == "" {
		random := make([]byte, 25)
		_, _ = rand.Read(random) // never fails
		token = hex.EncodeToString(random)
	}
	timestamp := writeTime(timeSeconds, at)
	return proveBody(p, r, func(object map[string]any) error {
		object["signature"] = map[string]any{
			"timestamp": timestamp, "token": token, "signature": p.macs.sign(timestamp + token),
		}
		return nil
	})
}

// adyenItems is the scheme of Adyen's payment webhooks. Each item of the body has its own
// signature, over eight of its fields.
type adyenItems struct{}

func (adyenItems) trust() Trust { return Authenticated }

func (adyenItems) describe() string {
	return "body: additionalData.hmacSignature of each item, base64 of HMAC-SHA256 over " +
		strings.Join(adyenFields, ":")
}

func (adyenItems) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyHex)
	p := &adyenProof{
		macs: newMacs(sha256.New, encodings["base64"], raw),
		list: document.NewStrictPaths([]string{"notificationItems"}),
	}
	var paths [][]string
	for _, field := range append(slices.Clone(adyenFields), "additionalData.hmacSignature") {
		paths = append(paths, append([]string{adyenItem}, strings.Split(field, ".")...))
	}
	p.item = document.NewStrictPaths(append(paths, []string{adyenItem})...)
	return p, err
}

type adyenProof struct {
	macs *macs
	list *document.Paths
	item *document.Paths // in an element of the list: the signed fields, the signature, the item
}

func (*adyenProof) headers() []string { return nil }

// adyenFields are the signed fields. They are joined by colons.
var adyenFields = []string{"pspReference", "originalReference", "merchantAccountCode",
	"merchantReference", "amount.value", "amount.currency",
	"eventCode", "success"}

const (
	adyenItem      = "NotificationRequestItem"
	adyenSignature = "additionalData.hmacSignature in the body"
)

func (p *adyenProof) check(_ context.Context, r Request) error {
	if len(r.Body) == 0 {
		return fmt.Errorf("%w: notificationItems in the body", ErrMissing)
	}
	list, err := strictly(p.list, r.Body)
	if err != nil {
		return err
	}
	if len(list[0]) == 0 {
		return fmt.Errorf("%w: notificationItems in the body", ErrMissing)
	}
	count := 0
	for element := range document.Elements(list[0]) {
		if err := p.checkItem(element); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		return errNoItems
	}
	return nil
}

func (p *adyenProof) checkItem(element []byte) error {
	text, sent, err := p.itemText(element)
	if err != nil {
		return err
	}
	if sent == "" {
		return fmt.Errorf("%w: %s", ErrMissing, adyenSignature)
	}
	return p.macs.check(adyenSignature, sent, text)
}

// itemText returns the signed text of an element of the list, and its signature.
func (p *adyenProof) itemText(element []byte) (text, signature string, err error) {
	found, err := strictly(p.item, element)
	if err != nil {
		return "", "", err
	}
	if item := found[len(adyenFields)+1]; !document.IsObject(item) {
		return "", "", errNoItem
	}
	fields := make([]string, len(adyenFields))
	for i, value := range found[:len(adyenFields)] {
		if document.IsObject(value) || document.IsList(value) {
			return "", "", fmt.Errorf(
				"%w: %s in the body is an object or a list", ErrMalformed, adyenFields[i],
			)
		}
		fields[i] = document.Scalar(value)
	}
	text, err = adyenText(fields)
	return text, document.Scalar(found[len(adyenFields)]), err
}

var (
	errNoItems = fmt.Errorf(
		"%w: notificationItems in the body is not a list of items", ErrMalformed,
	)
	errNoItem = fmt.Errorf(
		"%w: an element of notificationItems in the body has no %s", ErrMalformed, adyenItem,
	)
)

func (p *adyenProof) sign(r *Request, _ Webhook, _ time.Time) error {
	return proveBody(p, r, func(object map[string]any) error {
		return forEachItem(object, func(item map[string]any) error {
			fields := make([]string, len(adyenFields))
			for i, name := range adyenFields {
				fields[i] = member(item, strings.Split(name, ".")...)
			}
			text, err := adyenText(fields)
			if err != nil {
				return err
			}
			more, _ := item["additionalData"].(map[string]any)
			if more == nil {
				more = map[string]any{}
			}
			more["hmacSignature"] = p.macs.sign(text)
			item["additionalData"] = more
			return nil
		})
	})
}

// forEachItem calls f for every item. There must be at least one.
func forEachItem(object map[string]any, f func(item map[string]any) error) error {
	list, _ := object["notificationItems"].([]any)
	if len(list) == 0 {
		return errNoItems
	}
	for _, element := range list {
		outer, _ := element.(map[string]any)
		item, ok := outer[adyenItem].(map[string]any)
		if !ok {
			return errNoItem
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// adyenText returns the signed text of an item. Only the merchant's reference may contain a colon.
// If a second field could, the same text could be divided in another way, with the same signature.
func adyenText(fields []string) (string, error) {
	for i, name := range adyenFields {
		if name != "merchantReference" && strings.Contains(fields[i], ":") {
			return "", fmt.Errorf("%w: %s in the body has a colon", ErrMalformed, name)
		}
	}
	return strings.Join(fields, ":"), nil
}

// bodyToken is the scheme of a body that holds the secret itself.
type bodyToken struct {
	list   string // the member whose elements each hold the secret; "": the body holds it
	member string
}

func (bodyToken) trust() Trust { return Authenticated }

func (t bodyToken) describe() string { return "body: " + t.where() + ", the secret itself" }

func (t bodyToken) where() string {
	if t.list == "" {
		return t.member
	}
	return t.member + " of every element of " + t.list
}

func (t bodyToken) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	p := &bodyTokenProof{
		bodyToken: t, lists: document.NewStrictPaths([]string{t.list}),
		members: document.NewStrictPaths([]string{t.member}),
	}
	for _, secret := range raw {
		p.sums = append(p.sums, sha256.Sum256(secret))
	}
	if len(raw) > 0 {
		p.first = string(raw[0])
	}
	return p, err
}

type bodyTokenProof struct {
	bodyToken
	first          string
	sums           [][sha256.Size]byte
	lists, members *document.Paths // find the list, and the token in an object
}

func (*bodyTokenProof) headers() []string { return nil }

func (p *bodyTokenProof) check(_ context.Context, r Request) error {
	if len(r.Body) == 0 {
		return fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
	}
	if p.list == "" {
		return p.checkHolder(r.Body)
	}
	list, err := strictly(p.lists, r.Body)
	if err != nil {
		return err
	}
	count := 0
	for holder := range document.Elements(list[0]) {
		if !document.IsObject(holder) {
			return p.errNoHolder()
		}
		if err := p.checkHolder(holder); err != nil {
			return err
		}
		count++
	}
	if count == 0 {
		return fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
	}
	return nil
}

// checkHolder checks an object that must hold the token.
func (p *bodyTokenProof) checkHolder(holder []byte) error {
	found, err := strictly(p.members, holder)
	if err != nil {
		return err
	}
	sent := document.Scalar(found[0])
	if sent == "" {
		return fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
	}
	return matchToken(p.sums, sent, p.where()+" in the body")
}

func (p *bodyTokenProof) errNoHolder() error {
	return fmt.Errorf(
		"%w: %s in the body has an element that is not an object", ErrMalformed, p.list,
	)
}

// holders returns the objects that must hold the token: at least one.
func (p *bodyTokenProof) holders(object map[string]any) ([]map[string]any, error) {
	if p.list == "" {
		return []map[string]any{object}, nil
	}
	list, _ := object[p.list].([]any)
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
	}
	holders := make([]map[string]any, len(list))
	for i, element := range list {
		if holders[i], _ = element.(map[string]any); holders[i] == nil {
			return nil, p.errNoHolder()
		}
	}
	return holders, nil
}

func (p *bodyTokenProof) sign(r *Request, _ Webhook, _ time.Time) error {
	return proveBody(p, r, func(object map[string]any) error {
		holders, err := p.holders(object)
		for _, holder := range holders {
			holder[p.member] = p.first
		}
		return err
	})
}

// firstObject returns the name of the first member that is an object or a list. It is the event
// type for bodies that name one member after the event.
func firstObject(r Request) string {
	if _, ok := document.Valid(r.Body); !ok {
		return ""
	}
	for name, value := range document.Members(r.Body) {
		if document.IsObject(value) || document.IsList(value) {
			return name
		}
	}
	return ""
}
