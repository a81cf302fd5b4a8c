//go:build !local

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/lab/emulator"
)

// The command finds a stack's tables, key, bucket and queues by its outputs. Only the template and
// the command know their names, so this test compares the two.
func TestTheTemplateHasTheOutputsThatAreLookedUp(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../infra/stack/testdata/template.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct{ Outputs map[string]any }
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	for _, name := range outputs {
		if template.Outputs[name] == nil {
			t.Errorf("the template has no output %s", name)
		}
	}
}

// stacks answers DescribeStacks for one stack, as CloudFormation does.
func stacks(t *testing.T, name string, outputs map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "DescribeStacks" || r.FormValue("StackName") != name {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w,
				"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>",
				r.FormValue("StackName"))
			return
		}
		var members strings.Builder
		for key, value := range outputs {
			fmt.Fprintf(
				&members, "<member><OutputKey>%s</OutputKey><OutputValue>%s</OutputValue></member>",
				key, value,
			)
		}
		fmt.Fprintf(w, "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>%s</StackName><Outputs>%s</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
			name, members.String())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// createTable creates a table with the keys that all tables have.
func createTable(t *testing.T, tables *dynamodb.Client, name string) {
	t.Helper()
	_, err := tables.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(dynamo.PartitionKey), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(dynamo.SortKey), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{
				AttributeName: aws.String(dynamo.PartitionKey),
				AttributeType: types.ScalarAttributeTypeS,
			},
			{AttributeName: aws.String(dynamo.SortKey), AttributeType: types.ScalarAttributeTypeS},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the table is there", func() bool {
		out, err := tables.DescribeTable(
			t.Context(), &dynamodb.DescribeTableInput{TableName: &name},
		)
		return err == nil && out.Table.TableStatus == types.TableStatusActive
	})
}

// TestADeployedStack: a token is made with AWS credentials, and used from then on.
func TestADeployedStack(t *testing.T) {
	services := emulator.Start(t)
	keys := emulator.NewKMS(t)
	const key = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
	outputs := map[string]string{
		"IngressUrl": "https://in.example.com", "CatalogTable": "relay-catalog",
		"LedgerTable": "relay-ledger", "SecretsKeyArn": key,
		"RetryQueueUrl": services.SQS +
			"/123456789012/apply-retry", "IngestQueueUrl": services.SQS +
			"/123456789012/apply-ingest",
		"BodiesBucket": "apply-bodies",
	}
	for name, value := range map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE":   "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ENDPOINT_URL_CLOUDFORMATION": stacks(
			t, "webhook-relay-dev", outputs,
		), "AWS_ENDPOINT_URL_DYNAMODB": services.DynamoDB,
		"AWS_ENDPOINT_URL_KMS": keys.URL, "AWS_ENDPOINT_URL_SQS": services.SQS,
	} {
		t.Setenv(name, value)
	}
	tables := dynamodb.NewFromConfig(emulator.Config(services.DynamoDB))
	for _, name := range []string{"relay-catalog", "relay-ledger"} {
		createTable(t, tables, name)
	}
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api, _, err := apiOfStack(r.Context(), "webhook-relay-dev")
		if err != nil {
			t.Error(err)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(served.Close)
	outputs["ApiUrl"] = served.URL + "/v1"
	profiles := t.TempDir()
	run := func(t *testing.T, args ...string) (string, error) {
		t.Helper()
		var out output
		s := streams(&out)
		s.Env = func(name string) (string, bool) { return profiles, name == "XDG_CONFIG_HOME" }
		err := Run(t.Context(), args, s)
		return out.String(), err
	}
	config := writeFile(t, "relay.yaml", configFor("http://a.example.com:8080"))
	out, err := run(t, "endpoints", "--stack", "webhook-relay-dev")
	if code, _ := exitOf(err); code != exitUsage || !strings.Contains(err.Error(), "relay login") {
		t.Errorf("without a token: %v\n%s", err, out)
	}
	for _, step := range []struct {
		args []string
		want []string
	}{
		{[]string{"tokens", "create", "--role=read", "--name=ci"}, []string{"rly_read_"}},
		{[]string{"login", "--profile=dev"}, []string{"role admin", served.URL}},
		{[]string{"tokens"}, []string{"ci", "admin"}},
		{
			[]string{"plan", config},
			[]string{
				"warning: endpoint target: http", "warning: endpoint target: port 8080",
				"+ source app", "this was a plan",
			},
		},
		{
			[]string{"apply", config},
			[]string{"+ endpoint target", "revision 1 is in force", "whsec_"},
		},
		{[]string{"apply", config}, []string{"revision 1, nothing to change"}},
		{[]string{"export"}, []string{"name: target"}},
	} {
		out, err := run(t, append(step.args, "--stack", "webhook-relay-dev")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in:\n%s", step.args, want, out)
			}
		}
	}
	if out, err := run(t, "endpoints", "--profile=dev"); err != nil ||
		!strings.Contains(out, "target") {
		t.Errorf("by the profile: %v\n%s", err, out)
	}
	catalog := dynamo.NewCatalog(
		dynamo.Client(emulator.Config(services.DynamoDB)), "relay-catalog",
		kms.New(emulator.Config(keys.URL), key),
	)
	state, err := catalog.State(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	source, err := catalog.Source(t.Context(), state.Generation, "app")
	if err != nil || len(source.Secrets) != 1 || source.Secrets[0] != "token" {
		t.Errorf("a function reads %+v, %v", source, err)
	}

	if _, err := run(t, "apply", config, "--stack", "nobodys"); err == nil ||
		!strings.Contains(err.Error(), "stack nobodys") {
		t.Errorf("unknown stack: %v", err)
	}
	delete(outputs, "SecretsKeyArn")
	if _, err := run(t, "apply", config, "--stack", "webhook-relay-dev"); err == nil ||
		!strings.Contains(err.Error(), "no output SecretsKeyArn") {
		t.Errorf("another stack: %v", err)
	}
}
