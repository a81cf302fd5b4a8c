package verify

import (
	"crypto/hmac"
	"crypto/subtle"
	"fmt"
	"hash"
	"slices"
	"sync"
)

// key is one secret, ready to sign. It keeps used states: a state that is reset has already hashed
// the key's own two blocks and needs no new memory.
type key struct{ states sync.Pool }

type state struct {
	mac hash.Hash
	buf []byte
}

func newKey(newHash func() hash.Hash, secret []byte) *key {
	return &key{sync.Pool{New: func() any { return &state{mac: hmac.New(newHash, secret)} }}}
}

func (k *key) get() *state  { return k.states.Get().(*state) } //nolint:forcetypeassert // the pool holds nothing else
func (k *key) put(s *state) { k.states.Put(s) }

// sum hashes the rest of the buffer and returns the encoded signature. The result is valid until
// the state is used again.
func (s *state) sum(e encoding) []byte {
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	n := len(s.buf)
	s.buf = e.AppendEncode(s.buf, s.buf)
	return s.buf[n:]
}

// macs makes and compares the HMACs of schemes that build the signed text from parts of a request.
type macs struct {
	encoding encoding
	size     int // of a signature, before it is encoded
	keys     []*key
}

func newMacs(newHash func() hash.Hash, e encoding, secrets [][]byte) *macs {
	m := &macs{encoding: e, size: newHash().Size()}
	for _, secret := range secrets {
		m.keys = append(m.keys, newKey(newHash, secret))
	}
	return m
}

// appender writes the signed text directly to a state, so that no string is built.
type appender func(s *state)

func asText(text string) appender { return func(s *state) { s.buf = append(s.buf, text...) } }

// asTextAndBody writes a text and the body, without copying the body.
func asTextAndBody(text string, body []byte) appender {
	return func(s *state) {
		s.buf = append(s.buf, text...)
		s.flush()
		s.mac.Write(body)
	}
}

// flush hashes the buffer and empties it.
func (s *state) flush() {
	s.mac.Write(s.buf)
	s.buf = s.buf[:0]
}

// sign returns the signature of a text with the first key.
func (m *macs) sign(text string) string { return m.signAll(asText(text)) }

func (m *macs) signAll(signed appender) string {
	s := m.keys[0].get()
	defer m.keys[0].put(s)
	return string(s.signAll(m.encoding, signed))
}

func (s *state) signAll(e encoding, signed appender) []byte {
	s.mac.Reset()
	s.buf = s.buf[:0]
	signed(s)
	return s.sum(e)
}

// check tells whether sent is a signature of one of the texts. where names the place of the
// signature, for the error.
func (m *macs) check(where, sent string, texts ...string) error {
	if slices.ContainsFunc(texts, func(text string) bool { return m.match(sent, asText(text)) }) {
		return nil
	}
	return m.refusal(where, sent)
}

// checkAll is check for an appender.
func (m *macs) checkAll(where, sent string, signed appender) error {
	if m.match(sent, signed) {
		return nil
	}
	return m.refusal(where, sent)
}

func (m *macs) match(sent string, signed appender) bool {
	sent = foldHex(m.encoding, sent)
	return slices.ContainsFunc(m.keys, func(k *key) bool {
		s := k.get()
		defer k.put(s)
		return subtle.ConstantTimeCompare(s.signAll(m.encoding, signed), []byte(sent)) == 1
	})
}

func (m *macs) refusal(where, sent string) error {
	if n, err := m.encoding.Decode(make([]byte, len(sent)), []byte(sent)); err != nil ||
		n != m.size || len(sent) != m.encoding.EncodedLen(n) {
		return fmt.Errorf(
			"%w: %s is not a signature of %d characters", ErrMalformed, where,
			m.encoding.EncodedLen(m.size),
		)
	}
	return fmt.Errorf("%w: %s, secrets %d", ErrMismatch, where, len(m.keys))
}
