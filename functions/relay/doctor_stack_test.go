//go:build !local

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAnAccountThatIsNotWell: what AWS says is told with what to do, and what cannot be read stops
// no other check.
func TestAnAccountThatIsNotWell(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/account-settings/"):
			fmt.Fprint(w, `{"AccountLimit": {"UnreservedConcurrentExecutions": 10}}`)
		case r.FormValue("Action") == "DescribeAlarms" &&
			r.FormValue("AlarmNamePrefix") == "webhook-relay-prod-":
			fmt.Fprint(w, `<DescribeAlarmsResponse><DescribeAlarmsResult><MetricAlarms><member>
				<AlarmName>webhook-relay-prod-DeadLetters-1A2B</AlarmName></member></MetricAlarms>
				</DescribeAlarmsResult></DescribeAlarmsResponse>`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": server.URL,
	} {
		t.Setenv(name, value)
	}
	d := &doctor{}
	checks, err := d.checkStack(t.Context(), "webhook-relay-prod")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, check := range checks[:2] {
		found, err := check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			lines = append(lines, fmt.Sprintf("%s %s: %s; %s", f.Result, f.What, f.Detail, f.Do))
		}
	}
	for i, want := range []string{
		"fail alarm: webhook-relay-prod-DeadLetters-1A2B has fired; see DeadLetters in the runbook",
		"warn concurrency: 10 functions of the account may run at a time; ask AWS for 1,000",
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("want %q in %q", want, lines)
		}
	}
}
