package deployed

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// call is one AWS API call as IAM sees it.
type call struct {
	action   string            // service:Operation
	resource string            // ARN, or "*" for an action without resources
	context  map[string]string // several values of a key are separated by commas
}

// texts is a string or a list of strings, as in policies.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

type statement struct {
	Effect    string
	Principal struct{ Service, AWS texts }
	Action    texts
	Resource  texts
	Condition map[string]map[string]texts

	// These are not evaluated, so they must not be set.
	NotAction, NotResource, NotPrincipal any
}

type policyDocument struct {
	Version   any
	Statement []statement
}

// roleProperties are the properties of AWS::IAM::Role.
type roleProperties struct {
	AssumeRolePolicyDocument policyDocument
	Policies                 []struct {
		PolicyName     any
		PolicyDocument policyDocument
	}
	ManagedPolicyArns []string

	Description any
}

// role holds what a principal may do, and which of that was used. It is safe for concurrent use.
type role struct {
	name    string
	trust   []statement
	grants  []*grant
	denials []*grant

	arn   string
	limit []statement // of a session: what it allows at most; nil: no limit
	of    *role       // of a session: the role, which notes what is denied and used

	mu     sync.Mutex
	denied []string
}

// grant is one action on one resource of a statement: the smallest unit that can be unused.
type grant struct {
	action, resource string
	statement        statement
	used             bool
}

// covers tells whether a grant or a denial applies to c.
func (g *grant) covers(c call) bool {
	return like("(?i)", g.action, c.action) && like("", g.resource, c.resource) &&
		g.statement.holds(c.context)
}

func newRole(name string, p roleProperties) (*role, error) {
	if len(p.ManagedPolicyArns) > 0 {
		return nil, fmt.Errorf(
			"%w: %s has managed policies, whose content is not in it", ErrTemplate, name,
		)
	}
	r := &role{name: name, trust: p.AssumeRolePolicyDocument.Statement}
	all := slices.Clone(r.trust)
	for _, policy := range p.Policies {
		for _, s := range policy.PolicyDocument.Statement {
			all = append(all, s)
			for _, action := range s.Action {
				for _, on := range s.Resource {
					g := &grant{action: action, resource: on, statement: s}
					if s.Effect == "Deny" {
						r.denials = append(r.denials, g)
					} else {
						r.grants = append(r.grants, g)
					}
				}
			}
		}
	}
	for _, s := range all {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrTemplate, name, err)
		}
	}
	return r, nil
}

// check refuses a statement that the host would evaluate wrongly.
func (s statement) check() error {
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return fmt.Errorf("effect %q is not evaluated", s.Effect)
	}
	if s.NotAction != nil || s.NotResource != nil || s.NotPrincipal != nil {
		return fmt.Errorf(
			"a statement with NotAction, NotResource or NotPrincipal is not evaluated",
		)
	}
	for operator := range s.Condition {
		if one := strings.TrimPrefix(operator, "ForAllValues:"); one != "StringEquals" &&
			one != "StringLike" && one != "ArnLike" {
			return fmt.Errorf("condition %s is not evaluated", operator)
		}
	}
	return nil
}

// may tells whether the role allows c, and records it as used or as denied. A denial overrides
// every grant.
func (r *role) may(c call) bool {
	if r.of != nil {
		return r.withinLimit(c) && r.of.may(c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	allowed := false
	for _, g := range r.grants {
		if g.covers(c) {
			g.used, allowed = true, true
		}
	}
	if slices.ContainsFunc(r.denials, func(g *grant) bool { return g.covers(c) }) {
		allowed = false
	}
	if !allowed {
		line := fmt.Sprintf("%s: %s on %s", r.name, c.action, c.resource)
		if len(c.context) > 0 {
			line += fmt.Sprintf(" with %v", c.context)
		}
		r.denied = append(r.denied, line)
	}
	return allowed
}

// allows tells whether the role allows c, without a record of it.
func (r *role) allows(c call) bool {
	covers := func(g *grant) bool { return g.covers(c) }
	return slices.ContainsFunc(r.grants, covers) && !slices.ContainsFunc(r.denials, covers)
}

// limited returns a session of the role, that a policy limits.
func (r *role) limited(policy []statement) *role { return &role{of: r, limit: policy} }

// withinLimit tells whether the policy of a session allows c. What it does not allow is denied to
// the role.
func (r *role) withinLimit(c call) bool {
	within := slices.ContainsFunc(r.limit, func(s statement) bool {
		return s.Effect == "Allow" && s.check() == nil && s.holds(c.context) &&
			slices.ContainsFunc(s.Action, func(a string) bool { return like("(?i)", a, c.action) }) &&
			slices.ContainsFunc(s.Resource, func(on string) bool { return like("", on, c.resource) })
	})
	if !within {
		r.of.mu.Lock()
		defer r.of.mu.Unlock()
		r.of.denied = append(r.of.denied, fmt.Sprintf(
			"%s: %s on %s, beyond the policy of the session", r.of.name, c.action, c.resource,
		))
	}
	return within
}

// trustsRole tells whether another role may assume the role.
func (r *role) trustsRole(arn string) bool {
	return slices.ContainsFunc(r.trust, func(s statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Action, "sts:AssumeRole") &&
			slices.Contains(s.Principal.AWS, arn)
	})
}

// trusts tells whether a service may assume the role.
func (r *role) trusts(service string, context map[string]string) bool {
	return slices.ContainsFunc(r.trust, func(s statement) bool {
		return s.Effect == "Allow" && slices.Contains(s.Action, "sts:AssumeRole") &&
			slices.Contains(s.Principal.Service, service) && s.holds(context)
	})
}

// unused lists the grants that were never needed.
func (r *role) unused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, g := range r.grants {
		if !g.used {
			lines = append(lines, fmt.Sprintf("%s: %s on %s", r.name, g.action, g.resource))
		}
	}
	return lines
}

func (r *role) refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.denied)
}

// holds tells whether all conditions are met. A condition on a key that the call does not have is
// not met.
func (s statement) holds(context map[string]string) bool {
	for operator, keys := range s.Condition {
		for key, wanted := range keys {
			got, ok := context[key]
			if !ok {
				return false
			}
			values := []string{got}
			if strings.HasPrefix(operator, "ForAllValues:") {
				values = strings.Split(got, ",")
			}
			for _, value := range values {
				if !wanted.have(operator, value) {
					return false
				}
			}
		}
	}
	return true
}

// have tells whether one of the texts matches the value under an operator.
func (t texts) have(operator, value string) bool {
	return slices.ContainsFunc(t, func(wanted string) bool {
		switch {
		case strings.HasSuffix(operator, "StringLike"):
			return like("", wanted, value)
		case strings.HasSuffix(operator, "ArnLike"):
			return arnLike(wanted, value)
		}
		return wanted == value
	})
}

// arnLike compares each of the six components of an ARN separately, as IAM does.
func arnLike(pattern, arn string) bool {
	const components = 6
	return slices.EqualFunc(strings.SplitN(
		pattern, ":", components,
	), strings.SplitN(arn, ":", components), func(p, t string) bool {
		return like("", p, t)
	})
}

// like compares as IAM does: * matches any sequence of characters, ? one character. flags are those
// of package regexp.
func like(flags, pattern, text string) bool {
	quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(flags + `^(?s:` + quoted + `)$`).MatchString(text)
}
