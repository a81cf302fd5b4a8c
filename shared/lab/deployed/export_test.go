package deployed

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Role exports, for tests, a role of the template without a stack.
type Role struct{ role *role }

// NewRole reads the properties of an AWS::IAM::Role from resolved JSON.
func NewRole(name, properties string) (Role, error) {
	var p roleProperties
	if err := json.Unmarshal([]byte(properties), &p); err != nil {
		return Role{}, err
	}
	r, err := newRole(name, p)
	return Role{r}, err
}

func (r Role) May(action, resource string, context map[string]string) bool {
	return r.role.may(call{action, resource, context})
}

func (r Role) Trusts(service string, context map[string]string) bool {
	return r.role.trusts(service, context)
}

func (r Role) Unused() []string { return r.role.unused() }

func (r Role) Denied() []string { return r.role.refused() }

// Calls returns the calls of a request, one action on one resource per line.
func Calls(r *http.Request) ([]string, error) {
	made, err := callsOf(r)
	var lines []string
	for _, c := range made {
		line := c.action + " on " + c.resource
		if len(c.context) > 0 {
			line += fmt.Sprintf(" with %v", c.context)
		}
		lines = append(lines, line)
	}
	return lines, err
}
