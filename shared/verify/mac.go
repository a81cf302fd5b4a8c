package verify

import (
	"crypto/hmac"
	"crypto/subtle"
	"fmt"
	"hash"
	"slices"
	"sync"
)

// key is one secret, ready to sign. Used states are kept, since a state that is reset has the key's own two blocks
// hashed already, and needs no memory.
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

// sum writes what is left in the buffer and returns the encoded signature; it is valid until the state is used again.
func (s *state) sum(e encoding) []byte {
	s.mac.Write(s.buf)
	s.buf = s.mac.Sum(s.buf[:0])
	n := len(s.buf)
	s.buf = e.AppendEncode(s.buf, s.buf)
	return s.buf[n:]
}

// macs makes and compares the HMACs of the schemes that put together what is signed from parts of a request.
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

// sign returns the signature of a text with the first key.
func (m *macs) sign(text string) string {
	s := m.keys[0].get()
	defer m.keys[0].put(s)
	return string(s.signText(m.encoding, text))
}

func (s *state) signText(e encoding, text string) []byte {
	s.mac.Reset()
	s.buf = append(s.buf[:0], text...)
	return s.sum(e)
}

// check tells whether sent is a signature of one of the texts. where is what has it, for the error.
func (m *macs) check(where, sent string, texts ...string) error {
	if slices.ContainsFunc(m.keys, func(k *key) bool { return m.matches(k, sent, texts) }) {
		return nil
	}
	if n, err := m.encoding.Decode(make([]byte, len(sent)), []byte(sent)); err != nil || n != m.size || len(sent) != m.encoding.EncodedLen(n) {
		return fmt.Errorf("%w: %s is not a signature of %d characters", ErrMalformed, where, m.encoding.EncodedLen(m.size))
	}
	return fmt.Errorf("%w: %s, secrets %d", ErrMismatch, where, len(m.keys))
}

func (m *macs) matches(k *key, sent string, texts []string) bool {
	s := k.get()
	defer k.put(s)
	return slices.ContainsFunc(texts, func(text string) bool {
		return subtle.ConstantTimeCompare(s.signText(m.encoding, text), []byte(sent)) == 1
	})
}
