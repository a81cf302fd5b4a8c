package config

import (
	"fmt"
	"regexp"
	"strings"
	"webhook-relay/shared/relay/catalog"
)

const useEnv = "; write env:NAME, which is replaced by the environment variable NAME (put a text that is meant as it is there, too)"

// mistaken are the forms of texts that stand for another value elsewhere, and are no value here.
var mistaken = []struct {
	form *regexp.Regexp
	hint string
}{
	{regexp.MustCompile(`\$\{[^}]*\}`), "has ${…} in it, which is not replaced" + useEnv},
	{regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`), "begins with $ as a variable of a shell does, which is not replaced" + useEnv},
	{regexp.MustCompile(`^\$\(.*\)$`), "has a command of a shell in it, which is not run" + useEnv},
	{regexp.MustCompile(`\{\{.*\}\}`), "has {{…}} in it, which is not replaced" + useEnv},
	{regexp.MustCompile(`^%[A-Za-z_][A-Za-z0-9_]*%$`), "has %…% around it, which is not replaced" + useEnv},
	{regexp.MustCompile(`^<[^<>]*>$`), "looks like a placeholder; put the value in its place, or write env:NAME"},
	{regexp.MustCompile(`\s+(?i:env):\S*$`), "has env: after other text; env:NAME is replaced only as the whole value: put the whole text into the variable"},
	{regexp.MustCompile(`^\s+(?i:env):|^(?i:env)\s*:\s*$|^(?i:env):\s+|^(?i:env):[${]`), "has env: and no plain name behind it; write env:NAME, without spaces and without $"},
	{regexp.MustCompile(`^(ENV|Env|environment|Environment|process\.env|os\.environ)[:.]`), "is no reference to an environment variable" + useEnv},
}

// elsewhere is the form of references to stores of secrets, as other tools write them.
var elsewhere = regexp.MustCompile(`^(?i:(aws[-_]?)?(ssm(-secure)?|secrets?[-_]?manager|parameter[-_]?store)|arn:aws[a-z-]*:(secretsmanager|ssm)|` +
	`(hashicorp[-_]?)?vault|op|file|gcp[-_]?secret[-_]?manager|azure[-_]?key[-_]?vault|akv|doppler|infisical|sops|kms):`)

// literalHint tells why a text that stands where a value is wanted is surely not meant as it is; "" if it may be. It quotes nothing.
func literalHint(s string) string {
	for _, m := range mistaken {
		if m.form.MatchString(s) {
			return m.hint
		}
	}
	return ""
}

// referenceHint is literalHint for a secret, which may also refer to a store that the relay does not read. known: a reference to AWS
// Secrets Manager is resolved there.
func referenceHint(s string, known bool) string {
	switch {
	case !elsewhere.MatchString(s), known && catalog.IsReference(s):
		return ""
	case known:
		return fmt.Sprintf("refers to a store of secrets in a form that is not known; write %sNAME-or-ARN, or env:NAME", catalog.SecretPrefix)
	}
	return "refers to a store of secrets, which only auth and tls of an endpoint can" + useEnv
}

// resolve returns a value, of the environment if it is env:NAME. References to AWS Secrets Manager are refused.
func (c *checker) resolve(path, s string) (string, bool) { return c.value(path, s, false) }

// value returns a value, of the environment if it is env:NAME. What is surely not meant as it is written is refused.
func (c *checker) value(path, s string, references bool) (string, bool) {
	if hint := literalHint(s); hint != "" {
		c.fail(path, "%s", hint)
		return "", false
	}
	name, fromEnv := strings.CutPrefix(s, "env:")
	if fromEnv {
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
