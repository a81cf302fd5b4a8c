package config

import (
	"fmt"
	"regexp"
	"strings"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/catalog"
)

const useEnv = "; write env:NAME, which is replaced by the environment variable NAME (if you mean the text literally, put it into a variable, too)"

// mistaken are forms that other tools replace by a value. The relay does not, so they are surely a
// mistake.
var mistaken = []struct {
	form func() *regexp.Regexp
	hint string
}{
	{pattern.Lazy(`\$\{[^}]*\}`), "has ${…} in it, which is not replaced" + useEnv},
	{
		pattern.Lazy(`^\$[A-Za-z_][A-Za-z0-9_]*$`),
		"looks like a shell variable, which is not replaced" + useEnv,
	},
	{pattern.Lazy(`^\$\(.*\)$`), "looks like a shell command, which is not run" + useEnv},
	{pattern.Lazy(`\{\{.*\}\}`), "has {{…}} in it, which is not replaced" + useEnv},
	{
		pattern.Lazy(`^%[A-Za-z_][A-Za-z0-9_]*%$`),
		"has %…% around it, which is not replaced" + useEnv,
	},
	{
		pattern.Lazy(`^<[^<>]*>$`),
		"looks like a placeholder; replace it by the value, or write env:NAME",
	},
	{
		pattern.Lazy(`\s+(?i:env):\S*$`),
		"has env: after other text; env:NAME is replaced only as the whole value: put the whole text into the variable",
	},
	{
		pattern.Lazy(`^\s+(?i:env):|^(?i:env)\s*:\s*$|^(?i:env):\s+|^(?i:env):[${]`),
		"has env: with no plain name after it; write env:NAME, without spaces and without $",
	},
	{
		pattern.Lazy(`^(ENV|Env|environment|Environment|process\.env|os\.environ)[:.]`),
		"is not a reference to an environment variable" + useEnv,
	},
}

// elsewhere matches references to stores of secrets in the forms of other tools.
var elsewhere = pattern.Lazy(`^(?i:(aws[-_]?)?(ssm(-secure)?|secrets?[-_]?manager|parameter[-_]?store)|arn:aws[a-z-]*:(secretsmanager|ssm)|` +
	`(hashicorp[-_]?)?vault|op|file|gcp[-_]?secret[-_]?manager|azure[-_]?key[-_]?vault|akv|doppler|infisical|sops|kms):`)

// literalHint returns why a text cannot be meant literally as a value, or "" if it can. It quotes
// nothing of the text.
func literalHint(s string) string {
	for _, m := range mistaken {
		if m.form().MatchString(s) {
			return m.hint
		}
	}
	return ""
}

// referenceHint is like literalHint, for references to stores of secrets that the relay does not
// read. known: references to AWS Secrets Manager are allowed here.
func referenceHint(s string, known bool) string {
	switch {
	case !elsewhere().MatchString(s), known && catalog.IsReference(s):
		return ""
	case known:
		return fmt.Sprintf(
			"refers to a store of secrets in a form that the relay does not know; write %sNAME-or-ARN, or env:NAME",
			catalog.SecretPrefix,
		)
	}
	return "refers to a store of secrets, which only an endpoint's auth and tls can do" + useEnv
}

// resolve returns a value; if it is env:NAME, that of the environment variable. It rejects
// references to AWS Secrets Manager.
func (c *checker) resolve(path, s string) (string, bool) { return c.value(path, s, false) }

// value returns a value; if it is env:NAME, that of the environment variable. It rejects texts that
// cannot be meant literally.
func (c *checker) value(path, s string, references bool) (string, bool) {
	if hint := literalHint(s); hint != "" {
		c.fail(path, "%s", hint)
		return "", false
	}
	name, fromEnv := strings.CutPrefix(s, "env:")
	switch {
	case fromEnv && c.lookup == nil:
		c.fail(path, "env:NAME is only for the file; send the value itself")
		return "", false
	case fromEnv:
		s, _ = c.lookup(name)
	}
	switch {
	case s == "" && fromEnv:
		c.fail(path, "the environment variable %s is not set, or empty", name)
	case s == "":
		c.fail(path, "is empty")
	case !fromEnv && referenceHint(s, references) != "":
		c.fail(path, "%s", referenceHint(s, references))
		return "", false
	}
	return s, s != ""
}
