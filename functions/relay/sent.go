package main

import (
	"cmp"
	"time"

	"webhook-relay/shared/local/standin"
)

type sentCommand struct {
	Name string `arg:"" help:"Name of the endpoint."`
	Data string `help:"Directory of the local relay. Default: .relay." placeholder:"DIR"`
	JSON bool   `help:"Print JSON, one document a line." name:"json"`
}

// Run prints what the stand-in of an endpoint's destination got.
func (c *sentCommand) Run(inv *invocation) error {
	dir := c.Data
	if dir == "" {
		dir = ".relay"
	}
	inv.json = c.JSON
	all, err := standin.Sent(inv.path(dir), c.Name)
	if err != nil {
		return err
	}
	if len(all) == 0 && !inv.json {
		inv.note("the relay in %s has sent nothing to a destination of endpoint %s", dir, c.Name)
	}
	for _, m := range all {
		to := m.ARN
		if m.Key != "" {
			to += "/" + m.Key
		}
		if err := inv.say(
			m, "%s %s attempt %d to %s", m.At.Format(time.RFC3339Nano), m.EventID, m.Attempt, to,
		); err != nil {
			return err
		}
		if !inv.json {
			inv.line("%s", cmp.Or(m.Content, m.Request))
		}
	}
	return nil
}
