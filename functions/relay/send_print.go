package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/verify"
)

// Where a printed webhook comes from and goes to. Both are of ranges and names kept for documentation.
const (
	printedSender  = "203.0.113.10"
	printedGateway = "gateway.example.com"
)

// printLambdaEvent prints what API Gateway hands to receive (payload format 2.0) when a provider sends signed
// to the source. The output is valid JSON whatever the body is: API Gateway encodes binary ones in base64.
func printLambdaEvent(ctx context.Context, out io.Writer, source string, signed verify.Request, at time.Time) error {
	url := "https://" + printedGateway + "/in/" + source
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	r.URL.RawQuery, r.RemoteAddr = signed.Query, printedSender+":443"
	for name, value := range signed.Header {
		r.Header.Set(name, value)
	}
	for name, value := range map[string]string{
		"Accept": "*/*", "User-Agent": "relay-send", "Content-Length": strconv.Itoa(len(signed.Body)),
		"X-Forwarded-For": printedSender, "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	} {
		r.Header.Set(name, value)
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(gateway.Event(r, source, signed.Body, at))
}
