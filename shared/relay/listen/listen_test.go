package listen_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/listen"
)

func TestWhatAListenerCannotAskFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, l := range map[string]listen.Listener{
		"a short time":     {TTL: time.Second},
		"a long time":      {TTL: 25 * time.Hour},
		"a split second":   {TTL: time.Minute + time.Millisecond},
		"no pattern":       {Types: []string{""}},
		"no filter":        {Where: "{"},
		"an unknown field": {Where: `{"nothing": ["x"]}`},
		"a large filter":   {Where: strings.Repeat(" ", listen.MaxWhereBytes+1)},
		"many sources":     {Sources: make([]string, listen.MaxSources+1)},
		"many types":       {Types: make([]string, listen.MaxSources+1)},
	} {
		if _, err := r.listeners.Prepare(l); !errors.Is(err, listen.ErrListener) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAListenersLife: it is added, renewed, listed by its tenant alone, and removed.
func TestAListenersLife(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	l, err := r.listeners.Prepare(listen.Listener{
		Tenant: "acme", Sources: []string{"shop"}, By: "ann", TTL: time.Hour,
	})
	must(t, err)
	must(t, second(r.listeners.Add(ctx, l)))
	if !regexp.MustCompile(`^lis_[a-z2-7]{16}$`).MatchString(l.ID) || !l.ExpiresAt.Equal(r.clock.now().Add(time.Hour)) ||
		r.queues.keep[l.ID] != 25*time.Hour {
		t.Errorf("%+v, kept for %v", l, r.queues.keep[l.ID])
	}
	list := func(tenant string) (ids []string) {
		found, err := r.listeners.List(ctx, tenant)
		must(t, err)
		for _, l := range found {
			ids = append(ids, l.ID)
		}
		return ids
	}
	if got := list("acme"); !slices.Equal(got, []string{l.ID}) || len(list("")) > 0 {
		t.Errorf("listed %v, and %v to the operator", got, list(""))
	}
	r.clock.add(59 * time.Minute)
	renewed, err := r.listeners.Renew(ctx, "acme", l.ID)
	must(t, err)
	if !renewed.ExpiresAt.Equal(r.clock.now().Add(time.Hour)) {
		t.Errorf("renewed until %v", renewed.ExpiresAt)
	}
	for name, err := range map[string]error{
		"renewed by another": second(r.listeners.Renew(ctx, "other", l.ID)),
		"seen by another":    second(r.listeners.Listener(ctx, "", l.ID)),
		"removed by another": r.listeners.Remove(ctx, "other", l.ID),
	} {
		if !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, r.listeners.Remove(ctx, "acme", l.ID))
	if err := r.listeners.Remove(ctx, "acme", l.ID); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if got := list("acme"); len(got) > 0 || len(r.queues.names()) > 0 {
		t.Errorf("left over: %v, queues %v", got, r.queues.names())
	}
}

func second[T any](_ T, err error) error { return err }

// TestHowManyCanListen: exactly MaxListeners, however many try at once. Whose time has passed makes
// room.
func TestHowManyCanListen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var wg sync.WaitGroup
	for range 2 * listen.MaxListeners {
		wg.Go(func() {
			l, err := r.listeners.Prepare(listen.Listener{})
			for err == nil {
				_, err = r.listeners.Add(t.Context(), l)
				if errors.Is(err, catalog.ErrConflict) {
					err = nil
				} else {
					if err != nil && !errors.Is(err, listen.ErrTooMany) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	full := r.queues.names()
	if len(full) != listen.MaxListeners {
		t.Fatalf("%d queues", len(full))
	}
	r.clock.add(listen.DefaultTTL + time.Minute)
	id := r.add(t, listen.Listener{})
	if got := r.queues.names(); !slices.Equal(got, []string{id}) {
		t.Errorf("queues: %v, want %s alone", got, id)
	}
}

// TestTheSweepRemovesWhatIsOld: a day after its time a listener is removed, with its queue. What
// fails is removed by the next sweep.
func TestTheSweepRemovesWhatIsOld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.add(t, listen.Listener{TTL: time.Hour})
	r.clock.add(listen.KeptFor + 59*time.Minute)
	must(t, r.listeners.RemoveOld(t.Context()))
	if got := r.queues.names(); !slices.Equal(got, []string{id}) {
		t.Fatalf("queues: %v", got)
	}
	r.clock.add(2 * time.Minute)
	r.queues.broken = true
	if err := r.listeners.RemoveOld(t.Context()); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	r.queues.broken = false
	must(t, r.listeners.RemoveOld(t.Context()))
	if got := r.queues.names(); len(got) > 0 {
		t.Errorf("queues: %v", got)
	}
	if found, err := r.listeners.List(t.Context(), ""); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestAQueueThatCannotBeMade: the sweep knows of it all the same.
func TestAQueueThatCannotBeMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.queues.broken = true
	l, err := r.listeners.Prepare(listen.Listener{})
	must(t, err)
	if _, err := r.listeners.Add(t.Context(), l); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	r.queues.broken = false
	r.clock.add(listen.DefaultTTL + listen.KeptFor + time.Minute)
	must(t, r.listeners.RemoveOld(t.Context()))
	if found, err := r.listeners.List(t.Context(), ""); err != nil || len(found) > 0 ||
		r.queues.deletes != 1 {
		t.Errorf("%v, %v, %d queues deleted", found, err, r.queues.deletes)
	}
}

// TestInForce: an instance reads the mark with the catalog, at most a cache's time late, and then
// the list every Refresh. Whoever listens soon after another need not wait for the mark.
func TestInForce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const first = catalog.DefaultCacheTTL + time.Second
	wait := func() time.Duration {
		t.Helper()
		l, err := r.listeners.Prepare(listen.Listener{})
		must(t, err)
		at, err := r.listeners.Add(t.Context(), l)
		must(t, err)
		defer func() { must(t, r.listeners.Remove(t.Context(), "", l.ID)) }()
		return at.Sub(r.clock.now())
	}
	until := func() time.Duration {
		t.Helper()
		s, err := r.catalog.State(t.Context(), "")
		must(t, err)
		return s.Listening.Until.Sub(r.clock.now())
	}
	steps := []struct {
		name string
		pass time.Duration
		want time.Duration
	}{
		{"the first", 0, first},
		{"at once", 0, first},
		{"while instances learn of the first", 20 * time.Second, first - 20*time.Second},
		{"soon after", 2 * time.Minute, listen.Refresh},
		{"when the mark is about to end", 9*time.Minute + 45*time.Second, first},
		{"when it has ended", 11 * time.Minute, first},
	}
	for _, s := range steps {
		r.clock.add(s.pass)
		if got := wait(); got != s.want {
			t.Errorf("%s: in force in %v, want %v", s.name, got, s.want)
		}
		if got := until(); got != 10*time.Minute {
			t.Errorf("%s: the mark ends in %v", s.name, got)
		}
	}
	r.add(t, listen.Listener{TTL: 3 * time.Hour})
	r.add(t, listen.Listener{TTL: time.Hour})
	if got := until(); got != 3*time.Hour {
		t.Errorf("the mark ends in %v, want with the last listener", got)
	}
}

// TestWhatIsCopied: each listener gets what it asks for, of what its tenant may see.
func TestWhatIsCopied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := []byte(`{"of": "` + strings.Repeat("packed ", 1000) + `", "n": 7}`)
	packed := event("packed", "github", "push", "")
	packed.Body, packed.Packed = nil, format.Deflate(body)
	large := event("large", "github", "push", "")
	large.Body, large.BodyRef = nil, &relay.BodyRef{Key: "k", Size: len(body)}
	must(t, r.bodies.Put(t.Context(), "k", body))
	gone := large
	gone.ID, gone.BodyRef = "gone", &relay.BodyRef{Key: "none"}
	acmes := event("acmes", "github", "push", `{"n": 7}`)
	acmes.Tenant = "acme"
	own := event("own", "acme/shop", "order.created", `{"n": 7}`)
	own.Tenant = "acme"
	events := []relay.Event{
		event("push", "github", "push", `{"n": 7}`), event("issue", "github", "issues.opened", "{"),
		event("charge", "stripe", "charge", `{"n": 8}`), packed, large, gone, acmes, own,
	}
	want := map[string][]string{}
	for _, tt := range []struct {
		l    listen.Listener
		want string
	}{
		{listen.Listener{}, "push issue charge packed large gone acmes"},
		{listen.Listener{Sources: []string{"stripe", "acme/shop"}}, "charge own"},
		{listen.Listener{Types: []string{"issues.*", "charge"}}, "issue charge"},
		{listen.Listener{Where: `{"data": {"n": [7]}}`}, "push packed large acmes"},
		{
			listen.Listener{Sources: []string{"github"}, Where: `{"headers": {"x-own": ["2"]}}`}, "",
		},
		{listen.Listener{Tenant: "acme"}, "acmes own"},
		{listen.Listener{Tenant: "acme", Sources: []string{"shop"}}, "own"},
		{listen.Listener{Tenant: "other"}, ""},
	} {
		want[r.add(t, tt.l)] = strings.Fields(tt.want)
	}
	r.copier.Copy(t.Context(), events)
	for id, ids := range want {
		if got := r.queues.ids(id); !slices.Equal(got, ids) {
			t.Errorf("%v, want %v", got, ids)
		}
	}
	if r.dropped > 0 {
		t.Errorf("%d dropped", r.dropped)
	}
}

// TestTheListIsReadAgain: after Refresh, not before. A listener whose time has passed gets nothing.
func TestTheListIsReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e := []relay.Event{event("e", "app", "", "{}")}
	first := r.add(t, listen.Listener{TTL: time.Minute})
	r.copier.Copy(t.Context(), e)
	later := r.add(t, listen.Listener{})
	r.copier.Copy(t.Context(), e)
	if n := len(r.queues.ids(later)); n != 0 {
		t.Errorf("%d copies before the list was read", n)
	}
	r.clock.add(listen.Refresh)
	r.copier.Copy(t.Context(), e)
	r.clock.add(time.Minute - listen.Refresh)
	r.copier.Copy(t.Context(), e)
	if a, b := len(r.queues.ids(first)), len(r.queues.ids(later)); a != 3 || b != 2 {
		t.Errorf("%d and %d copies", a, b)
	}
}

// TestWhatCannotBeCopiedIsDropped, and told.
func TestWhatCannotBeCopiedIsDropped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(t, listen.Listener{})
	r.queues.broken = true
	r.copier.Copy(t.Context(), []relay.Event{
		event("a", "app", "", "{}"), event("b", "app", "", "{}"),
	})
	if r.dropped != 2 {
		t.Errorf("%d dropped", r.dropped)
	}
}

func TestACopyComesBack(t *testing.T) {
	t.Parallel()
	plain := event("plain", "app", "a.b", "\x00\xff{}")
	packed := event("packed", "app", "", "")
	packed.Body, packed.Packed = nil, []byte{0, 1, 0xff}
	large := event("large", "acme/app", "", "")
	large.Body, large.BodyRef, large.Tenant = nil, &relay.BodyRef{Key: "k", Size: 9}, "acme"
	for _, want := range []listen.Copy{
		{Event: plain}, {Event: plain, Again: "once more"}, {Event: packed}, {Event: large},
	} {
		b := want.Encode()
		must(t, format.CheckText(b))
		got, err := listen.Decode(b)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	for _, text := range []string{
		"", "{", "{}", `{"v":1}`, `{"v":1,"event":null}`, `{"v":1,"event":{}}`, `{"v":99}`, "null",
	} {
		if c, err := listen.Decode([]byte(text)); !errors.Is(err, format.ErrFormat) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

// FuzzDecode: what can be read is written as it was understood.
func FuzzDecode(f *testing.F) {
	f.Add(listen.Copy{Event: event("e", "app", "a", "{}")}.Encode())
	f.Add([]byte(`{"v":1,"again":"x","event":{"v":1,"id":"e","source":"s","receivedAt":"2026-01-02T03:04:05Z"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := listen.Decode(b)
		if err != nil {
			return
		}
		again, err := listen.Decode(c.Encode())
		must(t, err)
		if diff := cmp.Diff(c.Encode(), again.Encode()); diff != "" {
			t.Errorf("-first +second:\n%s", diff)
		}
	})
}
