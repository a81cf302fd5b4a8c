package stack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

func TestTables(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"Catalog": {"pk HASH, sk RANGE"},
		"Ledger": {"pk HASH, sk RANGE", "events: events_pk HASH, events_sk RANGE, INCLUDE",
			"open: open_pk HASH, sk RANGE, INCLUDE",
			"troubled: troubled_pk HASH, troubled_sk RANGE, KEYS_ONLY", "TTL expires_at"},
	}
	got := map[string][]string{}
	defaults(t).each(t, "AWS::DynamoDB::Table", func(t *testing.T, id string, r resource) {
		if r.get("BillingMode") != "PAY_PER_REQUEST" || r.get("OnDemandThroughput") != nil {
			t.Errorf(
				"billing %v, ceiling %v, want on demand without one", r.get("BillingMode"),
				r.get("OnDemandThroughput"),
			)
		}
		if recovery := r.get(
			"PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled",
		); recovery != (name(id) == "Catalog") {
			t.Errorf("can be recovered to a point in time: %v", recovery)
		}
		for _, attribute := range items(r.get("AttributeDefinitions")) {
			if get(attribute, "AttributeType") != "S" {
				t.Errorf("attribute %v is no string", attribute)
			}
		}
		lines := []string{keys(r.get("KeySchema"))}
		for _, index := range items(r.get("GlobalSecondaryIndexes")) {
			projection := get(index, "Projection", "ProjectionType")
			lines = append(
				lines,
				fmt.Sprintf(
					"%v: %s, %v", get(index, "IndexName"), keys(get(index, "KeySchema")),
					projection,
				),
			)
		}
		if r.get("TimeToLiveSpecification", "Enabled") == true {
			lines = append(lines, "TTL "+render(r.get("TimeToLiveSpecification", "AttributeName")))
		}
		got[name(id)] = lines
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func keys(schema any) string {
	var keys []string
	for _, key := range items(schema) {
		keys = append(keys, fmt.Sprint(get(key, "AttributeName"), " ", get(key, "KeyType")))
	}
	return strings.Join(keys, ", ")
}

func TestWhatHoldsDataOutlivesTheStack(t *testing.T) {
	t.Parallel()
	for _, resourceType := range []string{
		"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key",
	} {
		defaults(t).each(t, resourceType, func(t *testing.T, _ string, r resource) {
			// What a failed first deployment has made holds nothing yet: it goes with it.
			if r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain" {
				t.Errorf(
					"deletion %s, replacement %s, want RetainExceptOnCreate and Retain",
					r.DeletionPolicy, r.UpdateReplacePolicy,
				)
			}
		})
	}
}

func TestBucketsArePrivateAndForget(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::S3::Bucket", func(t *testing.T, _ string, r resource) {
		for _, block := range []string{
			"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets",
		} {
			if r.get("PublicAccessBlockConfiguration", block) != true {
				t.Errorf("%s is off", block)
			}
		}
		encryption := r.get(
			"BucketEncryption", "ServerSideEncryptionConfiguration", 0,
			"ServerSideEncryptionByDefault",
		)
		if get(encryption, "SSEAlgorithm") != "AES256" {
			t.Error("is not encrypted by S3")
		}
		rule := items(r.get("LifecycleConfiguration", "Rules"))
		if len(rule) != 1 || get(rule, 0, "Status") != "Enabled" ||
			get(rule, 0, "ExpirationInDays") != 61.0 ||
			get(rule, 0, "AbortIncompleteMultipartUpload", "DaysAfterInitiation") != 1.0 {
			t.Errorf("lifecycle %v, want expiry after 30 days of retention and 15 more", rule)
		}
		if r.get("VersioningConfiguration") != nil {
			t.Error("keeps versions, which outlive the retention")
		}
	})
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::KMS::Key", func(t *testing.T, _ string, r resource) {
		if r.get("EnableKeyRotation") != true {
			t.Error("is not rotated")
		}
	})
}

// Partners reach receive only, and operators and tenants admin only.
func TestRoutes(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, tmpl template) {
		got := map[string]string{}
		tmpl.each(t, "AWS::ApiGatewayV2::Route", func(t *testing.T, _ string, r resource) {
			integration := tmpl.Resources[target(get(r.get("Target"), "Fn::Join", 1, 1))]
			if integration.get("PayloadFormatVersion") != "2.0" {
				t.Errorf("payload %v", integration.get("PayloadFormatVersion"))
			}
			got[render(r.get("RouteKey"))] = name(target(integration.get("IntegrationUri"))) + " " +
				render(r.get("AuthorizationType"))
		})
		if diff := cmp.Diff(map[string]string{
			"ANY /in/{source}": "Receive NONE", "ANY /in/{tenant}/{source}": "Receive NONE",
			"ANY /v1/{proxy+}": "Admin NONE", "ANY /console": "Admin NONE",
			"ANY /console/{proxy+}": "Admin NONE", "ANY /portal/{proxy+}": "Admin NONE",
		}, got); diff != "" {
			t.Errorf("routes (-want +got):\n%s", diff)
		}
	})
}

// With iam, API Gateway asks for a signature before it calls the API. Partners sign as ever.
func TestIAM(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	with(stack.Props{IAM: true})(t).each(t, "AWS::ApiGatewayV2::Route", func(
		_ *testing.T, _ string, r resource,
	) {
		got[render(r.get("RouteKey"))] = render(r.get("AuthorizationType"))
	})
	if diff := cmp.Diff(map[string]string{
		"ANY /in/{source}": "NONE", "ANY /in/{tenant}/{source}": "NONE",
		"ANY /v1/{proxy+}": "AWS_IAM",
	}, got); diff != "" {
		t.Errorf("authorization (-want +got):\n%s", diff)
	}
}

// What costs by the event and is read by few is there for who asks for it.
func TestWhatIsAskedForIsObserved(t *testing.T) {
	t.Parallel()
	for asked, tmpl := range map[bool]template{false: defaults(t), true: whole(t)} {
		got := map[string]bool{
			"dashboard":  len(tmpl.of("AWS::CloudWatch::Dashboard")) > 0,
			"access log": tmpl.of("AWS::ApiGatewayV2::Stage")[0].get("AccessLogSettings") != nil,
		}
		for _, f := range tmpl.of("AWS::Lambda::Function") {
			got["traces"] = f.get("TracingConfig", "Mode") == "Active"
			got["Lambda's own lines"] = f.get("LoggingConfig", "SystemLogLevel") == "INFO"
		}
		for _, table := range tmpl.of("AWS::DynamoDB::Table") {
			if table.get("TimeToLiveSpecification") != nil {
				got["recovery of the ledger"] = table.get(
					"PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled",
				) == true
			}
		}
		for what, is := range got {
			if is != asked {
				t.Errorf("%s: %t, asked for: %t", what, is, asked)
			}
		}
	}
}

func TestStagesAreLogged(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	tmpl.each(t, "AWS::ApiGatewayV2::Stage", func(t *testing.T, _ string, r resource) {
		if logs := tmpl.Resources[target(r.get(
			"AccessLogSettings", "DestinationArn",
		))]; logs.Type != "AWS::Logs::LogGroup" {
			t.Error("has no access log")
		}
		format := render(r.get("AccessLogSettings", "Format"))
		var fields map[string]string
		if err := json.Unmarshal([]byte(format), &fields); err != nil {
			t.Fatalf("access log is no JSON: %v", err)
		}
		want := map[string]string{
			"requestId": "$context.requestId", "time": "$context.requestTime",
			"ip":     "$context.identity.sourceIp",
			"method": "$context.httpMethod", "path": "$context.path",
			"statusCode":    "$context.status",
			"responseBytes": "$context.responseLength", "durationMs": "$context.responseLatency",
			"integrationError": "$context.integrationErrorMessage",
		}
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("access log; no query, header or body may be in it (-want +got):\n%s", diff)
		}
	})
}

// The operator's command looks these up, and people read the first.
func TestOutputs(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	want := map[string]string{
		"ApiUrl":     "{Ingress.ApiEndpoint}/v1",
		"ConsoleUrl": "{Ingress.ApiEndpoint}/console",
		"IngressUrl": "{Ingress.ApiEndpoint}", "IngressApiId": "{Ingress}",
		"CatalogTable": "{Catalog}", "LedgerTable": "{Ledger}", "SecretsKeyArn": "{SecretsKey.Arn}",
		"BodiesBucket":   "{Bodies}",
		"IngestQueueUrl": "{Ingest}", "DeliveryQueueUrl": "{Delivery}", "RetryQueueUrl": "{Retry}",
		"DeadQueueUrl":          "{Dead}",
		"OrderedIngestQueueUrl": "{OrderedIngest}", "OrderedDeliveryQueueUrl": "{OrderedDelivery}",
	}
	got := map[string]string{}
	for key, output := range tmpl.Outputs {
		got[key] = render(output.Value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	_, outputs, _ := bytes.Cut(tmpl.text, []byte(`"Outputs": {`))
	if !bytes.HasPrefix(bytes.TrimSpace(outputs), []byte(`"IngressUrl"`)) {
		t.Error("the URL is not the first output")
	}
}

// A name that is fixed stands in the way of a second stage and of a replacement. An alias of a key
// has no other identity, and is made of the stack's name.
func TestNothingHasAFixedName(t *testing.T) {
	t.Parallel()
	fixed := map[string]string{
		"AWS::CloudWatch::Alarm": "AlarmName", "AWS::DynamoDB::Table": "TableName",
		"AWS::IAM::Role":        "RoleName",
		"AWS::Lambda::Function": "FunctionName", "AWS::Logs::LogGroup": "LogGroupName",
		"AWS::S3::Bucket": "BucketName",
		"AWS::SQS::Queue": "QueueName", "AWS::Scheduler::ScheduleGroup": "Name",
		"AWS::SNS::Topic":            "TopicName",
		"AWS::CloudWatch::Dashboard": "DashboardName", "AWS::Events::Rule": "Name",
		"AWS::EC2::SecurityGroup": "GroupName",
	}
	unnamed := []string{ // types that have no name to fix, or one that need not be unique
		"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
		"AWS::ApiGatewayV2::Stage",
		"AWS::KMS::Alias", "AWS::KMS::Key", "AWS::Lambda::EventSourceMapping",
		"AWS::Lambda::Permission",
		"AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::Subscription",
		"AWS::SNS::TopicPolicy",
		// of a name that is the operator's
		"AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::DomainName",
		"AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route",
		"AWS::EC2::RouteTable",
		"AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC",
		"AWS::EC2::VPCEndpoint",
		"AWS::EC2::VPCGatewayAttachment",
	}
	both(t, func(t *testing.T, tmpl template) {
		for id, r := range tmpl.Resources {
			property, known := fixed[r.Type]
			if !known && !slices.Contains(unnamed, r.Type) {
				t.Errorf("%s: is %s a type with names? say so here", id, r.Type)
			}
			if known && r.get(property) != nil {
				t.Errorf("%s: %s is fixed to %v", id, property, r.get(property))
			}
		}
	})
}

func TestPropsReachTheTemplate(t *testing.T) {
	t.Parallel()
	tmpl, err := synthesise(stack.Props{
		Stage: "prod", RetentionDays: 7, LogRetentionDays: 90, MaxBodyBytes: 1000,
		InlineBodyBytes: 100, CatalogCacheSeconds: 5,
		ThrottleRatePerSecond: 11, ThrottleBurst: 12, FanoutMaxConcurrency: 13,
		DeliveryMaxConcurrency: 14, RetryMaxConcurrency: 15, SlowMaxConcurrency: 16,
		EgressPorts: []uint16{8443, 9000},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]resource{}
	for id, r := range tmpl.Resources {
		byName[name(id)] = r
	}
	for what, test := range map[string]struct{ got, want any }{
		"stage": {
			byName["SecretsKeyAlias"].get("AliasName"), "alias/webhook-relay-prod-secrets",
		},
		"retentionDays, receive": {
			byName["Receive"].get("Environment", "Variables", "RELAY_RETENTION_DAYS"), "7",
		},
		"retentionDays, bodies": {
			byName["Bodies"].get("LifecycleConfiguration", "Rules", 0, "ExpirationInDays"), 38.0,
		},
		"retentionDays, fanout": {
			byName["Fanout"].get("Environment", "Variables", "RELAY_RETENTION_DAYS"), "7",
		},
		"retentionDays, deliver": {
			byName["Deliver"].get("Environment", "Variables", "RELAY_RETENTION_DAYS"), "7",
		},
		"logRetentionDays": {byName["ReceiveLogs"].get("RetentionInDays"), 90.0},
		"maxBodyBytes": {
			byName["Receive"].get("Environment", "Variables", "RELAY_MAX_BODY_BYTES"), "1000",
		},
		"inlineBodyBytes": {
			byName["Receive"].get("Environment", "Variables", "RELAY_INLINE_BODY_BYTES"), "100",
		},
		"catalogCacheSeconds": {
			byName["Deliver"].get("Environment", "Variables", "RELAY_CATALOG_CACHE_SECONDS"), "5",
		},
		"egressPorts": {
			byName["Deliver"].get("Environment", "Variables", "RELAY_EGRESS_PORTS"), "8443,9000",
		},
		"throttleRatePerSecond": {
			byName["IngressStage"].get("RouteSettings", "ANY /in/{source}", "ThrottlingRateLimit"),
			11.0,
		},
		"throttleBurst": {
			byName["IngressStage"].get("RouteSettings", "ANY /in/{source}", "ThrottlingBurstLimit"),
			12.0,
		},
		"fanoutMaxConcurrency": {
			byName["IngestToFanout"].get("ScalingConfig", "MaximumConcurrency"), 13.0,
		},
		"deliveryMaxConcurrency": {
			byName["DeliveryToDeliver"].get("ScalingConfig", "MaximumConcurrency"), 14.0,
		},
		"retryMaxConcurrency": {
			byName["RetryToDeliver"].get("ScalingConfig", "MaximumConcurrency"), 15.0,
		},
		"slowMaxConcurrency": {
			byName["SlowToDeliver"].get("ScalingConfig", "MaximumConcurrency"), 16.0,
		},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v in the template, want %v", what, test.got, test.want)
		}
	}
}
