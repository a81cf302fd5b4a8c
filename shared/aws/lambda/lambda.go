package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay/operate"
)

// ErrInvoke means that Lambda did not take the invocation.
var ErrInvoke = errors.New("lambda: not invoked")

const accepted = http.StatusAccepted // the status of an asynchronous invocation

// Starter starts the work on jobs by an invocation of a function, which Lambda makes later. It
// implements operate.JobStarter and is safe for concurrent use.
type Starter struct {
	client   *signed.Client
	function string
}

var _ operate.JobStarter = (*Starter)(nil)

// NewStarter returns a Starter of a function, by its name or ARN. It calls nothing yet.
func NewStarter(cfg aws.Config, function string) *Starter {
	return &Starter{
		client:   signed.New(cfg, signed.Service{ID: "Lambda", Name: "lambda"}),
		function: function,
	}
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
	answer, err := s.client.Do(ctx, signed.Request{
		URL: "https://" + s.client.Host() + "/2015-03-31/functions/" +
			url.PathEscape(s.function) + "/invocations",
		Header: map[string]string{
			"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event",
		},
		Body: payload,
	})
	if err == nil && answer.Status != accepted {
		err = fmt.Errorf("status %d, and not %d", answer.Status, accepted)
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInvoke, s.function, err)
	}
	return nil
}
