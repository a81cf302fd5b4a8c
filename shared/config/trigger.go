package config

import (
	"fmt"
	"reflect"
	"slices"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/trigger"
)

// ofTriggers are the keys of a source that is fed by a queue.
var ofTriggers = []string{"name", "provider", "tenant", "types", "validate", "expect"}

// trigger checks a source that a service in AWS feeds: nothing of it concerns HTTP, and it is the
// operator's, whose stack has its queue.
func (c *checker) trigger(path string, s source) {
	for field, value := range reflect.ValueOf(s).Fields() {
		key := field.Tag.Get("yaml")
		if !value.IsZero() && !slices.Contains(ofTriggers, key) {
			c.fail(
				path+"."+key, "is for webhooks over HTTP; a source of %s gets messages from its "+
					"queue: remove it", s.Provider,
			)
		}
	}
	if s.Tenant != nil && s.Tenant.Header != "" {
		c.fail(path+".tenant.header", "a message of %s has no headers; use json", s.Provider)
	}
	if c.tenant != "" {
		c.fail(path+".provider", "%s", tenantsTrigger(s.Provider))
	}
}

// tenantsTrigger says why a tenant has no source of a provider.
func tenantsTrigger(provider string) string {
	return provider + " is for sources of the operator, whose stack has the queue; the events of " +
		"such a source can belong to a tenant"
}

// CheckTriggered returns why a source cannot be fed by a queue of the stack, or nil. triggers has
// the providers in the setting triggers of the stack, by the source's name. Error: ErrInvalid; see
// Problems.
func CheckTriggered(s catalog.Source, triggers map[string]string) error {
	provider, known := triggers[s.Name]
	problem := &Problem{Path: "provider"}
	switch is := trigger.Is(s.Verify.Provider); {
	case !is && !known || is && provider == s.Verify.Provider:
		return nil
	case !known:
		d, _ := trigger.Describe(s.Verify.Provider)
		problem.Err = fmt.Errorf(
			"%s needs a queue, and the setting triggers of the stack has none for the source %s; "+
				"add one such as %[2]s=%s, deploy, and apply again", s.Verify.Provider, s.Name, d.ARN,
		)
	default:
		problem.Err = fmt.Errorf(
			"is %s, and the setting triggers of the stack names a %s for the source %s; change one "+
				"of them", s.Verify.Provider, provider, s.Name,
		)
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, problem)
}
