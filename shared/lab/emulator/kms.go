package emulator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
)

// KMS implements KMS's protocol (AWS JSON 1.1) for Encrypt and Decrypt. Any key id is a symmetric
// key, and it is the same in every KMS of one process.
type KMS struct {
	URL string

	server *httptest.Server
}

// RunKMS starts a KMS. Stop it with Close.
func RunKMS() *KMS {
	server := httptest.NewServer(http.HandlerFunc(serveKMS))
	return &KMS{URL: server.URL, server: server}
}

// Close stops k.
func (k *KMS) Close() { k.server.Close() }

// NewKMS starts a KMS that stops with the test.
func NewKMS(tb testing.TB) *KMS {
	k := RunKMS()
	tb.Cleanup(k.Close)
	return k
}

// kmsSecret is the secret from which keys are derived.
var kmsSecret = rand.Text()

// maxPlaintext is KMS's own limit.
const maxPlaintext = 4096

type kmsRequest struct {
	KeyID             string `json:"KeyId"`
	Plaintext         []byte
	CiphertextBlob    []byte
	EncryptionContext map[string]string
}

func serveKMS(w http.ResponseWriter, r *http.Request) {
	var in kmsRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	switch target := r.Header.Get("X-Amz-Target"); target {
	case "TrentService.Encrypt":
		encrypt(w, in)
	case "TrentService.Decrypt":
		decrypt(w, in)
	default:
		refuse(w, http.StatusBadRequest, "UnknownOperationException", target)
	}
}

func encrypt(w http.ResponseWriter, in kmsRequest) {
	if n := len(in.Plaintext); in.KeyID == "" || n == 0 || n > maxPlaintext {
		refuse(
			w, http.StatusBadRequest, "ValidationException",
			"KeyId and 1 to 4096 bytes of Plaintext are needed, not "+strconv.Itoa(n),
		)
		return
	}
	blob := keyMark(in.KeyID)
	blob = append(blob, sealing(in.KeyID).Seal(nil, nil, in.Plaintext, additional(in))...)
	answer(
		w,
		map[string]any{
			"CiphertextBlob": blob, "KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
		},
	)
}

func decrypt(w http.ResponseWriter, in kmsRequest) {
	mark := keyMark(in.KeyID)
	if len(in.CiphertextBlob) < len(mark) {
		refuse(w, http.StatusBadRequest, "InvalidCiphertextException", "")
		return
	}
	if !slices.Equal(in.CiphertextBlob[:len(mark)], mark) {
		refuse(
			w, http.StatusBadRequest, "IncorrectKeyException", "the ciphertext is of another key",
		)
		return
	}
	plain, err := sealing(in.KeyID).Open(nil, nil, in.CiphertextBlob[len(mark):], additional(in))
	if err != nil {
		refuse(w, http.StatusBadRequest, "InvalidCiphertextException", "")
		return
	}
	answer(
		w,
		map[string]any{
			"Plaintext": plain, "KeyId": in.KeyID, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
		},
	)
}

// keyMark is the prefix of a ciphertext. It identifies the key.
func keyMark(keyID string) []byte {
	sum := sha256.Sum256([]byte(keyID))
	return sum[:8]
}

func sealing(keyID string) cipher.AEAD {
	key := sha256.Sum256([]byte(kmsSecret + keyID))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are an AES key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has GCM's block size
	}
	return aead
}

// additional returns the authenticated data: the encryption context, in a fixed order.
func additional(in kmsRequest) []byte {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(in.EncryptionContext)) {
		pairs = append(pairs, name, in.EncryptionContext[name])
	}
	b, _ := json.Marshal(pairs) // encoding strings cannot fail
	return b
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}

// refuse answers with an error, in the form of both JSON protocols.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"__type": code, "message": message, "Message": message,
	})
}
