package verify

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what these providers send beside a better signature
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// companion is a header that a provider sends beside the proof. Receivers look for it, and the
// provider's own package may refuse a webhook without it. Verify ignores it. If its value is
// something that a relay cannot know, such as a shop, Sign makes it up.
type companion struct {
	header string // lower case
	// {id}, {type} and {time} are replaced by the delivery id, the event type and the time in Unix
	// seconds
	value string
	// makes the value instead; "": the header is left out
	make func(r *Request, w Webhook, k *keys) string
}

// accompany adds the companion headers that a signed request does not have yet. It always sets
// content-type.
func accompany(r *Request, beside []companion, w Webhook, k *keys, at time.Time) {
	for _, c := range beside {
		if r.Header[c.header] != "" && c.header != "content-type" {
			continue
		}
		value := strings.NewReplacer(
			"{id}", w.DeliveryID, "{type}", w.EventType, "{time}", strconv.FormatInt(at.Unix(), 10),
		).Replace(c.value)
		if c.make != nil {
			value = c.make(r, w, k)
		}
		if value != "" {
			r.Header[c.header] = value
		}
	}
}

// beforeDot and afterDot return the parts of an event type such as order.created.
func beforeDot(_ *Request, w Webhook, _ *keys) string {
	name, _, _ := strings.Cut(w.EventType, ".")
	return name
}

func afterDot(_ *Request, w Webhook, _ *keys) string {
	_, name, _ := strings.Cut(w.EventType, ".")
	return name
}

// sha1Signature makes the older signature that some providers send beside the SHA-256 one: the same
// key, the same body.
func sha1Signature(prefix string) func(*Request, Webhook, *keys) string {
	return bodySignature(sha1.New, prefix)
}

// bodySignature makes the hex of an HMAC over the body, with the first secret.
func bodySignature(newHash func() hash.Hash, prefix string) func(*Request, Webhook, *keys) string {
	return func(r *Request, _ Webhook, k *keys) string {
		if len(k.secrets) == 0 {
			return ""
		}
		mac := hmac.New(newHash, []byte(k.secrets[0]))
		mac.Write(r.Body)
		return prefix + hex.EncodeToString(mac.Sum(nil))
	}
}

// gitLabHook returns the event type as GitLab's header writes it: merge_request is Merge Request
// Hook.
func gitLabHook(_ *Request, w Webhook, _ *keys) string {
	name, known := map[string]string{
		"build": "Job", "access_token": "Resource Access Token",
	}[w.EventType]
	if known {
		return name + " Hook"
	}
	if w.EventType == "" || strings.HasSuffix(w.EventType, " Hook") {
		return w.EventType
	}
	words := strings.Split(w.EventType, "_")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:min(1, len(word))]) + word[min(1, len(word)):]
	}
	return strings.Join(words, " ") + " Hook"
}

// beforeUnderscore returns the first word of an event type such as post_created.
func beforeUnderscore(_ *Request, w Webhook, _ *keys) string {
	name, _, _ := strings.Cut(w.EventType, "_")
	return name
}

// sha256Signature makes the signature for providers that send it under several names.
func sha256Signature(prefix string) func(*Request, Webhook, *keys) string {
	return bodySignature(sha256.New, prefix)
}

// linearTime returns the time in the body.
func linearTime(r *Request, _ Webhook, _ *keys) string {
	return document.Value(r.Body, "webhookTimestamp")
}

// snsMember returns a member of an Amazon SNS message.
func snsMember(name string) func(*Request, Webhook, *keys) string {
	return func(r *Request, _ Webhook, _ *keys) string { return document.Value(r.Body, name) }
}

// webSubLinks returns the links by which a subscriber recognises the topic (WebSub, section 7).
func webSubLinks(_ *Request, _ Webhook, k *keys) string {
	return `<https://hub.example.com/>; rel="hub", <` + k.settings["topic"] + `>; rel="self"`
}

// escapeNonASCII escapes characters outside ASCII as JSON does (RFC 8259, section 7): \u00e9. Bytes
// that are not valid UTF-8 stay.
func escapeNonASCII(text []byte) []byte {
	if !slices.ContainsFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return text
	}
	escaped := make([]byte, 0, len(text)+len(text)/2)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < utf8.RuneSelf || r == utf8.RuneError && size == 1:
			escaped = append(escaped, text[0])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		text = text[size:]
	}
	return escaped
}

// settingOf returns the value of a setting.
func settingOf(name string) func(*Request, Webhook, *keys) string {
	return func(_ *Request, _ Webhook, k *keys) string { return k.settings[name] }
}
