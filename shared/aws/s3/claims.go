package s3

import (
	"context"
	"fmt"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
)

// ClaimTime is how long the URL of a claim is valid at most. It ends earlier if the credentials do
// that signed it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
const ClaimTime = 12 * time.Hour

// Claims stores what is too large for a destination in a bucket, and makes URLs that need no
// credentials. It implements relay.Claims and is safe for concurrent use.
type Claims struct {
	bucket *Bucket
	prefix string
	now    func() time.Time
}

var _ relay.Claims = (*Claims)(nil)

// NewClaims returns the claims in a bucket, under keys with a prefix. now is time.Now if it is nil.
func NewClaims(bucket *Bucket, prefix string, now func() time.Time) *Claims {
	if now == nil {
		now = time.Now
	}
	return &Claims{bucket: bucket, prefix: prefix, now: now}
}

// Claim implements relay.Claims.
func (c *Claims) Claim(
	ctx context.Context, key, contentType string, content []byte,
) (destination.Claim, error) {
	key = c.prefix + key
	if err := c.bucket.put(ctx, key, contentType, content); err != nil {
		return destination.Claim{}, err
	}
	now := c.now()
	url, err := c.bucket.client.Presign(ctx, c.bucket.url(key), now, ClaimTime)
	if err != nil {
		return destination.Claim{}, fmt.Errorf("s3: presign %s: %w", key, err)
	}
	return destination.Claim{
		URL: url, Expires: now.Add(ClaimTime), Bucket: c.bucket.name, Key: key,
	}, nil
}
