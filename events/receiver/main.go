// Command receiver is an endpoint for trying the relay. It prints the requests that arrive, checks
// their signatures, and can fail on purpose.
//
//	go run ./events/receiver -secret whsec_… -fail 1
//
// It shows what a receiver must do: read the body, verify it with a Standard Webhooks library, and
// answer 2xx.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxBody is the relay's own limit.
const maxBody = 4 << 20

func main() {
	addr := flag.String("addr", "127.0.0.1:9000", "address to listen on")
	secret := flag.String(
		"secret", "", "secret of the endpoint, whsec_…; without it signatures are not checked",
	)
	fail := flag.Int64("fail", 0, "answer 503 to so many requests first")
	flag.Parse()
	if err := serve(*addr, *secret, *fail); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func serve(addr, secret string, fail int64) error {
	handler, err := newReceiver(os.Stdout, secret, fail)
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s, Ctrl-C stops it\n", addr)
	return (&http.Server{
		Addr: addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second,
	}).ListenAndServe()
}

// newReceiver returns a handler that prints a line for each request.
func newReceiver(out io.Writer, secret string, fail int64) (http.Handler, error) {
	verify := func([]byte, http.Header) string { return "not checked" }
	if secret != "" {
		webhook, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("-secret: %w", err)
		}
		verify = func(body []byte, header http.Header) string {
			if err := webhook.Verify(body, header); err != nil {
				return "wrong: " + err.Error()
			}
			return "valid"
		}
	}
	var seen atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return // the relay is gone and will try again
		}
		status := http.StatusNoContent
		if seen.Add(1) <= fail {
			status = http.StatusServiceUnavailable
		}
		_, _ = fmt.Fprintf(out, "%s %s %s attempt %s, signature %s, %d bytes, answered %d\n",
			r.URL.Path, r.Header.Get("webhook-id"),
			r.Header.Get("relay-event-type"), r.Header.Get("relay-attempt"), verify(body, r.Header),
			len(body), status)
		w.WriteHeader(status)
	}), nil
}
