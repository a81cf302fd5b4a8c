package main

import (
	"cmp"
	"time"

	webconsole "webhook-relay/shared/admin/console"
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
		s := shownAs(m)
		if err := inv.say(
			m, "%s %s attempt %d to %s", s.At.Format(time.RFC3339Nano), s.Event, s.Attempt, s.To,
		); err != nil {
			return err
		}
		if !inv.json {
			inv.line("%s", s.Content)
		}
	}
	return nil
}

// shownAs returns a message as people see it.
func shownAs(m standin.Message) webconsole.Sent {
	to := m.ARN
	if m.Key != "" {
		to += "/" + m.Key
	}
	return webconsole.Sent{
		At: m.At, Event: m.EventID, Attempt: m.Attempt, To: to,
		Content: cmp.Or(m.Content, m.Request),
	}
}

// sentTo returns what the console of the relay in dir asks for what was sent to an endpoint.
func sentTo(dir string) func(endpoint string) ([]webconsole.Sent, error) {
	return func(endpoint string) ([]webconsole.Sent, error) {
		all, err := standin.Sent(dir, endpoint)
		shown := make([]webconsole.Sent, len(all))
		for i, m := range all {
			shown[i] = shownAs(m)
		}
		return shown, err
	}
}
