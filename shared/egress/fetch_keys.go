package egress

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"webhook-relay/shared/verify"
)

// maxKeyBytes is far more than a key set or a certificate chain has.
const maxKeyBytes = 256 << 10

// KeyFetcher fetches the keys and certificates with which providers sign, through a guarded client.
// Make it with NewKeyFetcher and share it: it is safe for concurrent use.
type KeyFetcher struct{ client func() *http.Client }

var _ verify.Fetcher = KeyFetcher{}

// NewKeyFetcher returns a KeyFetcher. The client is created on first use, because few sources need
// it.
func NewKeyFetcher(o Options) KeyFetcher {
	return KeyFetcher{sync.OnceValue(func() *http.Client { return New(o).httpClient(maxKeyBytes) })}
}

// Fetch returns the body of an answer with status 200. Any other status, and a body of more than
// 256 KiB, is an error. No error contains the URL, because it may contain a token.
func (k KeyFetcher) Fetch(ctx context.Context, f verify.Fetch) ([]byte, error) {
	req, err := http.NewRequestWithContext(
		ctx, cmp.Or(f.Method, http.MethodGet), f.URL, bytes.NewReader(f.Body),
	)
	if err != nil {
		return nil, fmt.Errorf("%w: URL cannot be parsed", ErrRequest) // err quotes the URL
	}
	for name, value := range f.Header {
		req.Header.Set(name, value)
	}
	resp, err := k.client().Do(req)
	if quoting := (*url.Error)(nil); errors.As(err, &quoting) {
		return nil, quoting.Err
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("egress: answered %d", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}
