package verify

import (
	"cmp"
	"slices"
	"strings"
)

// alias is another name of a provider: one that other relays use, or an earlier name of the
// provider.
type alias struct{ name, provider string }

// Canonical returns the provider's name in this package for a name that a configuration may use.
// That may be an alias, or either name in capitals or with underscores, as other relays write them
// (AWS_SNS). Any other name is returned unchanged.
func Canonical(name string) string {
	plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if i, ok := slices.BinarySearchFunc(aliases, plain, func(a alias, name string) int {
		return cmp.Compare(a.name, name)
	}); ok {
		return aliases[i].provider
	}
	if _, ok := find(plain); ok {
		return plain
	}
	return name
}

// Aliases returns the aliases of all providers, sorted.
func Aliases() []string {
	names := make([]string, len(aliases))
	for i, a := range aliases {
		names[i] = a.name
	}
	return names
}

func aliasesOf(provider string) (names []string) {
	for _, a := range aliases {
		if a.provider == provider {
			names = append(names, a.name)
		}
	}
	return names
}

// aliases are sorted by name.
var aliases = []alias{
	{name: "adyen-payments", provider: "adyen"},
	{name: "amazon-sns", provider: "sns"},
	{name: "authorizenet", provider: "authorize-net"},
	{name: "aws-sns", provider: "sns"},
	{name: "bitbucket-cloud", provider: "bitbucket"},
	{name: "bitbucket-data-center", provider: "bitbucket-server"},
	{name: "cal", provider: "cal-com"},
	{name: "calcom", provider: "cal-com"},
	{name: "chargebee-billing", provider: "chargebee"},
	{name: "chargify", provider: "maxio"},
	{name: "checkout", provider: "checkout-com"},
	{name: "circle-ci", provider: "circleci"},
	{name: "cisco-meraki", provider: "meraki"},
	{name: "cloudprinter", provider: "cloudsignal"},
	{name: "coinbase-cdp", provider: "coinbase"},
	{name: "commerce-layer", provider: "commercelayer"},
	{name: "customerio", provider: "customer-io"},
	{name: "entrust", provider: "onfido"},
	{name: "facebook", provider: "meta"},
	{name: "facebook-messenger", provider: "messenger"},
	{name: "flutterwave-v3", provider: "flutterwave"},
	{name: "frontapp", provider: "front"},
	{name: "fusion-auth", provider: "fusionauth"},
	{name: "gcp-pubsub", provider: "google-pubsub"},
	{name: "google-calendar", provider: "google-channels"},
	{name: "google-drive", provider: "google-channels"},
	{name: "graph", provider: "microsoft-graph"},
	{name: "graphcms", provider: "hygraph"},
	{name: "hcp-terraform", provider: "terraform"},
	{name: "hellosign", provider: "dropbox-sign"},
	{name: "helpscout", provider: "help-scout"},
	{name: "hubspot-v3", provider: "hubspot"},
	{name: "huggingface", provider: "hugging-face"},
	{name: "incidentio", provider: "incident-io"},
	{name: "intuit", provider: "quickbooks"},
	{name: "launch-darkly", provider: "launchdarkly"},
	{name: "lemonsqueezy", provider: "lemon-squeezy"},
	{name: "mailchimp-transactional", provider: "mandrill"},
	{name: "mercadopago", provider: "mercado-pago"},
	{name: "monday-com", provider: "monday"},
	{name: "ms-graph", provider: "microsoft-graph"},
	{name: "paddle-billing", provider: "paddle"},
	{name: "pager-duty", provider: "pagerduty"},
	{name: "pubsub", provider: "google-pubsub"},
	{name: "quickbooks-online", provider: "quickbooks"},
	{name: "retell-ai", provider: "retell"},
	{name: "ring-central", provider: "ringcentral"},
	{name: "sinch-conversation", provider: "sinch"},
	{name: "stream-chat", provider: "getstream"},
	{name: "teams", provider: "microsoft-teams"},
	{name: "terraform-cloud", provider: "terraform"},
	{name: "tiendanube", provider: "nuvemshop"},
	{name: "tokenio", provider: "token-io"},
	{name: "travis", provider: "travis-ci"},
	{name: "twilio-sendgrid", provider: "sendgrid"},
	{name: "twitter", provider: "x"},
	{name: "uber", provider: "uber-eats"},
	{name: "upstash", provider: "qstash"},
	{name: "upstash-qstash", provider: "qstash"},
	{name: "vercel-log-drain", provider: "vercel-log-drains"},
	{name: "wechatpay", provider: "wechat-pay"},
	{name: "whatsapp-business", provider: "whatsapp"},
	{name: "whatsapp-cloud", provider: "whatsapp"},
	{name: "woo-commerce", provider: "woocommerce"},
	{name: "x-twitter", provider: "x"},
	{name: "zerohash", provider: "zero-hash"},
}
