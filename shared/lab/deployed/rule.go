package deployed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

const rulesService = "events.amazonaws.com"

// rule is an EventBridge rule that invokes functions at a rate.
type rule struct {
	arn     string
	targets []*function
}

// addRule reads a rule from the template.
func (h *Host) addRule(id string) error {
	var p struct {
		ScheduleExpression, State string
		EventBusName              string
		Targets                   []struct {
			Arn string

			ID any
		}

		Description, EventPattern any
	}
	if err := h.stack.properties(id, &p); err != nil {
		return err
	}
	switch {
	case p.EventBusName != "":
		return nil // no bus is played: tests put its events into the queue
	case p.EventPattern != nil:
		return fmt.Errorf("%w: rule %s has an EventPattern and no bus", ErrTemplate, id)
	}
	if !strings.HasPrefix(p.ScheduleExpression, "rate(") || p.State == "DISABLED" ||
		len(p.Targets) == 0 {
		return fmt.Errorf(
			"%w: rule %s is disabled, or has no rate or no target, which is not played",
			ErrTemplate, id,
		)
	}
	r := rule{arn: h.stack.made[id].attributes["Arn"]}
	for _, target := range p.Targets {
		f := h.functionOf(target.Arn)
		switch {
		case f == nil:
			return fmt.Errorf(
				"%w: rule %s starts %s, which is no function", ErrTemplate, id, target.Arn,
			)
		case !h.permitted(rulesService, target.Arn, r.arn):
			return fmt.Errorf(
				"%w: no permission for rule %s to invoke %s", ErrTemplate, id, target.Arn,
			)
		}
		r.targets = append(r.targets, f)
	}
	h.rules = append(h.rules, r)
	return nil
}

// PlayRules makes every rule due once: EventBridge invokes the functions that each names. The error
// is a function's own. Lambda would retry such an invocation.
func (h *Host) PlayRules(ctx context.Context) error {
	var errs []error
	for _, r := range h.rules {
		for _, f := range r.targets {
			_, err := f.invoke(ctx, events.CloudWatchEvent{
				Version: "0", DetailType: "Scheduled Event", Source: "aws.events",
				AccountID: account, Region: region,
				Time: time.Now().UTC().Truncate(time.Second), Resources: []string{r.arn},
				Detail: []byte("{}"),
			})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
