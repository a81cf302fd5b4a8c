package verify

// Values that several entries of the table share.

// The schemes of the Standard Webhooks family.
var (
	standardScheme = standard{standardV1("webhook", keyStandard)}
	// of Svix, where the standard comes from
	svixScheme = standard{standardV1("svix", keyStandard)}
	// for senders whose key is the secret's own bytes, although it looks like a key of the
	// standard's
	standardText = standardV1("webhook", keyText)
)

// standardV1 is the HMAC of Standard Webhooks. name begins its headers, and key is the form of the
// key in a secret.
func standardV1(name, key string) signed {
	return signed{
		HMAC: HMAC{Header: name +
			"-signature", Encoding: "base64", Payload: "{id}.{timestamp}.{body}", Key: key,
			IDHeader: name + "-id", TimestampHeader: name + "-timestamp"},
		layout: layout{separator: " ", equals: ",", signature: "v1"},
	}
}

const noteJSONOnly = "Choose the content type application/json: of a form, another text is signed."

const noteHubSpotPlain = "The signature has no time, so that a copy can be sent again at any later time; and it is a plain hash with the secret in front, " +
	"to which anybody can append: a body that is no JSON is refused, since what was appended to would be none."

const noteFirstEvent = "The event type is that of the first event."

// Settings that several providers have.
var (
	pinCertificate = setting{
		name: settingCertificate,
		label: "a certificate in PEM, in the place of the one that each webhook names; " +
			"for tests without the provider", optional: true,
	}
	pinKeySet = setting{
		name:     settingKeySet,
		label:    "a JSON Web Key Set, in the place of the provider's; for tests without the provider",
		optional: true,
	}
)

// Values that the providers of Meta share.
const (
	docsMeta  = "https://developers.facebook.com/docs/graph-api/webhooks/getting-started"
	labelMeta = "App Secret (App Dashboard › App settings › Basic)"
)

var (
	schemeMeta   = signed{HMAC: HMAC{Header: "x-hub-signature-256", Prefix: "sha256="}}
	besideMeta   = []companion{{header: "x-hub-signature", make: sha1Signature("sha1=")}}
	typesMeta    = []Locator{{JSON: "object"}, {JSON: "entry.0.changes.0.field"}}
	settingsMeta = []setting{
		{
			name:    "verify_token",
			label:   "Verify Token (App Dashboard › Webhooks), of your own making",
			example: "meatyhamhock",
		},
	}
	handshakeMeta = handshake{about: "GET with hub.mode=subscribe: hub.challenge is echoed if hub.verify_token is yours", methods: []string{"GET"},
		open: answerMeta}

	settingsWebSub = []setting{
		{
			name: "topic", label: "hub.topic of the subscription, exactly",
			example: "https://example.com/feed.xml",
		},
		{name: "verify_token",
			label: "a random text of your own making, at least 16 characters: subscribe with hub.callback=https://…/in/SOURCE?verify_token=TEXT, " +
				"or with hub.verify_token=TEXT where the hub takes it",
			example: "example-verify-token"},
	}
	handshakeWebSub = handshake{about: "GET with hub.mode=subscribe: hub.challenge is echoed if hub.topic and the verify_token are yours",
		methods: []string{"GET"}, open: answerWebSub, check: checkVerifyToken}

	handshakeHead = handshake{about: "HEAD", methods: []string{"HEAD"}, open: acknowledgeHead}
)
