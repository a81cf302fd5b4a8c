package stack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sweeper looks at each event in two of its runs, if they come an hour apart.
func TestSweepRunsHourly(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	rules := map[string]string{} // function that is started → rule
	tmpl.each(t, "AWS::Events::Rule", func(t *testing.T, id string, r resource) {
		targets := items(r.get("Targets"))
		if r.get("ScheduleExpression") != "rate(1 hour)" || r.get("State") == "DISABLED" ||
			len(targets) != 1 {
			t.Errorf(
				"%v, %v, %d targets", r.get("ScheduleExpression"), r.get("State"), len(targets),
			)
		}
		rules[target(get(targets, 0, "Arn"))] = id
	})
	permitted := map[string]string{}
	tmpl.each(t, "AWS::Lambda::Permission", func(_ *testing.T, _ string, r resource) {
		if r.get("Principal") == "events.amazonaws.com" &&
			r.get("Action") == "lambda:InvokeFunction" {
			permitted[target(r.get("FunctionName"))] = target(r.get("SourceArn"))
		}
	})
	if diff := cmp.Diff(rules, permitted); diff != "" {
		t.Errorf("who starts what (-rules +permitted):\n%s", diff)
	}
	for f := range rules {
		if name(f) != "Sweep" {
			t.Errorf("%s is started", f)
		}
	}
}
