package config_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"webhook-relay/shared/config"
)

// secretPlaces are configurations with %s in the place of a secret, by the path of that place.
var secretPlaces = map[string]string{
	"sources[0].secrets[0]":                  `sources: [{name: a, provider: bearer, secrets: [%s]}]`,
	"sources[0].settings.verify_token":       `sources: [{name: a, provider: whatsapp, secrets: [sec], settings: {verify_token: %s}}]`,
	"endpoints[0].secrets[0]":                `endpoints: [{name: a, url: "https://a.example.com", secrets: [%s]}]`,
	"endpoints[0].headers.X-Key":             `endpoints: [{name: a, url: "https://a.example.com", headers: {X-Key: %s}}]`,
	"endpoints[0].auth.bearer":               `endpoints: [{name: a, url: "https://a.example.com", auth: {bearer: %s}}]`,
	"endpoints[0].auth.basic.username":       `endpoints: [{name: a, url: "https://a.example.com", auth: {basic: {username: %s, password: p}}}]`,
	"endpoints[0].auth.basic.password":       `endpoints: [{name: a, url: "https://a.example.com", auth: {basic: {username: u, password: %s}}}]`,
	"endpoints[0].auth.api_key.value":        `endpoints: [{name: a, url: "https://a.example.com", auth: {api_key: {header: X-Key, value: %s}}}]`,
	"endpoints[0].auth.oauth2.client_id":     `endpoints: [{name: a, url: "https://a.example.com", auth: {oauth2: {token_url: "https://t.example.com", client_id: %s, client_secret: sec}}}]`,
	"endpoints[0].auth.oauth2.client_secret": `endpoints: [{name: a, url: "https://a.example.com", auth: {oauth2: {token_url: "https://t.example.com", client_id: i, client_secret: %s}}}]`,
	"endpoints[0].auth.secret":               `endpoints: [{name: a, url: "https://a.example.com", auth: {provider: github, secret: %s}}]`,
	"endpoints[0].tls.ca":                    `endpoints: [{name: a, url: "https://a.example.com", tls: {ca: %s}}]`,
	"endpoints[0].tls.key":                   `endpoints: [{name: a, url: "https://a.example.com", tls: {certificate: c, key: %s}}]`,
}

func TestTextsThatStandForAnotherValueElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	for text, hint := range map[string]string{
		"${TOKEN}": "env:NAME", "$TOKEN": "env:NAME", "$token": "env:NAME",
		"a-${TOKEN}-b": "env:NAME", "${TOKEN:-hunter2}": "env:NAME",
		"$(cat hunter2)": "env:NAME", "{{ TOKEN }}": "env:NAME",
		"{{resolve:secretsmanager:hunter2}}": "env:NAME", "%TOKEN%": "env:NAME",
		"<your token>": "placeholder", "Bearer env:TOKEN": "whole value",
		"token env:TOKEN": "whole value", "env:": "no plain name",
		"env: TOKEN": "no plain name", "env:$TOKEN": "no plain name", "env:${TOKEN}": "env:NAME",
		" env:TOKEN": "env:",
		"ENV:TOKEN":  "env:NAME", "process.env.TOKEN": "env:NAME", "env:NOT_SET": "is not set",
		"ssm:/prod/token": "store of secrets", "secretsmanager:token": "store of secrets",
		"aws-ssm:token": "store of secrets",
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:x": "store of secrets",
		"op://vault/item": "store of secrets",
		"vault:secret/x":  "store of secrets", "file:///run/secrets/x": "store of secrets",
	} {
		for path, place := range secretPlaces {
			_, err := config.Parse(
				"relay.yaml", fmt.Appendf(nil, place, strconv.Quote(text)), lookup,
			)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), path+": ") ||
				!strings.Contains(err.Error(), hint) {
				t.Errorf("%s: %q: %v; want %q", path, text, err, hint)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %q: the error tells the text: %v", path, text, err)
			}
		}
	}
}

func TestSecretsThatOnlyLookOddAreTaken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"$2a$10$N9qo8uLOickgx2ZMRZoMye", "pa$$word", "100%", "a{b}c", "a<b>c", "environment",
		"opaque", "my-ssm", "s3cr3t:x",
	} {
		if _, err := config.Parse(
			"relay.yaml",
			fmt.Appendf(nil, secretPlaces["endpoints[0].auth.basic.password"], strconv.Quote(text)),
			lookup,
		); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A reference is resolved in auth and tls only. Elsewhere the text of the reference would itself be
// used as the secret.
func TestReferencesAreRefusedWhereNothingResolvesThem(t *testing.T) {
	t.Parallel()
	for path, place := range secretPlaces {
		_, err := config.Parse(
			"relay.yaml", fmt.Appendf(nil, place, `"aws-secretsmanager:shop/token"`), lookup,
		)
		resolved := strings.Contains(path, ".auth.") || strings.Contains(path, ".tls.")
		if refused := err != nil &&
			strings.Contains(err.Error(), "store of secrets"); refused == resolved {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestABearerTokenIsGivenWithoutItsScheme(t *testing.T) {
	t.Parallel()
	_, err := config.Parse(
		"relay.yaml", fmt.Appendf(nil, secretPlaces["endpoints[0].auth.bearer"], `"bearer abc"`),
		lookup,
	)
	if err == nil || !strings.Contains(err.Error(), "begins with Bearer") {
		t.Errorf("got %v", err)
	}
}
