package listen

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

// The document that is the list.
const (
	collection = "listeners"
	listKey    = "all"
)

const (
	idAlphabet = "abcdefghijklmnopqrstuvwxyz234567"
	// tries is how often a change of the list is tried while others change it.
	tries = 10
	// linger is how long the mark stays after the last listener: whoever listens again soon need
	// not wait until every instance has seen the mark.
	linger = 10 * time.Minute
)

// Queues makes the queues of listeners, each by the id of its listener.
type Queues interface {
	// Create makes a queue that keeps messages for a time. It is no error if there is one.
	Create(ctx context.Context, id string, keep time.Duration) error
	// Delete deletes a queue with its messages. It is no error if there is none.
	Delete(ctx context.Context, id string) error
	// Access returns how a listener receives from its queue.
	Access(ctx context.Context, id string) (Transport, error)
}

// Sender sends messages to the queues of listeners.
type Sender interface {
	// Send sends the messages and returns an error for each; nil: the queue has accepted it.
	Send(ctx context.Context, id string, messages [][]byte) []error
}

// The kinds of Transport.
const (
	KindSQS  = "sqs"  // an SQS queue, with credentials for it alone
	KindPoll = "poll" // by the API itself
)

// Transport is how a listener receives. Only KindSQS has more than Kind.
type Transport struct {
	Kind     string
	QueueURL string
	Region   string

	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	Expires         time.Time // the listener must be renewed before
}

// Config configures Listeners.
type Config struct {
	Documents operate.Documents // beside the catalog
	Marks     catalog.ListeningMarks
	Queues    Queues
	// CacheTTL is how old the instances' copy of the catalog may be; zero:
	// catalog.DefaultCacheTTL.
	CacheTTL time.Duration
	Now      func() time.Time // nil: time.Now
}

// Listeners keeps the list of listeners. It is safe for concurrent use.
type Listeners struct{ cfg Config }

// New returns the listeners. It calls nothing yet. The error names what cfg lacks.
func New(cfg Config) (*Listeners, error) {
	if err := relay.Lacks("listen.Config", map[string]bool{
		"Documents": cfg.Documents == nil, "Marks": cfg.Marks == nil, "Queues": cfg.Queues == nil,
	}); err != nil {
		return nil, err
	}
	cfg.CacheTTL = cmp.Or(cfg.CacheTTL, catalog.DefaultCacheTTL)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Listeners{cfg}, nil
}

// listDoc is the stored form of the list.
type listDoc struct {
	Version   int        `json:"v"`
	Listeners []Listener `json:"listeners"`
}

// readList returns the list and its version; 0: there is none yet.
func readList(ctx context.Context, documents operate.Documents) ([]Listener, int64, error) {
	d, err := documents.Document(ctx, collection, listKey)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var doc listDoc
	err = format.Decode(d.Body, &doc, &doc.Version)
	return doc.Listeners, d.Version, err
}

// change changes the list. do returns the new list; an error of it ends the change. The result is
// the list as it is now, and its version.
func (s *Listeners) change(
	ctx context.Context, do func([]Listener) ([]Listener, error),
) (list []Listener, version int64, err error) {
	for range tries {
		if list, version, err = readList(ctx, s.cfg.Documents); err != nil {
			return nil, 0, err
		}
		if list, err = do(slices.Clone(list)); err != nil {
			return nil, 0, err
		}
		version, err = s.cfg.Documents.PutDocument(ctx, collection, operate.Document{
			Key: listKey, Body: format.Encode(listDoc{Version: format.Version, Listeners: list}),
		}, version)
		if !errors.Is(err, catalog.ErrConflict) {
			return list, version, err
		}
	}
	return nil, 0, fmt.Errorf("listen: the list changed %d times: %w", tries, err)
}

// changeMarked changes the list and then the mark, which it returns.
func (s *Listeners) changeMarked(
	ctx context.Context, do func([]Listener) ([]Listener, error),
) (m catalog.Listening, err error) {
	list, version, err := s.change(ctx, do)
	if err != nil {
		return m, err
	}
	state, err := s.cfg.Marks.State(ctx, "")
	if err != nil {
		return m, err
	}
	m = s.mark(state.Listening, list, version)
	return m, s.cfg.Marks.MarkListening(ctx, m)
}

// mark returns the mark for a version of the list, after another mark.
func (s *Listeners) mark(
	before catalog.Listening, list []Listener, version int64,
) catalog.Listening {
	now := s.cfg.Now().UTC().Truncate(time.Second)
	m := catalog.Listening{Since: before.Since, Revision: version}
	// An instance may know the mark as it was a cache's time ago. If that ends meanwhile, the
	// instance does not look for as long.
	if now.Add(s.cfg.CacheTTL + time.Second).After(before.Until) {
		m.Since = now
	}
	for _, l := range list {
		m.Until = latest(m.Until, l.ExpiresAt)
	}
	if soon := now.Add(linger); m.Until.Before(soon) && now.Before(before.Until) {
		m.Until = soon
	}
	return m
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Prepare returns a listener with a new id and its times, to be added. TTL is DefaultTTL if it is
// zero. Error: ErrListener.
func (s *Listeners) Prepare(l Listener) (Listener, error) {
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	l.TTL = cmp.Or(l.TTL, DefaultTTL)
	l.ID, l.CreatedAt, l.ExpiresAt = newID(), now, now.Add(l.TTL).Truncate(time.Second)
	return l, l.check()
}

// Add adds a prepared listener, with its queue. The result is from when on the queue gets each
// event that is routed. Error: ErrTooMany.
func (s *Listeners) Add(ctx context.Context, l Listener) (inForce time.Time, err error) {
	now := s.cfg.Now()
	var ended []string
	marked, err := s.changeMarked(ctx, func(list []Listener) ([]Listener, error) {
		ended = nil
		if len(list) >= MaxListeners {
			list = slices.DeleteFunc(list, func(other Listener) bool {
				if !other.Active(now) {
					ended = append(ended, other.ID)
				}
				return !other.Active(now)
			})
		}
		if len(list) >= MaxListeners {
			return nil, ErrTooMany
		}
		return append(list, l), nil
	})
	if err != nil {
		return inForce, err
	}
	// It is in the list first, so that the sweep finds its queue whatever happens now.
	if err := s.cfg.Queues.Create(ctx, l.ID, l.TTL+KeptFor); err != nil {
		return inForce, err
	}
	for _, id := range ended {
		if err := s.cfg.Queues.Delete(ctx, id); err != nil {
			return inForce, err
		}
	}
	// An instance that has the mark already reads the list within Refresh; any other reads the
	// catalog, and so the mark, within CacheTTL. Marks have whole seconds.
	inForce = latest(s.cfg.Now().Add(min(Refresh, s.cfg.CacheTTL)),
		marked.Since.Add(s.cfg.CacheTTL+time.Second))
	return inForce.UTC().Truncate(time.Millisecond), nil
}

func newID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return idPrefix + base32.NewEncoding(idAlphabet).EncodeToString(b[:])
}

// Renew lets a listener last for its time from now on. Error: catalog.ErrNotFound.
func (s *Listeners) Renew(ctx context.Context, tenant, id string) (renewed Listener, err error) {
	_, err = s.changeMarked(ctx, func(list []Listener) ([]Listener, error) {
		i := indexOf(list, tenant, id)
		if i < 0 {
			return nil, notFound(id)
		}
		list[i].ExpiresAt = s.cfg.Now().UTC().Add(list[i].TTL).Truncate(time.Second)
		renewed = list[i]
		return list, nil
	})
	return renewed, err
}

func indexOf(list []Listener, tenant, id string) int {
	return slices.IndexFunc(list, func(l Listener) bool { return l.ID == id && l.Tenant == tenant })
}

func notFound(id string) error {
	return fmt.Errorf("there is no listener %.40q: %w", id, catalog.ErrNotFound)
}

// Remove removes a listener with its queue. Error: catalog.ErrNotFound.
func (s *Listeners) Remove(ctx context.Context, tenant, id string) error {
	if _, err := s.Listener(ctx, tenant, id); err != nil {
		return err
	}
	// A queue goes first, so that the list names every queue there is.
	if err := s.cfg.Queues.Delete(ctx, id); err != nil {
		return err
	}
	_, err := s.changeMarked(ctx, without([]string{id}))
	return err
}

// without returns a change of the list.
func without(ids []string) func([]Listener) ([]Listener, error) {
	return func(list []Listener) ([]Listener, error) {
		return slices.DeleteFunc(list, func(l Listener) bool {
			return slices.Contains(ids, l.ID)
		}), nil
	}
}

// RemoveOld removes the listeners whose events need not be kept any longer. The mark stays as it
// is: it has ended for them.
func (s *Listeners) RemoveOld(ctx context.Context) error {
	list, _, err := readList(ctx, s.cfg.Documents)
	if err != nil {
		return err
	}
	var old []string
	for _, l := range list {
		if s.cfg.Now().After(l.ExpiresAt.Add(KeptFor)) {
			if err := s.cfg.Queues.Delete(ctx, l.ID); err != nil {
				return err
			}
			old = append(old, l.ID)
		}
	}
	if len(old) == 0 {
		return nil
	}
	_, _, err = s.change(ctx, without(old))
	return err
}

// Listener returns a listener of a tenant. Error: catalog.ErrNotFound.
func (s *Listeners) Listener(ctx context.Context, tenant, id string) (Listener, error) {
	list, _, err := readList(ctx, s.cfg.Documents)
	if err != nil {
		return Listener{}, err
	}
	if i := indexOf(list, tenant, id); i >= 0 {
		return list[i], nil
	}
	return Listener{}, notFound(id)
}

// List returns a tenant's listeners, the oldest first.
func (s *Listeners) List(ctx context.Context, tenant string) ([]Listener, error) {
	list, _, err := readList(ctx, s.cfg.Documents)
	list = slices.DeleteFunc(list, func(l Listener) bool { return l.Tenant != tenant })
	sort.Slice(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID, b.ID)) < 0
	})
	return list, err
}

// Access returns how a listener receives.
func (s *Listeners) Access(ctx context.Context, id string) (Transport, error) {
	return s.cfg.Queues.Access(ctx, id)
}
