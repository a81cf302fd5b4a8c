package egress

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
)

// urlOf returns the URL of a request. The URL of an AWS service may be replaced by that of an
// emulator, whose path is put before the request's.
func (c *Client) urlOf(p relay.Post) string {
	if p.To == nil || c.endpoint == nil {
		return p.URL
	}
	return rebase(p.URL, c.endpoint(p.To.Service()))
}

// rebase replaces the scheme and the host of a URL by those of base; "": it stays.
func rebase(raw, base string) string {
	to, err := url.Parse(base)
	if base == "" || err != nil {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	u.Scheme, u.Host = to.Scheme, to.Host
	return u.String()
}

// bodyLimit returns how much of an answer is read. What a destination answers has to be understood.
func bodyLimit(p relay.Post) int64 {
	if p.To != nil {
		return destination.MaxAnswerBytes
	}
	return relay.MaxResponseBytes
}

// judge reads the answer of a destination. Its texts are those of AWS, which repeat no secret of
// ours: the request has none but the signature.
func judge(p relay.Post, resp *http.Response, body []byte) *destination.Result {
	result := p.To.Read(destination.Answer{
		Status: resp.StatusCode, Header: resp.Header.Get, Body: body,
	}, p.To.Options)
	if result.Verdict == destination.Denied {
		result.Text += grantHint(p)
	}
	return &result
}

// lacks tells whether a destination accepts the message only after something has been prepared.
func lacks(p relay.Post, reply relay.Reply) bool {
	return reply.Result != nil && reply.Result.Verdict == destination.Unprepared &&
		p.To.Request.Prepare != nil
}

// prepare sends what a destination lacks, and then the message again. If it cannot be prepared,
// that is the result of the attempt.
func (c *Client) prepare(attempt context.Context, p relay.Post) (relay.Reply, bool, error) {
	first := *p.To.Request.Prepare
	prepared := p
	prepared.Method, prepared.URL, prepared.Body = first.Method, first.URL, first.Body
	prepared.Header = relay.Header{}
	maps.Copy(prepared.Header, p.Header)
	maps.Copy(prepared.Header, first.Header)
	reply, withdrawn, err := c.post(attempt, prepared)
	if err != nil || reply.Result.Verdict != destination.Accepted {
		return reply, withdrawn, err
	}
	return c.post(attempt, p)
}

// grantHint says what grants the permission that is missing.
func grantHint(p relay.Post) string {
	if p.Auth != nil && p.Auth.SigV4 != nil && p.Auth.SigV4.Role != "" {
		return "; the policies of " + p.Auth.SigV4.Role + " must allow it"
	}
	return "; add the ARN to the setting send of the stack. A resource of another account, or one " +
		"that is encrypted with a KMS key, must allow it in its own policy too"
}
