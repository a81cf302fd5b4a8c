package lambda

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"webhook-relay/shared/relay/operate"
)

// ErrInvoke means that Lambda did not take the invocation.
var ErrInvoke = errors.New("lambda: not invoked")

const (
	maxAttempts = 3
	firstWait   = 100 * time.Millisecond // doubles with each attempt
	accepted    = http.StatusAccepted    // the status of an asynchronous invocation
	maxError    = 1 << 10                // bytes of an error that are read
)

// Starter starts the work on jobs by an invocation of a function, which Lambda makes later. It
// implements operate.JobStarter and is safe for concurrent use.
type Starter struct {
	cfg      aws.Config
	function string
	signer   *v4.Signer
}

var _ operate.JobStarter = (*Starter)(nil)

// NewStarter returns a Starter of a function, by its name or ARN. It calls nothing yet.
func NewStarter(cfg aws.Config, function string) *Starter {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = http.DefaultClient
	}
	return &Starter{cfg: cfg, function: function, signer: v4.NewSigner()}
}

// JobEvent is what the function is invoked with.
type JobEvent struct {
	Job Job `json:"job"`
}

// Job names a job.
type Job struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
}

// StartJob implements operate.JobStarter. Lambda may invoke the function twice. Error: ErrInvoke.
func (s *Starter) StartJob(ctx context.Context, tenant, id string) error {
	payload, err := json.Marshal(JobEvent{Job{Tenant: tenant, ID: id}})
	if err != nil {
		return err
	}
	wait := firstWait
	for attempt := 1; ; attempt++ {
		again, err := s.invoke(ctx, payload)
		if err == nil {
			return nil
		}
		if !again || attempt == maxAttempts {
			return fmt.Errorf("%w: %s: %w", ErrInvoke, s.function, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w", ErrInvoke, s.function, errors.Join(err, ctx.Err()))
		}
		wait *= 2
	}
}

// invoke makes one attempt. again tells whether another one may help.
func (s *Starter) invoke(ctx context.Context, payload []byte) (again bool, err error) {
	base, err := s.endpoint(ctx)
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		base+"/2015-03-31/functions/"+url.PathEscape(s.function)+"/invocations",
		bytes.NewReader(payload))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amz-Invocation-Type", "Event")
	credentials, err := s.cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return true, err
	}
	sum := sha256.Sum256(payload)
	if err := s.signer.SignHTTP(
		ctx, credentials, r, hex.EncodeToString(sum[:]), "lambda", s.cfg.Region, time.Now(),
	); err != nil {
		return false, err
	}
	answer, err := s.cfg.HTTPClient.Do(r)
	if err != nil {
		return true, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxError)) // only for the error
	if answer.StatusCode == accepted {
		return false, nil
	}
	again = answer.StatusCode >= http.StatusInternalServerError ||
		answer.StatusCode == http.StatusTooManyRequests
	return again, fmt.Errorf("status %d: %s", answer.StatusCode, text)
}

// endpoint returns the base URL of Lambda's API: that of the configuration, or AWS's own.
func (s *Starter) endpoint(ctx context.Context) (string, error) {
	for _, source := range s.cfg.ConfigSources {
		if of, ok := source.(interface {
			GetServiceBaseEndpoint(ctx context.Context, sdkID string) (string, bool, error)
		}); ok {
			if base, found, err := of.GetServiceBaseEndpoint(ctx, "Lambda"); found || err != nil {
				return base, err
			}
		}
	}
	if s.cfg.BaseEndpoint != nil {
		return *s.cfg.BaseEndpoint, nil
	}
	return "https://lambda." + s.cfg.Region + ".amazonaws.com", nil
}
