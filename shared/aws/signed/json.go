package signed

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// Call is a call in one of the JSON protocols:
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
type Call struct {
	Target  string // such as "AmazonSQS.SendMessage"
	Version string // of the protocol, "1.0" or "1.1"
	URL     string // as of Request
	Once    bool   // as of Request
}

// JSON makes a call: in is sent, as encoding/json writes it, and the answer is read into out; nil:
// it is not. Errors are those of Do; one that tells of an answer that cannot be read comes after
// the call was carried out.
func (c *Client) JSON(ctx context.Context, call Call, in, out any) error {
	body, err := Encode(in)
	if err != nil {
		return err
	}
	answer, err := c.Do(ctx, Request{
		URL: call.URL, Body: body, Once: call.Once, Header: map[string]string{
			"Content-Type": "application/x-amz-json-" + call.Version, "X-Amz-Target": call.Target,
		},
	})
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return fmt.Errorf("the answer to %s cannot be read: %w", call.Target, err)
	}
	return nil
}

// Encode writes a value as JSON. Unlike json.Marshal it leaves <, > and & as they are: bodies of
// events have many, and each would take six bytes.
func Encode(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// Text is a string in JSON that is written without a copy.
type Text []byte

// MarshalText implements encoding.TextMarshaler.
func (t Text) MarshalText() ([]byte, error) { return t, nil }
