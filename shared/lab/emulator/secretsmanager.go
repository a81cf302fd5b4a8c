package emulator

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// SecretsManager implements Secrets Manager's protocol (AWS JSON 1.1) for GetSecretValue. It is
// safe for concurrent use.
type SecretsManager struct {
	URL string

	server  *httptest.Server
	mu      sync.Mutex
	secrets map[string]string
}

// RunSecretsManager starts a SecretsManager without secrets. Stop it with Close.
func RunSecretsManager() *SecretsManager {
	m := &SecretsManager{secrets: map[string]string{}}
	m.server = httptest.NewServer(m)
	m.URL = m.server.URL
	return m
}

// Close stops m.
func (m *SecretsManager) Close() { m.server.Close() }

// NewSecretsManager starts a SecretsManager that stops with the test.
func NewSecretsManager(tb testing.TB) *SecretsManager {
	m := RunSecretsManager()
	tb.Cleanup(m.Close)
	return m
}

// Set makes text the current version of a secret. Only this name, or ARN, finds it.
func (m *SecretsManager) Set(name, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets[name] = text
}

// ServeHTTP answers a call.
func (m *SecretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ SecretID string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil ||
		r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		refuse(w, http.StatusBadRequest, "InvalidRequestException", r.Header.Get("X-Amz-Target"))
		return
	}
	m.mu.Lock()
	text, ok := m.secrets[in.SecretID]
	m.mu.Unlock()
	if !ok {
		refuse(w, http.StatusBadRequest, "ResourceNotFoundException", "there is no such secret")
		return
	}
	answer(w, map[string]any{"Name": in.SecretID, "SecretString": text})
}
