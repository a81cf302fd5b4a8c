package verify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// maxDepth is how deep a body may be nested that a proof is read from all over.
const maxDepth = 64

var errDocument = errors.New("not a JSON object of distinct names, nested at most 64 deep")

// readObject decodes a body that is a JSON object. On the way to the members that are checked, named by their paths (those in lists as those of
// objects; none: all), names that differ in case alone are refused, as doubles are: of two, the receiver could take the one that was not checked.
func readObject(body []byte, checked ...string) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	r := objectReader{d, make([]string, len(checked))}
	for i, path := range checked {
		r.checked[i] = fold(path) + "."
	}
	value, err := r.value("", maxDepth)
	if object, ok := value.(map[string]any); err == nil && ok {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return object, nil
		}
	}
	return nil, fmt.Errorf("%w: the body is %w", ErrMalformed, errDocument)
}

// fold makes names alike that differ in case alone. Both: some letters have a second lower or upper case.
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

type objectReader struct {
	*json.Decoder
	checked []string // folded paths, with a dot after each member; none: all
}

// value reads what is at a path, folded as well.
func (r objectReader) value(path string, depth int) (any, error) {
	token, err := r.Token()
	if err != nil || depth == 0 {
		return nil, cmp.Or(err, errDocument)
	}
	switch token {
	case json.Delim('{'):
		return r.members(path, depth)
	case json.Delim('['):
		list := []any{}
		for r.More() {
			element, err := r.value(path, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, element)
		}
		_, err = r.Token()
		return list, err
	}
	return token, nil
}

func (r objectReader) members(path string, depth int) (map[string]any, error) {
	object, seen := map[string]any{}, map[string]bool{}
	for r.More() {
		name, err := r.Token()
		if err != nil {
			return nil, err
		}
		text, _ := name.(string) // the decoder lets nothing else pass
		inner := path + fold(text) + "."
		if seen[inner] && r.matters(inner) {
			return nil, errDocument
		}
		seen[inner] = true
		if object[text], err = r.value(inner, depth-1); err != nil {
			return nil, err
		}
	}
	_, err := r.Token()
	return object, err
}

// matters tells whether a path leads to what is checked.
func (r objectReader) matters(path string) bool {
	return len(r.checked) == 0 || slices.ContainsFunc(r.checked, func(c string) bool { return strings.HasPrefix(c, path) })
}

// member returns what a path of names leads to: strings and numbers as they are written, all else "".
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

// rewrite returns a body that is a JSON object after a change. A member that the change adds may differ in case alone from one that is there.
func rewrite(body []byte, change func(object map[string]any) error) ([]byte, error) {
	object, err := readObject(body)
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
	_, err = readObject(out.Bytes())
	return out.Bytes(), err
}

// mailgun is the scheme of Mailgun: it signs a time and a token, both in the body, and nothing of the event. The token is good for one
// webhook, which is why it is the delivery id.
type mailgun struct{}

func (mailgun) trust() Trust { return Authenticated }

func (mailgun) describe() string {
	return "body: signature.signature, hex of HMAC-SHA256 over signature.timestamp and signature.token; not over the event"
}

// window: Mailgun states none. Its token is another in each attempt, so that the time may be taken to be too.
func (mailgun) window() time.Duration { return DefaultTolerance }

func (mailgun) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &mailgunProof{newMacs(sha256.New, lowerHex{}, raw)}, err
}

type mailgunProof struct{ macs *macs }

func (*mailgunProof) headers() []string { return nil }

var mailgunPaths = [][]string{{"signature", "timestamp"}, {"signature", "token"}, {"signature", "signature"}}

func (p *mailgunProof) check(_ context.Context, r Request) error {
	var parts [3]string
	for i, found := range lookup(r.Body, mailgunPaths, nil) {
		if parts[i] = scalar(found); parts[i] == "" {
			return fmt.Errorf("%w: %s in the body", ErrMissing, strings.Join(mailgunPaths[i], "."))
		}
	}
	const where = "signature.timestamp in the body"
	sentAt, err := readTime(timeSeconds, where, parts[0])
	if err != nil {
		return err
	}
	if err := p.macs.check("signature.signature in the body", parts[2], parts[0]+parts[1]); err != nil {
		return err
	}
	return fresh(sentAt, r.ReceivedAt, DefaultTolerance)
}

// sign makes a token of its own unless w has an id: the same twice would be the same webhook.
func (p *mailgunProof) sign(r *Request, w Webhook, at time.Time) (err error) {
	token := w.DeliveryID
	if token == "" {
		random := make([]byte, 25)
		_, _ = rand.Read(random) // never fails
		token = hex.EncodeToString(random)
	}
	timestamp := writeTime(timeSeconds, at)
	r.Body, err = rewrite(r.Body, func(object map[string]any) error {
		object["signature"] = map[string]any{"timestamp": timestamp, "token": token, "signature": p.macs.sign(timestamp + token)}
		return nil
	})
	return err
}

// adyenItems is the scheme of Adyen's payment webhooks: each item of the body has a signature of its own, over eight of its fields.
type adyenItems struct{}

func (adyenItems) trust() Trust { return Authenticated }

func (adyenItems) describe() string {
	return "body: additionalData.hmacSignature of each item, base64 of HMAC-SHA256 over " + strings.Join(adyenFields, ":")
}

func (adyenItems) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyHex)
	return &adyenProof{newMacs(sha256.New, encodings["base64"], raw)}, err
}

type adyenProof struct{ macs *macs }

func (*adyenProof) headers() []string { return nil }

// adyenFields are signed, joined by colons.
var adyenFields = []string{"pspReference", "originalReference", "merchantAccountCode", "merchantReference", "amount.value", "amount.currency",
	"eventCode", "success"}

const (
	adyenItem      = "NotificationRequestItem"
	adyenSignature = "additionalData.hmacSignature in the body"
)

// adyenChecked are the paths of what is signed, and of the signature.
var adyenChecked = func() []string {
	paths := append(slices.Clone(adyenFields), "additionalData.hmacSignature")
	for i, field := range paths {
		paths[i] = "notificationItems." + adyenItem + "." + field
	}
	return paths
}()

func (p *adyenProof) check(_ context.Context, r Request) error {
	object, err := readObject(r.Body, adyenChecked...)
	if len(r.Body) == 0 || object["notificationItems"] == nil && err == nil {
		return fmt.Errorf("%w: notificationItems in the body", ErrMissing)
	}
	if err != nil {
		return err
	}
	return forEachItem(object, func(item map[string]any) error {
		text, err := adyenText(item)
		if err != nil {
			return err
		}
		sent := member(item, "additionalData", "hmacSignature")
		if sent == "" {
			return fmt.Errorf("%w: %s", ErrMissing, adyenSignature)
		}
		return p.macs.check(adyenSignature, sent, text)
	})
}

func (p *adyenProof) sign(r *Request, _ Webhook, _ time.Time) (err error) {
	r.Body, err = rewrite(r.Body, func(object map[string]any) error {
		return forEachItem(object, func(item map[string]any) error {
			text, err := adyenText(item)
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
	return err
}

// forEachItem calls f for every item, of which there must be one.
func forEachItem(object map[string]any, f func(item map[string]any) error) error {
	list, _ := object["notificationItems"].([]any)
	if len(list) == 0 {
		return fmt.Errorf("%w: notificationItems in the body is not a list of items", ErrMalformed)
	}
	for _, element := range list {
		outer, _ := element.(map[string]any)
		item, ok := outer[adyenItem].(map[string]any)
		if !ok {
			return fmt.Errorf("%w: an element of notificationItems in the body has no %s", ErrMalformed, adyenItem)
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// adyenText returns what is signed of an item. The merchant's reference is the one field that may have a colon: with a second one, another division
// of the same text would have the same signature.
func adyenText(item map[string]any) (string, error) {
	fields := make([]string, len(adyenFields))
	for i, name := range adyenFields {
		fields[i] = member(item, splitPath(name)...)
		if name != "merchantReference" && strings.Contains(fields[i], ":") {
			return "", fmt.Errorf("%w: %s in the body has a colon", ErrMalformed, name)
		}
	}
	return strings.Join(fields, ":"), nil
}

// bodyToken is the scheme of a body that holds the secret itself.
type bodyToken struct {
	list   string // the member whose elements each hold it; "": the body does
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
	p := &bodyTokenProof{bodyToken: t}
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
	first string
	sums  [][sha256.Size]byte
}

func (*bodyTokenProof) headers() []string { return nil }

func (p *bodyTokenProof) check(_ context.Context, r Request) error {
	if len(r.Body) == 0 {
		return fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
	}
	object, err := readObject(r.Body, strings.TrimPrefix(p.list+"."+p.member, "."))
	if err != nil {
		return err
	}
	holders, err := p.holders(object)
	if err != nil {
		return err
	}
	for _, holder := range holders {
		sent := member(holder, p.member)
		if sent == "" {
			return fmt.Errorf("%w: %s in the body", ErrMissing, p.where())
		}
		if err := matchToken(p.sums, sent, p.where()+" in the body"); err != nil {
			return err
		}
	}
	return nil
}

// holders returns the objects that hold the token: at least one.
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
		holders[i], _ = element.(map[string]any)
	}
	if slices.ContainsFunc(holders, func(h map[string]any) bool { return h == nil }) {
		return nil, fmt.Errorf("%w: %s in the body has an element that is no object", ErrMalformed, p.list)
	}
	return holders, nil
}

func (p *bodyTokenProof) sign(r *Request, _ Webhook, _ time.Time) (err error) {
	r.Body, err = rewrite(r.Body, func(object map[string]any) error {
		holders, err := p.holders(object)
		for _, holder := range holders {
			holder[p.member] = p.first
		}
		return err
	})
	return err
}

// firstObject names the type of a body that is an object with one member that is an object or a list, named for what it holds.
func firstObject(r Request) string {
	s := scanner{rest: r.Body}
	if s.next() != '{' {
		return ""
	}
	s.rest = s.rest[1:]
	for s.next() == '"' {
		name, ok := s.text()
		if !ok || s.next() != ':' {
			return ""
		}
		s.rest = s.rest[1:]
		if c := s.next(); c == '{' || c == '[' {
			return unquote(name)
		}
		if !s.skip() || s.next() != ',' {
			return ""
		}
		s.rest = s.rest[1:]
	}
	return ""
}
