package config_test

import (
	"errors"
	"strings"
	"testing"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

func TestSourcesOfTriggers(t *testing.T) {
	t.Parallel()
	text := `sources:
  - {name: shop, provider: eventbridge, tenant: {json: detail.tenant}}
  - {name: uploads, provider: s3}
  - {name: news, provider: sns-topic}
`
	cat, err := config.Parse("relay.yaml", []byte(text), nil)
	if err != nil || len(cat.Sources) != 3 || cat.Sources[0].Verify.Provider != trigger.SNS ||
		cat.Sources[1].Tenant.JSON != "detail.tenant" {
		t.Fatalf("%+v, %v", cat.Sources, err)
	}
	exported, err := config.Export(cat, access.Tenant{})
	if again, parseErr := config.Parse("x", exported, nil); err != nil || parseErr != nil ||
		len(config.Changes(cat, again, cat.Sources[0].LearnUntil)) != 0 {
		t.Errorf("exported %s: %v, %v", exported, err, parseErr)
	}
}

func TestSourcesOfTriggersAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ tenant, source, told string }{
		"a secret": {
			"", "provider: s3, secrets: [x]",
			"line:1: sources[0].secrets: is for webhooks over HTTP; a source of s3 gets messages",
		},
		"an address": {
			"", "provider: sns-topic, allowed_ips: [192.0.2.1]", "allowed_ips: is for webhooks",
		},
		"a tenant in a header": {
			"", "provider: sns-topic, tenant: {header: x-tenant}", "has no headers; use json",
		},
		"a tenant's": {
			"acme", "provider: s3", "s3 is for sources of the operator, whose stack has the queue",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := "sources: [{name: a, " + tt.source + "}]"
			_, _, err := config.ParseFor(tt.tenant, "line", []byte(text), config.Relay{Mode: config.Deployed}, nil, nil)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.told) {
				t.Errorf("error %v, want %q", err, tt.told)
			}
		})
	}
	err := config.CheckTenants(catalog.SourceResource(triggered("a", trigger.S3)))
	if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), "of the operator") {
		t.Errorf("a tenant's resource: %v", err)
	}
}

func triggered(name, provider string) catalog.Source {
	return catalog.Source{Name: name, Verify: verify.Config{Provider: provider}}
}

func TestCheckTriggered(t *testing.T) {
	t.Parallel()
	triggers := map[string]string{"uploads": trigger.S3}
	for name, tt := range map[string]struct {
		source catalog.Source
		told   string // "": it is right
	}{
		"its queue":        {triggered("uploads", trigger.S3), ""},
		"no queue":         {triggered("app", "bearer"), ""},
		"without a queue":  {triggered("news", trigger.SNS), "such as news=arn:aws:sns:"},
		"of another kind":  {triggered("uploads", trigger.SNS), "names a s3 for the source uploads"},
		"a queue for HTTP": {triggered("uploads", "bearer"), "is bearer, and the setting triggers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := config.CheckTriggered(tt.source, triggers)
			if tt.told == "" && err == nil {
				return
			}
			found := config.Problems(err)
			if tt.told == "" || len(found) != 1 || found[0].Path != "provider" ||
				!strings.Contains(found[0].Error(), tt.told) {
				t.Errorf("error %v, want %q", err, tt.told)
			}
		})
	}
}
