package verify

import (
	"slices"
	"strings"
)

// credentialParts mark a header as a credential if they occur anywhere in its name.
var credentialParts = []string{
	"apikey", "assertion", "authentic", "authoriz", "cookie", "credential", "csrf", "dpop", "hmac",
	"jwt", "oidc",
	"passcode", "passw", "secret", "signature", "token", "xsrf",
}

// credentialWords mark a header as a credential if they are a whole word of its name.
var credentialWords = []string{"auth", "bearer", "cert", "mac", "pwd", "sig", "sign"}

// credentialKeys are the words before "key" in the name of a header that holds a secret key. Other
// keys, such as an idempotency key or the key of an event, are no secrets.
var credentialKeys = []string{"access", "account", "api", "app", "application", "functions",
	"license", "master", "private", "service",
	"shared", "signing", "subscription", "webhook"}

// credentialNames are headers of providers that hold a token or a signature, or belong to one,
// although their names do not say so. A test checks IsCredential against the table of providers.
var credentialNames = []string{"plaid-verification", "verif-hash", "x-circle-key-id",
	"x-contentful-signed-headers",
	"x-favro-webhook", "x-payload-digest", "x-trello-webhook"}

// IsCredential tells whether a header, named in lower case, carries a secret or a proof: the token
// or signature of any provider in the table, or a name that is common for secrets (authorization,
// cookies, API keys, CSRF tokens). Such a header is neither stored nor passed on, whatever the
// source, because a provider may send two proofs of which only one is checked. An idempotency token
// is no credential, although its name says token.
func IsCredential(name string) bool {
	if slices.Contains(credentialNames, name) {
		return true
	}
	if strings.Contains(name, "idempotency") || name == "token-event" { // token.io's event type
		return false
	}
	if slices.ContainsFunc(credentialParts, func(part string) bool {
		return strings.Contains(name, part)
	}) {
		return true
	}
	before := ""
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool {
		return r == '-' || r == '_' || r == '.'
	}) {
		if slices.Contains(credentialWords, word) || word == "key" &&
			slices.Contains(credentialKeys, before) {
			return true
		}
		before = word
	}
	return false
}
