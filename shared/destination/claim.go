package destination

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Claim is where a content can be fetched that is too large for a service (the claim check
// pattern).
type Claim struct {
	URL     string    // presigned: it needs no credentials
	Expires time.Time // of URL, at the latest
	Bucket  string    // "": the content is not in S3
	Key     string
}

// HasClaims tells whether a message that is too large is sent as a pointer.
func (o Options) HasClaims() bool { return o.Claim == ClaimS3 }

// ClaimS3 is the value of Options.Claim.
const ClaimS3 = "s3"

// Content returns what Request sends of a message, before the service's own encoding. Error: an
// *UnfitError.
func (d Destination) Content(m Message, o Options) (content []byte, contentType string, err error) {
	content, err = d.content(m, o)
	contentType = m.contentType()
	if m.Shaped == nil && d.Envelope(o) == JSON {
		contentType = plainJSON
	}
	return content, contentType, err
}

// Claimed returns the message that is sent in place of one whose content lies elsewhere: an object
// with what is known of the event, and where the content is.
func (m Message) Claimed(content []byte, contentType string, c Claim) Message {
	sum := sha256.Sum256(content)
	claim := newObject().text("url", c.URL).text("expires", c.Expires.UTC().Format(time.RFC3339))
	if c.Bucket != "" {
		claim = claim.text("bucket", c.Bucket).text("key", c.Key)
	}
	claim = claim.raw("size", strconv.AppendInt(nil, int64(len(content)), 10)).
		text("sha256", hex.EncodeToString(sum[:])).text("contentType", contentType)
	e := m.Event
	m.Shaped = newObject().text("id", e.ID).text("type", e.Type).text("source", e.Source).
		text("trust", e.Trust).text("time", e.Time.UTC().Format("2006-01-02T15:04:05.000Z")).
		raw("claim", claim.end()).end()
	m.ContentType, m.claimed = plainJSON, true
	return m
}
