package egress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// fetchTimeout limits a fetch, from its start to the last byte.
const fetchTimeout = 10 * time.Second

// errTooLarge means that an answer is longer than allowed.
var errTooLarge = errors.New("egress: answer too large")

// httpClient returns a client for fetching tokens, keys and certificates from addresses that a
// configuration or a sender has named. It connects only where Post may connect, follows no redirect
// (the 3xx is the answer), decompresses nothing, and takes at most 10 s. It reads at most maxBytes
// of an answer. A longer answer ends in errTooLarge, so a part is never taken for the whole.
//
// Its errors are ErrGuard, ErrRequest and the outcomes of Post. Find them with errors.Is and
// errors.As under the *url.Error that every http.Client returns. The text of a *url.Error contains
// the URL with its query; the error that it wraps does not. A request is sent again in the same
// cases as by Post, if it has no body or has a GetBody. The client is safe for concurrent use.
func (c *Client) httpClient(maxBytes int64) *http.Client {
	return &http.Client{
		Transport: fetcher{client: c, max: maxBytes},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Timeout: fetchTimeout,
	}
}

type fetcher struct {
	client *Client
	max    int64
}

func (f fetcher) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := f.check(req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, blocked(err)
	}
	resp, err := roundTrip(f.client.usual, req, new(progress))
	switch {
	case err == nil:
	case req.Context().Err() != nil:
		return nil, err
	default:
		return nil, explain(err)
	}
	resp.Body = &capped{ReadCloser: resp.Body, max: f.max, left: f.max}
	return resp, nil
}

func (f fetcher) check(req *http.Request) error {
	if err := checkURL(req.URL, f.client.httpsOnly); err != nil {
		return err
	}
	for name, values := range req.Header {
		for _, value := range values {
			if err := checkHeader(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// capped is a body of which at most left more bytes are read.
type capped struct {
	io.ReadCloser
	max, left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left+1)])
	if int64(n) > c.left {
		n, c.left = int(c.left), 0
		return n, fmt.Errorf("%w: more than %d bytes", errTooLarge, c.max)
	}
	c.left -= int64(n)
	return n, err
}
