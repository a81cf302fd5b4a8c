package sqs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/destination/assume"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
)

// ListenQueues are the temporary queues of listeners, by their names. It implements listen.Queues
// and listen.Sender, and is safe for concurrent use.
type ListenQueues struct {
	// Client calls SQS.
	Client *signed.Client
	// Beside is the URL of any other queue of the same account and region.
	Beside string
	// Prefix is in front of an id in a queue's name.
	Prefix string
	// Key is the ARN of the KMS key that encrypts the queues; "": a key of SQS's own.
	Key string

	// The fields below are needed by Access only.

	// Role is the ARN of the role whose credentials listeners get.
	Role   string
	Region string
	// Assume returns credentials of Role that a policy limits further.
	Assume func(ctx context.Context, session, policy string) (assume.Credentials, error)
}

var (
	_ listen.Queues = ListenQueues{}
	_ listen.Sender = ListenQueues{}
)

const (
	// listenVisibility is how long a message is hidden that a listener could not forward.
	listenVisibility = 30 * time.Second
	// listenWait is how long a receive waits for a message, which is the longest that SQS allows.
	listenWait = 20 * time.Second
)

func (q ListenQueues) name(id string) string {
	return q.Prefix + strings.TrimPrefix(id, "lis_")
}

func (q ListenQueues) url(id string) string {
	return Beside(q.Beside, q.name(id))
}

// Create implements listen.Queues.
func (q ListenQueues) Create(ctx context.Context, id string, keep time.Duration) error {
	whole := func(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }
	attributes := map[string]string{
		"MessageRetentionPeriod":        whole(keep),
		"VisibilityTimeout":             whole(listenVisibility),
		"ReceiveMessageWaitTimeSeconds": whole(listenWait),
	}
	if q.Key != "" {
		attributes["KmsMasterKeyId"] = q.Key
	}
	err := q.Client.JSON(ctx, call("CreateQueue"), struct {
		QueueName  string
		Attributes map[string]string
	}{q.name(id), attributes}, nil)
	if err != nil {
		return fmt.Errorf("sqs: create the queue of %s: %w", id, err)
	}
	return nil
}

// Delete implements listen.Queues.
func (q ListenQueues) Delete(ctx context.Context, id string) error {
	err := q.Client.JSON(ctx, call("DeleteQueue"), struct {
		QueueURL string `json:"QueueUrl"`
	}{q.url(id)}, nil)
	if err != nil && signed.Code(err) != "QueueDoesNotExist" {
		return fmt.Errorf("sqs: delete the queue of %s: %w", id, err)
	}
	return nil
}

// Send implements listen.Sender.
func (q ListenQueues) Send(ctx context.Context, id string, messages [][]byte) []error {
	out := make([]relay.Outgoing, len(messages))
	for i, m := range messages {
		out[i].Body = m
	}
	return New(q.Client, q.url(id)).Send(ctx, out)
}

// Access implements listen.Queues. The credentials are for the one queue.
func (q ListenQueues) Access(ctx context.Context, id string) (listen.Transport, error) {
	policy, err := q.policy(id)
	if err != nil {
		return listen.Transport{}, err
	}
	c, err := q.Assume(ctx, id, policy)
	if err != nil {
		return listen.Transport{}, err
	}
	return listen.Transport{
		Kind: listen.KindSQS, QueueURL: q.url(id), Region: q.Region, AccessKeyID: c.AccessKeyID,
		SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken, Expires: c.Expires,
	}, nil
}

// statement is a part of a policy.
type statement struct {
	Effect   string
	Action   []string
	Resource string
}

// policy returns what a listener may do: receive from its queue, and nothing else.
func (q ListenQueues) policy(id string) (string, error) {
	// arn:PARTITION:iam::ACCOUNT:role/NAME
	role := strings.Split(q.Role, ":")
	if len(role) < 6 {
		return "", fmt.Errorf("sqs: %q is not the ARN of a role", q.Role)
	}
	statements := []statement{{
		Effect: "Allow",
		Action: []string{
			"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
		},
		Resource: strings.Join([]string{
			"arn", role[1], "sqs", q.Region, role[4], q.name(id),
		}, ":"),
	}}
	if q.Key != "" {
		statements = append(statements, statement{
			Effect: "Allow", Action: []string{"kms:Decrypt"}, Resource: q.Key,
		})
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	return string(text), err
}
