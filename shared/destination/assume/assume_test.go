package assume_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/destination/assume"
)

func TestForm(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::123456789012:role/listen"
	plain := url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {role},
		"RoleSessionName": {"s"},
	}
	full := url.Values{"ExternalId": {"x"}, "Policy": {`{"a":"&"}`}, "DurationSeconds": {"900"}}
	for name, values := range plain {
		full[name] = values
	}
	for name, tt := range map[string]struct {
		request assume.Request
		want    url.Values
	}{
		"plain": {assume.Request{Role: role, Session: "s"}, plain},
		"full": {assume.Request{
			Role: role, Session: "s", ExternalID: "x", Policy: `{"a":"&"}`, Lasts: 15 * time.Minute,
		}, full},
	} {
		got, err := url.ParseQuery(string(tt.request.Form()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"eu-central-1": "https://sts.eu-central-1.amazonaws.com/",
		"cn-north-1":   "https://sts.cn-north-1.amazonaws.com.cn/",
	} {
		if got := assume.Address(region); got != want {
			t.Errorf("%s: %s", region, got)
		}
	}
}

// answered is the example of the reference, without what is not read:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const answered = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><Credentials>
  <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
  <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
  <SessionToken>AQoDYXdzEPT//////////wEXAMPLE</SessionToken>
  <Expiration>2019-11-09T13:34:41Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>`

func TestRead(t *testing.T) {
	t.Parallel()
	got, err := assume.Read(200, []byte(answered))
	want := assume.Credentials{
		AccessKeyID:     "ASIAIOSFODNN7EXAMPLE",
		SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY",
		SessionToken:    "AQoDYXdzEPT//////////wEXAMPLE",
		Expires:         time.Date(2019, 11, 9, 13, 34, 41, 0, time.UTC),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, tt := range []struct {
		status int
		body   string
		text   string
		denied bool
	}{
		{
			403, `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`,
			"STS answered 403 AccessDenied", true,
		},
		{500, "", "STS answered 500", false},
		{500, answered, "STS answered 500", false},
		{200, "<AssumeRoleResponse/>", "STS answered 200", false},
		{200, "{}", "STS answered 200", false},
		{
			400, `<ErrorResponse><Error><Code>own secret: x</Code></Error></ErrorResponse>`,
			"STS answered 400", false,
		},
	} {
		_, err := assume.Read(tt.status, []byte(tt.body))
		failed, is := errors.AsType[*assume.Error](err)
		if !is || err.Error() != tt.text || failed.Denied() != tt.denied {
			t.Errorf("%d %s: %v", tt.status, tt.body, err)
		}
	}
}
