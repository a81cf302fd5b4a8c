package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"webhook-relay/shared/relay/catalog"
)

// Client returns a client for cfg. If cfg or the environment sets an endpoint (an emulator, a store
// that speaks S3), buckets are addressed by path, because a host name with the bucket in front of
// it seldom resolves there.
func Client(cfg aws.Config) *awss3.Client {
	return awss3.NewFromConfig(cfg, func(o *awss3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil
	})
}

// Bodies keeps bodies in one bucket. It implements relay.Bodies and is safe for concurrent use.
type Bodies struct {
	client *awss3.Client
	bucket string
}

// New returns the bodies in bucket, which must exist.
func New(client *awss3.Client, bucket string) *Bodies {
	return &Bodies{client: client, bucket: bucket}
}

// Put implements relay.Bodies.
func (b *Bodies) Put(ctx context.Context, key string, body []byte) error {
	_, err := b.client.PutObject(ctx, &awss3.PutObjectInput{
		Bucket:            &b.bucket,
		Key:               &key,
		Body:              bytes.NewReader(body),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return fmt.Errorf("s3: put %s, %d bytes: %w", key, len(body), err)
	}
	return nil
}

// Get implements relay.Bodies.
func (b *Bodies) Get(ctx context.Context, key string) ([]byte, error) {
	out, err := b.client.GetObject(
		ctx,
		&awss3.GetObjectInput{
			Bucket: &b.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled,
		},
	)
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("s3: body %s: %w", key, catalog.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("s3: get %s: %w", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	// large enough, so it never grows
	body := bytes.NewBuffer(make([]byte, 0, aws.ToInt64(out.ContentLength)+bytes.MinRead))
	if _, err := body.ReadFrom(out.Body); err != nil {
		return nil, fmt.Errorf("s3: get %s: %w", key, err)
	}
	return body.Bytes(), nil
}
