package listen

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

const (
	// copyTime is how long Copy takes at most.
	copyTime = 3 * time.Second
	// staleLimit is how long the list stays in use while it cannot be read.
	staleLimit = 10 * time.Minute
)

// CopierConfig configures a Copier.
type CopierConfig struct {
	Documents operate.Documents // where the list is
	Sender    Sender
	Bodies    relay.Bodies // large bodies, for filters
	// CacheTTL is how old the copy of the catalog may be: a list is no older; zero: Refresh.
	CacheTTL time.Duration
	Now      func() time.Time // nil: time.Now
	// Dropped is called for copies that could not be sent; nil: never.
	Dropped func(ctx context.Context, listener string, copies int, err error)
}

// Copier implements relay.Listeners. It is safe for concurrent use.
type Copier struct {
	cfg  CopierConfig
	list *catalog.Renewed[[]wanted]
}

var _ relay.Listeners = (*Copier)(nil)

// NewCopier returns a Copier. It calls nothing yet. The error names what cfg lacks.
func NewCopier(cfg CopierConfig) (*Copier, error) {
	if err := relay.Lacks("listen.CopierConfig", map[string]bool{
		"Documents": cfg.Documents == nil, "Sender": cfg.Sender == nil,
	}); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dropped == nil {
		cfg.Dropped = func(context.Context, string, int, error) {}
	}
	refresh := Refresh
	if cfg.CacheTTL > 0 {
		refresh = min(refresh, cfg.CacheTTL)
	}
	c := &Copier{cfg: cfg}
	c.list = catalog.NewRenewed(c.load, refresh, staleLimit, cfg.Now)
	return c, nil
}

// load reads the list.
func (c *Copier) load(ctx context.Context) ([]wanted, error) {
	list, _, err := readList(ctx, c.cfg.Documents)
	if err != nil {
		return nil, err
	}
	var all []wanted
	for _, l := range list {
		pattern, err := l.pattern(c.cfg.Bodies)
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.ID, err)
		}
		all = append(all, wanted{Listener: l, pattern: pattern})
	}
	return all, nil
}

// Copy implements relay.Listeners.
func (c *Copier) Copy(ctx context.Context, events []relay.Event) {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	list, err := c.list.Get(ctx)
	if err != nil {
		c.cfg.Dropped(ctx, "", len(events), err)
		return
	}
	var g errgroup.Group
	for _, l := range list {
		if l.Active(c.cfg.Now()) {
			g.Go(func() error {
				c.copy(ctx, l, events)
				return nil
			})
		}
	}
	_ = g.Wait()
}

// copy sends a listener the events that it takes.
func (c *Copier) copy(ctx context.Context, l wanted, events []relay.Event) {
	var messages [][]byte
	for _, e := range events {
		if l.takes(ctx, e) {
			messages = append(messages, Copy{Event: e}.Encode())
		}
	}
	if len(messages) == 0 {
		return
	}
	var failed []error
	for _, err := range c.cfg.Sender.Send(ctx, l.ID, messages) {
		if err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		c.cfg.Dropped(ctx, l.ID, len(failed), failed[0])
	}
}
