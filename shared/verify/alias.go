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
	if i, ok := slices.BinarySearchFunc(aliases, plain, func(a alias, name string) int { return cmp.Compare(a.name, name) }); ok {
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
	{"adyen-payments", "adyen"},
	{"amazon-sns", "sns"},
	{"authorizenet", "authorize-net"},
	{"aws-sns", "sns"},
	{"bitbucket-cloud", "bitbucket"},
	{"bitbucket-data-center", "bitbucket-server"},
	{"cal", "cal-com"},
	{"calcom", "cal-com"},
	{"chargebee-billing", "chargebee"},
	{"chargify", "maxio"},
	{"checkout", "checkout-com"},
	{"circle-ci", "circleci"},
	{"cisco-meraki", "meraki"},
	{"cloudprinter", "cloudsignal"},
	{"coinbase-cdp", "coinbase"},
	{"commerce-layer", "commercelayer"},
	{"customerio", "customer-io"},
	{"entrust", "onfido"},
	{"facebook", "meta"},
	{"facebook-messenger", "messenger"},
	{"flutterwave-v3", "flutterwave"},
	{"frontapp", "front"},
	{"fusion-auth", "fusionauth"},
	{"gcp-pubsub", "google-pubsub"},
	{"google-calendar", "google-channels"},
	{"google-drive", "google-channels"},
	{"graph", "microsoft-graph"},
	{"graphcms", "hygraph"},
	{"hcp-terraform", "terraform"},
	{"hellosign", "dropbox-sign"},
	{"helpscout", "help-scout"},
	{"hubspot-v3", "hubspot"},
	{"huggingface", "hugging-face"},
	{"incidentio", "incident-io"},
	{"intuit", "quickbooks"},
	{"launch-darkly", "launchdarkly"},
	{"lemonsqueezy", "lemon-squeezy"},
	{"mailchimp-transactional", "mandrill"},
	{"mercadopago", "mercado-pago"},
	{"monday-com", "monday"},
	{"ms-graph", "microsoft-graph"},
	{"paddle-billing", "paddle"},
	{"pager-duty", "pagerduty"},
	{"pubsub", "google-pubsub"},
	{"quickbooks-online", "quickbooks"},
	{"retell-ai", "retell"},
	{"ring-central", "ringcentral"},
	{"sinch-conversation", "sinch"},
	{"stream-chat", "getstream"},
	{"teams", "microsoft-teams"},
	{"terraform-cloud", "terraform"},
	{"tiendanube", "nuvemshop"},
	{"tokenio", "token-io"},
	{"travis", "travis-ci"},
	{"twilio-sendgrid", "sendgrid"},
	{"twitter", "x"},
	{"uber", "uber-eats"},
	{"upstash", "qstash"},
	{"upstash-qstash", "qstash"},
	{"vercel-log-drain", "vercel-log-drains"},
	{"wechatpay", "wechat-pay"},
	{"whatsapp-business", "whatsapp"},
	{"whatsapp-cloud", "whatsapp"},
	{"woo-commerce", "woocommerce"},
	{"x-twitter", "x"},
	{"zerohash", "zero-hash"},
}
