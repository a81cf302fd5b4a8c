package egress

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/sync/singleflight"

	"webhook-relay/shared/destination/assume"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const (
	// roleSession names the session of an assumed role, in CloudTrail of the other account.
	roleSession = "webhook-relay"
	// roleMargin is how long before their end credentials of a role are no longer used. They must
	// outlast an attempt.
	roleMargin = 5 * time.Minute
	// maxRoles is the largest number of cached credentials.
	maxRoles = 1000
)

// roles has the credentials with which requests are signed: our own, and those of roles that it
// assumes. It caches the latter until shortly before they expire. It is safe for concurrent use.
//
// A role is assumed by one signed POST: see package assume.
type roles struct {
	client  *Client
	now     func() time.Time
	flights singleflight.Group

	mu   sync.Mutex
	kept map[catalog.SigV4]aws.Credentials
}

func newRoles(c *Client) *roles {
	return &roles{
		client: c, now: func() time.Time { return time.Now().Round(0) },
		kept: map[catalog.SigV4]aws.Credentials{},
	}
}

// credentials returns those that s asks for. If several callers need the same role, one assumes it
// for all. Errors are those of Post.
func (r *roles) credentials(ctx context.Context, s *catalog.SigV4) (aws.Credentials, error) {
	if s.Role == "" {
		return r.own(ctx)
	}
	key := catalog.SigV4{Region: s.Region, Role: s.Role, ExternalID: s.ExternalID}
	r.mu.Lock()
	known, ok := r.kept[key]
	r.mu.Unlock()
	if ok && r.now().Before(known.Expires.Add(-roleMargin)) {
		return known, nil
	}
	assumed := r.flights.DoChan(key.Region+" "+key.Role+" "+key.ExternalID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return r.assume(ctx, key)
	})
	select {
	case <-ctx.Done():
		return aws.Credentials{}, noCredentials(fmt.Errorf(
			"%w: the role %s was not assumed in time: %w", errAuth, s.Role, ctx.Err(),
		))
	case got := <-assumed:
		credentials, _ := got.Val.(aws.Credentials)
		return credentials, got.Err
	}
}

func (r *roles) own(ctx context.Context) (aws.Credentials, error) {
	own, err := r.client.credentials.Retrieve(ctx)
	if err != nil {
		return own, fmt.Errorf("egress: credentials for sigv4: %w", err)
	}
	return own, nil
}

func (r *roles) assume(ctx context.Context, key catalog.SigV4) (aws.Credentials, error) {
	req, err := r.request(ctx, key)
	if err != nil {
		return aws.Credentials{}, err
	}
	resp, err := r.client.httpClient(maxAnswerBytes).Do(req)
	if err != nil {
		return aws.Credentials{}, roleFailure(key, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return aws.Credentials{}, roleFailure(key, err)
	}
	credentials, err := readRole(key, resp.StatusCode, body)
	if err != nil {
		return aws.Credentials{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) >= maxRoles {
		clear(r.kept)
	}
	r.kept[key] = credentials
	return credentials, nil
}

func (r *roles) request(ctx context.Context, key catalog.SigV4) (*http.Request, error) {
	own, err := r.own(ctx)
	if err != nil {
		return nil, err
	}
	body := assume.Request{
		Role: key.Role, Session: roleSession, ExternalID: key.ExternalID,
	}.Form()
	address := assume.Address(key.Region)
	if r.client.endpoint != nil {
		address = rebase(address, r.client.endpoint(assume.Service))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, blocked(fmt.Errorf("%w: region of the role", ErrRequest))
	}
	req.Header.Set("Content-Type", assume.ContentType)
	sum := sha256.Sum256(body)
	if err := r.client.signer.SignHTTP(
		ctx, own, req, hex.EncodeToString(sum[:]), assume.Service, key.Region, time.Now(),
	); err != nil {
		return nil, fmt.Errorf("egress: sigv4: %w", err)
	}
	return req, nil
}

// readRole reads the answer of AssumeRole. Its texts name the role, and nothing that the answer has
// beside the code of the error.
func readRole(key catalog.SigV4, status int, body []byte) (aws.Credentials, error) {
	got, err := assume.Read(status, body)
	failed, is := errors.AsType[*assume.Error](err)
	switch {
	case is && failed.Denied():
		return aws.Credentials{}, noCredentials(fmt.Errorf(
			"%w: sts:AssumeRole on %s is not allowed: add the role to the setting send of the "+
				"stack, and let its trust policy name the role of the function deliver%s", errAuth,
			key.Role, externalHint(key),
		))
	case err != nil:
		return aws.Credentials{}, noCredentials(fmt.Errorf(
			"%w: %w for the role %s", errAuth, err, key.Role,
		))
	}
	return aws.Credentials{
		AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey,
		SessionToken: got.SessionToken, CanExpire: true, Expires: got.Expires,
		Source: "AssumeRole",
	}, nil
}

func externalHint(key catalog.SigV4) string {
	if key.ExternalID == "" {
		return ""
	}
	return " with this external_id"
}

// roleFailure returns why STS could not be asked.
func roleFailure(key catalog.SigV4, err error) error {
	if failed, ok := errors.AsType[*relay.PostError](err); ok {
		return noCredentials(fmt.Errorf("%w: STS, for the role %s: %w", errAuth, key.Role, failed))
	}
	var quoting *url.Error
	if errors.As(err, &quoting) && !quoting.Timeout() {
		return quoting.Err // an error of this machine
	}
	return noCredentials(fmt.Errorf(
		"%w: STS did not answer in time for the role %s", errAuth, key.Role,
	))
}
