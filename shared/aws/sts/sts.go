// Package sts gives out credentials of a role that are limited further, by AWS STS.
//
//	credentials, err := sts.New(cfg, roleARN).Assume(ctx, "lis_k3f9", policy)
package sts

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/destination/assume"
)

// Role is a role that this process may assume. It is safe for concurrent use.
type Role struct {
	client *signed.Client
	arn    string
}

// New returns a role, by its ARN. It calls nothing yet.
func New(cfg aws.Config, arn string) *Role {
	return &Role{
		client: signed.New(cfg, signed.Service{ID: "STS", Name: assume.Service}), arn: arn,
	}
}

// Assume returns credentials of the role for an hour, the longest that STS allows a function. They
// may do what both the role and the policy allow. session names them in CloudTrail. Error: an
// *assume.Error, or that STS could not be reached.
func (r *Role) Assume(
	ctx context.Context, session, policy string,
) (assume.Credentials, error) {
	answer, err := r.client.Do(ctx, signed.Request{
		Header: map[string]string{"Content-Type": assume.ContentType},
		Body:   assume.Request{Role: r.arn, Session: session, Policy: policy}.Form(),
	})
	var credentials assume.Credentials
	if answer.Status != 0 {
		credentials, err = assume.Read(answer.Status, answer.Body)
	}
	if err != nil {
		return credentials, fmt.Errorf("sts: assume %s: %w", r.arn, err)
	}
	return credentials, nil
}
