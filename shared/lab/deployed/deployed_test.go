package deployed_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/events"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

const repository = "../../.."

// excused are grants that no test can need, each with the reason.
//
// Only the grants that follow from Synthesise's props are tested here. Two kinds are not covered,
// and are checked as text in TestGrantsOfAWholeRelay of package stack: those of fixedEgress, which
// Lambda itself uses to attach the function to its network, and those to invoke a function's URL,
// which no emulator plays.
var excused = map[string]string{
	"DeliverRole: ec2:DeleteNetworkInterface on *":     detaches,
	"DeliverRole: ec2:DescribeNetworkInterfaces on *":  detaches,
	"DeliverRole: ec2:DescribeSubnets on *":            detaches,
	"DeliverRole: ec2:UnassignPrivateIpAddresses on *": detaches,

	"DeliverRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:retry":             holds,
	"DeliverRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:slow":              holds,
	"FanoutRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:orderedingest.fifo": holds,

	"AdminRole: s3:ListBucket on arn:aws:s3:::bodies": "it tells a body that is gone, which is played at deliver",

	"DeliverRole: states:StartSyncExecution on " + deployed.SentMachine: kinds,
	"DeliverRole: states:StartExecution on " + deployed.SentExpress:     kinds,

	"DeliverRole: sqs:SendMessage on arn:aws:sqs:eu-central-1:000000000000:slow":   goesSlow,
	"DeliverRole: sqs:DeleteMessage on arn:aws:sqs:eu-central-1:000000000000:slow": goesSlow,
}

const (
	kinds    = "the setting send does not tell what kind of workflow it is, nor whether it is waited for"
	holds    = "a message is held after a failure of ours, which is played at the other queues"
	goesSlow = "an endpoint is slow after three attempts of more than two seconds, which would keep the test waiting; TestTheSlowLane… of package relay plays it"
)

const detaches = "Lambda itself uses it, where fixedEgress has just been turned off"

// TestDeployed sends webhooks through the synthesised stack. Then it checks the grants and what was
// left behind.
func TestDeployed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := oldListener(t, w)
	began := time.Now().UTC().Truncate(time.Millisecond)
	t.Run("what was lost is put back", func(t *testing.T) { swept(t, w, began) })
	t.Run("the API knows which source is silent", func(t *testing.T) { silent(t, w) })
	t.Run("an old listener is removed", func(t *testing.T) { isRemoved(t, w, old) })
	t.Run("on a bad day webhooks are late and none is lost", func(t *testing.T) { badDay(t, w) })
	t.Run("webhooks", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *world){
			"each endpoint gets a webhook as it came":       delivered,
			"a large body goes by way of the bucket":        large,
			"a provider's repeat is delivered once":         repeated,
			"what proves nothing is refused":                refused,
			"a failure is tried again":                      retried,
			"a dead delivery is listed and can be redriven": redriven,
			"a long wait is the scheduler's":                scheduled,
			"a slow endpoint delays no other":               slow,
			"an endpoint that is gone is disabled":          disabled,
			"a rate limit holds, and loses nothing":         limited,
			"so does a limit of attempts at once":           narrow,
			"an order is kept, and one that fails waits":    ordered,
			"an endpoint proves itself first":               proved,
			"the operator is told":                          told,
			"an endpoint gets its token from elsewhere":     tokened,
			"an endpoint in AWS gets its signature":         signedForAWS,
			"a queue gets webhooks, and pointers to them":   queued,
			"workflows are started, and waited for":         workflows,
			"a bucket gets webhooks as objects":             archived,
			"a destination that is not granted is refused":  ungranted,
			"the guard holds":                               guarded,
			"every provider's webhook is accepted":          everyProvider,
			"a secret is learned in a handshake":            learned,
			"a tenant gets its own events, and no other":    tenant,
			"a tenant's source learns its secret":           tenantLearns,
			"a tenant's rates hold, and lose nothing":       tenantRates,
			"the API runs a tenant":                         administered,
			"the API runs jobs":                             jobs,
			"the API applies a file":                        applied,
			"people use the console and the portal":         visited,
			"what cannot be processed is put aside":         putAside,
			"services in AWS trigger events":                triggered,
			"a person listens, and looks after the relay":   listened,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, w)
			})
		}
	})
	t.Run("a job outlives its worker", func(t *testing.T) { jobOutlivesItsWorker(t, w) })
	t.Run("nothing is left in a queue", w.queuesAreEmpty)
	t.Run("nothing is late", func(t *testing.T) { w.nothingIsLate(t, began) })
	t.Run("the API lists what was refused and counted", func(t *testing.T) { listed(t, w) })
	t.Run("each route of the API works", func(t *testing.T) { everyRouteWorks(t, w) })
	t.Run("nothing else is put aside", func(t *testing.T) {
		for name, want := range map[string]int{
			"IngestDlq": 2, "DeliveryDlq": 3, "TriggersDlq": 1,
		} {
			if n := w.messages(t, name); n != want {
				t.Errorf("%s has %d messages, want %d", name, n, want)
			}
		}
	})
	t.Run("each call is granted", func(t *testing.T) {
		for _, line := range w.host.Denied() {
			t.Errorf("not granted: %s", line)
		}
	})
	t.Run("each grant is needed", func(t *testing.T) {
		unused := w.host.Unused()
		for _, line := range unused {
			if excused[line] == "" {
				t.Errorf("granted and never needed: %s", line)
			}
		}
		for line := range excused {
			if !slices.Contains(unused, line) {
				t.Errorf("excused, and not there or needed: %s", line)
			}
		}
	})
	t.Run("what the ledger keeps expires", func(t *testing.T) {
		if kept, err := w.host.WithoutTimeToLive(t.Context()); err != nil || len(kept) > 0 {
			t.Errorf("never expire: %q, %v", kept, err)
		}
	})
}

// badDay delays deliveries in their queue for two seconds, and then throttles two batches, as if no
// concurrency were left.
func badDay(t *testing.T, w *world) {
	resume := w.host.Stop("Delivery")
	defer resume()
	w.host.Throttle("Delivery", 8)
	began := time.Now()
	var ids []string
	for range 3 {
		ids = append(
			ids, w.send(t, "late", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}),
		)
	}
	eventually(t, "they are late", func() bool {
		return w.messages(t, "Delivery") == len(ids) && time.Since(began) > 2*time.Second
	})
	resume()
	eventually(t, "all arrive", func() bool {
		w.passVisibility(t)
		return !slices.ContainsFunc(ids, func(id string) bool {
			d, err := w.delivery(t, id, "late")
			return err != nil || d.Status != relay.Delivered
		})
	})
	for _, id := range ids {
		if n := len(w.posts("late", id)); n != 1 {
			t.Errorf("%d POSTs of %s", n, id)
		}
	}
}

// delivered also finds the webhook by its source, like the operator's command.
func delivered(t *testing.T, w *world) {
	body, eventType, err := events.Sample("github", "push")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Truncate(time.Millisecond) // as the gateway does
	id := w.send(
		t, "github", verify.Webhook{DeliveryID: rand.Text(), EventType: eventType, Body: body},
	)
	for _, endpoint := range []string{"shop", "audit"} {
		d := w.settled(t, id, endpoint, relay.Delivered, 1)
		if d.Type != "push" || d.Source != "github" {
			t.Errorf("delivery %+v", d)
		}
		got := w.posts(endpoint, id)
		if len(got) != 1 || !bytes.Equal(got[0].body, body) {
			t.Fatalf("%s got %d webhooks with id %s", endpoint, len(got), id)
		}
		for name, want := range map[string]string{
			"content-type": "application/json", "relay-source": "github", "relay-attempt": "1",
		} {
			if value := got[0].header.Get(name); value != want {
				t.Errorf("%s: %s is %q, want %q", endpoint, name, value, want)
			}
		}
		if value := got[0].header.Get("webhook-signature"); !strings.HasPrefix(value, "v1,") {
			t.Errorf("%s: signature %q", endpoint, value)
		}
	}
	listed, _, err := w.ledger.EventsIn(t.Context(), operate.EventQuery{From: began, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(listed, func(k operate.EventKey) bool {
		return k.ID == id && k.Source == "github"
	}) {
		t.Errorf("%s is not among the %d events that are listed", id, len(listed))
	}
}

// large sends bodies by each way: in the bucket, and in the messages, where the ledger stores one
// in the bucket, and the other, which can be compressed, in the event's item.
func large(t *testing.T, w *world) {
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise) // never fails
	text := bytes.Repeat([]byte(`{"id":1296269,"name":"Hello-World"},`), 2000)
	for _, body := range [][]byte{noise, noise[:20<<10], text} {
		id := w.send(t, "bulky", verify.Webhook{DeliveryID: rand.Text(), Body: body})
		w.settled(t, id, "bulky", relay.Delivered, 1)
		if got := w.posts("bulky", id); len(got) != 1 || !bytes.Equal(got[0].body, body) {
			t.Errorf("got %d webhooks with the id", len(got))
		}
	}
}

func repeated(t *testing.T, w *world) {
	webhook := verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{"n":1}`)}
	id := w.send(t, "repeated", webhook)
	w.settled(t, id, "repeated", relay.Delivered, 1)
	if again := w.send(t, "repeated", webhook); again != id {
		t.Errorf("the repeat has id %s, not %s", again, id)
	}
	last := w.send(t, "repeated", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{"n":2}`)})
	w.settled(t, last, "repeated", relay.Delivered, 1)
	w.queuesAreEmpty(t)
	if got := w.posts("repeated", id); len(got) != 1 {
		t.Errorf("%d POSTs of it", len(got))
	}
}

func refused(t *testing.T, w *world) {
	forged := w.header(
		t, "github", verify.Webhook{DeliveryID: "1", EventType: "push", Body: []byte(`{"a":1}`)},
	)
	for name, tt := range map[string]struct {
		path string
		want int
	}{
		"forged":  {"/in/github", http.StatusUnauthorized},
		"unknown": {"/in/nobody", http.StatusNotFound},
		"no path": {"/", http.StatusNotFound},
	} {
		if status, answer := w.post(t, tt.path, forged, []byte(`{"a":2}`)); status != tt.want {
			t.Errorf("%s: %d %s, want %d", name, status, answer, tt.want)
		}
	}
}

// everyProvider sends each provider's sample with the provider's signature, and expects all of them
// at one endpoint.
func everyProvider(t *testing.T, w *world) {
	for _, provider := range verify.Providers() {
		source, signing, err := events.DemoSource(provider)
		if err != nil {
			t.Fatal(err)
		}
		v, err := verify.New(source.Verify, source.Secrets, verify.SignWith(signing))
		if err != nil {
			t.Fatal(err)
		}
		body, eventType, err := events.Sample(provider, "")
		if err != nil {
			t.Fatal(err)
		}
		r, err := v.Sign(
			verify.Webhook{DeliveryID: rand.Text(), EventType: eventType, Body: body}, time.Now(),
		)
		if err != nil {
			t.Fatal(err)
		}
		path := demoPrefix + source.Name
		if r.Query != "" {
			path += "?" + r.Query
		}
		if status, answer := w.post(t, "/in/"+path, r.Header, r.Body); status/100 != 2 {
			t.Errorf("%s: %d %s", provider, status, answer)
		}
	}
	eventually(t, "one webhook of each provider is delivered", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		seen := map[string]bool{}
		for _, p := range w.got["every"] {
			seen[p.header.Get("relay-source")] = true
		}
		return len(seen) == len(verify.Providers())
	})
}

// learned makes Asana's handshake in an open window, and then sends webhooks signed with the
// learned secret. Instances that have read the source before do not know the secret until their
// cache entry expires.
func learned(t *testing.T, w *world) { learnedBy(t, w, "learner") }

func tenantLearns(t *testing.T, w *world) { learnedBy(t, w, "acme/learner") }

func learnedBy(t *testing.T, w *world, source string) {
	t.Helper()
	const secret = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
	w.openLearning(t, source)
	if status, answer := w.post(
		t, "/in/"+source, verify.Header{"x-hook-secret": secret}, []byte("{}"),
	); status != http.StatusOK {
		t.Fatalf("handshake: %d %s", status, answer)
	}
	if status, _ := w.post(
		t, "/in/"+source, verify.Header{"x-hook-secret": "another"}, []byte("{}"),
	); status != http.StatusUnauthorized {
		t.Errorf("a second handshake: %d", status)
	}
	v, err := verify.New(verify.Config{Provider: "asana"}, []string{secret})
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Sign(verify.Webhook{Body: []byte(`{"events":[{"action":"changed"}]}`)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := w.post(t, "/in/"+source, r.Header, r.Body); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

// tenant sends an event to a tenant's own source, and one for the tenant to the operator's.
func tenant(t *testing.T, w *world) {
	own := w.send(t, "acme/own", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, own, "acme/tenants", relay.Delivered, 1)
	w.settled(t, own, "acme/in-order", relay.Delivered, 1)

	webhook := verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}
	header := w.header(t, "publisher", webhook)
	if status, answer := w.post(t, "/in/publisher", header, webhook.Body); status !=
		http.StatusUnprocessableEntity {
		t.Errorf("without a tenant: %d %s", status, answer)
	}
	for _, tenant := range []string{"acme", "nobody"} {
		header["webhook-tenant"] = tenant
		status, text := w.post(t, "/in/publisher", header, webhook.Body)
		var answer struct{ ID string }
		if err := json.Unmarshal(text, &answer); status != http.StatusOK || err != nil {
			t.Fatalf("for %s: %d %s", tenant, status, text)
		}
		if tenant == "acme" {
			w.settled(t, answer.ID, "acme/tenants", relay.Delivered, 1)
			continue
		}
		eventually(t, "an event of a tenant without a catalog is recorded", func() bool {
			record, err := w.ledger.EventRecord(t.Context(), answer.ID)
			return err == nil && len(record.Endpoints) == 0 && record.Tenant == tenant
		})
	}
	if status, _ := w.post(t, "/in/nobody/own", header, webhook.Body); status !=
		http.StatusNotFound {
		t.Errorf("the source of a tenant that does not exist: %d", status)
	}
}

func retried(t *testing.T, w *world) {
	id := w.send(t, "flaky", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	d := w.settled(t, id, "flaky", relay.Delivered, 2)
	if d.History[0].StatusCode != http.StatusServiceUnavailable ||
		d.History[1].StatusCode != http.StatusNoContent {
		t.Errorf("attempts %+v", d.History)
	}
}

func redriven(t *testing.T, w *world) {
	id := w.send(t, "broken", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "broken", relay.Dead, 2)
	dead, _, err := w.ledger.ListDeliveries(
		t.Context(), operate.Query{Endpoint: "broken", Statuses: []relay.Status{relay.Dead}}, "",
	)
	if err != nil || len(dead) != 1 || dead[0].EventID != id {
		t.Fatalf("listed as dead: %+v, %v", dead, err)
	}
	w.answer("broken", func(int) int { return http.StatusOK })
	// the record says dead a moment before the message is in the queue
	eventually(t, "it is delivered", func() bool {
		if _, err := w.host.Redrive(
			t.Context(), w.host.Outputs["DeadQueueUrl"], w.host.Outputs["RetryQueueUrl"],
		); err != nil {
			t.Fatal(err)
		}
		d, err := w.delivery(t, id, "broken")
		return err == nil && d.Status == relay.Delivered
	})
	w.settled(t, id, "broken", relay.Delivered, 3)
}

func scheduled(t *testing.T, w *world) {
	id := w.send(t, "patient", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "patient", relay.Waiting, 1)
	eventually(t, "a schedule", func() bool {
		n, err := w.host.PassTime(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	})
	w.settled(t, id, "patient", relay.Delivered, 2)
}

func disabled(t *testing.T, w *world) {
	first := w.send(t, "gone", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	if d := w.settled(t, first, "gone", relay.Dead, 1); d.Reason != relay.Declined {
		t.Errorf("it answered 410, and the delivery died of %q", d.Reason)
	}
	// an instance that does not know is answered 410 too
	eventually(t, "every instance knows", func() bool {
		id := w.send(t, "gone", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
		return w.settled(t, id, "gone", relay.Dead, 1).Reason == relay.EndpointGone &&
			len(w.posts("gone", id)) == 0
	})
}

// told expects that the relay tells the operator once about an endpoint that is gone, with a signed
// webhook.
func told(t *testing.T, w *world) {
	id := w.send(t, "retired", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "retired", relay.Dead, 1)
	verifier, err := verify.New(
		verify.Config{Provider: "standard-webhooks"}, []string{signingSecret},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, eventType := range []string{gate.EndpointDisabled, operate.DeliveryDead} {
		var got []post
		eventually(t, eventType, func() bool {
			got = w.tellings("retired", eventType)
			return len(got) > 0
		})
		header := verify.Header{}
		for name := range got[0].header {
			header[strings.ToLower(name)] = got[0].header.Get(name)
		}
		_, err := verifier.Verify(
			t.Context(),
			verify.Request{
				Method: http.MethodPost, Header: header, Body: got[0].body, ReceivedAt: time.Now(),
			},
		)
		if err != nil || len(got) > 1 || header["relay-source"] != catalog.OwnSource {
			t.Errorf(
				"%d times %s: %s from %s: %v", len(got), eventType, got[0].body,
				header["relay-source"], err,
			)
		}
	}
}

func limited(t *testing.T, w *world) {
	began := time.Now()
	const webhooks, perSecond = 6, 2
	var ids []string
	for range webhooks {
		ids = append(
			ids, w.send(t, "limited", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}),
		)
	}
	for _, id := range ids {
		w.settled(t, id, "limited", relay.Delivered, 1)
	}
	// So many seconds have begun. The first and the last may have been partial.
	if took, least := time.Since(began), (webhooks/perSecond-2)*time.Second; took < least {
		t.Errorf("%d webhooks at %d a second within %s", webhooks, perSecond, took)
	}
}

// proved delivers to an endpoint that answers the proof, and that has a retiring secret.
func proved(t *testing.T, w *world) {
	id := w.send(t, "proved", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "proved", relay.Delivered, 1)
	w.mu.Lock()
	got := slices.Clone(w.got["proved"])
	w.mu.Unlock()
	if len(got) != 2 || got[1].header.Get("webhook-id") != id {
		t.Fatalf("got %+v", got)
	}
	for _, p := range got {
		if origin := p.header.Get("webhook-request-origin"); !strings.Contains(
			origin, ".execute-api.",
		) {
			t.Errorf("the relay calls itself %q", origin)
		}
		if signatures := strings.Fields(p.header.Get("webhook-signature")); len(signatures) != 2 ||
			signatures[0] == signatures[1] {
			t.Errorf("signed by %q", signatures)
		}
	}
}

func tokened(t *testing.T, w *world) {
	id := w.send(t, "tokened", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "tokened", relay.Delivered, 1)
	for _, p := range w.posts("tokened", id) {
		if got := p.header.Get("Authorization"); got != "Bearer "+endpointToken {
			t.Errorf("authorization %q", got)
		}
	}
}

// signedForAWS does what API Gateway does: the role that signed must be allowed to call the API.
// Package egress checks the signature itself.
func signedForAWS(t *testing.T, w *world) {
	id := w.send(t, "api", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "api", relay.Delivered, 1)
	for _, p := range w.posts("api", id) {
		got := p.header.Get("Authorization")
		if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=") || !strings.Contains(
			got, "/execute-api/aws4_request, SignedHeaders=content-length;content-type;host;",
		) {
			t.Errorf("authorization %q", got)
		}
		if !w.host.May("Deliver", "execute-api:Invoke", deployed.InvokedAPI) {
			t.Error("its role may not call the API")
		}
	}
}

// narrow sends more webhooks to an endpoint than its concurrency limit, which holds for all
// instances together.
func narrow(t *testing.T, w *world) {
	const webhooks, most = 8, 2
	var current, highest atomic.Int32
	w.answer("narrow", func(int) int {
		defer current.Add(-1)
		for n := current.Add(1); ; {
			if seen := highest.Load(); n <= seen || highest.CompareAndSwap(seen, n) {
				break
			}
		}
		time.Sleep(100 * time.Millisecond) // like an endpoint that cannot handle more at once
		return http.StatusOK
	})
	var ids []string
	for range webhooks {
		ids = append(
			ids, w.send(t, "narrow", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}),
		)
	}
	for _, id := range ids {
		w.settled(t, id, "narrow", relay.Delivered, 1)
	}
	if n := highest.Load(); n > most {
		t.Errorf("%d attempts at once, allowed are %d", n, most)
	}
}

func slow(t *testing.T, w *world) {
	release := make(chan struct{})
	defer close(release)
	w.answer("slow", func(int) int {
		<-release
		return http.StatusOK
	})
	id := w.send(t, "slow", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	eventually(t, "the slow endpoint is at work", func() bool {
		return len(w.posts("slow", id)) == 1
	})
	other := w.send(t, "quick", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, other, "quick", relay.Delivered, 1)
	if n := w.host.Instances("Deliver"); n < 2 {
		t.Errorf("%d instance of deliver", n)
	}
}

// guarded checks that the test build permits exactly one loopback address.
func guarded(t *testing.T, w *world) {
	id := w.send(t, "guarded", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	for _, a := range w.settled(t, id, "guarded", relay.Dead, 1).History {
		if a.Outcome != relay.Blocked {
			t.Errorf("attempt %+v", a)
		}
	}
}

// putAside sends messages that no stage can process. Each must end in the dead-letter queue. Either
// the function puts it there, or SQS does after the maximum number of receives.
func putAside(t *testing.T, w *world) {
	event := relay.Event{
		ID: relay.EventID("", "large", "gone"), Receipt: "r", Source: "large",
		ReceivedAt: time.Now().UTC().Truncate(time.Millisecond),
		BodyRef:    &relay.BodyRef{Key: "2000/01/01/large/gone", Size: 1},
	}
	bodiless := fmt.Sprintf(
		`{"v":1,"endpoint":"large","attempt":1,"step":0,"event":%s}`, relay.EncodeEvent(event),
	)
	// more than an item of DynamoDB holds, compressed too
	var noise strings.Builder
	for noise.Len() < 750_000 {
		noise.WriteString(rand.Text())
	}
	event.Header = relay.Header{"x-large": noise.String()}
	unrecordable := string(relay.EncodeEvent(event))
	for what, tt := range map[string]struct {
		output, message, queue string
		aside                  string // part of what lies there then
	}{
		"unreadable, at once by fanout": {
			"IngestQueueUrl", "unreadable event", "IngestDlq", "unreadable event",
		},
		"unrecordable, after five tries by SQS": {
			"IngestQueueUrl", unrecordable, "IngestDlq", unrecordable,
		},
		"unreadable, at once by deliver": {
			"DeliveryQueueUrl", "unreadable delivery", "DeliveryDlq", "unreadable delivery",
		},
		"unreadable retry, at once by deliver": {
			"RetryQueueUrl", "unreadable retry", "DeliveryDlq", "unreadable retry",
		},
		"bodiless, after five tries, by deliver": {
			"DeliveryQueueUrl", bodiless, "DeliveryDlq", `"origin":"`,
		},
	} {
		url, dlq := w.host.Outputs[tt.output], w.host.Queue(tt.queue)
		if _, err := w.host.SQS.SendMessage(
			t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &tt.message},
		); err != nil {
			t.Fatal(err)
		}
		eventually(t, what, func() bool {
			w.passVisibility(t)
			out, err := w.host.SQS.ReceiveMessage(
				t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &dlq, MaxNumberOfMessages: 10},
			)
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(out.Messages, func(m sqstypes.Message) bool {
				return strings.Contains(*m.Body, tt.aside)
			})
		})
	}
}
