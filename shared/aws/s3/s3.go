package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/protocol"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay/catalog"
)

// Bucket is a bucket, which must exist. It is safe for concurrent use.
type Bucket struct {
	client *signed.Client
	name   string
}

// NewBucket returns a bucket. It calls nothing yet. If cfg or the environment sets an endpoint (an
// emulator, a store that speaks S3), the bucket is addressed by path, because a host name with the
// bucket in front of it seldom resolves there.
func NewBucket(cfg aws.Config, name string) *Bucket {
	return &Bucket{client: signed.New(cfg, signed.Service{ID: "S3", Name: "s3"}), name: name}
}

func (b *Bucket) url(key string) string {
	host, path := b.name+"."+b.client.Host(), "/"+protocol.EscapeKey(key)
	if b.client.Endpoint() != "" {
		host, path = b.client.Host(), "/"+b.name+path
	}
	return "https://" + host + path
}

// put stores an object. Without a content type it is of bytes.
func (b *Bucket) put(ctx context.Context, key, contentType string, content []byte) error {
	_, err := b.client.Do(ctx, signed.Request{
		Method: http.MethodPut, URL: b.url(key), Body: content, Header: map[string]string{
			protocol.ChecksumHeader: protocol.Checksum(content),
			"Content-Type":          cmp.Or(contentType, "application/octet-stream"),
		},
	})
	if err != nil {
		return fmt.Errorf("s3: put %s, %d bytes: %w", key, len(content), err)
	}
	return nil
}

var errDamaged = errors.New("the content does not have the checksum that was stored with it")

// Bodies keeps bodies in a bucket. It implements relay.Bodies and is safe for concurrent use.
type Bodies struct{ bucket *Bucket }

// New returns the bodies in a bucket.
func New(bucket *Bucket) *Bodies { return &Bodies{bucket} }

// Put implements relay.Bodies.
func (b *Bodies) Put(ctx context.Context, key string, body []byte) error {
	return b.bucket.put(ctx, key, "", body)
}

// Get implements relay.Bodies.
func (b *Bodies) Get(ctx context.Context, key string) ([]byte, error) {
	answer, err := b.bucket.client.Do(ctx, signed.Request{
		Method: http.MethodGet, URL: b.bucket.url(key),
		Header: map[string]string{"X-Amz-Checksum-Mode": "ENABLED"},
	})
	if signed.Code(err) == "NoSuchKey" {
		return nil, fmt.Errorf("s3: body %s: %w", key, catalog.ErrNotFound)
	}
	if stored := answer.Header.Get(protocol.ChecksumHeader); err == nil && stored != "" &&
		stored != protocol.Checksum(answer.Body) {
		err = errDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("s3: get %s: %w", key, err)
	}
	return answer.Body, nil
}
