package egress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// fetchTimeout bounds a fetch from the first byte to the last.
const fetchTimeout = 10 * time.Second

// errTooLarge: what is fetched is longer than allowed.
var errTooLarge = errors.New("egress: answer too large")

// httpClient returns a client for what has to be fetched from addresses that come from a configuration or a sender: tokens, keys,
// certificates. It goes where Post goes and nowhere else, follows no redirect (the 3xx is the answer), unpacks nothing, takes 10 s
// at most, and reads of an answer no more than maxBytes; a longer one ends in errTooLarge, so that a part never passes for the whole.
//
// Its errors are found with errors.Is and errors.As under the *url.Error that every http.Client returns: ErrGuard, ErrRequest and the
// outcomes of Post. The text of a *url.Error has the URL in it, with its query; what it wraps has not. A request is sent
// anew as by Post, if it has no body or a GetBody. The client is safe for concurrent use.
func (c *Client) httpClient(maxBytes int64) *http.Client {
	return &http.Client{
		Transport:     fetcher{c, maxBytes},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       fetchTimeout,
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
	resp.Body = &capped{resp.Body, f.max, f.max}
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

// capped is a body that may have left more bytes.
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
