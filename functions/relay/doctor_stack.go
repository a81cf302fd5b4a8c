//go:build !local

package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/destination"
	"webhook-relay/shared/destination/assume"
)

// account checks what only AWS knows of a stack, with the credentials of this machine.
type account struct {
	*doctor

	cfg   aws.Config
	stack string
}

// checkStack returns the checks of a stack.
func (d *doctor) checkStack(
	ctx context.Context, stack string,
) ([]func(context.Context) ([]finding, error), error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	a := account{doctor: d, cfg: cfg, stack: stack}
	return []func(context.Context) ([]finding, error){
		a.told("alarms", a.alarms), a.told("concurrency", a.concurrency),
		a.told("grants", a.grants),
	}, nil
}

// told makes an error of AWS a finding: the other checks go on.
func (account) told(
	what string, check func(context.Context) ([]finding, error),
) func(context.Context) ([]finding, error) {
	return func(ctx context.Context) ([]finding, error) {
		found, err := check(ctx)
		if err != nil && ctx.Err() == nil {
			return append(found, finding{
				Result: isWarn, What: what, Detail: "cannot be read: " + err.Error(),
				Do: "check the AWS credentials of this machine",
			}), nil
		}
		return found, err
	}
}

// resources returns the physical ids of the stack's resources of a type, by their logical ids
// without the hash.
func (a account) resources(ctx context.Context, kind string) (map[string]string, error) {
	found := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(
		cloudformation.NewFromConfig(a.cfg),
		&cloudformation.ListStackResourcesInput{StackName: &a.stack},
	)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			if id := aws.ToString(r.LogicalResourceId); aws.ToString(r.ResourceType) == kind {
				const hash = 8
				found[id[:max(0, len(id)-hash)]] = aws.ToString(r.PhysicalResourceId)
			}
		}
	}
	return found, nil
}

// query sends a request in the query protocol of AWS, and reads the answer as XML.
func (a account) query(
	ctx context.Context, service signed.Service, region, address string, form url.Values, into any,
) error {
	cfg := a.cfg.Copy()
	cfg.Region = region
	answer, err := signed.New(cfg, service).Do(ctx, signed.Request{
		URL: address, Body: []byte(form.Encode()), Header: map[string]string{
			"Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
		},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", form.Get("Action"), err)
	}
	return xml.Unmarshal(answer.Body, into)
}

// alarms lists the alarms of the stack that have fired.
func (a account) alarms(ctx context.Context) (found []finding, err error) {
	var answer struct {
		Names []string `xml:"DescribeAlarmsResult>MetricAlarms>member>AlarmName"`
	}
	if err := a.query(ctx, signed.Service{ID: "CloudWatch", Name: "monitoring"}, a.cfg.Region, "",
		url.Values{
			"Action": {"DescribeAlarms"}, "Version": {"2010-08-01"}, "StateValue": {"ALARM"},
			"AlarmNamePrefix": {a.stack + "-"}, "MaxRecords": {"100"},
		}, &answer); err != nil {
		return nil, err
	}
	for _, name := range answer.Names {
		short := strings.TrimPrefix(name, a.stack+"-")
		short, _, _ = strings.Cut(short, "-")
		found = append(found, finding{
			Result: isFail, What: "alarm", Detail: name + " has fired",
			Do: "see " + short + " in the runbook",
		})
	}
	if len(found) == 0 {
		found = append(found, finding{Result: isOK, What: "alarms", Detail: "none has fired"})
	}
	return found, nil
}

// enoughConcurrency is the limit of an account that is not new:
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const enoughConcurrency = 1000

// concurrency checks how many functions of the account may run at a time.
func (a account) concurrency(ctx context.Context) ([]finding, error) {
	functions := signed.New(a.cfg, signed.Service{ID: "Lambda", Name: "lambda"})
	answer, err := functions.Do(ctx, signed.Request{
		Method: http.MethodGet, URL: "https://" + functions.Host() + "/2016-08-19/account-settings/",
	})
	if err != nil {
		return nil, fmt.Errorf("GetAccountSettings: %w", err)
	}
	var settings struct {
		AccountLimit struct {
			ConcurrentExecutions, UnreservedConcurrentExecutions int
		}
	}
	if err := json.Unmarshal(answer.Body, &settings); err != nil {
		return nil, err
	}
	limit := settings.AccountLimit.UnreservedConcurrentExecutions
	f := finding{Result: isOK, What: "concurrency", Detail: fmt.Sprintf(
		"%s functions of the account may run at a time", thousands(limit),
	)}
	if limit < enoughConcurrency {
		f.Result = isWarn
		f.Do = "ask AWS for 1,000 (Service Quotas, Lambda, Concurrent executions): docs/deploying.md"
	}
	return []finding{f}, nil
}

// grants asks IAM whether deliver may do what the endpoints need.
func (a account) grants(ctx context.Context) (found []finding, err error) {
	needed, err := a.needed(ctx)
	if err != nil || len(needed) == 0 {
		return nil, err
	}
	roles, err := a.resources(ctx, "AWS::IAM::Role")
	if err != nil {
		return nil, err
	}
	if roles["DeliverRole"] == "" {
		return nil, errors.New("the stack has no role of deliver")
	}
	role, err := a.roleARN(ctx, roles["DeliverRole"])
	if err != nil {
		return nil, err
	}
	for _, n := range needed {
		allowed, err := a.simulate(ctx, role, n)
		if err != nil {
			return found, err
		}
		f := finding{Result: isOK, What: n.endpoint, Detail: n.action + " on " + n.resource}
		if !allowed {
			f.Result = isFail
			f.Detail = "the stack may not " + f.Detail
			f.Do = "add it to the setting send, and deploy again: docs/destinations.md"
		}
		found = append(found, f)
	}
	return found, nil
}

// need is what deliver must be allowed to do for an endpoint.
type need struct{ endpoint, action, resource string }

// needed returns what the endpoints in AWS need.
func (a account) needed(ctx context.Context) (all []need, err error) {
	for part, err := range client.Pages[admin.NamedState, admin.Scanned](
		ctx, a.api.Client, client.Path("v1", "states"), nil,
	) {
		if err != nil {
			return nil, err
		}
		for _, s := range part.Items {
			if !strings.HasPrefix(s.URL, "arn:") {
				continue
			}
			n, err := a.need(ctx, s.Name, s.URL)
			if err != nil {
				return nil, err
			}
			all = append(all, n)
		}
	}
	return all, nil
}

// need returns what an endpoint with an ARN needs: its role, or else the destination.
func (a account) need(ctx context.Context, name, arn string) (need, error) {
	e, err := client.Get[struct {
		Spec struct {
			Role string
			Wait bool
		}
	}](
		ctx, a.api.Client, client.Path("v1", "endpoints", name), nil,
	)
	if err != nil {
		return need{}, err
	}
	if e.Spec.Role != "" {
		return need{name, "sts:AssumeRole", e.Spec.Role}, nil
	}
	to, err := destination.Parse(arn)
	if err != nil {
		return need{}, err
	}
	return need{name, to.Action(destination.Options{Wait: e.Spec.Wait}), arn}, nil
}

// roleARN returns the ARN of a role of this account, by its name.
func (a account) roleARN(ctx context.Context, name string) (string, error) {
	var caller struct {
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
		Account string `xml:"GetCallerIdentityResult>Account"`
	}
	err := a.query(ctx, signed.Service{ID: "STS", Name: assume.Service}, a.cfg.Region, "", url.Values{
		"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"},
	}, &caller)
	if err != nil {
		return "", err
	}
	parts := strings.Split(caller.ARN, ":") // arn:PARTITION:…
	if len(parts) < 2 || caller.Account == "" {
		return "", errors.New("STS does not say in which account this is")
	}
	return "arn:" + parts[1] + ":iam::" + caller.Account + ":role/" + name, nil
}

// simulate asks IAM whether a role may do something.
func (a account) simulate(ctx context.Context, role string, n need) (bool, error) {
	var answer struct {
		Decisions []string `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member>EvalDecision"`
	}
	// IAM has one region for all of them: https://docs.aws.amazon.com/general/latest/gr/iam-service.html
	iam := signed.Service{ID: "IAM", Name: "iam"}
	err := a.query(ctx, iam, "us-east-1", "https://iam.amazonaws.com/", url.Values{
		"Action": {"SimulatePrincipalPolicy"}, "Version": {"2010-05-08"},
		"PolicySourceArn": {role}, "ActionNames.member.1": {n.action},
		"ResourceArns.member.1": {n.resource},
	}, &answer)
	return slices.Equal(answer.Decisions, []string{"allowed"}), err
}
