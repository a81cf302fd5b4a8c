package stack_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
	"webhook-relay/shared/lab/page"
	"webhook-relay/shared/lambda/settings"
)

func TestPropsFromContext(t *testing.T) {
	t.Parallel()
	want := stack.Props{
		Stage: "dev", FunctionsDir: "bin/lambda", RetentionDays: 30, LogRetentionDays: 30,
		MaxBodyBytes: 4194304, InlineBodyBytes: 40960, CatalogCacheSeconds: 30,
		ThrottleRatePerSecond: 1000, ThrottleBurst: 1000,
		FanoutMaxConcurrency: 50, DeliveryMaxConcurrency: 300, RetryMaxConcurrency: 30,
		SlowMaxConcurrency: 50,
		Protect:            "auto", Listeners: "auto",
	}
	for name, test := range map[string]struct {
		context map[string]any
		change  func(p *stack.Props)
	}{
		"nothing given: defaults": {nil, func(*stack.Props) {}},
		"strings, as -c gives them": {map[string]any{"stage": "prod", "maxBodyBytes": "1048576"},
			func(p *stack.Props) { p.Stage, p.MaxBodyBytes = "prod", 1<<20 }},
		"numbers, as cdk.json has them": {map[string]any{"maxBodyBytes": 4000000.0},
			func(p *stack.Props) { p.MaxBodyBytes = 4000000 }},
		"keys of the CDK are not ours": {map[string]any{
			"@aws-cdk/x:y": true, "aws:cdk:z": []any{}, "cli-telemetry": false,
		},
			func(*stack.Props) {}},
		"true, as -c gives it": {map[string]any{"fixedEgress": "true", "protect": "false"},
			func(p *stack.Props) { p.FixedEgress, p.Protect = true, "false" }},
		"true, as cdk.json has it": {map[string]any{"fixedEgress": true, "protect": true},
			func(p *stack.Props) { p.FixedEgress, p.Protect = true, "true" }},
		"tags, as -c gives them": {map[string]any{"tags": "team=shop,query=a=b"},
			func(p *stack.Props) { p.Tags = map[string]string{"team": "shop", "query": "a=b"} }},
		"tags, as cdk.json has them": {map[string]any{
			"tags": map[string]any{"team": "shop", "costCentre": 42.0},
		},
			func(p *stack.Props) {
				p.Tags = map[string]string{"team": "shop", "costCentre": "42"}
			}},
		"secrets, as -c gives them": {map[string]any{
			"secrets": "relay/,shop/",
		}, func(p *stack.Props) {
			p.Secrets = []string{"relay/", "shop/"}
		}},
		"ports, as -c gives them": {map[string]any{
			"egressPorts": "8443,9000",
		}, func(p *stack.Props) {
			p.EgressPorts = []uint16{8443, 9000}
		}},
		"ports, as cdk.json has them": {map[string]any{
			"egressPorts": []any{8443.0, "9000"},
		}, func(p *stack.Props) {
			p.EgressPorts = []uint16{8443, 9000}
		}},
		"a port, as cdk.json has it": {map[string]any{"egressPorts": 8443.0}, func(p *stack.Props) {
			p.EgressPorts = []uint16{8443}
		}},
		"an alarm topic, which has no default": {map[string]any{"alarmTopicArn": topic},
			func(p *stack.Props) { p.AlarmTopicARN = topic }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := want
			test.change(&want)
			got, err := stack.PropsFromContext(test.context)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("props (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContextErrorsNameTheKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		context map[string]any
		says    string
	}{
		"misspelt":           {map[string]any{"maxBodybytes": "1"}, "maxBodybytes"},
		"misspelt, an array": {map[string]any{"stages": []any{}}, "stages"},
		"not a number":       {map[string]any{"retentionDays": "a month"}, "RetentionDays"},
		"none, as a string": {
			map[string]any{"retentionDays": "0"},
			"retentionDays is 0; leave it out for its default, 30",
		},
		"none": {
			map[string]any{"maxBodyBytes": 0.0},
			"maxBodyBytes is 0; leave it out for its default, 4194304",
		},
		"a fraction":         {map[string]any{"retentionDays": 1.5}, "RetentionDays"},
		"tags without value": {map[string]any{"tags": "team"}, "Tags"},
		"tags for a number": {
			map[string]any{"retentionDays": map[string]any{"a": "b"}}, "retentionDays",
		},
		"not true or false":  {map[string]any{"fixedEgress": "yes"}, "FixedEgress"},
		"a port too far":     {map[string]any{"egressPorts": "65536"}, "EgressPorts"},
		"ports for a number": {map[string]any{"retentionDays": []any{1.0}}, "retentionDays"},
		"neither":            {map[string]any{"retentionDays": true}, "retentionDays"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stack.PropsFromContext(test.context)
			if !errors.Is(err, stack.ErrProps) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want ErrProps that names %s", err, test.says)
			}
		})
	}
}

func TestPropsOutOfRangeAreRefusedBeforeAnythingIsBuilt(t *testing.T) {
	t.Parallel()
	functions, err := stubFunctions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		props stack.Props
		says  []string
	}{
		"stage in capitals": {stack.Props{Stage: "Prod"}, []string{`stage "Prod"`}},
		"stage too long": {
			stack.Props{Stage: strings.Repeat("a", 33)}, []string{"stage"},
		},
		"topic that is a queue": {
			stack.Props{AlarmTopicARN: "arn:aws:sqs:eu-west-1:111122223333:q"},
			[]string{"alarmTopicArn"},
		},
		"mail to nobody": {
			stack.Props{AlarmEmail: "ops"}, []string{`alarmEmail "ops"`},
		},
		"protection, perhaps": {
			stack.Props{Protect: "maybe"}, []string{`protect "maybe"`},
		},
		"domain with a scheme": {
			stack.Props{DomainName: "https://a.example", CertificateARN: certificate},
			[]string{"domainName"},
		},
		"domain without certificate": {
			stack.Props{DomainName: "a.example"}, []string{"set both or neither"},
		},
		"certificate without domain": {
			stack.Props{CertificateARN: certificate}, []string{"set both or neither"},
		},
		"certificate of no ACM": {
			stack.Props{DomainName: "a.example", CertificateARN: topic}, []string{"certificateArn"},
		},
		"truststore without a domain": {
			stack.Props{TruststoreURI: "s3://trust/ca.pem"}, []string{
				"without a client certificate",
			},
		},
		"a way in beside the truststore": {
			stack.Props{
				TruststoreURI: "s3://trust/ca.pem", DomainName: "a.example",
				CertificateARN: certificate,
			},
			[]string{"without a client certificate"},
		},
		"truststore that is no object": {
			stack.Props{TruststoreURI: "https://trust.example/ca.pem"}, []string{"truststoreUri"},
		},
		"could not reach the relay": {
			stack.Props{DisableDefaultEndpoint: true}, []string{"could not reach the relay"},
		},
		"key by its alias": {
			stack.Props{SecretsKeyARN: "arn:aws:kms:eu-west-1:111122223333:alias/x"},
			[]string{"secretsKeyArn"},
		},
		"secret of another service": {
			stack.Props{
				Secrets: []string{"relay/", "arn:aws:ssm:eu-west-1:111122223333:parameter/x"},
			},
			[]string{`secrets "arn:aws:ssm`},
		},
		"any secret": {
			stack.Props{Secrets: []string{"*"}}, []string{`secrets "*"`},
		},
		"keys of no secrets": {
			stack.Props{SecretsManagerKeys: []string{otherKey}},
			[]string{"secretsManagerKeys is set without secrets"},
		},
		"any key": {
			stack.Props{Secrets: []string{"relay/"}, SecretsManagerKeys: []string{"*"}},
			[]string{`secretsManagerKeys "*"`},
		},
		"any function": {
			stack.Props{Invoke: []string{"arn:aws:lambda:eu-west-1:111122223333:function:*"}},
			[]string{"invoke"},
		},
		"a queue to invoke": {
			stack.Props{Invoke: []string{"arn:aws:sqs:eu-west-1:111122223333:q"}},
			[]string{"invoke"},
		},
		"any queue to send to": {
			stack.Props{Send: []string{"arn:aws:sqs:eu-west-1:111122223333:*"}}, []string{"send"},
		},
		"a table to send to": {
			stack.Props{Send: []string{"arn:aws:dynamodb:eu-west-1:111122223333:table/x"}},
			[]string{"send"},
		},
		"port 0": {
			stack.Props{EgressPorts: []uint16{8443, 0}}, []string{"egressPorts: 0"},
		},
		"a port twice": {
			stack.Props{EgressPorts: []uint16{8443, 8443}}, []string{"8443 is always open"},
		},
		"a port that is open": {
			stack.Props{EgressPorts: []uint16{443}}, []string{"443 is always open"},
		},
		"ports, too many": {
			stack.Props{EgressPorts: make([]uint16, 51)}, []string{
				"egressPorts has 51 ports; at most 50",
			},
		},
		"stage too long for names": {
			stack.Props{Stage: "a-stage-of-21-letters"}, []string{"stage"},
		},
		"a certificate for nothing": {
			stack.Props{
				DomainName: "a.example", CertificateARN: certificate,
				OwnershipCertificateARN: ownership,
			},
			[]string{"ownershipCertificateArn is set without truststoreUri"},
		},
		"ownership by no certificate": {
			stack.Props{OwnershipCertificateARN: topic}, []string{"ownershipCertificateArn \"arn"},
		},
		"data key by its alias": {
			stack.Props{DataKeyARN: "arn:aws:kms:eu-west-1:111122223333:alias/x"},
			[]string{"dataKeyArn"},
		},
		"ARNs of two regions": {
			stack.Props{
				AlarmTopicARN: topic, SecretsKeyARN: "arn:aws:kms:us-east-1:111122223333:key/x",
			},
			[]string{"alarmTopicArn in eu-west-1; secretsKeyArn in us-east-1"},
		},
		"a former key in use": {
			stack.Props{DataKeyARN: dataKey, FormerDataKeyARNs: []string{dataKey}},
			[]string{"contains the current dataKeyArn"},
		},
		"tag of ours in another case": {
			stack.Props{Tags: map[string]string{"Stage": "x"}}, []string{"Stage is reserved"},
		},
		"tags that IAM takes for one": {
			stack.Props{Tags: map[string]string{"team": "a", "Team": "b"}}, []string{"twice"},
		},
		"tags, too many for subnets": {
			stack.Props{FixedEgress: true, Tags: manyTags(46)}, []string{
				"tags has 46 tags; at most 45",
			},
		},
		"tag of ours": {
			stack.Props{Tags: map[string]string{"stage": "x"}}, []string{"stage is reserved"},
		},
		"tag of theirs": {
			stack.Props{Tags: map[string]string{"aws:x": "x"}}, []string{"aws:x is reserved"},
		},
		"tag with a comma": {
			stack.Props{Tags: map[string]string{"a": "b,c"}}, []string{"tags: a=b,c"},
		},
		"tags, too many": {
			stack.Props{Tags: manyTags(49)}, []string{"tags has 49"},
		},
		"negative retention": {
			stack.Props{RetentionDays: -1}, []string{"retentionDays is -1; it must be 1 to 3650"},
		},
		"log retention in between": {
			stack.Props{LogRetentionDays: 31}, []string{"logRetentionDays is 31"},
		},
		"body above the request": {
			stack.Props{MaxBodyBytes: 4500001}, []string{"maxBodyBytes"},
		},
		"inline above the scheduler": {
			stack.Props{InlineBodyBytes: 131073}, []string{"inlineBodyBytes"},
		},
		"concurrency below Lambda's": {
			stack.Props{RetryMaxConcurrency: 1},
			[]string{"retryMaxConcurrency is 1; it must be 2 to 1000"},
		},
		"concurrency above Lambda's": {
			stack.Props{DeliveryMaxConcurrency: 1001}, []string{"deliveryMaxConcurrency"},
		},
		"everything wrong is said": {
			stack.Props{Stage: "-", ThrottleBurst: -5}, []string{"stage", "throttleBurst"},
		},
		"a folder in place of bootstrap": {
			stack.Props{FunctionsDir: "testdata"}, []string{"deliver/bootstrap"},
		},
		"functions that were not built": {stack.Props{FunctionsDir: t.TempDir()}, []string{
			"receive/bootstrap is missing", "fanout/bootstrap is missing",
			"deliver/bootstrap is missing", "deliver/jq is missing", "admin/jq is missing", "sweep/bootstrap is missing",
			"make"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.props.FunctionsDir == "" {
				test.props.FunctionsDir = functions
			}
			_, err := stack.New(nil, "Relay", test.props) // a nil scope: nothing may be built
			if !errors.Is(err, stack.ErrProps) {
				t.Fatalf("error %v, want ErrProps", err)
			}
			for _, says := range test.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %v, want it to say %s", err, says)
				}
			}
		})
	}
}

func manyTags(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[fmt.Sprint("tag", i)] = "x"
	}
	return tags
}

// The defaults are in two places, here for who deploys and in package settings for who runs a
// function by hand.
func TestDefaultsAreThoseOfSettings(t *testing.T) {
	for _, name := range []string{"CATALOG_TABLE", "LEDGER_TABLE", "INGEST_QUEUE_URL",
		"DELIVERY_QUEUE_URL", "POISON_QUEUE_URL",
		"ORDERED_INGEST_QUEUE_URL", "ORDERED_DELIVERY_QUEUE_URL",
		"BODIES_BUCKET", "SECRETS_KEY_ARN"} {
		t.Setenv("RELAY_"+name, "x")
	}
	receive, err := settings.Read[settings.Receive]()
	if err != nil {
		t.Fatal(err)
	}
	fanout, err := settings.Read[settings.Fanout]()
	if err != nil {
		t.Fatal(err)
	}
	p, err := stack.PropsFromContext(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := []int{p.MaxBodyBytes, p.InlineBodyBytes, p.CatalogCacheSeconds, p.RetentionDays}
	want := []int{
		receive.MaxBodyBytes, receive.InlineBodyBytes, receive.CatalogCacheSeconds,
		fanout.RetentionDays,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-settings +stack):\n%s", diff)
	}
}

// TestPageTellsEveryProp holds the table of settings in docs/deploying.md against the props and
// their defaults, both ways.
func TestPageTellsEveryProp(t *testing.T) {
	t.Parallel()
	var want, got []string
	props := reflect.TypeFor[stack.Props]()
	for i := range props.NumField() {
		tag := props.Field(i).Tag
		value := "none"
		if d := tag.Get("default"); d != "" {
			value = "`" + d + "`"
		}
		want = append(want, fmt.Sprintf("`%s` | %s", tag.Get("context"), value))
	}
	for _, row := range page.Rows(t, "../../docs/deploying.md", "settings") {
		got = append(got, row[0]+" | "+row[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-code +page):\n%s", diff)
	}
}
