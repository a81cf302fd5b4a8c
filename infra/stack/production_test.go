package stack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/infra/stack"
)

func TestDomain(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	tmpl.each(t, "AWS::ApiGatewayV2::DomainName", func(t *testing.T, _ string, r resource) {
		want := []any{map[string]any{"CertificateArn": certificate, "EndpointType": "REGIONAL",
			"SecurityPolicy":                      "TLS_1_2",
			"OwnershipVerificationCertificateArn": ownership}}
		if diff := cmp.Diff(want, r.get("DomainNameConfigurations")); diff != "" ||
			r.get("DomainName") != "hooks.example.com" {
			t.Errorf("name %v, configuration (-want +got):\n%s", r.get("DomainName"), diff)
		}
	})
	tmpl.each(t, "AWS::ApiGatewayV2::ApiMapping", func(t *testing.T, _ string, r resource) {
		got := []string{
			target(r.get("DomainName")), name(target(r.get("ApiId"))), target(r.get("Stage")),
		}
		if diff := cmp.Diff(
			[]string{"IngressDomain", "Ingress", "IngressStage"}, got,
		); diff != "" || r.get("ApiMappingKey") != nil {
			t.Errorf("key %v, mapping (-want +got):\n%s", r.get("ApiMappingKey"), diff)
		}
	})
	for output, want := range map[string]string{
		"IngressUrl":       "https://hooks.example.com",
		"IngressDnsTarget": "{IngressDomain.RegionalDomainName}",
		"IngressDnsZoneId": "{IngressDomain.RegionalHostedZoneId}",
	} {
		if got := render(tmpl.Outputs[output].Value); got != want {
			t.Errorf("%s is %s, want %s", output, got, want)
		}
	}
}

func TestPartnersShowACertificateIfAsked(t *testing.T) {
	t.Parallel()
	const authorities = "s3://trust/ca.pem"
	for name, test := range map[string]struct {
		relay func(*testing.T) template
		want  any
	}{
		"a domain": {
			with(stack.Props{DomainName: "hooks.example.com", CertificateARN: certificate}), nil,
		},
		"and a truststore": {with(stack.Props{
			DomainName: "hooks.example.com", CertificateARN: certificate,
			DisableDefaultEndpoint: true, TruststoreURI: authorities,
		}),
			map[string]any{"TruststoreUri": authorities}},
		"and a certificate that was imported": {whole, map[string]any{"TruststoreUri": truststore}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.relay(t).each(t, "AWS::ApiGatewayV2::DomainName", func(
				t *testing.T, _ string, r resource,
			) {
				if diff := cmp.Diff(test.want, r.get("MutualTlsAuthentication")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTheDefaultEndpointIsClosedOnlyIfAsked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		relay func(*testing.T) template
		want  any
	}{
		"no domain": {defaults, nil},
		"a domain": {
			with(stack.Props{DomainName: "hooks.example.com", CertificateARN: certificate}), nil,
		},
		"a domain, and ask": {whole, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.relay(t).each(t, "AWS::ApiGatewayV2::Api", func(
				t *testing.T, _ string, r resource,
			) {
				if got := r.get("DisableExecuteApiEndpoint"); got != test.want {
					t.Errorf("disabled %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestProtection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		relay func(*testing.T) template
		want  bool
	}{
		"by default not":        {defaults, false},
		"prod":                  {whole, true},
		"prod, to be destroyed": {with(stack.Props{Stage: "prod", Protect: "false"}), false},
		"any other stage":       {with(stack.Props{Stage: "staging", Protect: "true"}), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tmpl := test.relay(t)
			if got := tmpl.manifest.TerminationProtection; got != test.want {
				t.Errorf("termination protection %t, want %t", got, test.want)
			}
			tmpl.each(t, "AWS::DynamoDB::Table", func(t *testing.T, _ string, r resource) {
				if got := r.get("DeletionProtectionEnabled") == true; got != test.want {
					t.Errorf("deletion protection %t, want %t", got, test.want)
				}
				// A rollback cannot delete what is protected: it would fail.
				want := map[bool]string{false: "RetainExceptOnCreate", true: "Retain"}[test.want]
				if r.DeletionPolicy != want {
					t.Errorf("deletion policy %s, want %s", r.DeletionPolicy, want)
				}
			})
		})
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(
		map[string]string{"app": "webhook-relay", "stage": "dev"}, defaults(t).manifest.Tags,
	); diff != "" {
		t.Errorf("by default (-want +got):\n%s", diff)
	}
	want := wholeProps().Tags
	want["app"], want["stage"] = "webhook-relay", "prod"
	if diff := cmp.Diff(want, whole(t).manifest.Tags); diff != "" {
		t.Errorf("with tags (-want +got):\n%s", diff)
	}
}

func TestAKeyOfTheOperatorsIsUsedAndNoneMade(t *testing.T) {
	t.Parallel()
	tmpl := whole(t)
	for id, r := range tmpl.Resources {
		if r.Type == "AWS::KMS::Key" || r.Type == "AWS::KMS::Alias" {
			t.Errorf("%s is a %s", id, r.Type)
		}
		if variable := r.get(
			"Environment", "Variables", "RELAY_SECRETS_KEY_ARN",
		); variable != nil && variable != secretsKey {
			t.Errorf("%s uses %v", id, variable)
		}
	}
	if got := render(tmpl.Outputs["SecretsKeyArn"].Value); got != secretsKey {
		t.Errorf("the operator's command would use %s", got)
	}
}

// API Gateway asks for the second certificate only where it is given: with one of ACM's own there
// is none.
func TestOwnershipIsProvedOnlyIfAsked(t *testing.T) {
	t.Parallel()
	p := stack.Props{
		DomainName: "hooks.example.com", CertificateARN: certificate, DisableDefaultEndpoint: true,
		TruststoreURI: truststore,
	}
	with(p)(t).each(t, "AWS::ApiGatewayV2::DomainName", func(t *testing.T, _ string, r resource) {
		if got := r.get(
			"DomainNameConfigurations", 0, "OwnershipVerificationCertificateArn",
		); got != nil {
			t.Errorf("certificate %v", got)
		}
	})
}

// With a key of the operator's nothing is stored without it.
func TestEverythingStoredIsEncryptedWithTheDataKey(t *testing.T) {
	t.Parallel()
	keys := map[string]func(resource) any{
		"AWS::SQS::Queue":     func(r resource) any { return r.get("KmsMasterKeyId") },
		"AWS::Logs::LogGroup": func(r resource) any { return r.get("KmsKeyId") },
		"AWS::DynamoDB::Table": func(r resource) any {
			return r.get("SSESpecification", "KMSMasterKeyId")
		},
		"AWS::S3::Bucket": func(r resource) any {
			return r.get(
				"BucketEncryption", "ServerSideEncryptionConfiguration", 0,
				"ServerSideEncryptionByDefault", "KMSMasterKeyID",
			)
		},
	}
	for kind, key := range keys {
		whole(t).each(t, kind, func(t *testing.T, _ string, r resource) {
			if key(r) != dataKey {
				t.Errorf("is encrypted with %v", key(r))
			}
		})
		defaults(t).each(t, kind, func(t *testing.T, _ string, r resource) {
			if key(r) != nil {
				t.Errorf("is encrypted with %v by default", key(r))
			}
		})
	}
}
