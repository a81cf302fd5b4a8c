package s3

import (
	"bytes"
	"context"
	"fmt"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
)

// ClaimTime is how long the URL of a claim is valid at most. It ends earlier if the credentials do
// that signed it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
const ClaimTime = 12 * time.Hour

// Claims stores what is too large for a destination in a bucket, and makes URLs that need no
// credentials. It implements relay.Claims and is safe for concurrent use.
type Claims struct {
	client  *awss3.Client
	presign *awss3.PresignClient
	bucket  string
	prefix  string
	now     func() time.Time
}

var _ relay.Claims = (*Claims)(nil)

// NewClaims returns the claims in bucket, which must exist, under keys with a prefix. now is
// time.Now if it is nil.
func NewClaims(
	client *awss3.Client, bucket, prefix string, now func() time.Time,
) *Claims {
	if now == nil {
		now = time.Now
	}
	return &Claims{
		client: client, presign: awss3.NewPresignClient(client), bucket: bucket, prefix: prefix,
		now: now,
	}
}

// Claim implements relay.Claims.
func (c *Claims) Claim(
	ctx context.Context, key, contentType string, content []byte,
) (destination.Claim, error) {
	key = c.prefix + key
	in := &awss3.PutObjectInput{
		Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(content),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	}
	if contentType != "" {
		in.ContentType = &contentType
	}
	if _, err := c.client.PutObject(ctx, in); err != nil {
		return destination.Claim{}, fmt.Errorf("s3: put %s, %d bytes: %w", key, len(content), err)
	}
	expires := c.now().Add(ClaimTime)
	signed, err := c.presign.PresignGetObject(
		ctx, &awss3.GetObjectInput{Bucket: &c.bucket, Key: &key},
		awss3.WithPresignExpires(ClaimTime),
	)
	if err != nil {
		return destination.Claim{}, fmt.Errorf("s3: presign %s: %w", key, err)
	}
	return destination.Claim{
		URL: signed.URL, Expires: expires, Bucket: c.bucket, Key: key,
	}, nil
}
