package standin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
)

// Claims stores what is too large for a destination in files, the last Most of them. Its URLs are
// those of the files. It is safe for concurrent use.
type Claims struct{ dir string }

var _ relay.Claims = (*Claims)(nil)

// NewClaims returns claims that keep their files in a folder of dir.
func NewClaims(dir string) *Claims { return &Claims{dir: filepath.Join(dir, "claims")} }

// Claim implements relay.Claims.
func (c *Claims) Claim(
	_ context.Context, key, _ string, content []byte,
) (destination.Claim, error) {
	name, err := filepath.Abs(filepath.Join(c.dir, key))
	if err == nil {
		err = os.MkdirAll(c.dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(name, content, 0o600)
	}
	if err == nil {
		err = c.prune()
	}
	if err != nil {
		return destination.Claim{}, fmt.Errorf("standin: %w", err)
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(name)}
	return destination.Claim{URL: u.String(), Expires: time.Now().AddDate(1, 0, 0)}, nil
}

// prune removes the oldest files beyond Most.
func (c *Claims) prune() error {
	entries, err := os.ReadDir(c.dir)
	if err != nil || len(entries) <= Most {
		return err
	}
	files := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil { // else it was removed meanwhile
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(b.Name(), a.Name()))
	})
	for _, f := range files[min(Most, len(files)):] {
		err := os.Remove(filepath.Join(c.dir, f.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
