package conformance

import (
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// CatalogV1 is the catalog in the golden files of version 1, in the order of LoadCatalog. Each
// field of each kind is set in one of its items and absent in another. Like the files, it never
// changes: fields of a later version belong into a catalog of that version.
func CatalogV1() catalog.Catalog {
	byAccount := catalog.Order{On: true, Key: "data.account.id"}
	hmac := verify.HMAC{
		Header: "x-sig", Algorithm: "sha512", Encoding: "base64", Key: "hex", Prefix: "sha512=",
		Payload:         "{id}.{timestamp}.{body}",
		TimestampHeader: "x-ts", TimestampJSON: "sent.at", TimestampFormat: "ms", IDHeader: "x-id",
		Tolerance: time.Minute,
	}
	c := catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "bare", Verify: verify.Config{Provider: "none"}},
			{
				Name: "learner", Verify: verify.Config{Provider: "asana"},
				Secrets: []string{"handed over"},
			},
			{Name: "whole", Verify: verify.Config{
				Provider: "hmac", HMAC: &hmac, Once: verify.OnceBody,
				EventType:  &verify.Locator{Header: "x-event"},
				EventID:    &verify.Locator{JSON: "event.id"},
				URL:        "https://relay.example.com/in/whole",
				AllowedIPs: []string{"192.0.2.0/24"},
				Settings:   map[string]string{"topic_arns": "arn"},
			}, Secrets: []string{"new", "old"}, Tenant: &catalog.TenantOf{
				JSON: "account.id", Optional: true,
			}, Validation: catalog.Reject, Expect: 90 * time.Minute, Types: []catalog.EventType{{
				Name: "order.created", Description: "An order was placed", Deprecated: true,
				Schema: `{"type":"object"}`, Example: `{"id":1}`,
			}}},
		},
		Endpoints: []catalog.Endpoint{
			{Name: "bare", URL: "https://bare.example.com/", Secrets: []string{"whsec_bare"}},
			{
				Name: "once", URL: "https://once.example.com/", Schedule: []time.Duration{},
				Order: catalog.Order{On: true},
			},
			{
				Name: "whole", URL: "https://whole.example.com/hooks",
				Secrets: []string{"whsec_new"}, Header: map[string]string{"x-env": "prod"},
				Timeout: 20 * time.Second, Schedule: []time.Duration{
					5 * time.Second, time.Hour,
				}, MaxAge: 48 * time.Hour, Final: []string{"404", "4xx"},
				RateLimit: 90, RatePer: time.Minute, Concurrency: 4,
				TLS: &catalog.TLS{
					Certificate: []byte("certificate"), Key: []byte("key"),
					Authorities: []byte("authorities"),
				},
				Auth: &catalog.Auth{
					Basic: &catalog.BasicAuth{
						Username: "relay", Password: "password",
					}, Bearer: "token",
					APIKey: &catalog.APIKey{Header: "x-api-key", Query: "key", Value: "value"},
					OAuth2: &catalog.OAuth2{TokenURL: "https://id.example.com/token",
						ClientID: "relay", ClientSecret: "secret",
						Scopes: []string{"hooks"}, Audience: "hooks", InBody: true},
					Signature: &catalog.Signature{
						Provider: "hmac", HMAC: &hmac, Secret: "secret", Alone: true,
					},
					SigV4: &catalog.SigV4{
						Service: "execute-api", Region: "eu-central-1",
						Role: "arn:aws:iam::999999999999:role/relay", ExternalID: "external",
					},
				},
				Order: byAccount, SecretsMade: true, Prove: catalog.ProvePing,
				Sends: map[string]string{"whole": `{"body":{"id":"{data.id}"}}`},
				Destination: &destination.Options{
					Envelope: destination.JSON, Group: "{data.id}", DetailType: "{type}",
					BusSource: "shop", Wait: true, Stream: "{source}", Region: "eu-west-3",
					Claim: destination.ClaimS3,
				},
				Retiring: []catalog.RetiringSecret{
					{
						Secret: "whsec_old",
						Until:  time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC),
					},
				},
			},
		},
		Subscriptions: []catalog.Subscription{
			{Name: "bare-bare", Source: "bare", Endpoint: "bare"},
			{Name: "bare-once", Source: "bare", Endpoint: "once"},
			{
				Name: "named", Source: "whole", Endpoint: "whole",
				Types: []string{"push", "pull_request.*"}, Filter: `{"trust": ["verified"]}`,
			},
		},
	}
	changed := catalog.Stamp{Revision: 7, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c.Sources[2].ManagedBy = catalog.ManagedByAPI
	c.Endpoints[2].ManagedBy = catalog.ManagedByPortal
	c.Subscriptions[2].ManagedBy = catalog.ManagedByAPI
	return c.Stamped(changed)
}
