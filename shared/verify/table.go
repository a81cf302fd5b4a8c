package verify

import (
	"time"

	"webhook-relay/shared/document"
)

// providers is the table of all known providers, sorted by name. Its entries are static data, so
// that hundreds of them do not slow the start of a function. The source of an entry is its page in
// docs, unless a comment names another. Some vendors state neither a window for a signed time, nor
// whether they sign again for each attempt. Then the tolerance is our decision: unlimited if the
// signed body has an id, because then a copy is a duplicate, else the default.
//
// If the id is {Body: true}, the comment says what makes each webhook's body unique.
var providers = []provider{
	{
		name: "ably", title: "Ably", docs: "https://ably.com/docs/platform/integrations/webhooks",
		secret: "API key that the integration rule signs with: what follows its colon",
		scheme: signed{HMAC: HMAC{Header: "x-ably-signature", Encoding: "base64"}},
		// the body is a batch; each item in it has a serial and a time
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "items.0.source"}},
		examples: []string{"channel.message", "channel.presence", "channel.lifecycle"},
		note:     "Signs batched requests in Ably's envelope alone. The type is that of a batch's first item.",
	},
	{
		name: "adyen", title: "Adyen (payments)",
		docs:   "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
		secret: "HMAC key, hex (Customer Area › Developers › Webhooks)",
		scheme: adyenItems{},
		// a repeated webhook with later facts has the same references
		ids:   []Locator{{Body: true}},
		types: []Locator{{JSON: "notificationItems.0." + adyenItem + ".eventCode"}},
		// If older accounts get another answer, they send the webhook again.
		reply:    &Reply{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "[accepted]"},
		examples: []string{"AUTHORISATION", "CAPTURE", "REFUND"},
		note:     "The signature covers the references, the amount, the event code and success of each item; not the rest of additionalData.",
	},
	{
		name: "adyen-platforms", title: "Adyen (platforms, management)",
		docs:     "https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures",
		secret:   "HMAC key, hex (Customer Area or Balance Platform › Developers › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "hmacsignature", Encoding: "base64", Key: keyHex}},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "type"}},
		beside:   []companion{{header: "protocol", value: "HmacSHA256"}},
		examples: []string{"balancePlatform.transfer.created", "merchant.created"},
	},
	{
		name: "affirm", title: "Affirm", docs: "https://docs.affirm.com/developers/docs/webhooks",
		// Source: Affirm's page (checking-webhook-signatures) with its sample code, and
		// webhook.co's published adapter.
		secret: "private API key, or the signing secret that Affirm gives with the webhook",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-affirm-signature", Algorithm: "sha512", Payload: "{timestamp}.{body}",
			},
			layout: layout{separator: ",", equals: "=", signature: "v0", timestamp: "t"},
		},
		ids:      []Locator{{Body: true}}, // the body holds the checkout and the event's time
		types:    []Locator{{JSON: "event"}},
		examples: []string{"confirmed", "approved"},
	},
	{
		name: "aftership", title: "AfterShip",
		docs:     "https://www.aftership.com/docs/tracking/webhook/webhook-signature",
		secret:   "Webhook secret (Settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "aftership-hmac-sha256", Encoding: "base64"}},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"tracking_update"},
	},
	{
		name: "agora", title: "Agora",
		docs:     "https://docs.agora.io/en/video-calling/advanced-features/receive-notifications",
		secret:   "Secret (Agora Console › Notifications)",
		scheme:   signed{HMAC: HMAC{Header: "agora-signature-v2"}},
		ids:      []Locator{{JSON: "noticeId"}},
		types:    []Locator{{JSON: "eventType"}},
		beside:   []companion{{header: "agora-signature", make: sha1Signature("")}},
		examples: []string{"101", "102", "103"},
	},
	{
		name: "aiprise", title: "AiPrise", docs: "https://docs.aiprise.com/",
		// Sources: AiPrise's page (docs/callbacks-authentication) for the header, the key and the
		// HMAC; Hookdeck's published code for event_type.
		secret:   "API key, the private one",
		scheme:   signed{HMAC: HMAC{Header: "x-hmac-signature"}},
		types:    []Locator{{JSON: "event_type"}},
		orType:   Locator{JSON: "aiprise_summary.verification_result"},
		examples: []string{"APPROVED", "DECLINED"},
		note:     "Of a verification's result, which has no type, the type is the result itself.",
	},
	{
		name: "aircall", title: "Aircall",
		docs:     "https://developer.aircall.io/api-references/#webhooks",
		secret:   "Token of the webhook, in the answer to its creation",
		scheme:   bodyToken{member: "token"},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"call.ended", "call.created"},
		note:     "The token is in the body, and is passed on with it.",
	},
	{
		name: "airtable", title: "Airtable",
		docs:   "https://airtable.com/developers/web/api/webhooks-overview",
		secret: "macSecretBase64, in the answer to the webhook's creation",
		scheme: signed{
			HMAC: HMAC{Header: "x-airtable-content-mac", Prefix: "hmac-sha256=", Key: keyBase64},
		},
		// the body names the webhook and the time, in milliseconds
		ids:      []Locator{{Body: true}},
		reply:    &Reply{Status: 200}, // Airtable expects no body
		examples: []string{"ping"},
		note:     "It says only that there is something to be fetched, and has no type.",
	},
	{
		name: "airwallex", title: "Airwallex",
		docs:   "https://www.airwallex.com/docs/developer-tools/webhooks/listen-for-webhook-events",
		secret: "Secret of the webhook URL (Settings › Developer › Webhooks)",
		// Our decision. The time must be limited, because otherwise a digit could be moved between
		// the time and the text after it.
		scheme: signed{HMAC: HMAC{Header: "x-signature", Payload: "{timestamp}{body}",
			TimestampHeader: "x-timestamp",
			TimestampFormat: timeMillis, Tolerance: 24 * time.Hour}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "name"}},
		examples: []string{"payment_intent.succeeded", "refund.settled"},
	},
	{
		name: "akeneo", title: "Akeneo PIM",
		docs: "https://api.akeneo.com/events-documentation/security.html",
		// Sources: Akeneo's documentation of events, and the client in its own PIM
		// (GuzzleWebhookClient).
		secret: "secret of the connection (Connect › Connection settings › Event subscription)",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-akeneo-request-signature", Payload: "{timestamp}.{body}",
				TimestampHeader: "x-akeneo-request-timestamp",
			},
		},
		ids:      []Locator{{Body: true}}, // the body is a batch of events, each with an id
		types:    []Locator{{JSON: "events.0.action"}},
		examples: []string{"product.created", "product.updated"},
		note:     noteFirstEvent,
	},
	{
		name: "alchemy", title: "Alchemy",
		docs:     "https://www.alchemy.com/docs/reference/notify-api-quickstart",
		secret:   "Signing key (the webhook's page)",
		scheme:   signed{HMAC: HMAC{Header: "x-alchemy-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ADDRESS_ACTIVITY", "MINED_TRANSACTION"},
	},
	{
		name: "asana", title: "Asana", docs: "https://developers.asana.com/docs/webhooks-guide",
		secret: "X-Hook-Secret of the handshake: leave it out, it is learned",
		scheme: signed{HMAC: HMAC{Header: "x-hook-signature"}},
		// the events in the body have times; heartbeats, without events, count once
		ids:   []Locator{{Body: true}},
		types: []Locator{{JSON: "events.0.resource.resource_type"}, {JSON: "events.0.action"}},
		handshake: handshake{
			about: "POST with X-Hook-Secret: the header is echoed, and the secret kept",
			open:  learnAsana, learns: true,
		},
		examples: []string{"task.changed", "task.added"},
		note:     "Every webhook of Asana has a secret of its own, and so needs a source of its own. The event type is that of the first event.",
	},
	{
		name: "ashby", title: "Ashby",
		docs:     "https://developers.ashbyhq.com/docs/authenticating-webhooks",
		secret:   "Secret token of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "ashby-signature", Prefix: "sha256="}},
		types:    []Locator{{JSON: "action"}},
		examples: []string{"applicationSubmit", "candidateHire", "ping"},
	},
	{
		name: "assemblyai", title: "AssemblyAI",
		docs:   "https://www.assemblyai.com/docs/concepts/webhooks",
		secret: "webhook_auth_header_value of your request, less Bearer",
		scheme: token{header: authorization, prefix: "Bearer "},
		// the body holds transcript_id and status, and nothing else
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "status"}},
		examples: []string{"completed", "error"},
		note:     "Give webhook_auth_header_name Authorization, and webhook_auth_header_value Bearer and the secret.",
	},
	{
		name: "attio", title: "Attio", docs: "https://docs.attio.com/rest-api/guides/webhooks",
		secret:   "secret, in the answer to the webhook's creation",
		scheme:   signed{HMAC: HMAC{Header: "attio-signature"}},
		ids:      []Locator{{Header: "idempotency-key"}},
		types:    []Locator{{JSON: "events.0.event_type"}},
		examples: []string{"record.created", "list-entry.created"},
		note:     noteFirstEvent,
	},
	{
		name: "auth0", title: "Auth0 log streams",
		docs:   "https://auth0.com/docs/customize/log-streams/custom-log-streams",
		secret: "Authorization Token (Monitoring › Streams)",
		scheme: token{header: authorization},
		// the body holds log entries, each with an id; how a batch is divided when it is sent again
		// is not stated
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "0.data.type"}},
		orType:   Locator{JSON: "data.type"},
		examples: []string{"s", "ss", "fp"},
		note:     "The type is that of a batch's first log entry. Choose the content format JSON array or JSON object.",
	},
	{
		name: "authorize-net", title: "Authorize.Net",
		docs:   "https://developer.authorize.net/api/reference/features/webhooks.html",
		secret: "Signature Key, hex (Account › Settings › API Credentials & Keys)",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-anet-signature", Algorithm: "sha512", Encoding: "upper-hex",
				Prefix: "sha512=", Key: keyHex,
			},
		},
		ids:   []Locator{{JSON: "notificationId"}},
		types: []Locator{{JSON: "eventType"}},
		examples: []string{
			"net.authorize.payment.authcapture.created", "net.authorize.customer.created",
		},
	},
	{
		name: "azure-devops", title: "Azure DevOps",
		docs:   "https://learn.microsoft.com/azure/devops/service-hooks/services/webhooks",
		secret: "Basic authentication username and password (Project settings › Service hooks), as user:password",
		scheme: token{header: authorization, prefix: "Basic ", basic: true},
		// "id" is the event's. Each subscription makes its own notification of the event. Test
		// notifications have the ids of the documentation's samples.
		ids: []Locator{
			{JSON: "id"}, {JSON: "subscriptionId"}, {JSON: "notificationId"},
		}, allIDs: true,
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"git.push", "build.complete", "workitem.created"},
	},
	{
		name: "basic", title: "your own application",
		docs:     "https://datatracker.ietf.org/doc/html/rfc7617",
		secret:   "user:password, of your own making",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		ids:      []Locator{{Header: "webhook-id"}, {Header: "idempotency-key"}},
		types:    []Locator{{Header: "webhook-type"}},
		examples: []string{"order.created"},
	},
	{
		name: "bearer", title: "your own application",
		docs:   "https://datatracker.ietf.org/doc/html/rfc6750",
		secret: "any token of letters, digits and -._~+/=, of your own making", scheme: token{
			header: authorization, prefix: "Bearer ",
		},
		ids:      []Locator{{Header: "webhook-id"}, {Header: "idempotency-key"}},
		types:    []Locator{{Header: "webhook-type"}},
		examples: []string{"order.created"},
	},
	{
		name: "bigcommerce", title: "BigCommerce",
		docs:   "https://docs.bigcommerce.com/developer/docs/integrations/webhooks/https",
		secret: "value of a header in headers of the hook, of your own making",
		scheme: token{named: true},
		// The hash is over data alone, which names what has changed. Two changes of one order have
		// the same hash.
		ids: []Locator{{JSON: "hash"}, {JSON: "scope"}, {JSON: "created_at"}}, allIDs: true,
		types: []Locator{{JSON: "scope"}},
		settings: []setting{
			{
				name: headerSetting, label: "name of that header in headers of the hook",
				example: "X-Webhook-Token",
			},
		},
		examples: []string{"store/order/created", "store/product/inventory/updated"},
	},
	{
		name: "bitbucket", title: "Bitbucket Cloud",
		docs:   "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
		secret: "Secret (Repository settings › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		ids:    []Locator{{Header: "x-request-uuid"}},
		types:  []Locator{{Header: "x-event-key"}},
		beside: []companion{
			{header: "x-hook-uuid", value: "00000000-0000-4000-8000-000000000001"},
			{header: "x-attempt-number", value: "1"},
		},
		examples: []string{"repo:push", "pullrequest:created"},
	},
	{
		name: "bitbucket-server", title: "Bitbucket Data Center",
		docs:     "https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html",
		secret:   "Secret (Repository settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-request-id"}},
		types:    []Locator{{Header: "x-event-key"}},
		examples: []string{"repo:refs_changed", "pr:opened", "pr:merged"},
		handshake: handshake{
			about: "Test connection, which is not signed, gets an empty 200",
			open:  answerBitbucketTest,
		},
	},
	{
		name: "box", title: "Box",
		docs:   "https://developer.box.com/guides/webhooks/v2/signatures-v2/",
		secret: "Primary and Secondary Signature Key (your app › Webhooks), as two secrets",
		// The ten minutes are from the SDKs.
		scheme: signed{
			HMAC: HMAC{Header: "box-signature-primary", Encoding: "base64",
				Payload: "{body}{timestamp}", TimestampHeader: "box-delivery-timestamp",
				TimestampFormat: timeRFC3339, Tolerance: 10 * time.Minute},
			or:      "box-signature-secondary",
			rewrite: escapeNonASCII, // like Box's own packages
		},
		ids:   []Locator{{JSON: "id"}}, // box-delivery-id changes with each attempt
		types: []Locator{{JSON: "trigger"}},
		beside: []companion{
			{header: "box-delivery-id", value: "{id}"},
			{header: "box-signature-version", value: "1"},
			{header: "box-signature-algorithm", value: "HmacSHA256"},
		},
		examples: []string{"FILE.UPLOADED", "FOLDER.CREATED"},
	},
	{
		name: "braintree", title: "Braintree",
		docs:   "https://developer.paypal.com/braintree/docs/guides/webhooks/parse",
		secret: "Private Key (Settings › API › API Keys)",
		scheme: braintree{},
		ids:    []Locator{{Body: true}}, // the payload has a time, and is sent again unchanged
		typeBy: typeBy{about: "kind in the payload", read: braintreeKind},
		settings: []setting{
			{
				name: "public_key", label: "Public Key, beside the private one",
				example: "integration_public_key",
			},
		},
		handshake: handshake{
			about: "GET with bt_challenge", methods: []string{"GET"}, open: answerBraintree,
		},
		examples: []string{"check", "subscription_charged_successfully"},
	},
	{
		name: "brex", title: "Brex", docs: "https://developer.brex.com/docs/webhooks/",
		secret:   "secret of GET /v1/webhooks/secrets; all that it lists",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"TRANSFER_PROCESSED", "TRANSFER_FAILED", "USER_UPDATED"},
	},
	{
		name: "bridge-api", title: "Bridge (bridgeapi.io)",
		docs: "https://docs.bridgeapi.io/docs/secure-your-webhooks",
		// Sources: Bridge's page for the header, v1 and the HMAC; Hookdeck's published code for the
		// comma and the capitals.
		secret: "Signing secret of the webhook (Dashboard › Webhooks)",
		scheme: signed{
			HMAC:   HMAC{Header: "bridgeapi-signature", Encoding: "upper-hex"},
			layout: layout{separator: ",", equals: "=", signature: "v1"},
		},
		ids:      []Locator{{Body: true}}, // the body has the time, in milliseconds
		types:    []Locator{{JSON: "type"}},
		examples: []string{"item.refreshed", "item.created"},
		note:     "bridge.xyz is another company: provider bridge-xyz.",
	},
	{
		name: "bridge-xyz", title: "Bridge (bridge.xyz)",
		docs: "https://apidocs.bridge.xyz/get-started/introduction/quick-start/setting-up-webhooks",
		// Source: Bridge's pages (webhooks/signature). They say that a SHA-256 digest is verified.
		// That the digest is hashed once more is from Hookdeck's published code.
		secret: "public_key in the answer to the webhook's creation, PEM",
		scheme: public{
			signature: rsaSHA256, keyForm: keySPKI, header: "x-webhook-signature",
			encoding: "base64",
			layout:   layout{separator: ",", equals: "=", signature: "v0", timestamp: "t"},
			payload: []string{
				placeTimestamp, ".", placeBody,
			}, timestampFormat: timeMillis, tolerance: 10 * time.Minute, twice: true,
		},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"customer.updated", "transfer.updated"},
		note:     "bridgeapi.io is another company: provider bridge-api.",
	},
	{
		name: "buildkite", title: "Buildkite",
		docs:   "https://buildkite.com/docs/apis/webhooks/pipelines",
		secret: "Token (Settings › Notification Services › Webhook)",
		scheme: signed{
			HMAC: HMAC{Header: "x-buildkite-signature", Payload: "{timestamp}.{body}"},
			layout: layout{
				separator: ",", equals: "=", timestamp: "timestamp", signature: "signature",
			},
		},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"build.finished", "job.finished", "ping"},
		note:     "Choose to send an HMAC signature, not the token.",
	},
	{
		name: "cal-com", title: "Cal.com",
		docs:     "https://cal.com/docs/developing/guides/automation/webhooks",
		secret:   "Secret (Settings › Developer › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-cal-signature-256"}},
		ids:      []Locator{{Body: true}}, // the body has a uid and the time, in milliseconds
		types:    []Locator{{JSON: "triggerEvent"}},
		examples: []string{"BOOKING_CREATED", "BOOKING_CANCELLED"},
	},
	{
		name: "calendly", title: "Calendly",
		docs:   "https://developer.calendly.com/api-docs/4c305798a61d3-webhook-signatures",
		secret: "signing_key of the webhook subscription",
		scheme: signed{
			HMAC: HMAC{
				Header: "calendly-webhook-signature", Payload: "{timestamp}.{body}",
				Tolerance: 3 * time.Minute,
			},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		ids:      []Locator{{Body: true}}, // the body has the time, in microseconds
		types:    []Locator{{JSON: "event"}},
		examples: []string{"invitee.created", "invitee.canceled"},
	},
	{
		name: "cartesia", title: "Cartesia", docs: "https://docs.cartesia.ai/agents/webhooks",
		secret:   "authentication secret of the webhook",
		scheme:   token{header: "x-webhook-secret"},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"call_started", "call_completed"},
	},
	{
		name: "cashfree", title: "Cashfree Payments",
		docs:   "https://www.cashfree.com/docs/payments/online/webhooks/signature-verification",
		secret: "Client secret",
		scheme: signed{HMAC: HMAC{Header: "x-webhook-signature", Encoding: "base64",
			Payload:         "{timestamp}{body}",
			TimestampHeader: "x-webhook-timestamp", TimestampFormat: timeMillis,
			// Our decision. No window is stated, nor whether a webhook is signed again for each
			// attempt. By default, attempts continue for up to 42 minutes; the merchant can change
			// that. The time must be limited, because otherwise a digit could be moved between the
			// time and the text after it.
			Tolerance: 24 * time.Hour}},
		ids:   []Locator{{Body: true}}, // the body holds event_time and its subject
		types: []Locator{{JSON: "type"}},
		examples: []string{
			"PAYMENT_SUCCESS_WEBHOOK", "PAYMENT_FAILED_WEBHOOK", "REFUND_STATUS_WEBHOOK",
		},
	},
	{
		name: "chargebee", title: "Chargebee",
		docs:     "https://www.chargebee.com/docs/billing/2.0/site-configuration/webhook_settings",
		secret:   "Username and password of the webhook (Settings › Configure › Webhooks), as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"subscription_created", "payment_succeeded", "invoice_generated"},
	},
	{
		name: "checkout-com", title: "Checkout.com",
		docs:     "https://www.checkout.com/docs/workflows",
		secret:   "Signature key (the workflow's webhook action)",
		scheme:   signed{HMAC: HMAC{Header: "cko-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"payment_approved", "payment_captured", "dispute_received"},
	},
	{
		name: "checkr", title: "Checkr",
		docs:     "https://docs.checkr.com/#section/Webhooks/Validating-webhooks",
		secret:   "the account's secret API key",
		scheme:   signed{HMAC: HMAC{Header: "x-checkr-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"report.completed", "invitation.completed"},
	},
	{
		name: "circle", title: "Circle",
		docs:   "https://developers.circle.com/api-reference/verify-webhook-signatures",
		scheme: circle{},
		ids:    []Locator{{JSON: "notificationId"}},
		types:  []Locator{{JSON: "notificationType"}},
		pin:    pin{setting: "subscription_ids", paths: []string{"subscriptionId"}},
		settings: []setting{
			{name: "subscription_ids",
				label:   "ids of your subscriptions (Circle Console › Webhooks), separated by commas: Circle signs all customers' webhooks alike",
				example: "d4c07d5f-0000-4000-8000-000000000001"},
			{
				name:    settingAPIKey,
				label:   "API key (Circle Console), PREFIX:ID:SECRET, which Circle gives its public keys to",
				example: "TEST_API_KEY:example:0001",
			},
			{
				name:    settingProduct,
				label:   "wallets (default; Contracts and Gateway too), cpn or stablefx",
				example: "wallets", optional: true,
			},
			pinKeySet,
		},
		handshake: handshakeHead,
		examples:  []string{"transactions.inbound", "transactions.outbound", "webhooks.test"},
		note:      "For notifications of version 2; those of Circle Mint come through Amazon SNS.",
	},
	{
		name: "circleci", title: "CircleCI",
		docs:   "https://circleci.com/docs/guides/integration/outbound-webhooks/",
		secret: "Secret token (Project Settings › Webhooks)",
		scheme: signed{
			HMAC:   HMAC{Header: "circleci-signature"},
			layout: layout{separator: ",", equals: "=", signature: "v1"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"workflow-completed", "job-completed"},
	},
	{
		name: "clerk", title: "Clerk", docs: "https://clerk.com/docs/webhooks/sync-data",
		secret:   "Signing Secret (Webhooks › the endpoint)",
		scheme:   svixScheme,
		ids:      []Locator{{Header: "svix-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"user.created", "organization.created", "session.ended"},
	},
	{
		name: "clickup", title: "ClickUp",
		docs:   "https://developer.clickup.com/docs/webhooksignature",
		secret: "webhook.secret in the answer to Create Webhook",
		scheme: signed{HMAC: HMAC{Header: "x-signature"}},
		// No id: several webhooks can be about the same history item, and some bodies are equal.
		types:    []Locator{{JSON: "event"}},
		examples: []string{"taskCreated", "taskUpdated", "taskDeleted"},
	},
	{
		name: "clio", title: "Clio Manage",
		docs: "https://docs.developers.clio.com/api-docs/webhooks/",
		// Source: Hookdeck's published code for the handshake and the signature; not checked
		// against Clio's page.
		secret: "X-Hook-Secret of the handshake, or shared_secret of the webhook: leave it out, it is learned",
		scheme: signed{HMAC: HMAC{Header: "x-hook-signature"}},
		types:  []Locator{{JSON: "meta.event"}},
		handshake: handshake{
			about: "POST with X-Hook-Secret: the header is echoed, and the secret kept",
			open:  learnAsana, learns: true,
		},
		examples: []string{"created", "updated", "matter_opened"},
		note:     "Every webhook of Clio has a secret of its own, and so needs a source of its own.",
	},
	{
		name: "close", title: "Close", docs: "https://developer.close.com/topics/webhooks/",
		secret: "signature_key, hex, in the answer to the subscription's creation",
		// Our decision. The time must be limited, because otherwise a digit could be moved between
		// the time and the text after it.
		scheme: signed{HMAC: HMAC{Header: "close-sig-hash", Payload: "{timestamp}{body}",
			TimestampHeader: "close-sig-timestamp",
			Key:             keyHex, Tolerance: 24 * time.Hour}},
		ids:      []Locator{{JSON: "event.id"}},
		types:    []Locator{{JSON: "event.object_type"}, {JSON: "event.action"}},
		examples: []string{"lead.created", "opportunity.updated"},
	},
	{
		name: "cloudevents", title: "CloudEvents",
		docs:   "https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md",
		secret: "access token, of your own making",
		scheme: token{header: authorization, prefix: "Bearer "},
		// together they are unique
		ids: []Locator{{Header: "ce-id"}, {Header: "ce-source"}}, allIDs: true,
		types:  []Locator{{Header: "ce-type"}},
		orType: Locator{JSON: "type"},
		idBy:   cloudEventsID,
		typeBy: typeBy{about: "the type of the first event of a batch", read: cloudEventsType},
		handshake: handshake{
			about: "OPTIONS with WebHook-Request-Origin: granted", methods: []string{"OPTIONS"},
			open: answerCloudEvents,
		},
		beside: []companion{
			{header: "ce-specversion", value: "1.0"},
			{header: "ce-source", value: "/webhook-relay"},
		},
		examples: []string{"com.example.object.created"},
		note: "In binary mode, structured mode and batches. The id is that of the event together with its source; a batch's is the hash of its body, and its " +
			"type that of its first event. Headers are unquoted and percent-decoded to read them, and passed on as they came.",
	},
	{
		name: "cloudflare-notifications", title: "Cloudflare Notifications",
		docs:     "https://developers.cloudflare.com/notifications/reference/webhook-payload-schema/",
		secret:   "Secret of the webhook destination",
		scheme:   token{header: "cf-webhook-auth"},
		types:    []Locator{{JSON: "alert_type"}},
		examples: []string{"http_alert_origin_error", "advanced_ddos_attack_l4_alert"},
	},
	{
		name: "cloudflare-stream", title: "Cloudflare Stream",
		docs:   "https://developers.cloudflare.com/stream/manage-video-library/using-webhooks/",
		secret: "secret in the answer to PUT or GET …/stream/webhook",
		scheme: signed{
			HMAC:   HMAC{Header: "webhook-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", timestamp: "time", signature: "sig1"},
		},
		types:    []Locator{{JSON: "status.state"}},
		examples: []string{"ready", "error"},
		note:     "For videos on demand. Live inputs notify by Cloudflare Notifications.",
	},
	{
		name: "cloudinary", title: "Cloudinary",
		docs:   "https://cloudinary.com/documentation/notification_signatures",
		secret: "API secret of the product environment",
		// the SDKs' own window
		scheme: digest{
			header: "x-cld-signature", timestampHeader: "x-cld-timestamp", tolerance: 2 * time.Hour,
		},
		settings: []setting{
			{
				name:    settingAlgorithm,
				label:   "signature algorithm of the account, sha1 (default) or sha256",
				example: "sha256", optional: true,
			},
		},
		types:    []Locator{{JSON: "notification_type"}},
		examples: []string{"upload", "eager", "rename"},
	},
	{
		name: "cloudsignal", title: "Cloudprinter CloudSignal",
		docs: "https://docs.cloudprinter.com/client/cloudprinter-cloudsignal-webhooks",
		// Source: Cloudprinter's page (cloudsignal-webhooks-v2-0).
		secret:   "Webhook API key (Dashboard › the CloudSignal interface)",
		scheme:   bodyToken{member: "apikey"},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ItemShipped", "ItemProduced"},
		note:     "The key is in the body, and is passed on with it.",
	},
	{
		name: "coinbase", title: "Coinbase Developer Platform",
		docs: "https://docs.cdp.coinbase.com/webhooks/verify-signatures",
		// Sources: Coinbase's page with its code, and the client of Hook0, which Coinbase uses to
		// send.
		secret:   "secret in the metadata of the webhook subscription",
		scheme:   hook0{},
		ids:      []Locator{{JSON: "id"}, {Body: true}},
		types:    []Locator{{JSON: "eventType"}},
		orType:   Locator{JSON: "type"},
		examples: []string{"onchain.activity.detected", "onramp.transaction.success"},
		note:     "Coinbase Commerce signs otherwise: provider coinbase-commerce.",
	},
	{
		name: "coinbase-commerce", title: "Coinbase Commerce",
		docs:     "https://docs.cdp.coinbase.com/commerce/api-arcitecture/webhooks-security",
		secret:   "Webhook shared secret (Settings › Notifications)",
		scheme:   signed{HMAC: HMAC{Header: "x-cc-webhook-signature"}},
		ids:      []Locator{{JSON: "event.id"}},
		types:    []Locator{{JSON: "event.type"}},
		examples: []string{"charge:confirmed", "charge:created", "charge:failed"},
	},
	{
		name: "coinify", title: "Coinify", docs: "https://coinify.readme.io/docs/webhook-signature",
		secret:   "shared secret of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-coinify-webhook-signature"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"payment-intent.completed"},
	},
	{
		name: "column", title: "Column",
		docs:     "https://column.com/docs/workingwithapi/events-and-webhooks",
		secret:   "signing secret of the webhook endpoint",
		scheme:   signed{HMAC: HMAC{Header: "column-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ach.outgoing_transfer.completed", "book.transfer.completed"},
	},
	{
		name: "commercelayer", title: "Commerce Layer",
		docs: "https://docs.commercelayer.io/core/callbacks-security",
		// Sources: Commerce Layer's own examples, and Hookdeck's webhook-skills.
		secret:   "shared_secret of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-commercelayer-signature", Encoding: "base64"}},
		types:    []Locator{{Header: "x-commercelayer-topic"}},
		examples: []string{"orders.place", "shipments.ship"},
	},
	{
		name: "configcat", title: "ConfigCat",
		docs:   "https://configcat.com/docs/advanced/notifications-webhooks/",
		secret: "Signing key of the webhook (View webhook signing keys); the primary and the secondary, as two secrets",
		scheme: signed{
			HMAC: HMAC{Header: "x-configcat-webhook-signature-v1", Encoding: "base64",
				Payload:         "{id}{timestamp}{body}",
				IDHeader:        "x-configcat-webhook-id",
				TimestampHeader: "x-configcat-webhook-timestamp"},
			layout:   layout{separator: ","}, // one for each key
			idLength: 32,
		},
		ids:      []Locator{{Header: "x-configcat-webhook-id"}},
		examples: []string{"config-changed"},
		note:     "No type is sent. The body is what the webhook's settings say.",
	},
	{
		name: "contentful", title: "Contentful",
		docs:     "https://www.contentful.com/developers/docs/webhooks/request-verification/",
		secret:   "signing secret (Settings › Webhooks › Settings)",
		scheme:   contentful{},
		ids:      []Locator{{Header: "x-contentful-idempotency-key"}},
		types:    []Locator{{Header: contentfulTopic}},
		needsURL: "signs the path of the URL",
		examples: []string{"ContentManagement.Entry.publish", "ContentManagement.Asset.create"},
	},
	{
		name: "courier", title: "Courier",
		docs: "https://www.courier.com/docs/platform/workspaces/outbound-webhooks",
		// Sources: Courier's page for the header, its parts and the HMAC; its example has a time in
		// milliseconds. The page does not show the text between time and body. The dot is from
		// Hookdeck's published code.
		secret: "Signing secret of the outbound webhook",
		scheme: signed{
			HMAC: HMAC{
				Header: "courier-signature", Payload: "{timestamp}.{body}",
				TimestampFormat: timeUnix,
			},
			layout: layout{separator: ",", equals: "=", signature: "signature", timestamp: "t"},
		},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"message:updated", "notification:submitted"},
	},
	{
		name: "cronofy", title: "Cronofy",
		docs: "https://docs.cronofy.com/developers/push-notifications/authentication/",
		// Sources: Cronofy's own package (cronofy, hmacValid), and webhook.co's adapter.
		secret: "Client secret of the application",
		scheme: signed{
			HMAC:   HMAC{Header: "cronofy-hmac-sha256", Encoding: "base64"},
			layout: layout{separator: ","}, // one for each secret
		},
		types:    []Locator{{JSON: "notification.type"}},
		examples: []string{"change", "profile_initial_sync_completed"},
	},
	{
		name: "cursor", title: "Cursor cloud agents",
		docs: "https://docs.cursor.com/account/cloud-agent-webhooks",
		// Source: Cursor's page (cursor.com/docs/cloud-agent/api/webhooks).
		secret:   "secret, given when the agent is launched with the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-webhook-signature", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-webhook-id"}},
		types:    []Locator{{Header: "x-webhook-event"}},
		examples: []string{"statusChange"},
	},
	{
		name: "customer-io", title: "Customer.io",
		docs:   "https://docs.customer.io/journeys/webhooks/",
		secret: "Webhook signing key (the reporting webhook's settings)",
		scheme: signed{HMAC: HMAC{Header: "x-cio-signature", Payload: "v0:{timestamp}:{body}",
			TimestampHeader: "x-cio-timestamp",
			Tolerance:       Unlimited}},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "object_type"}, {JSON: "metric"}},
		examples: []string{"email.delivered", "email.opened", "customer.unsubscribed"},
		note:     "For reporting webhooks.",
	},
	{
		name: "datadog", title: "Datadog",
		docs:     "https://docs.datadoghq.com/integrations/webhooks/",
		secret:   "value of a header Authorization in Custom Headers, less Bearer",
		scheme:   token{header: authorization, prefix: "Bearer "},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"query_alert_monitor", "metric_alert_monitor"},
		note:     `Custom Headers: {"Authorization": "Bearer <secret>"}. Keep "id": "$ID" and "event_type": "$EVENT_TYPE" in the payload.`,
	},
	{
		name: "datocms", title: "DatoCMS",
		docs:     "https://www.datocms.com/docs/content-management-api/resources/webhook",
		secret:   "HTTP basic user and password of the webhook, as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		types:    []Locator{{JSON: "entity_type"}, {JSON: "event_type"}},
		examples: []string{"item.publish", "item.create", "item.update"},
	},
	{
		name: "dbt-cloud", title: "dbt Cloud", docs: "https://docs.getdbt.com/docs/deploy/webhooks",
		secret:   "secret token, shown once when the webhook is created (Account settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: authorization}},
		ids:      []Locator{{JSON: "eventId"}},
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"job.run.completed", "job.run.started", "job.run.errored"},
	},
	{
		name: "deel", title: "Deel", docs: "https://developer.deel.com/docs/webhooks-get-started",
		secret:   "signing key, in the answer to the webhook's creation",
		scheme:   signed{HMAC: HMAC{Header: "x-deel-signature", Payload: "POST{body}"}},
		ids:      []Locator{{Body: true}}, // the body holds the time, in milliseconds
		types:    []Locator{{JSON: "data.meta.event_type"}},
		examples: []string{"contract.created", "contract.status.updated"},
	},
	{
		name: "discord", title: "Discord",
		docs:   "https://docs.discord.com/developers/interactions/overview",
		secret: "Public Key (Developer Portal › General Information)",
		// Discord states no tolerance. It signs when it sends, so a repeated webhook has a new
		// time. The default is our decision.
		scheme: public{
			signature: ed25519Pure, keyForm: keyHex, header: "x-signature-ed25519", encoding: "hex",
			payload: []string{placeTimestamp, placeBody}, timestampHeader: "x-signature-timestamp",
		},
		ids:    []Locator{{JSON: "id"}, {Body: true}},
		types:  []Locator{{JSON: "event.type"}},
		orType: Locator{JSON: "type"},
		handshake: handshake{
			about:  "PING, signed: {\"type\":1} to an interactions endpoint, 204 to one for webhook events",
			proved: answerDiscord,
		},
		reply:    &Reply{Status: 204},
		examples: []string{"APPLICATION_AUTHORIZED", "ENTITLEMENT_CREATE"},
		note:     "An interaction must be answered within three seconds through its callback URL, by the endpoint: the relay says 204 to it.",
	},
	{
		name: "discourse", title: "Discourse",
		docs:   "https://meta.discourse.org/t/configure-webhooks-that-trigger-on-discourse-events-to-integrate-with-external-services/49045",
		secret: "Secret (Admin › API › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-discourse-event-signature", Prefix: "sha256="}},
		ids:    []Locator{{Header: "x-discourse-event-id"}},
		types:  []Locator{{Header: "x-discourse-event"}},
		beside: []companion{
			{header: "x-discourse-instance", value: "https://discourse.example.com"},
			{header: "x-discourse-event-type", make: beforeUnderscore},
		},
		examples: []string{"post_created", "topic_created", "ping"},
		note:     noteJSONOnly,
	},
	{
		name: "documenso", title: "Documenso",
		docs:     "https://docs.documenso.com/docs/developers/webhooks/verification",
		secret:   "Secret of the webhook",
		scheme:   token{header: "x-documenso-secret"},
		ids:      []Locator{{Body: true}}, // the body has the time, in milliseconds
		types:    []Locator{{JSON: "event"}},
		examples: []string{"DOCUMENT_COMPLETED", "DOCUMENT_SIGNED"},
	},
	{
		name: "docusign", title: "DocuSign Connect",
		docs:   "https://developers.docusign.com/platform/webhooks/connect/hmac/",
		secret: "HMAC key (Settings › Connect › Connect keys)",
		scheme: signed{
			HMAC: HMAC{Header: "x-docusign-signature", Encoding: "base64"}, numbered: true,
		},
		// The body counts the attempts, so its hash cannot be the id.
		ids: []Locator{
			{JSON: "data.envelopeId"}, {JSON: "event"}, {JSON: "generatedDateTime"},
		}, allIDs: true,
		types:    []Locator{{JSON: "event"}},
		beside:   []companion{{header: "x-authorization-digest", value: "HMACSHA256"}},
		examples: []string{"envelope-completed", "envelope-sent"},
		note:     "Choose the format JSON.",
	},
	{
		name: "doppler", title: "Doppler", docs: "https://docs.doppler.com/docs/webhooks",
		secret:   "Secret of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-doppler-signature", Prefix: "sha256="}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"config.secrets.update"},
	},
	{
		name: "dropbox", title: "Dropbox",
		docs:   "https://www.dropbox.com/developers/reference/webhooks",
		secret: "App secret (App Console › Settings)",
		scheme: signed{HMAC: HMAC{Header: "x-dropbox-signature"}},
		handshake: handshake{
			about: "GET with challenge: echoed", methods: []string{"GET"}, open: echoChallenge,
		},
		examples: []string{"list_folder"},
		note:     "There is neither id nor type: the body names the accounts that have changed.",
	},
	{
		name: "dropbox-sign", title: "Dropbox Sign (HelloSign)",
		docs:   "https://developers.hellosign.com/docs/events/walkthrough/",
		secret: "API key of the account, the primary one (Settings › API)",
		scheme: signedFields{time: []string{"event", "event_time"},
			other: []string{"event", "event_type"}, inBody: []string{"event", "event_hash"},
			part: dropboxSignPart},
		types:  []Locator{{JSON: "event.event_type"}},
		holder: document.Holder{Field: dropboxSignPart},
		// after any other answer it is sent again
		reply: &Reply{
			Status: 200, ContentType: "text/plain; charset=utf-8", Body: "Hello API Event Received",
		},
		examples: []string{
			"signature_request_sent", "signature_request_all_signed", "callback_test",
		},
		note: "event_hash covers the event's time and type alone: whoever holds one webhook can make another of the same time and type, about any " +
			"document. There is no delivery id. The body is a form in parts; its part json has the event.",
	},
	{
		name: "dwolla", title: "Dwolla",
		docs:     "https://developers.dwolla.com/docs/working-with-webhooks",
		secret:   "secret, given when the webhook subscription is created",
		scheme:   signed{HMAC: HMAC{Header: "x-request-signature-sha-256"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "topic"}},
		beside:   []companion{{header: "x-dwolla-topic", value: "{type}"}},
		examples: []string{"transfer_completed", "customer_created"},
	},
	{
		name: "easypost", title: "EasyPost",
		docs:     "https://docs.easypost.com/guides/webhooks-guide",
		secret:   "webhook_secret, given when the webhook is created",
		scheme:   signed{HMAC: HMAC{Header: "x-hmac-signature", Prefix: "hmac-sha256-hex="}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "description"}},
		examples: []string{"tracker.updated", "batch.updated"},
		note:     "Choose a secret of ASCII characters: EasyPost normalises others.",
	},
	{
		name: "ebay", title: "eBay",
		docs:     "https://developer.ebay.com/marketplace-account-deletion",
		scheme:   ebay{},
		ids:      []Locator{{JSON: "notification.notificationId"}},
		types:    []Locator{{JSON: "metadata.topic"}},
		needsURL: "hashes the URL in its handshake",
		settings: []setting{
			{
				name:    "verification_token",
				label:   "Verification token, 32 to 80 characters of your own making (Alerts & Notifications)",
				example: "example-verification-token-0000000001",
			},
			{
				name:    settingClientID,
				label:   "App ID (Client ID) of the application's keyset, which eBay gives its public keys to",
				example: "Example-Relay-PRD-000000001",
			},
			{
				name:    settingClientSecret,
				label:   "Cert ID (Client Secret) of the application's keyset",
				example: "PRD-example-0001",
			},
			{
				name: settingEnvironment, label: "production (default) or sandbox",
				example: production, optional: true,
			},
			pinKeySet,
		},
		handshake: handshake{
			about:   "GET ?challenge_code=: its SHA-256 with the verification token and the URL",
			methods: []string{"GET"}, open: answerEBay,
		},
		examples: []string{"MARKETPLACE_ACCOUNT_DELETION", "PRIORITY_LISTING_REVISION"},
		note: "The signature is over the body as eBay's own libraries write it, which is how it is sent. eBay signs the webhooks of all applications with " +
			"the same keys, and none says whose it is: act on what concerns your own users alone.",
	},
	{
		name: "ecwid", title: "Ecwid",
		docs:   "https://docs.ecwid.com/build-apps/webhook-automations/setup-webhooks",
		secret: "client_secret of the app, not an access token",
		scheme: signedFields{
			time: []string{"eventCreated"}, between: ".", other: []string{"eventId"},
			header: "x-ecwid-webhook-signature",
		},
		ids:      []Locator{{JSON: "eventId"}},
		onceBy:   true,
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"order.updated", "product.created"},
		note:     "The signature covers the event's time and id alone: fetch what it is about from Ecwid.",
	},
	{
		name: "elevenlabs", title: "ElevenLabs",
		docs:   "https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks",
		secret: "shared secret, shown when the webhook is created (Workspace settings › Webhooks)",
		scheme: signed{
			HMAC: HMAC{
				Header: "elevenlabs-signature", Payload: "{timestamp}.{body}",
				Tolerance: 30 * time.Minute,
			},
			layout: layout{separator: ",", equals: "=", timestamp: "t", signature: "v0"},
		},
		// the body holds the conversation's id and the event's time
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"post_call_transcription", "post_call_audio", "call_initiation_failure"},
	},
	{
		name: "enode", title: "Enode", docs: "https://developers.enode.com/docs/webhooks",
		secret: "secret, given when the webhook is created",
		scheme: signed{
			HMAC: HMAC{Header: "x-enode-signature", Algorithm: "sha1", Prefix: "sha1="},
		},
		ids:      []Locator{{Header: "x-enode-delivery"}},
		types:    []Locator{{JSON: "0.event"}},
		examples: []string{"user:vehicle:updated", "system:heartbeat"},
		note:     noteFirstEvent,
	},
	{
		name: "ethoca", title: "Ethoca Alerts (Mastercard)",
		docs: "https://developer.mastercard.com/ethoca-alerts-merchants/documentation/",
		// Source: Hookdeck's published code for the proof and the members; not checked against
		// Mastercard's page.
		secret:   "username and password that you gave to Ethoca, as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		ids:      []Locator{{JSON: "alertId"}},
		types:    []Locator{{JSON: "alertType"}},
		examples: []string{"customerdispute_alert", "issuer_alert"},
		note:     "Ethoca can present a client certificate besides.",
	},
	{
		name: "etsy", title: "Etsy",
		docs:     "https://developers.etsy.com/documentation/essentials/webhooks",
		secret:   "Signing secret (Webhook portal)",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"order.paid", "order.shipped", "order.delivered"},
	},
	{
		name: "exact-online", title: "Exact Online",
		docs: "https://support.exactonline.com/community/s/article/All-All-DNO-Content-webhooksc",
		// Source: Hookdeck's published code; not checked against Exact's page.
		secret:   "Webhook secret of the app (App Center)",
		scheme:   exactOnline{},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "Content.Topic"}, {JSON: "Content.Action"}},
		examples: []string{"Accounts.Update", "Items.Create"},
	},
	{
		name: "fastspring", title: "FastSpring",
		docs:     "https://developer.fastspring.com/reference/message-security",
		secret:   "HMAC SHA256 Secret (Developer Tools › Webhooks › Configuration)",
		scheme:   signed{HMAC: HMAC{Header: "x-fs-signature", Encoding: "base64"}},
		ids:      []Locator{{Body: true}}, // the body is a batch of events, each with an id
		types:    []Locator{{JSON: "events.0.type"}},
		examples: []string{"order.completed", "subscription.activated"},
		note:     noteFirstEvent,
	},
	{
		name: "favro", title: "Favro", docs: "https://favro.com/developer/#webhook-signatures",
		// Sources: Favro's page, as its clients quote it (@bscotch/favro-sdk), and Hookdeck's
		// webhook-skills.
		secret:   "secret of the webhook",
		scheme:   favro{},
		ids:      []Locator{{JSON: "payloadId"}},
		onceBy:   true,
		types:    []Locator{{JSON: "action"}},
		needsURL: "signs the postToUrl",
		examples: []string{"created", "updated", "ping"},
		note:     "The signature covers the payload's id and the URL alone: fetch what it is about from Favro.",
	},
	{
		name: "figma", title: "Figma",
		docs:     "https://developers.figma.com/docs/rest-api/webhooks-security/",
		secret:   "passcode, given when the webhook is created",
		scheme:   bodyToken{member: "passcode"},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"FILE_UPDATE", "FILE_COMMENT", "PING"},
		note:     "The passcode is in the body, and is passed on with it.",
	},
	{
		name: "finch", title: "Finch",
		docs:   "https://developer.tryfinch.com/implementation-guide/Webhooks/",
		secret: "Webhook secret (Finch Dashboard)",
		scheme: signed{
			HMAC: HMAC{Header: "finch-signature", Encoding: "base64",
				Payload: "{id}.{timestamp}.{body}", Key: keyBase64,
				IDHeader: "finch-event-id", TimestampHeader: "finch-timestamp"},
			layout: layout{separator: " ", equals: ",", signature: "v1"},
		},
		ids:      []Locator{{Header: "finch-event-id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"account.updated", "directory.created"},
	},
	{
		name: "fireblocks", title: "Fireblocks (webhooks v2)",
		docs: "https://developers.fireblocks.com/reference/validating-webhooks",
		// Sources: Fireblocks' page for the header, the detached JWS and the published key sets;
		// Hookdeck's published code for the addresses of the other regions.
		scheme: fireblocks{},
		ids:    []Locator{{JSON: "id"}},
		types:  []Locator{{JSON: "eventType"}},
		pin:    pin{setting: "workspace_ids", paths: []string{"workspaceId"}},
		settings: []setting{
			{name: "workspace_ids",
				label:   "ids of your workspaces, separated by commas: Fireblocks signs all customers' webhooks with the same keys",
				example: "ws-example"},
			{
				name:    settingEnvironment,
				label:   "production (default: the United States), eu, eu2 or sandbox",
				example: production, optional: true,
			},
			pinKeySet,
		},
		examples: []string{"transaction.created", "transaction.status.updated"},
		note:     "For version 2 of the webhooks.",
	},
	{
		name: "fireflies", title: "Fireflies",
		docs:   "https://docs.fireflies.ai/graphql-api/webhooks-v2",
		secret: "Signing secret of the webhook",
		scheme: signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		// the body has the meeting's id and the time, in milliseconds
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"meeting.transcribed", "meeting.summarized"},
		note:     "For version 2 of its webhooks.",
	},
	{
		name: "fitbit", title: "Fitbit",
		docs:   "https://dev.fitbit.com/build/reference/web-api/developer-guide/using-subscriptions/",
		secret: "OAuth 2.0 Client Secret, with & added at its end",
		scheme: signed{
			HMAC: HMAC{Header: "x-fitbit-signature", Algorithm: "sha1", Encoding: "base64"},
		},
		types: []Locator{{JSON: "0.collectionType"}},
		settings: []setting{
			{
				name: "verification_code", label: "Verification Code of the subscriber",
				example: "4cf0e6ad35d0f8c9",
			},
		},
		handshake: handshake{about: "GET with verify: 204 for the right code, 404 for another",
			methods: []string{"GET"},
			open:    answerFitbit},
		reply:    &Reply{Status: 204},
		examples: []string{"activities", "sleep"},
	},
	{
		name: "flexport", title: "Flexport",
		docs: "https://apidocs.flexport.com/v2/tag/Webhook-Endpoints/",
		// Sources: Flexport's page for the two headers and their HMACs; Hookdeck's published code
		// for the prefix.
		secret:   "secret token of the endpoint (account Settings)",
		scheme:   signed{HMAC: HMAC{Header: "x-hub-signature-256", Prefix: "sha256="}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		beside:   []companion{{header: "x-hub-signature", make: sha1Signature("sha1=")}},
		examples: []string{"/shipment#created", "/shipment_leg#departed"},
	},
	{
		name: "flutterwave", title: "Flutterwave v3",
		docs:     "https://developer.flutterwave.com/docs/webhooks",
		secret:   "Secret hash (Settings › Webhooks)",
		scheme:   token{header: "verif-hash"},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"charge.completed", "transfer.completed"},
	},
	{
		name: "flutterwave-v4", title: "Flutterwave v4",
		docs:     "https://developer.flutterwave.com/docs/webhooks",
		secret:   "Secret hash (Settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "flutterwave-signature", Encoding: "base64"}},
		ids:      []Locator{{Body: true}}, // the body has ids and the time, in milliseconds
		types:    []Locator{{JSON: "type"}},
		examples: []string{"charge.completed", "transfer.disburse"},
	},
	{
		name: "forgejo", title: "Forgejo", docs: "https://forgejo.org/docs/latest/user/webhooks/",
		secret: "Secret of the webhook",
		scheme: signed{HMAC: HMAC{Header: "x-forgejo-signature"}},
		ids:    []Locator{{Header: "x-forgejo-delivery"}},
		types:  []Locator{{Header: "x-forgejo-event"}, {JSON: "action"}},
		beside: []companion{
			{header: "x-forgejo-event-type", make: beforeDot},
			{header: "x-gitea-event", make: beforeDot},
			{header: "x-gogs-event", make: beforeDot},
			{header: "x-github-event", make: beforeDot},
			{header: "x-gitea-delivery", value: "{id}"},
			{header: "x-gogs-delivery", value: "{id}"},
			{header: "x-github-delivery", value: "{id}"},
			{header: "x-gitea-signature", make: sha256Signature("")},
			{header: "x-gogs-signature", make: sha256Signature("")},
			{header: "x-hub-signature", make: sha1Signature("sha1=")},
			{header: "x-hub-signature-256", make: sha256Signature("sha256=")},
		},
		examples: []string{"push", "pull_request.opened", "issues.opened"},
		note:     noteJSONOnly,
	},
	{
		name: "fourthwall", title: "Fourthwall",
		docs:     "https://docs.fourthwall.com/webhooks/signature-verification",
		secret:   "secret key of the webhook configuration",
		scheme:   signed{HMAC: HMAC{Header: "x-fourthwall-hmac-sha256", Encoding: "base64"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ORDER_PLACED"},
		note:     "For the webhooks of a shop, not those of platform apps.",
	},
	{
		name: "frame-io", title: "Frame.io",
		docs:   "https://next.developer.frame.io/platform/v2/webhooks-overview",
		secret: "signing secret, in the answer to the webhook's creation",
		scheme: signed{HMAC: HMAC{Header: "x-frameio-signature", Prefix: "v0=",
			Payload:         "v0:{timestamp}:{body}",
			TimestampHeader: "x-frameio-request-timestamp"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"file.ready", "comment.created"},
		note:     "The body names what has changed, with no id of its own and no time: repeats are not recognised.",
	},
	{
		name: "framer", title: "Framer forms",
		docs: "https://www.framer.com/help/articles/webhooks-for-forms/",
		// Sources: Framer's page (help/articles/framer-form-webhook-setup) for the headers and the
		// form of the signature; webhook.co's published adapter for the id after the body.
		secret: "Secret of the form's webhook",
		scheme: signed{
			HMAC: HMAC{
				Header: "framer-signature", Prefix: "sha256=", Payload: "{body}{id}",
				IDHeader: "framer-webhook-submission-id",
			},
			whole: true, object: true,
		},
		ids:      []Locator{{Header: "framer-webhook-submission-id"}},
		examples: []string{"submission"},
		note:     "No type is sent: the body is what the form's fields hold.",
	},
	{
		name: "front", title: "Front", docs: "https://dev.frontapp.com/docs/application-webhooks",
		secret: "Signing key of the application (Developers › your app › Features)",
		// No window is stated, nor whether each attempt is signed again. A webhook that comes twice
		// has the same id.
		scheme: signed{HMAC: HMAC{Header: "x-front-signature", Encoding: "base64",
			Payload: "{timestamp}:{body}", TimestampFormat: timeMillis,
			TimestampHeader: "x-front-request-timestamp", Tolerance: Unlimited}},
		// an activity has webhooks of several types
		ids: []Locator{{JSON: "payload.id"}, {JSON: "type"}}, allIDs: true,
		idBy:      func(r Request) string { return strictValue(r.Body, "id") },
		types:     []Locator{{JSON: "type"}},
		handshake: handshake{about: "X-Front-Challenge: echoed", open: echoFront},
		examples:  []string{"inbound", "assign"},
		note:      "For application webhooks; those of rules are signed otherwise.",
	},
	{
		name: "fusionauth", title: "FusionAuth",
		docs: "https://fusionauth.io/docs/extend/events-and-webhooks/signing",
		// Sources: FusionAuth's page for the header and the claim; Hookdeck's published code for
		// the claim's base64.
		secret: "secret of the HMAC key that signs the webhook (Settings › Key Master)",
		scheme: webToken{
			header: "x-fusionauth-signature-jwt", algorithm: "HS256",
			bodyHash: "request_body_sha256", hashForm: "base64",
		},
		ids:      []Locator{{JSON: "event.id"}},
		types:    []Locator{{JSON: "event.type"}},
		examples: []string{"user.create", "user.login.success"},
		note:     "Sign with a key of the algorithm HS256.",
	},
	{
		name: "getstream", title: "Stream",
		docs:     "https://getstream.io/chat/docs/go-golang/webhooks_overview/",
		secret:   "API secret of the app",
		scheme:   signed{HMAC: HMAC{Header: "x-signature"}, inflated: true},
		ids:      []Locator{{Header: "x-webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"message.new", "channel.created", "user.banned"},
	},
	{
		name: "ghost", title: "Ghost", docs: "https://docs.ghost.org/webhooks",
		secret: "Secret (Settings › Integrations › custom integration)",
		scheme: signed{
			// The default window is our decision: none is stated. The five retries have the same
			// signature and end within a minute.
			HMAC: HMAC{
				Header: "x-ghost-signature", Payload: "{body}{timestamp}",
				TimestampFormat: timeMillis,
			},
			layout: layout{separator: ", ", equals: "=", timestamp: "t", signature: "sha256"},
		},
		examples: []string{"post.published", "member.added", "page.edited"},
		note:     "No type is sent: make a source for each event. Versions before 5.87 are reported to sign otherwise.",
	},
	{
		name: "gitea", title: "Gitea", docs: "https://docs.gitea.com/usage/webhooks",
		secret: "Secret (repository Settings › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-gitea-signature"}},
		ids:    []Locator{{Header: "x-gitea-delivery"}},
		types:  []Locator{{Header: "x-gitea-event"}, {JSON: "action"}},
		beside: []companion{
			{header: "x-gitea-event-type", make: beforeDot},
			{header: "x-gogs-event", make: beforeDot},
			{header: "x-github-event", make: beforeDot},
			{header: "x-gogs-delivery", value: "{id}"},
			{header: "x-github-delivery", value: "{id}"},
			{header: "x-gogs-signature", make: sha256Signature("")},
			{header: "x-hub-signature", make: sha1Signature("sha1=")},
			{header: "x-hub-signature-256", make: sha256Signature("sha256=")},
		},
		examples: []string{"push", "pull_request.opened", "create"},
		note:     noteJSONOnly,
	},
	{
		name: "github", title: "GitHub",
		docs:   "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
		secret: "Secret (Settings › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-hub-signature-256", Prefix: "sha256="}},
		ids:    []Locator{{Header: "x-github-delivery"}},
		types:  []Locator{{Header: "x-github-event"}, {JSON: "action"}},
		holder: document.Holder{Field: "payload"},
		beside: []companion{
			{header: "x-hub-signature", make: sha1Signature("sha1=")},
			{header: "x-github-hook-id", value: "1"},
			{header: "x-github-hook-installation-target-type", value: "repository"},
			{header: "x-github-hook-installation-target-id", value: "1"},
		},
		examples: []string{"push", "pull_request.opened", "ping"},
		note:     "GitHub signs neither the delivery id nor the time, and never sends a failed webhook again by itself.",
	},
	{
		name: "gitlab", title: "GitLab",
		docs:   "https://docs.gitlab.com/user/project/integrations/webhooks/#signing-tokens",
		secret: "Signing token, whsec_… (Settings › Webhooks)",
		scheme: standardScheme,
		ids:    []Locator{{Header: "webhook-id"}},
		types:  []Locator{{JSON: "object_kind"}},
		orType: Locator{JSON: "event_name"},
		beside: []companion{
			{header: "x-gitlab-event", make: gitLabHook},
			{header: "x-gitlab-instance", value: "https://gitlab.example.com"},
			{header: "x-gitlab-webhook-uuid", value: "00000000-0000-4000-8000-000000000001"},
			{header: "x-gitlab-event-uuid", value: "{id}"},
			{header: "idempotency-key", value: "{id}"},
		},
		examples: []string{"push", "merge_request", "pipeline"},
	},
	{
		name: "gitlab-legacy", title: "GitLab (secret token)",
		docs:   "https://docs.gitlab.com/user/project/integrations/webhooks/",
		secret: "Secret token (Settings › Webhooks)",
		scheme: token{header: "x-gitlab-token"},
		ids:    []Locator{{Header: "idempotency-key"}},
		types:  []Locator{{JSON: "object_kind"}},
		orType: Locator{JSON: "event_name"},
		beside: []companion{
			{header: "x-gitlab-event", make: gitLabHook},
			{header: "x-gitlab-instance", value: "https://gitlab.example.com"},
			{header: "x-gitlab-webhook-uuid", value: "00000000-0000-4000-8000-000000000001"},
			{header: "x-gitlab-event-uuid", value: "{id}"},
		},
		examples: []string{"push", "merge_request"},
		note:     "The token proves the sender alone; GitLab's signing token proves the body too.",
	},
	{
		name: "gocardless", title: "GoCardless",
		docs:     "https://developer.gocardless.com/api-reference/#appendix-webhooks",
		secret:   "Secret of the webhook endpoint (Developers › Webhook endpoints)",
		scheme:   signed{HMAC: HMAC{Header: "webhook-signature"}},
		ids:      []Locator{{JSON: "meta.webhook_id"}, {Body: true}}, // each event has an id
		types:    []Locator{{JSON: "events.0.resource_type"}, {JSON: "events.0.action"}},
		examples: []string{"payments.confirmed", "payments.failed", "mandates.cancelled"},
		note:     noteFirstEvent,
	},
	{
		name: "gogs", title: "Gogs", docs: "https://gogs.io/docs/features/webhook",
		secret:   "Secret of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-gogs-signature"}},
		ids:      []Locator{{Header: "x-gogs-delivery"}},
		types:    []Locator{{Header: "x-gogs-event"}, {JSON: "action"}},
		examples: []string{"push", "pull_request.opened", "create"},
		note:     noteJSONOnly,
	},
	{
		name: "google-channels", title: "Google Calendar, Drive (push channels)",
		docs:   "https://developers.google.com/calendar/api/guides/push",
		secret: "token of the watch request, of your own making",
		scheme: token{header: "x-goog-channel-token"},
		ids: []Locator{
			{Header: "x-goog-channel-id"}, {Header: "x-goog-message-number"},
		}, allIDs: true,
		types: []Locator{{Header: "x-goog-resource-state"}},
		beside: []companion{
			{header: "x-goog-message-number", value: "1"},
			{header: "x-goog-resource-id", value: "example"},
			{
				header: "x-goog-resource-uri",
				value:  "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json",
			},
		},
		examples: []string{"sync", "exists", "update"},
		note:     "The body is empty: what has changed is in the X-Goog headers, or to be fetched.",
	},
	{
		name: "google-pubsub", title: "Google Cloud Pub/Sub",
		docs: "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
		// Google signs a token for an hour, and may send it for as long.
		scheme: webToken{
			header: authorization, prefix: "Bearer ", algorithm: "RS256",
			published: published{
				find: findGoogle, sign: rsaSHA256,
			}, timed: "iat", tolerance: time.Hour,
			claims: []wantedClaim{
				{
					name:   "iss",
					values: []string{"https://accounts.google.com", "accounts.google.com"},
				},
				{name: "aud", setting: "audience"},
				{name: "email", setting: "service_account"},
				{name: "email_verified", values: []string{"true"}},
			},
		},
		ids:   []Locator{{JSON: "message.messageId"}},
		types: []Locator{{JSON: "message.attributes.eventType"}},
		settings: []setting{
			{
				name:    "audience",
				label:   "Audience of the push subscription (Enable authentication); by default its push endpoint",
				example: "https://relay.example.com/in/google-pubsub",
			},
			{
				name:    "service_account",
				label:   "e-mail address of the subscription's service account",
				example: "relay@example.iam.gserviceaccount.com",
			},
			pinKeySet,
		},
		examples: []string{"OBJECT_FINALIZE", "OBJECT_DELETE"},
		note: "Enable authentication on the push subscription, and leave payload unwrapping off. The event type " +
			"is the attribute eventType, as Cloud Storage has it.",
	},
	{
		name: "gr4vy", title: "Gr4vy",
		docs:   "https://docs.gr4vy.com/guides/features/webhooks/security",
		secret: "secret of the webhook subscription",
		scheme: signed{
			HMAC: HMAC{Header: "x-gr4vy-webhook-signatures", Payload: "{timestamp}.{body}",
				TimestampHeader: "x-gr4vy-webhook-timestamp",
				Tolerance:       Unlimited},
			layout: layout{separator: ","},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "target.type"}},
		examples: []string{"transaction"},
	},
	{
		name: "grafana", title: "Grafana Alerting",
		docs:     "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
		secret:   "HMAC Signature › Secret (Contact points › the webhook)",
		scheme:   signed{HMAC: HMAC{Header: "x-grafana-alerting-signature"}},
		types:    []Locator{{JSON: "status"}},
		examples: []string{"firing", "resolved"},
		note:     `Leave Header and Timestamp Header empty; with these set, use provider hmac and the payload "{timestamp}:{body}".`,
	},
	{
		name: "greenhouse", title: "Greenhouse",
		docs:     "https://developers.greenhouse.io/webhooks.html#authentication",
		secret:   "Secret key of the web hook",
		scheme:   signed{HMAC: HMAC{Header: "signature", Prefix: "sha256 "}},
		ids:      []Locator{{Header: "greenhouse-event-id"}},
		types:    []Locator{{JSON: "action"}},
		examples: []string{"new_candidate_application", "candidate_hired"},
	},
	{
		name: "gusto", title: "Gusto",
		docs:   "https://docs.gusto.com/embedded-payroll/docs/webhooks",
		secret: "verification_token of the handshake: leave it out, it is learned",
		scheme: signed{HMAC: HMAC{Header: "x-gusto-signature"}},
		ids:    []Locator{{JSON: "uuid"}},
		types:  []Locator{{JSON: "event_type"}},
		handshake: handshake{about: "POST with verification_token: kept, for you to send with PUT …/webhook_subscriptions/{uuid}/verify",
			open: learnVerificationToken, learns: true},
		examples: []string{"employee.created", "payroll.processed"},
	},
	{
		name: "hackerone", title: "HackerOne", docs: "https://api.hackerone.com/webhooks/",
		secret:   "Secret (Program settings › Automation › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-h1-signature", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-h1-delivery"}},
		types:    []Locator{{Header: "x-h1-event"}},
		examples: []string{"report_created", "report_comment_created"},
	},
	{
		name: "help-scout", title: "Help Scout", docs: "https://developer.helpscout.com/webhooks/",
		secret: "Secret Key of the webhook",
		scheme: signed{
			HMAC: HMAC{Header: "x-helpscout-signature", Algorithm: "sha1", Encoding: "base64"},
		},
		types:    []Locator{{Header: "x-helpscout-event"}},
		examples: []string{"convo.created", "customer.created", "helpscout.test"},
	},
	{
		name: "heroku", title: "Heroku", docs: "https://devcenter.heroku.com/articles/app-webhooks",
		secret:   "secret given to heroku webhooks:add",
		scheme:   signed{HMAC: HMAC{Header: "heroku-webhook-hmac-sha256", Encoding: "base64"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "resource"}, {JSON: "action"}},
		examples: []string{"build.update", "release.create", "dyno.create"},
		note:     "Give the webhook level sync: with notify, it is sent once only.",
	},
	{
		name: describedProvider, title: "the sender", secret: "as the sender calls it",
		examples: []string{"customer.updated"},
		note:     "The scheme is described in the configuration, in the block hmac.",
	},
	{
		name: "hubspot", title: "HubSpot",
		docs:   "https://developers.hubspot.com/docs/guides/apps/authentication/validating-requests",
		secret: "Client secret (your app › Auth)",
		scheme: signed{
			HMAC: HMAC{Header: "x-hubspot-signature-v3", Encoding: "base64",
				Payload:         "{method}{url}{body}{timestamp}",
				TimestampHeader: "x-hubspot-request-timestamp", TimestampFormat: timeMillis},
			tidyURL: hubSpotURL,
		},
		types:    []Locator{{JSON: "0.subscriptionType"}},
		needsURL: "signs the URL of the webhook",
		examples: []string{"contact.creation", "deal.propertyChange"},
		note: "Version 3 of the signature. The body is a list of events; it counts its attempts, and HubSpot does not promise that an eventId is " +
			"unique: there is no delivery id.",
	},
	{
		name: "hubspot-v1", title: "HubSpot, version 1 of the signature",
		docs:     "https://developers.hubspot.com/docs/faq/v1-request-validation",
		secret:   "Client secret (your app › Auth)",
		scheme:   hubSpotPlain{header: hubSpotSignature, version: "v1"},
		types:    []Locator{{JSON: "0.subscriptionType"}},
		examples: []string{"contact.creation", "deal.propertyChange"},
		note: noteHubSpotPlain +
			" HubSpot sends version 3 beside this one: take provider hubspot where you can. The body is a list of events; there is " +
			"no delivery id, as with version 3.",
	},
	{
		name: "hubspot-v2", title: "HubSpot, version 2 of the signature",
		docs:     "https://developers.hubspot.com/docs/faq/v2-request-validation",
		secret:   "Client secret (your app › Auth)",
		scheme:   hubSpotPlain{header: hubSpotSignature, version: "v2", withURL: true},
		needsURL: "signs the URL of the webhook",
		examples: []string{"workflow-action"},
		note: noteHubSpotPlain +
			" It is what actions of workflows come with. There is neither a delivery id nor an event type.",
	},
	{
		name: "hugging-face", title: "Hugging Face",
		docs:     "https://huggingface.co/docs/hub/webhooks",
		secret:   "Secret (Settings › Webhooks)",
		scheme:   token{header: "x-webhook-secret"},
		types:    []Locator{{JSON: "event.scope"}, {JSON: "event.action"}},
		examples: []string{"repo.content.update", "discussion.create"},
	},
	{
		name: "hygraph", title: "Hygraph (GraphCMS)",
		docs:     "https://hygraph.com/docs/api-reference/basics/webhooks",
		secret:   "Secret key of the webhook (Project settings › Webhooks)",
		scheme:   hygraph{},
		types:    []Locator{{JSON: "operation"}, {JSON: "data.__typename"}},
		examples: []string{"publish.Post", "create.Post"},
		note:     "Let the webhook include its payload.",
	},
	{
		name: "incident-io", title: "incident.io",
		docs:   "https://docs.incident.io/api-reference/webhooks",
		secret: "Signing secret (Settings › Webhooks)",
		scheme: standardScheme,
		ids:    []Locator{{Header: "webhook-id"}},
		types:  []Locator{{JSON: "event_type"}},
		examples: []string{
			"public_incident.incident_created_v2", "public_incident.incident_status_updated_v2",
		},
	},
	{
		name: "increase", title: "Increase", docs: "https://increase.com/documentation/webhooks",
		secret:   "shared secret of the event subscription",
		scheme:   standardText,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "category"}},
		examples: []string{"account.created", "transaction.created", "card.created"},
	},
	{
		name: "instagram", title: "Instagram", docs: docsMeta, secret: labelMeta,
		scheme: schemeMeta, settings: settingsMeta, beside: besideMeta,
		handshake: handshakeMeta,
		// each change and each message has an id or a time in milliseconds
		ids:      []Locator{{Body: true}},
		types:    typesMeta,
		examples: []string{"instagram.comments", "instagram.mentions"},
	},
	{
		name: "intercom", title: "Intercom",
		docs:   "https://developers.intercom.com/docs/references/webhooks/webhook-models",
		secret: "Client secret (Developer Hub › your app › Basic information)",
		scheme: signed{
			HMAC: HMAC{Header: "x-hub-signature", Algorithm: "sha1", Prefix: "sha1="},
		},
		ids:       []Locator{{JSON: "id"}},
		types:     []Locator{{JSON: "topic"}},
		handshake: handshakeHead,
		examples:  []string{"conversation.user.created", "ping"},
	},
	{
		name: "jira", title: "Jira Cloud",
		docs:     "https://developer.atlassian.com/cloud/jira/platform/webhooks/",
		secret:   "Secret (System › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-atlassian-webhook-identifier"}},
		types:    []Locator{{JSON: "webhookEvent"}},
		examples: []string{"jira:issue_created", "comment_created"},
		note:     "For the webhooks of administrators; those of Connect apps have a JWT.",
	},
	{
		name: "katana", title: "Katana",
		docs:     "https://developer.katanamrp.com/docs/verifying-webhook-signature",
		secret:   "token of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-sha2-signature"}},
		types:    []Locator{{JSON: "action"}},
		examples: []string{"sales_order.created", "variant.updated"},
	},
	{
		name: "kinde", title: "Kinde",
		docs: "https://docs.kinde.com/integrate/webhooks/about-webhooks",
		scheme: webToken{
			media: "application/jwt", algorithm: "RS256",
			published: published{find: findKinde, check: checkSubdomain, sign: rsaSHA256},
			// Kinde signs its users' tokens with the same keys
			claims: []wantedClaim{{name: "event_id"}, {name: "type"}},
		},
		ids:    []Locator{{JSON: "event_id"}},
		types:  []Locator{{JSON: "type"}},
		holder: document.Holder{Token: true},
		settings: []setting{
			{
				name:    settingSubdomain,
				label:   "subdomain of the business, as in https://<subdomain>.kinde.com",
				example: "example",
			},
			pinKeySet,
		},
		examples: []string{"user.created", "user.updated"},
		note:     "The body is a JSON Web Token, and is passed on as it is; ids and types are those of its claims.",
	},
	{
		name: "klaviyo", title: "Klaviyo",
		docs:   "https://developers.klaviyo.com/en/docs/working_with_system_webhooks",
		secret: "secret_key, given when the webhook is created",
		// Our decision. No window is stated, and the header's time has been seen to differ by some
		// hours from the body's.
		scheme: signed{HMAC: HMAC{Header: "klaviyo-signature", Payload: "{body}{timestamp}",
			TimestampHeader: "klaviyo-timestamp",
			TimestampFormat: timeHTTP, Tolerance: 24 * time.Hour}},
		ids:      []Locator{{Body: true}}, // the body holds the time of sending, in microseconds
		types:    []Locator{{JSON: "data.0.topic"}},
		examples: []string{"event:klaviyo.sent_sms", "event:klaviyo.opened_email"},
		note:     "For system webhooks, not those of flows. " + noteFirstEvent,
	},
	{
		name: "knock", title: "Knock",
		docs:   "https://docs.knock.app/developer-tools/outbound-webhooks/overview",
		secret: "Signing key of the webhook",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-knock-signature", Encoding: "base64", Payload: "{timestamp}.{body}",
				TimestampFormat: timeMillis,
			},
			layout: layout{separator: ",", equals: "=", signature: "s", timestamp: "t"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"message.sent", "message.delivered"},
	},
	{
		name: "launchdarkly", title: "LaunchDarkly",
		docs:     "https://launchdarkly.com/docs/home/infrastructure/webhooks",
		secret:   "Secret of the webhook (Sign this webhook)",
		scheme:   signed{HMAC: HMAC{Header: "x-ld-signature"}},
		ids:      []Locator{{JSON: "_id"}},
		types:    []Locator{{JSON: "kind"}},
		examples: []string{"flag", "member", "project"},
	},
	{
		name: "lemon-squeezy", title: "Lemon Squeezy",
		docs:     "https://docs.lemonsqueezy.com/help/webhooks/signing-requests",
		secret:   "Signing secret (Settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-signature"}},
		types:    []Locator{{JSON: "meta.event_name"}},
		examples: []string{"order_created", "subscription_created", "subscription_payment_success"},
	},
	{
		name: "line", title: "LINE Messaging API",
		docs:     "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
		secret:   "Channel secret (LINE Developers Console)",
		scheme:   signed{HMAC: HMAC{Header: "x-line-signature", Encoding: "base64"}},
		types:    []Locator{{JSON: "events.0.type"}},
		examples: []string{"message", "follow"},
		note:     "There is no delivery id: each event has a webhookEventId, and says if it is sent again. " + noteFirstEvent,
	},
	{
		name: "linear", title: "Linear", docs: "https://linear.app/developers/webhooks",
		secret: "Signing secret (Settings › API › the webhook)",
		scheme: signed{HMAC: HMAC{Header: "linear-signature", TimestampJSON: "webhookTimestamp",
			TimestampFormat: timeMillis,
			Tolerance:       time.Minute}},
		ids:   []Locator{{Header: "linear-delivery"}},
		types: []Locator{{JSON: "type"}, {JSON: "action"}},
		beside: []companion{
			{header: "linear-event", make: beforeDot},
			{header: "linear-timestamp", make: linearTime},
		},
		examples: []string{"Issue.create", "Comment.update"},
	},
	{
		name: "linkedin", title: "LinkedIn",
		docs:   "https://learn.microsoft.com/linkedin/shared/api-guide/webhook-validation",
		secret: "Client Secret of the application",
		scheme: signed{HMAC: HMAC{Header: "x-li-signature", Payload: "hmacsha256={body}"}},
		ids:    []Locator{{JSON: "notificationId"}, {Body: true}},
		types:  []Locator{{JSON: "type"}},
		handshake: handshake{about: "GET with challengeCode, every two hours: its HMAC",
			methods: []string{"GET"},
			open:    answerLinkedIn},
		examples: []string{"LEAD_ACTION"},
	},
	{
		name: "lithic", title: "Lithic",
		docs:     "https://docs.lithic.com/docs/events-api#verifying-webhooks",
		secret:   "secret of the event subscription, whsec_…",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"card.created", "card_transaction.updated"},
	},
	{
		name: "livekit", title: "LiveKit", docs: "https://docs.livekit.io/home/server/webhooks/",
		secret: "API secret of the key that the webhook is signed with",
		scheme: webToken{
			header: authorization, algorithm: "HS256", bodyHash: "sha256", hashForm: "base64",
			timed: "nbf", tolerance: DefaultTolerance,
			claims: []wantedClaim{{name: "iss", setting: "api_key"}},
		},
		ids:   []Locator{{JSON: "id"}},
		types: []Locator{{JSON: "event"}},
		settings: []setting{
			{
				name: "api_key", label: "API key that the webhook is signed with",
				example: "APIexample00001",
			},
		},
		beside:   []companion{{header: "content-type", value: "application/webhook+json"}},
		examples: []string{"room_started", "participant_joined", "egress_ended"},
	},
	{
		name: "lob", title: "Lob", docs: "https://docs.lob.com/#tag/Webhooks",
		secret: "Secret of the webhook (Dashboard › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "lob-signature", Payload: "{timestamp}.{body}",
			TimestampHeader: "lob-signature-timestamp",
			TimestampFormat: timeUnix, Tolerance: Unlimited}}, // the unit is not documented
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "event_type.id"}},
		examples: []string{"letter.created", "postcard.in_transit"},
	},
	{
		name: "logto", title: "Logto",
		docs:   "https://docs.logto.io/developers/webhooks/secure-webhooks",
		secret: "Signing key (Console › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "logto-signature-sha-256"}},
		// the body holds createdAt, in milliseconds, and the person that it is about
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"User.Created", "PostSignIn", "PostRegister"},
	},
	{
		name: "loops", title: "Loops", docs: "https://loops.so/docs/webhooks",
		secret:   "Signing secret, whsec_… (Settings › Webhooks)",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "eventName"}},
		examples: []string{"contact.created", "email.delivered"},
	},
	{
		name: "mailersend", title: "MailerSend",
		docs:   "https://developers.mailersend.com/api/v1/webhooks.html#security",
		secret: "Signing secret of the webhook",
		scheme: signed{HMAC: HMAC{Header: "signature"}},
		// the body has the activity's id and the time, in microseconds
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"activity.delivered", "activity.sent"},
	},
	{
		name: "mailgun", title: "Mailgun",
		docs:     "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
		secret:   "HTTP webhook signing key (Settings › API security)",
		scheme:   mailgun{},
		ids:      []Locator{{JSON: "signature.token"}},
		onceBy:   true,
		types:    []Locator{{JSON: "event-data.event"}},
		examples: []string{"delivered", "failed", "opened"},
		note: "The signature does not cover the event, so that nothing but the token keeps a copy from being sent with another one: it is the delivery " +
			"id, and each token is taken once. Mailgun has another token in each attempt, so that one event may come twice.",
	},
	{
		name: "mandrill", title: "Mailchimp Transactional (Mandrill)",
		docs:      "https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests",
		secret:    "Key (Settings › Webhooks)",
		scheme:    formSigned{header: "x-mandrill-signature"},
		ids:       []Locator{{Body: true}},
		types:     []Locator{{JSON: "0.event"}},
		holder:    document.Holder{Field: "mandrill_events"},
		needsURL:  "signs the URL of the webhook",
		handshake: handshakeHead,
		examples:  []string{"send", "hard_bounce", "inbound"},
		note:      "The event type is that of the first event.",
	},
	{
		name: "maxio", title: "Maxio Advanced Billing (Chargify)",
		docs:     "https://docs.maxio.com/hc/en-us/articles/24266143173901",
		secret:   "Shared key of the site",
		scheme:   signed{HMAC: HMAC{Header: "x-chargify-webhook-signature-hmac-sha-256"}},
		ids:      []Locator{{Header: "x-chargify-webhook-id"}},
		typeBy:   typeBy{about: "the form's field event", read: formEvent},
		examples: []string{"signup_success", "renewal_success", "payment_failure"},
	},
	{
		name: "meraki", title: "Cisco Meraki", docs: "https://developer.cisco.com/meraki/webhooks/",
		// Sources: Meraki's samples (developer.cisco.com) for sharedSecret and alertType;
		// Hookdeck's published code for alertTypeId.
		secret:   "Shared secret of the HTTP server (Network-wide › Alerts)",
		scheme:   bodyToken{member: "sharedSecret"},
		ids:      []Locator{{Body: true}}, // the body has the time of sending
		types:    []Locator{{JSON: "alertTypeId"}},
		orType:   Locator{JSON: "alertType"},
		examples: []string{"motion_alert", "settings_changed"},
		note:     "The secret is in the body, and is passed on with it. Keep sharedSecret in the payload template.",
	},
	{
		name: "mercado-pago", title: "Mercado Pago",
		docs:     "https://www.mercadopago.com.ar/developers/en/docs/your-integrations/notifications/webhooks",
		secret:   "Secret signature (Your integrations › Webhooks › Configure notifications)",
		scheme:   mercadoPago{},
		ids:      []Locator{{Header: mercadoPagoRequest}},
		idBy:     func(r Request) string { return strictValue(r.Body, "id") },
		types:    []Locator{{JSON: "action"}},
		orType:   Locator{JSON: "type"},
		examples: []string{"payment.updated", "payment.created"},
		note: "The signature covers the id of what the webhook is about, not what the body says of it: fetch that from Mercado Pago. Webhooks of QR " +
			"codes are not signed.",
	},
	{
		name: "messenger", title: "Facebook Messenger", docs: docsMeta, secret: labelMeta,
		scheme: schemeMeta, settings: settingsMeta, beside: besideMeta,
		handshake: handshakeMeta,
		// each message and each receipt has a time in milliseconds
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "object"}},
		examples: []string{"page"},
	},
	{
		name: "meta", title: "Meta (Graph API, Facebook)", docs: docsMeta, secret: labelMeta,
		scheme: schemeMeta, settings: settingsMeta, beside: besideMeta,
		handshake: handshakeMeta,
		types:     typesMeta,
		examples:  []string{"page.feed", "user.photos"},
		note:      "There is no delivery id, and two changes in one second may have the same body.",
	},
	{
		name: "microsoft-graph", title: "Microsoft Graph",
		docs:   "https://learn.microsoft.com/graph/change-notifications-delivery-webhooks",
		secret: "clientState of the subscription",
		scheme: bodyToken{list: "value", member: "clientState"},
		types:  []Locator{{JSON: "value.0.changeType"}},
		orType: Locator{JSON: "value.0.lifecycleEvent"},
		handshake: handshake{about: "POST with validationToken in the query: echoed",
			open: echoValidationToken},
		reply:    &Reply{Status: 202},
		examples: []string{"updated", "created", "deleted"},
		note: "clientState is in the body, and is passed on with it. There is no delivery id: two changes may look the same. The validationTokens of rich " +
			"notifications are not checked, nor their content decrypted.",
	},
	{
		name: "microsoft-teams", title: "Microsoft Teams",
		docs:   "https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook",
		secret: "HMAC security token, shown once when the outgoing webhook is created",
		scheme: signed{
			HMAC: HMAC{Header: authorization, Encoding: "base64", Prefix: "HMAC ", Key: keyBase64},
		},
		ids:   []Locator{{JSON: "id"}},
		types: []Locator{{JSON: "type"}},
		reply: &Reply{
			Status: 200, ContentType: "application/json",
			Body: `{"type":"message","text":"Received."}`,
		},
		examples: []string{"message"},
		note:     "The answer is shown in the channel.",
	},
	{
		name: "modern-treasury", title: "Modern Treasury",
		docs:     "https://docs.moderntreasury.com/platform/docs/webhook-signatures",
		secret:   "Webhook key (Developer settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-signature"}, inflated: true},
		ids:      []Locator{{Header: "x-webhook-id"}},
		types:    []Locator{{Header: "x-topic"}, {JSON: "event"}},
		examples: []string{"payment_order.completed", "transaction.created"},
	},
	{
		name: "mollie", title: "Mollie", docs: "https://docs.mollie.com/reference/webhooks-new",
		secret: "Signing secret, in the answer to the webhook's creation",
		scheme: signed{
			HMAC: HMAC{Header: "x-mollie-signature"},
			// the header comes twice during a rotation of secrets
			layout: layout{separator: ",", equals: "=", signature: "sha256", bare: true},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"payment-link.paid", "sales-invoice.paid"},
		note: "For the new webhooks; those of a payment's webhookUrl are not signed. The signature may lack its prefix sha256=, as in Mollie's " +
			"documentation and in its PHP package.",
	},
	{
		name: "monday", title: "monday.com",
		docs:   "https://developer.monday.com/apps/docs/integration-authorization",
		secret: "Signing Secret of the app (Developer Center › Basic Information)",
		scheme: webToken{
			header: authorization, algorithm: "HS256", timed: "iat", tolerance: DefaultTolerance,
		},
		ids:   []Locator{{JSON: "event.triggerUuid"}},
		types: []Locator{{JSON: "event.type"}},
		handshake: handshake{
			about: "POST of a challenge and nothing else: echoed", open: answerMonday,
		},
		examples: []string{"create_pulse", "update_column_value", "change_status_column_value"},
		note:     "Webhooks that were made by hand on a board have no token: they are refused. Make them through an app.",
	},
	{
		name: "monnify", title: "Monnify", docs: "https://developers.monnify.com/docs/webhooks",
		secret: "Secret key (Developer › API keys)",
		scheme: signed{HMAC: HMAC{Header: "monnify-signature", Algorithm: "sha512"}},
		// the reference is no id: all events of a payment have it, and several refunds of it have
		// one type
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"SUCCESSFUL_TRANSACTION", "SUCCESSFUL_DISBURSEMENT"},
	},
	{
		name: "mux", title: "Mux", docs: "https://www.mux.com/docs/core/verify-webhook-signatures",
		secret: "Signing secret (Settings › Webhooks)",
		scheme: signed{
			HMAC:   HMAC{Header: "mux-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", timestamp: "t", signature: "v1"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"video.asset.ready", "video.asset.created", "video.upload.cancelled"},
	},
	{
		name: "netlify", title: "Netlify",
		docs:   "https://docs.netlify.com/deploy/deploy-notifications/",
		secret: "JWS secret token of the outgoing webhook",
		scheme: webToken{
			header: "x-webhook-signature", algorithm: "HS256", bodyHash: "sha256", hashForm: "hex",
			claims: []wantedClaim{{name: "iss", values: []string{"netlify"}}},
		},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "state"}},
		examples: []string{"ready", "building", "error"},
		note:     "Netlify signs no time.",
	},
	{
		name: "nmi", title: "NMI",
		docs: "https://secure.nmi.com/merchants/resources/integration/integration_portal.php#webhooks_setup",
		// Source: Hookdeck's published code; not checked against NMI's page. The value of t is a
		// nonce.
		secret: "Signing key (Settings › Webhooks)",
		scheme: signed{
			HMAC: HMAC{Header: "webhook-signature", Payload: "{timestamp}.{body}"},
			layout: layout{
				separator: ",", equals: "=", signature: "s", timestamp: "t", nonce: true,
			},
		},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"transaction.sale.success", "transaction.refund.success"},
	},
	{
		name: "none", title: "whoever asks", scheme: unsigned{}, examples: []string{"reading"},
		note: "Anybody who knows the URL can send. Use it for tests, or with allowed_ips.",
	},
	{
		name: "notion", title: "Notion", docs: "https://developers.notion.com/reference/webhooks",
		secret: "verification_token of the handshake: leave it out, it is learned",
		scheme: signed{HMAC: HMAC{Header: "x-notion-signature", Prefix: "sha256="}},
		ids:    []Locator{{JSON: "id"}},
		types:  []Locator{{JSON: "type"}},
		handshake: handshake{about: "POST with verification_token: kept, for you to paste into the integration's Webhooks tab", open: learnVerificationToken,
			learns: true},
		examples: []string{"page.created", "comment.created"},
	},
	{
		name: "npm", title: "npm hooks", docs: "https://github.com/npm/hook-receiver",
		secret:   "secret given to npm hook add",
		scheme:   signed{HMAC: HMAC{Header: "x-npm-signature", Prefix: "sha256="}},
		ids:      []Locator{{Body: true}}, // the body holds the time, in milliseconds
		types:    []Locator{{JSON: "event"}},
		examples: []string{"package:publish", "package:unpublish", "package:star"},
		note:     "npm's own registry is reported to have retired its hooks; others such as cnpm send them.",
	},
	{
		name: "nuvemshop", title: "Nuvemshop (Tiendanube)",
		docs: "https://tiendanube.github.io/api-documentation/resources/webhook",
		// Source: Hookdeck's published code. Nuvemshop's page was read for the events, not for the
		// signature.
		secret:   "Client secret of the app",
		scheme:   signed{HMAC: HMAC{Header: "x-linkedstore-hmac-sha256"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"order/created", "product/updated"},
	},
	{
		name: "nylas", title: "Nylas", docs: "https://developer.nylas.com/docs/v3/notifications/",
		secret: "webhook_secret, in the answer to the webhook's creation",
		scheme: signed{HMAC: HMAC{Header: "x-nylas-signature"}},
		ids:    []Locator{{JSON: "id"}},
		types:  []Locator{{JSON: "type"}},
		handshake: handshake{
			about: "GET with challenge: echoed", methods: []string{"GET"}, open: echoChallenge,
		},
		examples: []string{"message.created", "grant.expired"},
	},
	{
		name: "okta", title: "Okta event hooks",
		docs:   "https://developer.okta.com/docs/concepts/event-hooks/",
		secret: "Authentication secret (Workflow › Event Hooks)",
		scheme: token{header: authorization, named: true},
		ids:    []Locator{{JSON: "eventId"}},
		types:  []Locator{{JSON: "data.events.0.eventType"}},
		settings: []setting{
			{
				name: headerSetting, label: "Authentication field of the event hook",
				example: "Authorization", optional: true,
			},
		},
		handshake: handshake{about: "GET with X-Okta-Verification-Challenge: echoed",
			methods: []string{"GET"},
			open:    answerOkta},
		examples: []string{"user.lifecycle.create", "user.session.start"},
		note:     "The event type is that of the first event.",
	},
	{
		name: "onfido", title: "Onfido (Entrust)",
		docs:     "https://documentation.identity.entrust.com/api/latest/#verifying-webhook-signatures",
		secret:   "token of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-sha2-signature"}},
		types:    []Locator{{JSON: "payload.action"}},
		examples: []string{"check.completed", "workflow_run.completed"},
	},
	{
		name: "onfleet", title: "Onfleet", docs: "https://docs.onfleet.com/reference/webhooks",
		secret: "webhook secret, hex (Settings › API & Webhooks)",
		scheme: signed{
			HMAC: HMAC{Header: "x-onfleet-signature", Algorithm: "sha512", Key: keyHex},
		},
		ids:   []Locator{{Body: true}}, // each has its time in milliseconds
		types: []Locator{{JSON: "triggerName"}},
		handshake: handshake{
			about: "GET with check: echoed", methods: []string{"GET"}, open: echoCheck,
		},
		examples: []string{"taskCompleted", "taskStarted"},
	},
	{
		name: "openai", title: "OpenAI", docs: "https://platform.openai.com/docs/guides/webhooks",
		secret:   "Signing secret, shown when the endpoint is created (project settings › Webhooks)",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"response.completed", "batch.completed", "fine_tuning.job.succeeded"},
	},
	{
		name: "oracle-commerce", title: "Oracle Commerce",
		docs:   "https://docs.oracle.com/en/cloud/saas/cx-commerce/ccdev/secure-webhooks.html",
		secret: "Secret key (Settings › Web APIs › Webhook)",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-oracle-cc-webhook-signature", Algorithm: "sha512", Encoding: "base64",
			},
		},
		examples: []string{"order-submit"},
		note:     "No type is sent: make a source for each webhook.",
	},
	{
		name: "orb", title: "Orb",
		docs:   "https://docs.withorb.com/integrations-and-exports/webhooks",
		secret: "Signing secret of the endpoint",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-orb-signature", Payload: "v1:{timestamp}:{body}",
				TimestampHeader: "x-orb-timestamp", TimestampFormat: timeUTC,
			},
			layout: layout{separator: " ", equals: "=", signature: "v1"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"invoice.issued", "subscription.created"},
	},
	{
		name: "oura", title: "Oura",
		docs: "https://cloud.ouraring.com/v2/docs#tag/Webhook-Subscription-Routes",
		// Source: Hookdeck's published code; not checked against Oura's page. The form of the time
		// is not documented, so it is signed but not checked.
		secret: "Client secret of the application",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-oura-signature", Encoding: "upper-hex", Payload: "{id}{body}",
				IDHeader: "x-oura-timestamp",
			},
			whole: true, object: true,
		},
		ids:   []Locator{{Body: true}}, // the body names what has changed, and when
		types: []Locator{{JSON: "data_type"}, {JSON: "event_type"}},
		settings: []setting{
			{
				name:    "verification_token",
				label:   "verification_token of the subscription, of your own making",
				example: "example-verification-token",
			},
		},
		handshake: handshake{about: "GET with verification_token and challenge: the challenge is echoed as JSON if the token is yours", methods: []string{"GET"},
			open: answerOura},
		examples: []string{"daily_sleep.create", "workout.update"},
	},
	{
		name: "paddle", title: "Paddle Billing",
		docs:   "https://developer.paddle.com/webhooks/signature-verification",
		secret: "Secret key, pdl_ntfset_… (Developer Tools › Notifications › the destination)",
		scheme: signed{
			// The five seconds are from Paddle's SDKs and its documentation.
			HMAC: HMAC{
				Header: "paddle-signature", Payload: "{timestamp}:{body}",
				Tolerance: 5 * time.Second,
			},
			layout: layout{separator: ";", equals: "=", signature: "h1", timestamp: "ts"},
		},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"transaction.completed", "subscription.created", "price.created"},
	},
	{
		name: "pagerduty", title: "PagerDuty",
		docs:   "https://developer.pagerduty.com/docs/webhooks/webhook-signatures/",
		secret: "secret, shown once when the webhook subscription is created",
		scheme: signed{
			HMAC:   HMAC{Header: "x-pagerduty-signature"},
			layout: layout{separator: ",", equals: "=", signature: "v1"},
		},
		ids:   []Locator{{JSON: "event.id"}},
		types: []Locator{{JSON: "event.event_type"}},
		examples: []string{
			"incident.triggered", "incident.acknowledged", "incident.priority_updated",
		},
	},
	{
		name: "paymongo", title: "PayMongo",
		docs:   "https://developers.paymongo.com/docs/securing-webhook",
		secret: "secret_key of the webhook",
		scheme: signed{
			HMAC: HMAC{Header: "paymongo-signature", Payload: "{timestamp}.{body}"},
			// test mode, live mode
			layout: layout{separator: ",", equals: "=", timestamp: "t", signature: "te", or: "li"},
		},
		ids:      []Locator{{JSON: "data.id"}},
		types:    []Locator{{JSON: "data.attributes.type"}},
		examples: []string{"payment.paid", "payment.failed", "source.chargeable"},
	},
	{
		name: "paypal", title: "PayPal",
		docs:   "https://developer.paypal.com/api/rest/webhooks/rest/",
		scheme: paypal{},
		ids:    []Locator{{Header: paypalID}},
		onceBy: true,
		types:  []Locator{{JSON: "event_type"}},
		beside: []companion{
			{
				header: paypalCertURL,
				value:  "https://api.paypal.com/v1/notifications/certs/CERT-example",
			},
			{header: "paypal-auth-version", value: "v2"},
		},
		settings: []setting{
			{
				name:    settingWebhookID,
				label:   "Webhook ID (Apps & Credentials › the app › Webhooks)",
				example: "1EX00000AB000000C",
			},
			{
				name: settingEnvironment, label: "production (default) or sandbox",
				example: production, optional: true,
			},
			pinCertificate,
		},
		examples: []string{
			"PAYMENT.CAPTURE.COMPLETED", "CHECKOUT.ORDER.APPROVED",
			"BILLING.SUBSCRIPTION.CANCELLED",
		},
		note: "PayPal signs the CRC-32 of the body, not the body: whoever holds a webhook of yours, signature and " +
			"all, can make another body that it fits. So each transmission is taken once, within four days of its time. " +
			"The mock webhooks of PayPal's simulator are signed for no webhook ID and refused.",
	},
	{
		name: "paystack", title: "Paystack", docs: "https://paystack.com/docs/payments/webhooks/",
		secret:   "Secret Key (Settings › API Keys & Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-paystack-signature", Algorithm: "sha512"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"charge.success", "transfer.success", "subscription.create"},
	},
	{
		name: "persona", title: "Persona",
		docs:   "https://docs.withpersona.com/webhooks-best-practices#checking-signatures",
		secret: "Webhook secret, wbhsec_… (Dashboard › Webhooks)",
		scheme: signed{
			HMAC: HMAC{
				Header: "persona-signature", Payload: "{timestamp}.{body}", Tolerance: Unlimited,
			},
			layout: layout{
				separator: ",", equals: "=", signature: "v1", timestamp: "t", lists: true,
			},
		},
		ids:      []Locator{{JSON: "data.id"}},
		types:    []Locator{{JSON: "data.attributes.name"}},
		examples: []string{"inquiry.completed", "verification.passed"},
	},
	{
		name: "picqer", title: "Picqer", docs: "https://picqer.com/en/api/webhooks",
		// Source: Hookdeck's published code; not checked against Picqer's page.
		secret:   "secret, given when the webhook is created",
		scheme:   signed{HMAC: HMAC{Header: "x-picqer-signature", Encoding: "base64"}},
		ids:      []Locator{{Body: true}}, // the body has the event's time and its subject
		types:    []Locator{{JSON: "event"}},
		examples: []string{"orders.created", "picklists.closed"},
	},
	{
		name: "pipedrive", title: "Pipedrive",
		docs:     "https://pipedrive.readme.io/docs/guide-for-webhooks-v2",
		secret:   "http_auth_user and http_auth_password of the webhook, as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		types:    []Locator{{JSON: "meta.action"}, {JSON: "meta.entity"}},
		examples: []string{"create.deal", "change.person"},
		note:     "For version 2 of its webhooks.",
	},
	{
		name: "plaid", title: "Plaid",
		docs: "https://plaid.com/docs/api/webhooks/webhook-verification/",
		scheme: webToken{
			header: "plaid-verification", algorithm: "ES256", bodyHash: "request_body_sha256",
			hashForm: "hex", timed: "iat", tolerance: DefaultTolerance,
			published: published{find: findPlaid, check: checkEnvironment, sign: ecdsaSHA256},
		},
		types: []Locator{{JSON: "webhook_type"}, {JSON: "webhook_code"}},
		settings: []setting{
			{
				name: settingClientID, label: "client_id (Dashboard › Developers › Keys)",
				example: "000000000000000000000000",
			},
			{
				name:    settingClientSecret,
				label:   "secret of the environment (Dashboard › Developers › Keys)",
				example: "example-secret-0001",
			},
			{
				name: settingEnvironment, label: "production (default) or sandbox",
				example: production, optional: true,
			},
			pinKeySet,
		},
		examples: []string{"TRANSACTIONS.SYNC_UPDATES_AVAILABLE", "ITEM.ERROR"},
		note: "Plaid gives webhooks no id, and two of them may have one body: repeats are not recognised. Nor does a webhook say whose it is but by its " +
			"item_id: act on items of your own alone.",
	},
	{
		name: "polar", title: "Polar", docs: "https://polar.sh/docs/integrate/webhooks/delivery",
		secret:   "Secret (Settings › Webhooks)",
		scheme:   standardText,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"order.created", "subscription.active", "checkout.updated"},
	},
	{
		name: "postmark", title: "Postmark",
		docs:     "https://postmarkapp.com/developer/webhooks/webhooks-overview",
		secret:   "HTTP basic credentials of the webhook, as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		ids:      []Locator{{Body: true}}, // one message makes many records, each with its time
		types:    []Locator{{JSON: "RecordType"}},
		examples: []string{"Delivery", "Bounce", "SpamComplaint"},
	},
	{
		name: "printful", title: "Printful",
		docs:     "https://developers.printful.com/docs/v2-beta/#tag/Webhook-v2",
		secret:   "secret_key of the webhook configuration, hex",
		scheme:   signed{HMAC: HMAC{Header: "x-pf-webhook-signature", Key: keyHex}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"shipment_sent", "order_created"},
		note:     "For version 2 of the API; webhooks of version 1 are not signed.",
	},
	{
		name: "prismic", title: "Prismic", docs: "https://prismic.io/docs/webhooks",
		secret:   "Secret (Settings › Webhooks)",
		scheme:   bodyToken{member: "secret"},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"api-update", "test-trigger"},
		note:     "The secret is in the body, and is passed on with it.",
	},
	{
		name: "pulumi", title: "Pulumi Cloud",
		docs:     "https://www.pulumi.com/docs/pulumi-cloud/webhooks/",
		secret:   "Secret of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "pulumi-webhook-signature"}},
		ids:      []Locator{{Header: "pulumi-webhook-id"}},
		types:    []Locator{{Header: "pulumi-webhook-kind"}},
		examples: []string{"stack_update", "stack", "ping"},
		note:     "Choose the format JSON (raw): those for chats are not signed in this way.",
	},
	{
		name: "pusher", title: "Pusher Channels",
		docs:     "https://pusher.com/docs/channels/server_api/webhooks/",
		secret:   "secret (App Keys) of the key that X-Pusher-Key names",
		scheme:   signed{HMAC: HMAC{Header: "x-pusher-signature"}},
		ids:      []Locator{{Body: true}}, // the body is a batch, with its time in milliseconds
		types:    []Locator{{JSON: "events.0.name"}},
		examples: []string{"channel_occupied", "member_added", "client_event"},
		note:     "The type is that of a batch's first event.",
	},
	{
		name: "pylon", title: "Pylon",
		docs: "https://docs.usepylon.com/pylon-docs/developer/webhooks",
		// Source: Hookdeck's published code; not checked against Pylon's page. An article of
		// Pylon's support (December 2024) has another header, X-Pylon-Signature, over the body
		// alone.
		secret: "Secret of the webhook destination",
		scheme: signed{HMAC: HMAC{Header: "pylon-webhook-signature", Prefix: "hs256=",
			Payload:         "{timestamp}.{body}",
			TimestampHeader: "pylon-webhook-timestamp"}},
		examples: []string{"issue"},
		note:     "No type is sent: the body is what the trigger's action says.",
	},
	{
		name: "qstash", title: "Upstash QStash",
		docs:   "https://upstash.com/docs/qstash/howto/signature",
		secret: "Current and next signing key (Console › QStash › Signing keys), as two secrets",
		scheme: webToken{
			header: "upstash-signature", algorithm: "HS256", bodyHash: "body",
			hashForm: "base64url", timed: "nbf", tolerance: DefaultTolerance,
			claims: []wantedClaim{
				{name: "iss", values: []string{"Upstash"}}, {name: "sub", url: true},
			},
		},
		ids:      []Locator{{Header: "upstash-message-id"}},
		needsURL: "signs the destination",
		examples: []string{"message"},
		note:     "No type is sent: the body is what you published.",
	},
	{
		name: "quickbooks", title: "Intuit QuickBooks",
		docs:   "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks",
		secret: "Verifier token (your app › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "intuit-signature", Encoding: "base64"}},
		types: []Locator{{JSON: "eventNotifications.0.dataChangeEvent.entities.0.name"},
			{JSON: "eventNotifications.0.dataChangeEvent.entities.0.operation"}},
		orType:   Locator{JSON: "0.type"}, // in the format of CloudEvents
		examples: []string{"Customer.Create", "Invoice.Update"},
		note:     noteFirstEvent,
	},
	{
		name: "quicknode", title: "QuickNode Streams",
		docs:   "https://www.quicknode.com/guides/quicknode-products/streams/validating-incoming-streams-webhook-messages",
		secret: "Security token (the stream's Settings)",
		scheme: signed{HMAC: HMAC{Header: "x-qn-signature", Payload: "{id}{timestamp}{body}",
			IDHeader:        "x-qn-nonce",
			TimestampHeader: "x-qn-timestamp"}},
		ids:      []Locator{{Body: true}}, // the body is a range of blocks, each with a hash
		examples: []string{"block"},
		note:     "No type is sent.",
	},
	{
		name: "razorpay", title: "Razorpay",
		docs:     "https://razorpay.com/docs/webhooks/validate-test/",
		secret:   "secret given with the webhook in the dashboard, not the API key's",
		scheme:   signed{HMAC: HMAC{Header: "x-razorpay-signature"}},
		ids:      []Locator{{Header: "x-razorpay-event-id"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"payment.captured", "payment.authorized", "order.paid"},
	},
	{
		name: "recharge", title: "Recharge",
		docs: "https://docs.getrecharge.com/docs/webhooks-overview#validating-webhooks",
		// Sources: Recharge's page with its code, and other receivers, such as the crate
		// webhook-verify.
		secret:   "API Client Secret of the token",
		scheme:   hubSpotPlain{header: "x-recharge-hmac-sha256"},
		types:    []Locator{{Header: "x-recharge-topic"}},
		examples: []string{"charge/paid", "subscription/created"},
		note: "The signature is a plain hash with the secret in front, to which anybody can append: a body that is no JSON is refused, since what was appended to " +
			"would be none. It has no time.",
	},
	{
		name: "recurly", title: "Recurly",
		docs:   "https://docs.recurly.com/recurly-subscriptions/docs/signature-verification",
		secret: "Secret key of the endpoint (Webhook Endpoints)",
		scheme: signed{
			HMAC: HMAC{
				Header: "recurly-signature", Payload: "{timestamp}.{body}",
				TimestampFormat: timeMillis,
			},
			layout: layout{separator: ",", leading: true},
		},
		types:    []Locator{{JSON: "object_type"}, {JSON: "event_type"}},
		examples: []string{"account.created", "subscription.created"},
		note:     "For webhooks in JSON; those in XML are not signed.",
	},
	{
		name: "render", title: "Render", docs: "https://render.com/docs/webhooks",
		secret:   "Signing secret (Integrations › Webhooks)",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"deploy_ended", "deploy_started", "server_failed"},
	},
	{
		name: "replicate", title: "Replicate",
		docs:     "https://replicate.com/docs/topics/webhooks/verify-webhook",
		secret:   "signing secret, of GET /v1/webhooks/default/secret",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "status"}},
		examples: []string{"starting", "processing", "succeeded"},
	},
	{
		name: "resend", title: "Resend",
		docs:     "https://resend.com/docs/webhooks/verify-webhooks-requests",
		secret:   "Signing Secret (Webhooks › the webhook)",
		scheme:   svixScheme,
		ids:      []Locator{{Header: "svix-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"email.delivered", "email.sent", "email.bounced"},
	},
	{
		name: "retell", title: "Retell AI",
		docs:   "https://docs.retellai.com/features/secure-webhook",
		secret: "the API key with the webhook badge",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-retell-signature", Payload: "{body}{timestamp}",
				TimestampFormat: timeMillis,
			},
			layout: layout{separator: ",", equals: "=", signature: "d", timestamp: "v"},
		},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"call_ended", "call_started", "call_analyzed"},
	},
	{
		name: "revenuecat", title: "RevenueCat",
		docs:     "https://www.revenuecat.com/docs/integrations/webhooks",
		secret:   "Authorization header value of the webhook, the whole of it",
		scheme:   token{header: authorization},
		ids:      []Locator{{JSON: "event.id"}},
		types:    []Locator{{JSON: "event.type"}},
		examples: []string{"INITIAL_PURCHASE", "RENEWAL"},
	},
	{
		name: "revolut", title: "Revolut",
		docs:   "https://developer.revolut.com/docs/guides/merchant/monitor-and-observe/webhooks/verify-the-payload-signature",
		secret: "Signing secret, wsk_…, in the answer to the webhook's creation",
		scheme: signed{
			HMAC: HMAC{Header: "revolut-signature", Payload: "v1.{timestamp}.{body}",
				TimestampHeader: "revolut-request-timestamp",
				TimestampFormat: timeMillis},
			layout: layout{separator: ",", equals: "=", signature: "v1"},
		},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"ORDER_COMPLETED", "ORDER_AUTHORISED"},
	},
	{
		name: "ringcentral", title: "RingCentral",
		docs:   "https://developers.ringcentral.com/guide/notifications/webhooks/receiving",
		secret: "verificationToken of the subscription",
		scheme: token{header: "verification-token"},
		ids:    []Locator{{JSON: "uuid"}},
		types:  []Locator{{JSON: "event"}},
		handshake: handshake{
			about: "Validation-Token: echoed in the same header", open: echoRingCentral,
		},
		examples: []string{"presence"},
		note:     "The event type is the path of the event filter.",
	},
	{
		name: "salla", title: "Salla", docs: "https://docs.salla.dev/421119m0",
		secret:   "Webhook secret of the app (Salla Partners › your app › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-salla-signature"}},
		types:    []Locator{{JSON: "event"}},
		beside:   []companion{{header: "x-salla-security-strategy", value: "signature"}},
		examples: []string{"order.created", "product.updated"},
		note:     "Choose the security strategy Signature; with Token, use provider bearer.",
	},
	{
		name: "samsara", title: "Samsara", docs: "https://developers.samsara.com/docs/webhooks",
		secret: "Secret Key of the webhook, base64 (Settings › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-samsara-signature", Prefix: "v1=",
			Payload: "v1:{timestamp}:{body}", Key: keyBase64,
			TimestampHeader: "x-samsara-timestamp"}},
		ids:      []Locator{{JSON: "eventId"}},
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"VehicleUpdated", "AlertIncident", "Ping"},
	},
	{
		name: "sanity", title: "Sanity", docs: "https://www.sanity.io/docs/webhooks",
		secret: "Secret of the webhook (project API settings)",
		scheme: signed{
			// Our decision: Sanity's own library does not check the time, and no window is stated.
			HMAC: HMAC{Header: "sanity-webhook-signature", Encoding: "base64url",
				Payload: "{timestamp}.{body}", TimestampFormat: timeMillis,
				Tolerance: Unlimited},
			layout: layout{separator: ",", equals: "=", timestamp: "t", signature: "v1"},
		},
		ids:      []Locator{{Header: "idempotency-key"}},
		types:    []Locator{{Header: "sanity-operation"}},
		examples: []string{"create", "update", "delete"},
		note:     "An empty body is not signed: leave the webhook's method at POST and its projection not empty.",
	},
	{
		name: "segment", title: "Segment",
		docs:     "https://segment.com/docs/connections/destinations/catalog/webhooks/#authentication",
		secret:   "Shared Secret of the destination",
		scheme:   signed{HMAC: HMAC{Header: "x-signature", Algorithm: "sha1"}},
		ids:      []Locator{{JSON: "messageId"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"track", "identify"},
		note:     "Leave batching off: of a batch Segment signs the first event alone, and so it is refused.",
	},
	{
		name: "sendbird", title: "Sendbird",
		docs:     "https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview",
		secret:   "master API token (Settings › Application › General)",
		scheme:   signed{HMAC: HMAC{Header: "x-sendbird-signature"}},
		types:    []Locator{{JSON: "category"}},
		examples: []string{"group_channel:message_send", "group_channel:create", "user:block"},
	},
	{
		name: "sendgrid", title: "Twilio SendGrid",
		docs:   "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
		secret: "Verification Key (Settings › Mail Settings › Signed Event Webhook)",
		// SendGrid states no tolerance. It repeats a webhook for a day, and does not say whether it
		// signs it again.
		scheme: public{
			signature: ecdsaSHA256, keyForm: keySPKI,
			header: "x-twilio-email-event-webhook-signature", encoding: "base64",
			payload: []string{
				placeTimestamp, placeBody,
			}, timestampHeader: "x-twilio-email-event-webhook-timestamp", tolerance: Unlimited,
		},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "0.event"}},
		examples: []string{"delivered", "bounce", "open"},
		note:     "A webhook is a list of events; the type is the first one's.",
	},
	{
		name: "sentry", title: "Sentry",
		docs:     "https://docs.sentry.io/integrations/integration-platform/webhooks/",
		secret:   "Client Secret of the integration",
		scheme:   signed{HMAC: HMAC{Header: "sentry-hook-signature"}},
		ids:      []Locator{{Header: "request-id"}},
		types:    []Locator{{Header: "sentry-hook-resource"}, {JSON: "action"}},
		beside:   []companion{{header: "sentry-hook-timestamp", value: "{time}"}},
		examples: []string{"issue.created", "event_alert.triggered", "metric_alert.critical"},
		note:     "Sentry waits one second for the answer. It does not sign the time.",
	},
	{
		name: "shippo", title: "Shippo",
		docs:   "https://docs.goshippo.com/docs/tracking/webhooksecurity/",
		secret: "HMAC secret, which Shippo issues on request",
		scheme: signed{
			HMAC:   HMAC{Header: "shippo-auth-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"track_updated", "transaction_created"},
	},
	{
		name: "shopify", title: "Shopify",
		docs:   "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
		secret: "Client secret of the app",
		scheme: signed{
			HMAC: HMAC{Header: "x-shopify-hmac-sha256", Encoding: "base64"},
			or:   "shopify-hmac-sha256",
		},
		// An event makes webhooks of several topics. Each has the event's id, by which Shopify
		// identifies repeated webhooks.
		ids: []Locator{{Header: "x-shopify-event-id"}, {Header: "x-shopify-topic"}}, allIDs: true,
		idBy:   shopifyID,
		types:  []Locator{{Header: "x-shopify-topic"}},
		orType: Locator{Header: "shopify-topic"},
		beside: []companion{
			{header: "x-shopify-shop-domain", value: "example.myshopify.com"},
			{header: "x-shopify-api-version", value: "2026-07"},
			{header: "x-shopify-webhook-id", value: "{id}"},
		},
		examples: []string{"orders/create", "products/update"},
		note:     "Both kinds are taken: webhooks, with X-Shopify- headers, and Events, whose headers begin with Shopify-.",
	},
	{
		name: "shopline", title: "SHOPLINE",
		docs: "https://developer.shopline.com/docs/apps/api-instructions-for-use/webhooks/overview",
		// Source: SHOPLINE's page on webhooks, whose example of the signature is base64.
		secret:   "App secret (Developer Center › App credentials)",
		scheme:   signed{HMAC: HMAC{Header: "x-shopline-hmac-sha256", Encoding: "base64"}},
		ids:      []Locator{{Header: "x-shopline-webhook-id"}},
		types:    []Locator{{Header: "x-shopline-topic"}},
		examples: []string{"orders/create", "products/update"},
	},
	{
		name: "shopware", title: "Shopware",
		docs:     "https://developer.shopware.com/docs/guides/plugins/apps/webhook.html",
		secret:   "Shop secret of the app's registration",
		scheme:   signed{HMAC: HMAC{Header: "shopware-shop-signature"}},
		ids:      []Locator{{JSON: "source.eventId"}},
		types:    []Locator{{JSON: "data.event"}},
		examples: []string{"product.written", "checkout.order.placed"},
	},
	{
		name: "shortcut", title: "Shortcut", docs: "https://developer.shortcut.com/api/webhook/v1",
		secret:   "Secret of the webhook (Settings › Integrations › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "payload-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "actions.0.entity_type"}, {JSON: "actions.0.action"}},
		examples: []string{"story.update", "story.create"},
		note:     "The event type is that of the first action.",
	},
	{
		name: "sinch", title: "Sinch Conversation API",
		docs:   "https://developers.sinch.com/docs/conversation/callbacks/#validating-callbacks",
		secret: "Secret token of the webhook",
		// Each attempt has its own nonce, so it is signed again.
		scheme: signed{HMAC: HMAC{Header: "x-sinch-webhook-signature", Encoding: "base64",
			Payload:         "{body}.{id}.{timestamp}",
			IDHeader:        "x-sinch-webhook-signature-nonce",
			TimestampHeader: "x-sinch-webhook-signature-timestamp"}},
		ids: []Locator{{Body: true}}, // the body has ids and the time, in milliseconds
		typeBy: typeBy{
			about: "the name of the first member that is an object", read: firstObject,
		},
		beside:   []companion{{header: "x-sinch-webhook-signature-algorithm", value: "HmacSHA256"}},
		examples: []string{"message_delivery_report", "message"},
	},
	{
		name: "sinch-numbers", title: "Sinch Numbers API",
		docs:     "https://developers.sinch.com/docs/numbers/",
		secret:   "hmacSecret of the callback configuration",
		scheme:   signed{HMAC: HMAC{Header: "x-sinch-signature", Algorithm: "sha1"}},
		ids:      []Locator{{JSON: "eventId"}},
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"PROVISIONING_TO_VOICE_PLATFORM"},
	},
	{
		name: "slack", title: "Slack",
		docs:   "https://docs.slack.dev/authentication/verifying-requests-from-slack/",
		secret: "Signing Secret (your app › Basic Information)",
		scheme: signed{HMAC: HMAC{Header: "x-slack-signature", Prefix: "v0=",
			Payload:         "v0:{timestamp}:{body}",
			TimestampHeader: "x-slack-request-timestamp"}},
		ids:    []Locator{{JSON: "event_id"}},
		types:  []Locator{{JSON: "event.type"}},
		orType: Locator{JSON: "type"},
		holder: document.Holder{Field: "payload"},
		handshake: handshake{
			about: "url_verification, signed: the challenge is echoed", proved: answerSlack,
		},
		reply:    &Reply{Status: 200}, // Slack would show a body to the user of a slash command
		examples: []string{"app_mention", "message"},
	},
	{
		name: "smartcar", title: "Smartcar",
		docs:   "https://smartcar.com/docs/integrations/webhooks/payload-verification",
		secret: "Application Management Token (Dashboard › Configuration)",
		scheme: signed{HMAC: HMAC{Header: "sc-signature"}, object: true},
		ids:    []Locator{{JSON: "eventId"}},
		types:  []Locator{{JSON: "eventType"}},
		handshake: handshake{
			about: "eventType VERIFY: the HMAC of its challenge", open: answerSmartcar,
		},
		examples: []string{"VEHICLE_STATE", "VEHICLE_ERROR"},
	},
	{
		name: "smartsheet", title: "Smartsheet",
		docs:   "https://developers.smartsheet.com/api/smartsheet/guides/webhooks/webhook-callbacks",
		secret: "sharedSecret, in the answer to the webhook's creation",
		scheme: signed{HMAC: HMAC{Header: "smartsheet-hmac-sha256"}},
		ids:    []Locator{{JSON: "nonce"}},
		types:  []Locator{{JSON: "events.0.objectType"}, {JSON: "events.0.eventType"}},
		orType: Locator{JSON: "newWebhookStatus"},
		handshake: handshake{about: "Smartsheet-Hook-Challenge, and again with every hundredth callback: echoed as Smartsheet-Hook-Response",
			open: echoSmartsheet},
		examples: []string{"row.created", "cell.updated"},
		note:     noteFirstEvent,
	},
	{
		name: "smile", title: "Smile API (getsmileapi.com)",
		docs: "https://docs.getsmileapi.com/reference/webhooks",
		// Source: Hookdeck's published code. Smile's page was read for the events, not for the
		// signature.
		secret:   "secret, given when the webhook is registered",
		scheme:   signed{HMAC: HMAC{Header: "smile-signature", Algorithm: "sha512"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ACCOUNT_CONNECTED", "TASK_FINISHED"},
	},
	{
		name: "sns", title: "Amazon SNS",
		docs:   "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
		scheme: sns{},
		ids:    []Locator{{JSON: "MessageId"}},
		types:  []Locator{{JSON: "Subject"}},
		orType: Locator{JSON: "Type"},
		settings: []setting{
			{
				name:    settingTopics,
				label:   "ARNs of the topics, separated by commas; others are refused",
				example: "arn:aws:sns:eu-west-1:123456789012:orders",
			},
			pinCertificate,
		},
		handshake: handshake{
			about:  "SubscriptionConfirmation, signed and for a topic of the settings: SubscribeURL is fetched",
			proved: confirmSNS,
		},
		beside: []companion{
			{header: "x-amz-sns-message-type", make: snsMember("Type")},
			{header: "x-amz-sns-message-id", make: snsMember("MessageId")},
			{header: "x-amz-sns-topic-arn", make: snsMember("TopicArn")},
		},
		examples: []string{"Notification"},
		note: "Leave raw message delivery off: without its envelope a message has no signature. UnsubscribeURL and " +
			"MessageAttributes are not signed. " +
			"The event type is the subject, or Notification.",
	},
	{
		name: "snyk", title: "Snyk",
		docs:     "https://docs.snyk.io/snyk-api/using-specific-snyk-apis/webhooks-apis",
		secret:   "secret, given when the webhook is created",
		scheme:   signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		ids:      []Locator{{Header: "x-snyk-transport-id"}},
		types:    []Locator{{Header: "x-snyk-event"}},
		beside:   []companion{{header: "x-snyk-timestamp", value: "{time}"}},
		examples: []string{"project_snapshot/v0", "ping/v0"},
	},
	{
		name: "solidgate", title: "Solidgate",
		docs: "https://docs.solidgate.com/payments/integrate/webhooks/",
		// Sources: Solidgate's page (payments/integrate/access-to-api), and its package
		// @solidgate/node-sdk 1.4.1, which signs requests in this way; Hookdeck's published code
		// for the names of the headers.
		secret: "webhook secret key, wh_sk_… (Hub › Developers › Channels)",
		scheme: signed{
			HMAC: HMAC{
				Header: "signature", Algorithm: "sha512", Encoding: encodingOfHex,
				Payload: "{setting}{body}{setting}",
			},
			setting: "public_key",
		},
		ids:   []Locator{{Header: "solidgate-event-id"}},
		types: []Locator{{Header: "solidgate-event-type"}},
		settings: []setting{
			{
				name: "public_key", label: "webhook public key, wh_pk_…, beside the secret one",
				example: "wh_pk_example",
			},
		},
		beside:   []companion{{header: "merchant", make: settingOf("public_key")}},
		examples: []string{"card_gate.order.updated", "subscription.updated.v2"},
	},
	{
		name: "sonarqube", title: "SonarQube",
		docs:     "https://docs.sonarsource.com/sonarqube-server/project-administration/webhooks",
		secret:   "Secret (Administration › Configuration › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-sonar-webhook-hmac-sha256"}},
		ids:      []Locator{{JSON: "taskId"}},
		types:    []Locator{{JSON: "status"}},
		examples: []string{"SUCCESS", "FAILED"},
	},
	{
		name: "spacelift", title: "Spacelift",
		docs:     "https://docs.spacelift.io/integrations/webhooks",
		secret:   "Secret of the webhook (Integrations › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "x-signature-256", Prefix: "sha256="}},
		ids:      []Locator{{Body: true}}, // the body holds the run and the number of its state
		types:    []Locator{{JSON: "state"}},
		examples: []string{"FINISHED", "UNCONFIRMED", "FAILED"},
	},
	{
		name: "sparkpost", title: "SparkPost",
		docs:     "https://developers.sparkpost.com/api/webhooks/",
		secret:   "username and password of auth type Basic, as user:password",
		scheme:   token{header: authorization, prefix: "Basic ", basic: true},
		ids:      []Locator{{Header: "x-messagesystems-batch-id"}},
		types:    []Locator{{JSON: "0.msys.message_event.type"}},
		orType:   Locator{JSON: "0.msys.track_event.type"},
		examples: []string{"delivery", "bounce", "open"},
		note:     noteFirstEvent,
	},
	{
		name: "square", title: "Square",
		docs:   "https://developer.squareup.com/docs/webhooks/step3validate",
		secret: "Signature key (Developer Console › Webhooks › the subscription)",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-square-hmacsha256-signature", Encoding: "base64", Payload: "{url}{body}",
			},
		},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "type"}},
		needsURL: "signs the notification URL",
		examples: []string{"payment.created", "refund.updated"},
	},
	{
		name: "squarespace", title: "Squarespace",
		docs:     "https://developers.squarespace.com/webhooks/verifying-notifications",
		secret:   "secret, hex, in the answer to the subscription's creation",
		scheme:   signed{HMAC: HMAC{Header: "squarespace-signature", Key: keyHex}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "topic"}},
		examples: []string{"order.create", "order.update", "extension.uninstall"},
	},
	{
		name: "standard-webhooks", title: "Standard Webhooks",
		docs:     "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
		secret:   "Signing secret, whsec_… or whpk_…",
		scheme:   standardScheme,
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"user.created"},
	},
	{
		name: "storyblok", title: "Storyblok",
		docs:     "https://www.storyblok.com/docs/concepts/webhooks",
		secret:   "Webhook secret (Settings › Webhooks)",
		scheme:   signed{HMAC: HMAC{Header: "webhook-signature", Algorithm: "sha1"}},
		types:    []Locator{{JSON: "action"}},
		examples: []string{"published", "unpublished", "deleted"},
		note:     "Storyblok never sends a failed webhook again.",
	},
	{
		name: "strapi", title: "Strapi",
		docs:     "https://docs.strapi.io/cms/backend-customization/webhooks",
		secret:   "value of a header Authorization of the webhook, less Bearer",
		scheme:   token{header: authorization, prefix: "Bearer "},
		types:    []Locator{{Header: "x-strapi-event"}},
		examples: []string{"entry.create", "entry.publish", "media.create"},
		note:     "Add the header Authorization: Bearer <secret> to the webhook. Strapi never sends a failed webhook again.",
	},
	{
		name: "strava", title: "Strava", docs: "https://developers.strava.com/docs/webhooks/",
		// Sources: Strava's page for the fields of an event; Hookdeck's published code for the
		// handshake.
		scheme: unsigned{},
		ids:    []Locator{{Body: true}}, // the body says what has changed, and when
		types:  []Locator{{JSON: "object_type"}, {JSON: "aspect_type"}},
		settings: []setting{
			{
				name: "verify_token", label: "verify_token of the subscription, of your own making",
				example: "STRAVA",
			},
		},
		handshake: handshake{about: "GET with hub.mode=subscribe: hub.challenge is echoed as JSON if hub.verify_token is yours", methods: []string{"GET"},
			open: answerStrava},
		examples: []string{"activity.create", "activity.update", "athlete.update"},
		note:     "Strava signs nothing: anybody who knows the URL can send. Fetch what an event is about from Strava.",
	},
	{
		name: "stripe", title: "Stripe", docs: "https://docs.stripe.com/webhooks/signature",
		secret: "Signing secret, whsec_… (Workbench › Webhooks); the key is the whole of it, its prefix included",
		scheme: signed{
			HMAC:   HMAC{Header: "stripe-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"charge.succeeded", "invoice.paid"},
	},
	{
		name: "stytch", title: "Stytch", docs: "https://stytch.com/docs/b2b/guides/webhooks",
		secret: "Signing secret (Webhooks › the endpoint)",
		scheme: svixScheme,
		ids:    []Locator{{Header: "svix-id"}},
		types:  []Locator{{JSON: "source"}, {JSON: "object_type"}, {JSON: "action"}},
		examples: []string{
			"DASHBOARD.organization.CREATE", "DASHBOARD.member.UPDATE", "SCIM.member.CREATE",
		},
	},
	{
		name: "sumsub", title: "Sumsub", docs: "https://docs.sumsub.com/docs/webhook-manager",
		secret:   "Secret key of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-payload-digest"}},
		ids:      []Locator{{Body: true}}, // the body has ids and the time, in milliseconds
		types:    []Locator{{JSON: "type"}},
		beside:   []companion{{header: "x-payload-digest-alg", value: "HMAC_SHA256_HEX"}},
		examples: []string{"applicantReviewed", "applicantCreated"},
		note:     "Choose the algorithm HMAC_SHA256_HEX.",
	},
	{
		name: "supabase-auth-hooks", title: "Supabase Auth hooks",
		docs:   "https://supabase.com/docs/guides/auth/auth-hooks",
		secret: "hook secret, v1,whsec_… (Authentication › Hooks); where several are joined by |, each by itself",
		scheme: signed{
			HMAC: HMAC{Header: "webhook-signature", Encoding: "base64",
				Payload: "{id}.{timestamp}.{body}", Key: keyStandard,
				IDHeader: "webhook-id", TimestampHeader: "webhook-timestamp"},
			// the standard's separator is a space
			layout: layout{separator: ", ", equals: ",", signature: "v1"},
		},
		// No id: webhook-id changes with each attempt.
		examples: []string{"send-email", "send-sms"},
		note:     "No type is sent: make a source for each hook. Hooks whose answer Supabase uses, such as custom-access-token, cannot be relayed.",
	},
	{
		name: "supabase-database-webhooks", title: "Supabase database webhooks",
		docs:     "https://supabase.com/docs/guides/database/webhooks",
		secret:   "value of a header Authorization of the webhook (Database › Webhooks), less Bearer",
		scheme:   token{header: authorization, prefix: "Bearer "},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"INSERT", "UPDATE", "DELETE"},
		note:     "Add the header Authorization: Bearer <secret> to the webhook.",
	},
	{
		name: "surveymonkey", title: "SurveyMonkey",
		docs:   "https://developer.surveymonkey.com/api/v3/#webhook-callbacks",
		secret: "Client ID, & and Secret of the app, together",
		scheme: signed{
			HMAC: HMAC{Header: "sm-signature", Algorithm: "sha1", Encoding: "base64"},
		},
		ids:       []Locator{{JSON: "event_id"}},
		types:     []Locator{{JSON: "event_type"}},
		handshake: handshakeHead,
		examples:  []string{"response_completed", "response_updated"},
	},
	{
		name: "svix", title: "Svix",
		docs:     "https://docs.svix.com/receiving/verifying-payloads/how-manual",
		secret:   "Signing Secret, whsec_… or whpk_… (Endpoints › the endpoint)",
		scheme:   svixScheme,
		ids:      []Locator{{Header: "svix-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"invoice.paid"},
		note:     "For every sender whose webhooks have svix- headers and that is not in this list.",
	},
	{
		name: "synctera", title: "Synctera", docs: "https://docs.synctera.com/docs/webhooks-guide",
		// Source: Hookdeck's published code. Synctera's guide was read for the events, not for the
		// signature.
		secret: "secret of POST /v0/webhook_secrets",
		scheme: signed{
			HMAC: HMAC{
				Header: "synctera-signature", Payload: "{timestamp}.{body}",
				TimestampHeader: "request-timestamp",
			},
			layout: layout{separator: "."}, // one for each secret during a rotation
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"ACCOUNT.UPDATED", "TRANSACTIONS.POSTED.CREATED"},
	},
	{
		name: "tally", title: "Tally", docs: "https://tally.so/help/webhooks",
		secret:   "Signing secret (the form's Integrations)",
		scheme:   signed{HMAC: HMAC{Header: "tally-signature", Encoding: "base64"}},
		ids:      []Locator{{JSON: "eventId"}},
		types:    []Locator{{JSON: "eventType"}},
		examples: []string{"FORM_RESPONSE"},
	},
	{
		name: "tebex", title: "Tebex", docs: "https://docs.tebex.io/developers/webhooks/overview",
		// Source: Hookdeck's published code; not checked against Tebex's page.
		secret: "Webhook secret (Developers › Webhooks › Endpoints)",
		scheme: signed{HMAC: HMAC{Header: "x-signature"}, hashed: true},
		ids:    []Locator{{JSON: "id"}},
		types:  []Locator{{JSON: "type"}},
		handshake: handshake{
			about: "validation.webhook, signed: its id, as JSON", proved: answerTebex,
		},
		examples: []string{"payment.completed", "recurring-payment.started"},
	},
	{
		name: "telegram", title: "Telegram Bot API",
		docs:   "https://core.telegram.org/bots/api#setwebhook",
		secret: "secret_token, given to setWebhook",
		scheme: token{header: "x-telegram-bot-api-secret-token"},
		ids:    []Locator{{JSON: "update_id"}},
		typeBy: typeBy{about: "the name of the first member that is an object", read: firstObject},
		// Telegram would read a body as a call of the Bot API.
		reply:    &Reply{Status: 200},
		examples: []string{"message", "callback_query"},
	},
	{
		name: "telnyx", title: "Telnyx",
		docs:   "https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
		secret: "Public Key (Mission Control › Keys & Credentials)",
		scheme: public{
			signature: ed25519Pure, keyForm: keyBase64, header: "telnyx-signature-ed25519",
			encoding: "base64",
			payload:  []string{placeTimestamp, "|", placeBody}, timestampHeader: "telnyx-timestamp",
		},
		ids:      []Locator{{JSON: "data.id"}},
		types:    []Locator{{JSON: "data.event_type"}},
		examples: []string{"message.received", "call.initiated", "message.finalized"},
	},
	{
		name: "terra", title: "Terra", docs: "https://docs.tryterra.co/reference/signing",
		secret: "Signing secret (Dashboard › Connections › Destinations › the webhook)",
		// The default window is that of Terra's own package.
		scheme: signed{
			HMAC:   HMAC{Header: "terra-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"},
		},
		// the body holds the user, the data, and the times of the data
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"daily", "activity", "auth"},
	},
	{
		name: "terraform", title: "HCP Terraform",
		docs:     "https://developer.hashicorp.com/terraform/cloud-docs/api-docs/notification-configurations",
		secret:   "Token (workspace Settings › Notifications)",
		scheme:   signed{HMAC: HMAC{Header: "x-tfe-notification-signature", Algorithm: "sha512"}},
		types:    []Locator{{JSON: "notifications.0.trigger"}},
		orType:   Locator{JSON: "trigger"},
		examples: []string{"run:completed", "run:created", "assessment:drifted"},
	},
	{
		name: "tiktok", title: "TikTok",
		docs:   "https://developers.tiktok.com/doc/webhooks-verification",
		secret: "Client secret of the app",
		scheme: signed{
			HMAC:   HMAC{Header: "tiktok-signature", Payload: "{timestamp}.{body}"},
			layout: layout{separator: ",", equals: "=", signature: "s", timestamp: "t"},
		},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"video.publish.completed", "authorization.removed"},
	},
	{
		name: "tiktok-shop", title: "TikTok Shop",
		docs: "https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview",
		// Source: Hookdeck's published code; not checked against TikTok Shop's page.
		secret: "App secret",
		scheme: signed{
			HMAC: HMAC{Header: authorization, Payload: "{setting}{body}"}, setting: "app_key",
		},
		ids:   []Locator{{JSON: "tts_notification_id"}},
		types: []Locator{{JSON: "type"}},
		settings: []setting{
			{name: "app_key", label: "App key, beside the secret", example: "6example0key"},
		},
		reply:    &Reply{Status: 200}, // TikTok Shop expects no body
		examples: []string{"1"},
		note:     "The event type is TikTok Shop's number: 1 is ORDER_STATUS_CHANGE.",
	},
	{
		name: "todoist", title: "Todoist",
		docs:     "https://developer.todoist.com/api/v1/#tag/Webhooks",
		secret:   "Client secret of the app (App Management Console)",
		scheme:   signed{HMAC: HMAC{Header: "x-todoist-hmac-sha256", Encoding: "base64"}},
		ids:      []Locator{{Header: "x-todoist-delivery-id"}},
		types:    []Locator{{JSON: "event_name"}},
		examples: []string{"item:added", "item:completed"},
		note:     "Todoist sends nothing for a user who has not gone through the app's OAuth flow, not even for you.",
	},
	{
		name: "token", title: "whoever sends a header",
		docs:   "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2",
		secret: "the whole value of the header, of your own making",
		scheme: token{named: true},
		ids:    []Locator{{Header: "webhook-id"}, {Header: "idempotency-key"}},
		types:  []Locator{{Header: "webhook-type"}},
		settings: []setting{
			{
				name: headerSetting, label: "name of the header that holds the token",
				example: "X-Webhook-Token",
			},
		},
		examples: []string{"order.created"},
	},
	{
		name: "token-io", title: "Token.io",
		docs: "https://developer.token.io/token_rest_api_doc/content/e-rest/webhooks.htm",
		// Source: Hookdeck's published code. Token.io's page was read for the events, not for the
		// signature.
		secret: "public key of the member (Dashboard › Settings › Member Information)",
		scheme: public{
			signature: ed25519Pure, keyForm: keyBase64, header: "token-signature",
			encoding: "base64url", payload: []string{placeBody},
		},
		types:    []Locator{{Header: "token-event"}},
		examples: []string{"PAYMENT_STATUS_CHANGED", "REFUND_STATUS_CHANGED"},
	},
	{
		name: "travis-ci", title: "Travis CI",
		docs:   "https://docs.travis-ci.com/user/notifications/#verifying-webhook-requests",
		secret: "config.notifications.webhook.public_key of https://api.travis-ci.com/config",
		scheme: public{
			signature: rsaSHA1, keyForm: keySPKI, header: "signature", encoding: "base64",
			form: "payload",
		},
		ids:    []Locator{{Body: true}},
		types:  []Locator{{JSON: "type"}},
		holder: document.Holder{Field: "payload"},
		pin: pin{
			setting: "repositories", paths: []string{"repository.owner_name", "repository.name"},
		},
		settings: []setting{{name: "repositories",
			label:   "your repositories, owner/name, separated by commas: Travis CI signs those of all its users with one key",
			example: "example/web"}},
		examples: []string{"push", "pull_request", "cron"},
		note:     "The signature is over the form's field payload; it has no time.",
	},
	{
		name: "trello", title: "Trello",
		docs:   "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
		secret: "Secret (trello.com/power-ups/admin › your Power-Up › API key)",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-trello-webhook", Algorithm: "sha1", Encoding: "base64",
				Payload: "{body}{url}",
			},
		},
		// An action is sent by the webhook of each board, list and card that it concerns. Each of
		// these webhooks names its own model.
		ids: []Locator{{JSON: "action.id"}, {JSON: "model.id"}}, allIDs: true,
		types:     []Locator{{JSON: "action.type"}},
		needsURL:  "signs the callbackURL",
		handshake: handshakeHead,
		examples:  []string{"updateCard", "createCard"},
	},
	{
		name: "twilio", title: "Twilio",
		docs:     "https://www.twilio.com/docs/usage/security#validating-requests",
		secret:   "Auth Token (Console › Account Info)",
		scheme:   formSigned{header: "x-twilio-signature", twilio: true},
		ids:      []Locator{{Header: "i-twilio-idempotency-token"}},
		needsURL: "signs the URL of the webhook",
		reply:    &Reply{Status: 200}, // Twilio would read a body as TwiML
		examples: []string{"incoming-message"},
		note: "Let Twilio use POST. There is no event type: make a source for each kind of webhook, and for each query that you give Twilio with " +
			"the URL.",
	},
	{
		name: "twitch", title: "Twitch EventSub",
		docs:   "https://dev.twitch.tv/docs/eventsub/handling-webhook-events/",
		secret: "secret, given when the subscription is created",
		// The ten minutes are the documentation's advice on replays.
		scheme: signed{HMAC: HMAC{Header: "twitch-eventsub-message-signature", Prefix: "sha256=",
			Payload:         "{id}{timestamp}{body}",
			IDHeader:        "twitch-eventsub-message-id",
			TimestampHeader: "twitch-eventsub-message-timestamp", TimestampFormat: timeRFC3339,
			Tolerance: 10 * time.Minute}},
		ids:   []Locator{{Header: "twitch-eventsub-message-id"}},
		types: []Locator{{JSON: "subscription.type"}},
		handshake: handshake{about: "webhook_callback_verification, signed: the challenge is echoed; revocation: taken note of",
			proved: answerTwitch},
		beside: []companion{
			{header: "twitch-eventsub-message-type", value: "notification"},
			{header: "twitch-eventsub-message-retry", value: "0"},
			{header: "twitch-eventsub-subscription-type", value: "{type}"},
			{header: "twitch-eventsub-subscription-version", value: "1"},
		},
		examples: []string{"stream.online", "channel.follow"},
	},
	{
		name: "typeform", title: "Typeform",
		docs:   "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
		secret: "Secret (Connect › Webhooks)",
		scheme: signed{
			HMAC: HMAC{Header: "typeform-signature", Encoding: "base64", Prefix: "sha256="},
		},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"form_response"},
	},
	{
		name: "uber-eats", title: "Uber Eats",
		docs:     "https://developer.uber.com/docs/eats/guides/webhooks",
		secret:   "Client secret of the app",
		scheme:   signed{HMAC: HMAC{Header: "x-uber-signature"}},
		ids:      []Locator{{JSON: "event_id"}},
		types:    []Locator{{JSON: "event_type"}},
		reply:    &Reply{Status: 200}, // Uber expects no body
		examples: []string{"orders.notification", "orders.cancel"},
	},
	{
		name: "unit", title: "Unit", docs: "https://docs.unit.co/webhooks/#securing-your-webhooks",
		secret: "Token of the webhook, the whole of it",
		scheme: signed{
			HMAC: HMAC{Header: "x-unit-signature", Algorithm: "sha1", Encoding: "base64"},
		},
		ids:      []Locator{{Body: true}}, // the body is a list of events, each with an id
		types:    []Locator{{JSON: "data.0.type"}},
		examples: []string{"transaction.created", "application.approved"},
		note:     noteFirstEvent,
	},
	{
		name: "utila", title: "Utila", docs: "https://docs.utila.io/reference/webhooks",
		// Source: Hookdeck's published code. Utila's page was read for the events, not for the
		// signature.
		secret: "public key of the webhooks, PEM (Vault Settings › Webhooks)",
		scheme: public{
			signature: rsaPSSSHA512, keyForm: keySPKI, header: "x-utila-signature",
			encoding: "base64", payload: []string{placeBody},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"TRANSACTION_CREATED", "TRANSACTION_STATE_UPDATED"},
	},
	{
		name: "vercel", title: "Vercel", docs: "https://vercel.com/docs/webhooks",
		secret:   "secret, shown once when the webhook is created (Settings › Webhooks); an integration's Client Secret",
		scheme:   signed{HMAC: HMAC{Header: "x-vercel-signature", Algorithm: "sha1"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"deployment.created", "deployment.succeeded", "project.created"},
	},
	{
		name: "vercel-log-drains", title: "Vercel Drains",
		docs: "https://vercel.com/docs/drains/security",
		// Sources: Vercel's page for the signature; Hookdeck's published code for the answer with
		// x-vercel-verify.
		secret: "Signature secret of the drain (Team Settings › Drains)",
		scheme: signed{HMAC: HMAC{Header: "x-vercel-signature", Algorithm: "sha1"}},
		ids:    []Locator{{Body: true}}, // the body is a batch of entries, each with an id
		types:  []Locator{{JSON: "0.source"}},
		settings: []setting{
			{
				name: "verify", label: "value of x-vercel-verify, shown when the drain is made",
				example: "example-verify",
			},
		},
		handshake: handshake{about: "a request without a signature: an empty 200 with x-vercel-verify; nothing is accepted", methods: []string{"GET"},
			open: answerVercelDrain},
		examples: []string{"lambda", "edge", "build"},
		note:     "The type is that of a batch's first entry, where the drain sends JSON; of NDJSON there is none.",
	},
	{
		name: "veriff", title: "Veriff",
		docs:     "https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security",
		secret:   "Shared secret key of the integration",
		scheme:   signed{HMAC: HMAC{Header: "x-hmac-signature"}},
		types:    []Locator{{JSON: "action"}},
		orType:   Locator{JSON: "verification.status"},
		examples: []string{"submitted", "started"},
	},
	{
		name: "viber", title: "Viber",
		docs:   "https://developers.viber.com/docs/api/rest-bot-api/#callbacks",
		secret: "Auth token of the bot",
		scheme: signed{HMAC: HMAC{Header: "x-viber-content-signature"}},
		// a message's receipts have its token
		ids: []Locator{{JSON: "message_token"}, {JSON: "event"}}, allIDs: true,
		types:    []Locator{{JSON: "event"}},
		examples: []string{"message", "delivered", "webhook"},
	},
	{
		name: "vonage", title: "Vonage",
		docs:   "https://developer.vonage.com/en/getting-started/concepts/webhooks",
		secret: "Signature secret (Dashboard › API settings)",
		// Vonage states no tolerance. It repeats a webhook for a day, and does not say whether it
		// signs it again.
		scheme: webToken{
			header: authorization, prefix: "Bearer ", algorithm: "HS256",
			bodyHash: "payload_hash", hashForm: "hex", timed: "iat", tolerance: Unlimited,
		},
		ids:      []Locator{{Body: true}},
		types:    []Locator{{JSON: "status"}},
		orType:   Locator{JSON: "message_type"},
		examples: []string{"delivered", "text"},
		note:     "For webhooks that are POSTed by the Messages and Voice APIs. The older SMS API signs in another way.",
	},
	{
		name: "webex", title: "Webex", docs: "https://developer.webex.com/docs/api/guides/webhooks",
		secret:   "secret, given when the webhook is created",
		scheme:   signed{HMAC: HMAC{Header: "x-spark-signature", Algorithm: "sha1"}},
		types:    []Locator{{JSON: "resource"}, {JSON: "event"}},
		examples: []string{"messages.created", "meetings.started"},
	},
	{
		name: "webflow", title: "Webflow",
		docs:   "https://developers.webflow.com/data/changelog/webhook-signatures",
		secret: "Client Secret of the OAuth application",
		scheme: signed{HMAC: HMAC{Header: "x-webflow-signature", Payload: "{timestamp}:{body}",
			TimestampHeader: "x-webflow-timestamp", TimestampFormat: timeMillis}},
		types:    []Locator{{JSON: "triggerType"}},
		examples: []string{"form_submission", "site_publish", "ecomm_new_order"},
		note:     "Make the webhook by the API, as an OAuth application: those of the dashboard may be unsigned.",
	},
	{
		name: "websub", title: "WebSub", docs: "https://www.w3.org/TR/websub/#signing-content",
		secret:    "hub.secret of the subscription",
		scheme:    signed{HMAC: HMAC{Header: "x-hub-signature", Prefix: "sha256="}},
		settings:  settingsWebSub,
		handshake: handshakeWebSub,
		beside:    []companion{{header: "link", make: webSubLinks}},
		examples:  []string{"content"},
		note:      "For hubs that sign with SHA-256.",
	},
	{
		name: "wechat-pay", title: "WeChat Pay",
		docs:   "https://pay.weixin.qq.com/doc/global/v3/en/4012357149",
		secret: "WeChat Pay public key, PEM (API Security); the platform certificate's public key where there is none",
		scheme: public{
			signature: rsaSHA256, keyForm: keySPKI, header: "wechatpay-signature",
			encoding: "base64",
			payload:  []string{placeTimestamp, "\n", placeID, "\n", placeBody, "\n"},
			idHeader: "wechatpay-nonce", timestampHeader: "wechatpay-timestamp",
		},
		ids:   []Locator{{JSON: "id"}},
		types: []Locator{{JSON: "event_type"}},
		beside: []companion{
			{header: "wechatpay-serial", value: "PUB_KEY_ID_0000000000000000000000000000"},
			{header: "wechatpay-signature-type", value: "WECHATPAY2-SHA256-RSA2048"},
		},
		examples: []string{"TRANSACTION.SUCCESS", "REFUND.SUCCESS"},
		note:     "What is in resource stays encrypted; the endpoint has the APIv3 key.",
	},
	{
		name: "whatsapp", title: "WhatsApp Business Platform", docs: docsMeta, secret: labelMeta,
		scheme: schemeMeta, settings: settingsMeta, beside: besideMeta,
		handshake: handshakeMeta,
		// each message has an id, each status its message's id and a time
		ids:      []Locator{{Body: true}},
		types:    typesMeta,
		examples: []string{"whatsapp_business_account.messages"},
	},
	{
		name: "wise", title: "Wise",
		docs:   "https://docs.wise.com/guides/developer/webhooks/event-handling",
		secret: "Public key of the environment, as the page on event handling shows it",
		scheme: public{
			signature: rsaSHA256, keyForm: keySPKI, header: "x-signature-sha256",
			encoding: "base64", payload: []string{placeBody},
		},
		ids:   []Locator{{Header: "x-delivery-id"}, {Body: true}},
		types: []Locator{{JSON: "event_type"}},
		pin:   pin{setting: "subscription_ids", paths: []string{"subscription_id"}},
		settings: []setting{{name: "subscription_ids",
			label:   "ids of your subscriptions, separated by commas: Wise signs all customers' webhooks with one key",
			example: "01234567-89ab-4def-8123-456789abcdef"}},
		examples: []string{"transfers#state-change", "balances#credit"},
		note:     "Wise signs neither the delivery id nor a time.",
	},
	{
		name: "wix", title: "Wix",
		docs:   "https://dev.wix.com/docs/build-apps/develop-your-app/access/authentication/verify-requests-received-from-wix",
		secret: "Public key of the app (View ID & keys)",
		// A token expires by itself, some days later.
		scheme: webToken{
			media: "text/plain", algorithm: "RS256", public: rsaSHA256, timed: "iat",
			tolerance: Unlimited,
		},
		ids:      []Locator{{JSON: "data.id"}},
		types:    []Locator{{JSON: "eventType"}},
		holder:   document.Holder{Token: true, Claim: "data", Inline: "data"},
		examples: []string{"wix.contacts.v4.contact_created", "wix.events.v3.event_created"},
		note: "The body is a JSON Web Token, and is passed on as it is; ids and types are those of the JSON in its claim data. Wix waits 1.25 seconds " +
			"for the answer.",
	},
	{
		name: "woocommerce", title: "WooCommerce",
		docs:   "https://developer.woocommerce.com/docs/webhooks/",
		secret: "Secret (WooCommerce › Settings › Advanced › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-wc-webhook-signature", Encoding: "base64"}},
		ids:    []Locator{{Header: "x-wc-webhook-delivery-id"}},
		types:  []Locator{{Header: "x-wc-webhook-topic"}},
		beside: []companion{
			{header: "x-wc-webhook-source", value: "https://shop.example.com/"},
			{header: "x-wc-webhook-resource", make: beforeDot},
			{header: "x-wc-webhook-event", make: afterDot},
			{header: "x-wc-webhook-id", value: "1"},
		},
		examples: []string{"order.created", "product.updated"},
		handshake: handshake{
			about: "webhook_id in a form, without a signature, when the webhook is saved: an empty 200",
			open:  answerWooCommerce,
		},
	},
	{
		name: "workable", title: "Workable",
		docs:     "https://workable.readme.io/reference/webhook-subscriptions",
		secret:   "API access token that subscribed",
		scheme:   signed{HMAC: HMAC{Header: "x-workable-signature"}},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"candidate_created", "candidate_moved"},
	},
	{
		name: "workos", title: "WorkOS",
		docs:   "https://workos.com/docs/events/data-syncing/webhooks",
		secret: "Signing secret (Webhooks › the endpoint)",
		scheme: signed{
			HMAC: HMAC{
				Header: "workos-signature", Payload: "{timestamp}.{body}",
				TimestampFormat: timeMillis, Tolerance: 3 * time.Minute,
			},
			layout: layout{separator: ",", equals: "=", timestamp: "t", signature: "v1"},
		},
		ids:      []Locator{{JSON: "id"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"user.created", "dsync.user.created", "connection.activated"},
	},
	{
		name: "x", title: "X (Account Activity API)",
		docs:   "https://docs.x.com/x-api/account-activity/introduction",
		secret: "API Key Secret (Consumer Secret) of the app",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-twitter-webhooks-signature", Encoding: "base64", Prefix: "sha256=",
			},
			object: true,
		},
		ids: []Locator{{Body: true}}, // each event has an id or a time in milliseconds
		typeBy: typeBy{
			about: "the name of the first member that is an object or a list", read: firstObject,
		},
		handshake: handshake{
			about: "GET with crc_token: its HMAC", methods: []string{"GET"}, open: answerX,
		},
		examples: []string{"tweet_create_events", "direct_message_events"},
	},
	{
		name: "xendit", title: "Xendit", docs: "https://docs.xendit.co/docs/handling-webhooks",
		secret:   "Webhook verification token (Settings › Webhooks)",
		scheme:   token{header: "x-callback-token"},
		ids:      []Locator{{Header: "webhook-id"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"payment.succeeded"},
		note:     "Older products, such as invoices, send no type.",
	},
	{
		name: "xero", title: "Xero",
		docs:   "https://developer.xero.com/documentation/guides/webhooks/overview/",
		secret: "Webhooks key (your app › Webhooks)",
		scheme: signed{HMAC: HMAC{Header: "x-xero-signature", Encoding: "base64"}},
		ids:    []Locator{{Body: true}}, // the body has a random text, entropy
		types:  []Locator{{JSON: "events.0.eventCategory"}, {JSON: "events.0.eventType"}},
		handshake: handshake{about: "intent to receive, a signed list of no events: 200 if the signature matches, else 401",
			proved: answerXero},
		reply:    &Reply{Status: 200}, // Xero expects no body
		examples: []string{"INVOICE.UPDATE", "CONTACT.CREATE"},
		note:     "The event type is that of the first event.",
	},
	{
		name: "yampi", title: "Yampi", docs: "https://docs.yampi.com.br/api-reference/webhooks",
		secret:   "Secret key of the webhook",
		scheme:   signed{HMAC: HMAC{Header: "x-yampi-hmac-sha256", Encoding: "base64"}},
		types:    []Locator{{JSON: "event"}},
		examples: []string{"order.paid", "order.created"},
	},
	{
		name: "youtube", title: "YouTube",
		docs:   "https://developers.google.com/youtube/v3/guides/push_notifications",
		secret: "hub.secret of the subscription",
		scheme: signed{
			HMAC: HMAC{Header: "x-hub-signature", Algorithm: "sha1", Prefix: "sha1="},
		},
		settings:  settingsWebSub,
		handshake: handshakeWebSub,
		beside:    []companion{{header: "link", make: webSubLinks}},
		examples:  []string{"video"},
	},
	{
		name: "zendesk", title: "Zendesk",
		docs:   "https://developer.zendesk.com/documentation/webhooks/verifying/",
		secret: "Signing secret (Admin Center › Webhooks › Reveal secret)",
		scheme: signed{HMAC: HMAC{Header: "x-zendesk-webhook-signature", Encoding: "base64",
			Payload:         "{timestamp}{body}",
			TimestampHeader: "x-zendesk-webhook-signature-timestamp",
			TimestampFormat: timeRFC3339}},
		ids:      []Locator{{Header: "x-zendesk-webhook-invocation-id"}},
		types:    []Locator{{JSON: "type"}},
		examples: []string{"zen:event-type:ticket.created", "zen:event-type:user.created"},
		note:     "Before a webhook is saved, Zendesk tests it with a secret that everybody knows: such a test is refused.",
	},
	{
		name: "zero-hash", title: "Zero Hash",
		docs: "https://docs.zerohash.com/docs/webhook-security",
		// Sources: Zero Hash's page for the headers and the time, in milliseconds; Hookdeck's
		// published code for what x-zh-hook-signature covers.
		secret: "HMAC shared secret, which Zero Hash issues",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-zh-hook-signature", Payload: "{body}{timestamp}",
				TimestampHeader: "x-zh-hook-timestamp", TimestampFormat: timeUnix,
			},
			whole: true, object: true,
		},
		ids:      []Locator{{Header: "x-zh-hook-notification-id"}},
		types:    []Locator{{Header: "x-zh-hook-payload-type"}},
		examples: []string{"trade_status_changed", "account_balance.changed"},
		note:     "For the signature with a time; ask Zero Hash for it.",
	},
	{
		name: "zoho-payments", title: "Zoho Payments",
		docs:   "https://www.zoho.com/in/payments/developerdocs/webhooks/verification",
		secret: "Signing key of the webhook",
		scheme: signed{
			HMAC: HMAC{
				Header: "x-zoho-webhook-signature", Payload: "{timestamp}.{body}",
				TimestampFormat: timeMillis,
			},
			layout: layout{separator: ",", equals: "=", signature: "v", timestamp: "t"},
		},
		types:    []Locator{{JSON: "event_type"}},
		examples: []string{"payment.succeeded"},
	},
	{
		name: "zoom", title: "Zoom", docs: "https://developers.zoom.us/docs/api/webhooks/",
		secret: "Secret Token (your app › Features › Access)",
		// No window is stated, nor whether each attempt is signed again. A copy has the same body,
		// and so the same id.
		scheme: signed{HMAC: HMAC{Header: "x-zm-signature", Prefix: "v0=",
			Payload:         "v0:{timestamp}:{body}",
			TimestampHeader: "x-zm-request-timestamp", Tolerance: Unlimited}},
		ids:   []Locator{{Body: true}}, // each has its time in milliseconds
		types: []Locator{{JSON: "event"}},
		handshake: handshake{
			about:  "endpoint.url_validation, signed: the HMAC of its plainToken",
			proved: answerZoom,
		},
		examples: []string{"meeting.started", "recording.completed"},
	},
}
