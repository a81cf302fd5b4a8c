package keyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"webhook-relay/shared/local/keyfile"
)

func sealer(t *testing.T, dir string) *keyfile.Sealer {
	t.Helper()
	s, err := keyfile.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sealers := make([]*keyfile.Sealer, 8)
	var running sync.WaitGroup
	for i := range sealers {
		running.Go(func() { sealers[i], _ = keyfile.New(dir) })
	}
	running.Wait()
	sealed, err := sealers[0].Seal(t.Context(), "a", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(sealers, sealer(t, dir)) {
		if plain, err := s.Open(t.Context(), "a", sealed); err != nil || string(plain) != "secret" {
			t.Errorf("processes that started together have different keys: %v", err)
		}
	}
	if _, err := sealer(t, t.TempDir()).Open(
		t.Context(), "a", sealed,
	); !errors.Is(err, keyfile.ErrSealed) {
		t.Errorf("another key: %v, want ErrSealed", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "relay.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.New(dir); err == nil || !strings.Contains(err.Error(), "relay.key") {
		t.Errorf("a key of 5 bytes: %v", err)
	}
}
