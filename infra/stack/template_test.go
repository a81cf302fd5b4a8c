package stack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"

	"webhook-relay/infra/stack"
)

// template is a CloudFormation template, as far as the tests look at it.
type template struct {
	Resources map[string]resource
	Outputs   map[string]struct{ Value any }
	text      []byte
	manifest  struct { // what the CDK's command line is told beside the template
		TerminationProtection bool
		Tags                  map[string]string
	}
}

type resource struct {
	Type, DeletionPolicy, UpdateReplacePolicy string
	DependsOn                                 []string
	Properties                                map[string]any
}

// synthesis is one at a time: the constructs of all tests live in one Node process.
var synthesis sync.Mutex

// relay is the template of a relay with nothing but defaults.
var relay = sync.OnceValues(func() (template, error) { return synthesise(stack.Props{}, nil) })

func defaults(t *testing.T) template { return done(t)(relay()) }

const (
	certificate = "arn:aws:acm:eu-west-1:111122223333:certificate/0f1e"
	secretsKey  = "arn:aws:kms:eu-west-1:111122223333:key/4d3c"

	ownership     = "arn:aws:acm:eu-west-1:111122223333:certificate/2a2b"
	truststore    = "s3://trust/ca.pem"
	dataKey       = "arn:aws:kms:eu-west-1:111122223333:key/7a8b0c1d-2e3f-4a5b-8c6d-7e8f90a1b2c3"
	formerDataKey = "arn:aws:kms:eu-west-1:111122223333:key/9c0d1e2f-3a4b-4c5d-9e6f-7a8b9c0d1e2f"

	otherSecret     = "arn:aws:secretsmanager:eu-west-1:444455556666:secret:shop-AbCdEf"
	otherKey        = "arn:aws:kms:eu-west-1:444455556666:key/5e6f"
	invokedAPI      = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3/prod/POST/hooks/*"
	invokedFunction = "arn:aws:lambda:eu-west-1:111122223333:function:receiver"

	sentQueue    = "arn:aws:sqs:eu-west-1:111122223333:orders.fifo"
	sentTopic    = "arn:aws:sns:eu-west-1:111122223333:news"
	sentBus      = "arn:aws:events:eu-west-1:111122223333:event-bus/shop"
	sentFunction = "arn:aws:lambda:eu-west-1:111122223333:function:greet:live"
	sentMachine  = "arn:aws:states:eu-west-1:111122223333:stateMachine:Onboard"
	sentStream   = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks"
	sentDelivery = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/lake"
	sentGroup    = "arn:aws:logs:eu-west-1:111122223333:log-group:/webhooks"
	sentBucket   = "arn:aws:s3:::archive"
	sentRole     = "arn:aws:iam::444455556666:role/relay"

	triggerBus    = "arn:aws:events:eu-west-1:111122223333:event-bus/shop"
	triggerRule   = "arn:aws:events:eu-west-1:111122223333:rule/shop/orders"
	triggerTopic  = "arn:aws:sns:us-east-1:444455556666:news"
	triggerBucket = "arn:aws:s3:::photos"
)

// wholeRelay is the template of a relay with everything that can be asked for.
var wholeRelay = sync.OnceValues(func() (template, error) { return synthesise(wholeProps(), nil) })

func wholeProps() stack.Props {
	return stack.Props{
		Stage: "prod", AlarmTopicARN: topic, AlarmEmail: "ops@example.com", FixedEgress: true,
		SecretsKeyARN: secretsKey,
		DomainName:    "hooks.example.com", CertificateARN: certificate,
		DisableDefaultEndpoint: true, TruststoreURI: truststore,
		OwnershipCertificateARN: ownership, DataKeyARN: dataKey,
		FormerDataKeyARNs: []string{formerDataKey},
		Secrets:           []string{"relay/", otherSecret}, SecretsManagerKeys: []string{otherKey},
		Invoke: []string{invokedAPI, invokedFunction},
		Send: []string{
			sentQueue, sentBus, sentTopic, sentFunction, sentMachine, sentRole, sentStream,
			sentDelivery, sentGroup, sentBucket,
		},
		Triggers: map[string]string{
			"shop": triggerBus, "rule": triggerRule, "news": triggerTopic, "uploads": triggerBucket,
		},
		Dashboard: true, Tracing: true, AccessLog: true, PlatformLogs: true, LedgerRecovery: true,
		Listeners:   "true",
		EgressPorts: []uint16{8443}, Tags: map[string]string{
			"team": "shop", "costCentre": "42", "owner": "a@example.com", "empty": "",
			"of two words": "x=y",
		},
	}
}

func whole(t *testing.T) template { return done(t)(wholeRelay()) }

// with is a relay with some props.
func with(p stack.Props) func(*testing.T) template {
	return func(t *testing.T) template { return done(t)(synthesise(p, nil)) }
}

// done takes a template, or ends the test.
func done(t *testing.T) func(template, error) template {
	t.Helper()
	return func(tmpl template, err error) template {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return tmpl
	}
}

// both runs a test on the least and on the most that a relay can be.
func both(t *testing.T, f func(t *testing.T, tmpl template)) {
	t.Helper()
	t.Run("least", func(t *testing.T) { f(t, defaults(t)) })
	t.Run("most", func(t *testing.T) { f(t, whole(t)) })
}

func synthesise(p stack.Props, context map[string]any) (tmpl template, err error) {
	synthesis.Lock()
	defer synthesis.Unlock()
	dir, err := os.MkdirTemp("", "stack")
	if err != nil {
		return template{}, err
	}
	defer os.RemoveAll(dir)
	if p.FunctionsDir, err = stubFunctions(dir); err != nil {
		return template{}, err
	}
	app := awscdk.NewApp(&awscdk.AppProps{
		Outdir: new(filepath.Join(dir, "out")), Context: &context, AnalyticsReporting: new(false),
	})
	if _, err := stack.New(app, "Relay", p); err != nil {
		return template{}, err
	}
	app.Synth(nil)
	if tmpl.text, err = os.ReadFile(filepath.Join(dir, "out", "Relay.template.json")); err != nil {
		return template{}, err
	}
	if err = json.Unmarshal(tmpl.text, &tmpl); err != nil {
		return template{}, err
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "out", "manifest.json"))
	if err != nil {
		return template{}, err
	}
	var artifacts struct {
		Artifacts struct{ Relay struct{ Properties any } }
	}
	artifacts.Artifacts.Relay.Properties = &tmpl.manifest
	err = json.Unmarshal(manifest, &artifacts)
	return tmpl, err
}

// stubFunctions writes functions that are always the same, so that the template is.
func stubFunctions(dir string) (string, error) {
	for _, name := range []string{"receive", "fanout", "deliver", "sweep", "admin"} {
		folder := filepath.Join(dir, "lambda", name)
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return "", err
		}
		if err := os.WriteFile(
			filepath.Join(folder, "bootstrap"), []byte(name), 0o600,
		); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"deliver", "admin"} {
		if err := os.WriteFile(
			filepath.Join(dir, "lambda", name, "jq"), []byte("jq"), 0o600,
		); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "lambda"), nil
}

// each calls f for every resource of a type, in the order of their ids, and fails where there is
// none: a test that finds nothing to look at proves nothing.
func (tmpl template) of(resourceType string) (all []resource) {
	for _, r := range tmpl.Resources {
		if r.Type == resourceType {
			all = append(all, r)
		}
	}
	return all
}

func (tmpl template) each(
	t *testing.T, resourceType string, f func(t *testing.T, id string, r resource),
) {
	t.Helper()
	found := false
	for _, id := range slices.Sorted(maps.Keys(tmpl.Resources)) {
		if r := tmpl.Resources[id]; r.Type == resourceType {
			found = true
			t.Run(name(id), func(t *testing.T) { f(t, id, r) })
		}
	}
	if !found {
		t.Errorf("no %s in the template", resourceType)
	}
}

// get walks down maps and lists: get("RedrivePolicy", "maxReceiveCount"). nil where the way ends.
func (r resource) get(path ...any) any { return get(r.Properties, path...) }

func get(v any, path ...any) any {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			key, _ := step.(string)
			v = at[key]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// number reads a property that is a number; 0 where there is none.
func (r resource) number(path ...any) int {
	n, _ := r.get(path...).(float64)
	return int(n)
}

// items returns a list, or a value that stands for a list of one.
func items(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// target is the id of the resource that v refers to, whole or by an attribute; "" where v is no
// reference.
func target(v any) string {
	if id, ok := get(v, "Ref").(string); ok {
		return id
	}
	id, _ := get(v, "Fn::GetAtt", 0).(string)
	return id
}

var hash = regexp.MustCompile(`[0-9A-F]{8}$`)

// name is a resource's id as the stack's source has it, without the hash that the CDK appends.
func name(id string) string { return hash.ReplaceAllString(id, "") }

// render writes a value with its references by name: {Catalog.Arn}.
func render(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		if id, ok := v["Ref"].(string); ok {
			return "{" + name(id) + "}"
		}
		if att, ok := v["Fn::GetAtt"].([]any); ok {
			return "{" + name(att[0].(string)) + "." + att[1].(string) + "}"
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			parts := make([]string, 0, 8)
			for _, part := range join[1].([]any) {
				parts = append(parts, render(part))
			}
			return strings.Join(parts, join[0].(string))
		}
	}
	return fmt.Sprint(v)
}
