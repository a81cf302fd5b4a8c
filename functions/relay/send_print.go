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

// The sender and the gateway of a printed webhook. The address and the name are reserved for
// documentation.
const (
	printedSender  = "203.0.113.10"
	printedGateway = "gateway.example.com"
)

// printLambdaEvent prints the event (payload format 2.0) that API Gateway passes to receive when a
// provider sends signed to the source. The output is valid JSON for every body: binary bodies are
// encoded in base64, as API Gateway does.
func printLambdaEvent(
	ctx context.Context, out io.Writer, source string, signed verify.Request, at time.Time,
) error {
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
		"Accept": "*/*", "User-Agent": "relay-send",
		"Content-Length":  strconv.Itoa(len(signed.Body)),
		"X-Forwarded-For": printedSender, "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	} {
		r.Header.Set(name, value)
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(gateway.Event(r, gateway.Parameters{"source": source}, signed.Body, at))
}
