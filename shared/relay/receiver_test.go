package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

// The secrets that handshakes bring.
const (
	firstSecret  = "b537207f20cbfa02357cf448134da559"
	secondSecret = "e8bd39d61597dcd5631b8012eae53e81"
)

// learner is a rig with two sources of a provider that sends its secret in a handshake: "new" has
// no secret yet, "old" has a configured one. It is also the store of learned secrets.
type learner struct {
	t       *testing.T
	catalog memory.Catalog
	ingest  memory.Queue
	reports reports
	fault   error // of the store
	asked   int   // how often the store was asked to keep a secret
}

// newLearner returns a learner with an open window for "new".
func newLearner(t *testing.T) *learner {
	t.Helper()
	l := newClosedLearner(t)
	l.open("new", time.Hour)
	return l
}

func newClosedLearner(t *testing.T) *learner {
	t.Helper()
	l := &learner{t: t}
	asana := verify.Config{Provider: "asana"}
	cat := catalog.Catalog{
		Sources: []catalog.Source{
			{Name: "new", Verify: asana},
			{Name: "old", Verify: asana, Secrets: []string{firstSecret}},
		},
	}
	if err := l.catalog.ReplaceCatalog(t.Context(), cat, 0); err != nil {
		t.Fatal(err)
	}
	return l
}

// open opens a window, as the operator does.
func (l *learner) open(source string, d time.Duration) {
	l.t.Helper()
	if err := l.catalog.OpenLearning(l.t.Context(), source, time.Now().Add(d)); err != nil {
		l.t.Fatal(err)
	}
}

// told returns the relay's own events in the ingest queue.
func (l *learner) told() []relay.Event {
	l.t.Helper()
	var own []relay.Event
	for _, m := range l.ingest.List() {
		e, err := relay.DecodeEvent(m.Body)
		if err != nil {
			l.t.Fatal(err)
		}
		if e.Source == catalog.OwnSource {
			own = append(own, e)
		}
	}
	return own
}

func (l *learner) LearnSecret(ctx context.Context, source, secret string) error {
	l.asked++
	if l.fault != nil {
		return l.fault
	}
	return l.catalog.LearnSecret(ctx, source, secret)
}

// instance returns a new instance of the function.
func (l *learner) instance() *relay.Receiver {
	return lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &l.catalog, Learned: l, Ingest: &l.ingest,
		Operator: operate.NewNotifier(nil, &l.ingest), Reporter: &l.reports, CacheTTL: time.Hour,
		Bodies: &memory.Bodies{},
	}))
}

// handshake sends a handshake with a secret to an instance.
func (l *learner) handshake(r *relay.Receiver, source, secret string) (relay.Answer, error) {
	return r.Receive(l.t.Context(), relay.Inbound{
		Source: source, Method: "POST", Header: relay.Header{
			"x-hook-secret": secret,
		}, Body: []byte("{}"), ReceivedAt: time.Now(),
	})
}

// webhook sends an instance a webhook that is signed with a secret.
func (l *learner) webhook(r *relay.Receiver, source, secret string) error {
	l.t.Helper()
	v, err := verify.New(verify.Config{Provider: "asana"}, []string{secret})
	if err != nil {
		l.t.Fatal(err)
	}
	signed, err := v.Sign(
		verify.Webhook{Body: []byte(`{"events":[{"action":"changed"}]}`)}, time.Now(),
	)
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = r.Receive(l.t.Context(), relay.Inbound{
		Source: source, Method: "POST", Header: signed.Header, Body: signed.Body,
		ReceivedAt: time.Now(),
	})
	return err
}

// kept checks the secrets of a source.
func (l *learner) kept(source string, want ...string) {
	l.t.Helper()
	s, err := l.catalog.Source(l.t.Context(), "", source)
	if err != nil {
		l.t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Secrets); diff != "" {
		l.t.Errorf("secrets of %s (-want +got):\n%s", source, diff)
	}
}

func TestReceive_KeepsTheSecretOfAHandshakeBeforeItAnswers(t *testing.T) {
	t.Parallel()
	l := newLearner(t)
	r := l.instance()
	if err := l.webhook(r, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
		t.Errorf("a webhook before the handshake: %v, want %v", err, verify.ErrNoSecret)
	}
	answer, err := l.handshake(r, "new", firstSecret)
	if err != nil || answer.EventID != "" || answer.Reply == nil ||
		answer.Reply.Header["x-hook-secret"] != firstSecret {
		t.Fatalf("the handshake: %+v, %v; want the secret echoed", answer, err)
	}
	l.kept("new", firstSecret)
	if report := l.reports.received[1]; !report.Handshake || !report.Learned ||
		report.Untold != nil || report.Err != nil {
		t.Errorf("reported as %+v", report)
	}
	for name, instance := range map[string]*relay.Receiver{
		"the same instance": r, "another": l.instance(),
	} {
		if err := l.webhook(instance, "new", firstSecret); err != nil {
			t.Errorf("%s, a webhook after the handshake: %v", name, err)
		}
		if err := l.webhook(instance, "new", secondSecret); !errors.Is(err, verify.ErrMismatch) {
			t.Errorf("%s, signed with another secret: %v, want %v", name, err, verify.ErrMismatch)
		}
	}
	if n := l.ingest.Len(); n != 3 {
		t.Errorf(
			"%d messages in the queue, want those of the two good webhooks and of the relay's own event",
			n,
		)
	}
}

// TestReceive_TellsOfALearnedSecret: the operator gets an event, and the secret is not in it.
func TestReceive_TellsOfALearnedSecret(t *testing.T) {
	t.Parallel()
	l := newLearner(t)
	if _, err := l.handshake(l.instance(), "new", firstSecret); err != nil {
		t.Fatal(err)
	}
	told := l.told()
	if len(told) != 1 || told[0].Type != operate.SourceSecretLearned {
		t.Fatalf("told %+v, want one event of type %s", told, operate.SourceSecretLearned)
	}
	var body struct {
		Type string            `json:"type"`
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(told[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		map[string]string{"source": "new"}, body.Data,
	); body.Type != operate.SourceSecretLearned || diff != "" {
		t.Errorf("type %q, data (-want +got):\n%s", body.Type, diff)
	}
}

// TestReceive_AnswersAHandshakeWhoseEventIsLost: the secret is stored, and a second handshake of
// the provider would be refused.
func TestReceive_AnswersAHandshakeWhoseEventIsLost(t *testing.T) {
	t.Parallel()
	l := newLearner(t)
	r := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &l.catalog, Learned: l, Ingest: failingQueue{},
		Operator: operate.NewNotifier(nil, failingQueue{}), Reporter: &l.reports,
		Bodies: &memory.Bodies{},
	}))
	if _, err := l.handshake(r, "new", firstSecret); err != nil {
		t.Error(err)
	}
	if report := l.reports.received[0]; !report.Learned || !errors.Is(report.Untold, errInjected) ||
		report.Err != nil {
		t.Errorf("reported as %+v", report)
	}
	l.kept("new", firstSecret)
}

type failingQueue struct{}

func (failingQueue) Send(_ context.Context, msgs []relay.Outgoing) []error {
	errs := make([]error, len(msgs))
	for i := range errs {
		errs[i] = errInjected
	}
	return errs
}

// TestReceive_RefusesAHandshakeWithoutAWindow: a stranger cannot plant a secret, and causes no
// call.
func TestReceive_RefusesAHandshakeWithoutAWindow(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*learner){
		"none was opened":     func(*learner) {},
		"it is over":          func(l *learner) { l.open("new", -time.Second) },
		"it is over just now": func(l *learner) { l.open("new", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newClosedLearner(t)
			open(l)
			r := l.instance()
			for range 5 {
				if _, err := l.handshake(r, "new", secondSecret); !errors.Is(
					err, catalog.ErrNotOpen,
				) ||
					!strings.Contains(
						err.Error(),
						"handshake refused: no learning window; run relay secret new --learn 10m",
					) {
					t.Errorf("%v, want %v and what to run", err, catalog.ErrNotOpen)
				}
			}
			for _, report := range l.reports.received {
				if report.Handshake || report.Learned ||
					!errors.Is(report.Err, catalog.ErrNotOpen) {
					t.Errorf("reported as %+v", report)
				}
			}
			l.kept("new")
			if told := l.told(); l.asked > 0 || len(told) > 0 {
				t.Errorf(
					"the store was asked %d times, and %d events were sent", l.asked, len(told),
				)
			}
		})
	}
}

// TestReceive_AWindowIsInForceAfterTheTTL: an instance that has the source in its cache reads it
// again after the TTL. It sees the end of the window at once.
func TestReceive_AWindowIsInForceAfterTheTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newClosedLearner(t)
		r := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: &l.catalog, Learned: l, Ingest: &l.ingest,
			Operator: operate.NewNotifier(nil, &l.ingest), Reporter: &l.reports,
			Bodies: &memory.Bodies{},
		}))
		refused := func(when string) {
			t.Helper()
			if _, err := l.handshake(r, "new", secondSecret); !errors.Is(err, catalog.ErrNotOpen) {
				t.Errorf("%s: %v, want %v", when, err, catalog.ErrNotOpen)
			}
		}
		refused("before")
		l.open("new", catalog.DefaultCacheTTL+time.Second)
		time.Sleep(catalog.DefaultCacheTTL)
		// the source is read
		if err := l.webhook(r, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		refused("at the end")
		l.open("new", time.Hour)
		time.Sleep(catalog.DefaultCacheTTL)
		if _, err := l.handshake(r, "new", firstSecret); err != nil {
			t.Errorf("in the window: %v", err)
		}
	})
}

func TestReceive_RefusesASecondHandshake(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source  string
		prepare func(l *learner, r *relay.Receiver) error // what r, or another instance, did before
	}{
		"the secret is configured": {"old", func(*learner, *relay.Receiver) error {
			return nil
		}},
		"this instance has learned one": {"new", func(l *learner, r *relay.Receiver) error {
			_, err := l.handshake(r, "new", firstSecret)
			return err
		}},
		"another has, before this began": {"new", func(l *learner, _ *relay.Receiver) error {
			_, err := l.handshake(l.instance(), "new", firstSecret)
			return err
		}},
		"another has, and this has the source as it was": {"new", func(
			l *learner, r *relay.Receiver,
		) error {
			if err := l.webhook(r, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
				return err
			}
			_, err := l.handshake(l.instance(), "new", firstSecret)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLearner(t)
			r := l.instance()
			if err := tt.prepare(l, r); err != nil {
				t.Fatal(err)
			}
			if _, err := l.handshake(r, tt.source, secondSecret); !errors.Is(
				err, verify.ErrSecondHandshake,
			) {
				t.Errorf("%v, want %v", err, verify.ErrSecondHandshake)
			}
			if report := l.reports.received[len(l.reports.received)-1]; !errors.Is(
				report.Err, verify.ErrSecondHandshake,
			) {
				t.Errorf("reported as %+v", report)
			}
			l.kept(tt.source, firstSecret)
		})
	}
}

func TestReceive_KeepsNothingWhereTheStoreFails(t *testing.T) {
	t.Parallel()
	l := newLearner(t)
	r := l.instance()
	l.fault = errInjected
	if _, err := l.handshake(r, "new", firstSecret); !errors.Is(err, relay.ErrUnavailable) ||
		!errors.Is(err, errInjected) {
		t.Errorf("%v, want %v with its cause", err, relay.ErrUnavailable)
	}
	if report := l.reports.received[0]; report.Handshake ||
		!errors.Is(report.Err, relay.ErrUnavailable) {
		t.Errorf("reported as %+v", report)
	}
	l.kept("new")
	if err := l.webhook(r, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
		t.Errorf("a webhook signed with it: %v, want %v", err, verify.ErrNoSecret)
	}
	l.fault = nil
	if _, err := l.handshake(r, "new", secondSecret); err != nil {
		t.Errorf("the next handshake: %v", err)
	}
	l.kept("new", secondSecret)
}

func TestReceive_RefusesHandshakesWithoutAStore(t *testing.T) {
	t.Parallel()
	l := newLearner(t)
	r := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
		Sources: &l.catalog, Ingest: &l.ingest, Operator: operate.NewNotifier(nil, &l.ingest),
		Reporter: &l.reports, Bodies: &memory.Bodies{},
	}))
	if _, err := l.handshake(r, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
		t.Errorf("%v, want %v", err, verify.ErrNoSecret)
	}
	l.kept("new")
}

// sameGeneration is a catalog whose generation stays the same when a secret is learned, as in
// DynamoDB.
type sameGeneration struct{ catalog.Sources }

func (sameGeneration) Generation(context.Context) (catalog.Generation, error) { return "g", nil }

// TestReceive_OtherInstancesLearnOfAHandshake: an instance that has the source without its secret
// in its cache reads it again after each TTL, until the source has a secret.
func TestReceive_OtherInstancesLearnOfAHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLearner(t)
		var calls countCalls
		other := lab.Must(relay.NewReceiver(relay.ReceiverConfig{
			Sources: faultySources{
				faultyGenerations{&calls, sameGeneration{&l.catalog}}, &l.catalog,
			}, Learned: l, Ingest: &l.ingest, Operator: operate.NewNotifier(nil, &l.ingest),
			Reporter: &l.reports,
			Bodies:   &memory.Bodies{},
		}))
		if err := l.webhook(other, "new", firstSecret); !errors.Is(err, verify.ErrNoSecret) {
			t.Errorf("before the handshake: %v", err)
		}
		if _, err := l.handshake(l.instance(), "new", firstSecret); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(catalog.DefaultCacheTTL)
			if err := l.webhook(other, "new", firstSecret); err != nil {
				t.Errorf("a TTL after the handshake: %v", err)
			}
		}
		if n := calls.of("source new"); n != 2 {
			t.Errorf(
				"the source was read %d times, want once without its secret and once with it", n,
			)
		}
	})
}
