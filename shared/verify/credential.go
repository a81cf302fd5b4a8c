package verify

import (
	"slices"
	"strings"
)

// credentialParts mark a header as a credential wherever they stand in its name.
var credentialParts = []string{
	"apikey", "assertion", "authentic", "authoriz", "cookie", "credential", "csrf", "dpop", "hmac", "jwt", "oidc",
	"passcode", "passw", "secret", "signature", "token", "xsrf",
}

// credentialWords mark a header as a credential where they are a word of its name.
var credentialWords = []string{"auth", "bearer", "cert", "mac", "pwd", "sig", "sign"}

// credentialKeys are what stands before "key" in the name of a header that holds one. Keys of other kinds, such as an idempotency
// key or the key of an event, are no secrets.
var credentialKeys = []string{"access", "account", "api", "app", "application", "functions", "license", "master", "private", "service",
	"shared", "signing", "subscription", "webhook"}

// credentialNames are the headers of providers that carry a token or a signature, or belong to one, and whose names do not say so.
// A test holds the table of providers against IsCredential.
var credentialNames = []string{"plaid-verification", "verif-hash", "x-circle-key-id", "x-contentful-signed-headers",
	"x-favro-webhook", "x-payload-digest", "x-trello-webhook"}

// IsCredential tells whether a header, named in lower case, carries a secret or a proof: the token or signature of any
// provider in the table, or what is called so elsewhere (authorization, cookies, API keys, CSRF tokens). Such a header is
// neither stored nor passed on, whichever source it came by: a provider may send two proofs, of which one is checked.
// An idempotency token is none, although it is called a token.
func IsCredential(name string) bool {
	if slices.Contains(credentialNames, name) {
		return true
	}
	if strings.Contains(name, "idempotency") || name == "token-event" { // token.io's event type
		return false
	}
	if slices.ContainsFunc(credentialParts, func(part string) bool { return strings.Contains(name, part) }) {
		return true
	}
	before := ""
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' }) {
		if slices.Contains(credentialWords, word) || word == "key" && slices.Contains(credentialKeys, before) {
			return true
		}
		before = word
	}
	return false
}
