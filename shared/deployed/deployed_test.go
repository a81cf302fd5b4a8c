package deployed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/events"
	"webhook-relay/shared/deployed"
	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/verify"
)

const repository = "../.."

// excused are grants that no test can need, each with the reason.
//
// Only the grants of the props that Synthesise sets are there to be used. Two kinds are not, and stand as they were read, in
// TestGrantsOfAWholeRelay of package stack: those of fixedEgress, which Lambda itself uses to attach the function to its network, and those
// to invoke a function's URL, which is no service that an emulator plays.
var excused = map[string]string{
	"DeliverRole: ec2:DeleteNetworkInterface on *":     detaches,
	"DeliverRole: ec2:DescribeNetworkInterfaces on *":  detaches,
	"DeliverRole: ec2:DescribeSubnets on *":            detaches,
	"DeliverRole: ec2:UnassignPrivateIpAddresses on *": detaches,

	"DeliverRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:retry":             holds,
	"DeliverRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:slow":              holds,
	"FanoutRole: sqs:ChangeMessageVisibility on arn:aws:sqs:eu-central-1:000000000000:orderedingest.fifo": holds,

	"DeliverRole: sqs:SendMessage on arn:aws:sqs:eu-central-1:000000000000:slow":   goesSlow,
	"DeliverRole: sqs:DeleteMessage on arn:aws:sqs:eu-central-1:000000000000:slow": goesSlow,
}

const (
	holds    = "a message is held after a failure of ours, which is played at the other queues"
	goesSlow = "an endpoint is slow after three attempts of more than two seconds, which would keep the test waiting; TestTheSlowLane… of package relay plays it"
)

const detaches = "Lambda itself uses it, where fixedEgress has just been turned off"

// TestDeployed sends webhooks through the synthesised stack, and then looks at what it was granted and what it left behind.
func TestDeployed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	t.Run("what was lost is put back", func(t *testing.T) { swept(t, w) })
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
			"the guard holds":                               guarded,
			"every provider's webhook is accepted":          everyProvider,
			"a secret is learned in a handshake":            learned,
			"what cannot be processed is put aside":         putAside,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, w)
			})
		}
	})
	t.Run("nothing is left in a queue", w.queuesAreEmpty)
	t.Run("nothing is stranded", w.nothingIsStranded)
	t.Run("nothing else is put aside", func(t *testing.T) {
		for name, want := range map[string]int{"IngestDlq": 2, "DeliveryDlq": 3} {
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

// badDay has deliveries lie in their queue for two seconds, and then reach no function twice, as when there is no concurrency left.
func badDay(t *testing.T, w *world) {
	resume := w.host.Stop("Delivery")
	defer resume()
	w.host.Throttle("Delivery", 8)
	began := time.Now()
	var ids []string
	for range 3 {
		ids = append(ids, w.send(t, "late", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}))
	}
	eventually(t, "they are late", func() bool { return w.messages(t, "Delivery") == len(ids) && time.Since(began) > 2*time.Second })
	resume()
	eventually(t, "all arrive", func() bool {
		w.passVisibility(t)
		return !slices.ContainsFunc(ids, func(id string) bool {
			d, err := w.ledger.Delivery(t.Context(), id, "late")
			return err != nil || d.Status != relay.Delivered
		})
	})
	for _, id := range ids {
		if n := len(w.posts("late", id)); n != 1 {
			t.Errorf("%d POSTs of %s", n, id)
		}
	}
}

// delivered also finds the webhook by its source, as the operator's command does.
func delivered(t *testing.T, w *world) {
	body, eventType, err := events.Sample("github", "push")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	id := w.send(t, "github", verify.Webhook{DeliveryID: rand.Text(), EventType: eventType, Body: body})
	for _, endpoint := range []string{"shop", "audit"} {
		d := w.settled(t, id, endpoint, relay.Delivered, 1)
		if d.Type != "push" || d.Source != "github" {
			t.Errorf("delivery %+v", d)
		}
		got := w.posts(endpoint, id)
		if len(got) != 1 || !bytes.Equal(got[0].body, body) {
			t.Fatalf("%s got %d webhooks with id %s", endpoint, len(got), id)
		}
		for name, want := range map[string]string{"content-type": "application/json", "relay-source": "github", "relay-attempt": "1"} {
			if value := got[0].header.Get(name); value != want {
				t.Errorf("%s: %s is %q, want %q", endpoint, name, value, want)
			}
		}
		if value := got[0].header.Get("webhook-signature"); !strings.HasPrefix(value, "v1,") {
			t.Errorf("%s: signature %q", endpoint, value)
		}
	}
	var listed []relay.EventRecord
	for _, hour := range []time.Time{began, time.Now()} {
		records, _, err := w.ledger.EventsBySource(t.Context(), "github", hour, "")
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, records...)
	}
	if !slices.ContainsFunc(listed, func(r relay.EventRecord) bool { return r.ID == id }) {
		t.Errorf("%s is not among the %d events of its source", id, len(listed))
	}
}

func large(t *testing.T, w *world) {
	body := make([]byte, 3<<20)
	_, _ = rand.Read(body) // never fails
	id := w.send(t, "bulky", verify.Webhook{DeliveryID: rand.Text(), Body: body})
	w.settled(t, id, "bulky", relay.Delivered, 1)
	if got := w.posts("bulky", id); len(got) != 1 || !bytes.Equal(got[0].body, body) {
		t.Errorf("got %d webhooks with the id", len(got))
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
	forged := w.header(t, "github", verify.Webhook{DeliveryID: "1", EventType: "push", Body: []byte(`{"a":1}`)})
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

// everyProvider sends each provider's sample, signed as it signs, and then sees them all at one endpoint.
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
		r, err := v.Sign(verify.Webhook{DeliveryID: rand.Text(), EventType: eventType, Body: body}, time.Now())
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

// openLearning lets the next handshake of a source bring its secret, as relay secret SOURCE --learn does.
func (w *world) openLearning(t *testing.T, source string) {
	t.Helper()
	catalog := dynamo.NewCatalog(w.host.DynamoDB, w.host.Outputs["CatalogTable"], kms.New(w.host.KMS, w.host.Outputs["SecretsKeyArn"]))
	if err := catalog.OpenLearning(t.Context(), source, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// learned has Asana's handshake made in a window, and then webhooks signed with the secret that it brought. Instances that saw the source before go on
// without it for as long as they keep a source.
func learned(t *testing.T, w *world) {
	const secret = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81"
	w.openLearning(t, "learner")
	if status, answer := w.post(t, "/in/learner", verify.Header{"x-hook-secret": secret}, []byte("{}")); status != http.StatusOK {
		t.Fatalf("handshake: %d %s", status, answer)
	}
	if status, _ := w.post(t, "/in/learner", verify.Header{"x-hook-secret": "another"}, []byte("{}")); status != http.StatusUnauthorized {
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
	if status, answer := w.post(t, "/in/learner", r.Header, r.Body); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
}

func retried(t *testing.T, w *world) {
	id := w.send(t, "flaky", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	d := w.settled(t, id, "flaky", relay.Delivered, 2)
	if d.History[0].StatusCode != http.StatusServiceUnavailable || d.History[1].StatusCode != http.StatusNoContent {
		t.Errorf("attempts %+v", d.History)
	}
}

func redriven(t *testing.T, w *world) {
	id := w.send(t, "broken", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "broken", relay.Dead, 2)
	dead, _, err := w.ledger.OpenDeliveries(t.Context(), "broken", relay.Dead, "")
	if err != nil || len(dead) != 1 || dead[0].EventID != id {
		t.Fatalf("listed as dead: %+v, %v", dead, err)
	}
	w.answer("broken", func(int) int { return http.StatusOK })
	eventually(t, "it is delivered", func() bool { // on record as dead a moment before its message is in the queue
		if _, err := w.host.Redrive(t.Context(), w.host.Outputs["DeadQueueUrl"], w.host.Outputs["RetryQueueUrl"]); err != nil {
			t.Fatal(err)
		}
		d, err := w.ledger.Delivery(t.Context(), id, "broken")
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
	if d := w.settled(t, first, "gone", relay.Dead, 1); d.Reason != relay.EndpointDeclined {
		t.Errorf("it answered 410, and the delivery died of %q", d.Reason)
	}
	eventually(t, "every instance knows", func() bool { // one that does not is told 410 as well
		id := w.send(t, "gone", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
		return w.settled(t, id, "gone", relay.Dead, 1).Reason == relay.EndpointGone && len(w.posts("gone", id)) == 0
	})
}

// told sees what the relay tells an operator of an endpoint that is gone, once, signed as any webhook.
func told(t *testing.T, w *world) {
	id := w.send(t, "retired", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "retired", relay.Dead, 1)
	verifier, err := verify.New(verify.Config{Provider: "standard-webhooks"}, []string{signingSecret})
	if err != nil {
		t.Fatal(err)
	}
	for _, eventType := range []string{relay.EndpointDisabled, relay.DeliveryDead} {
		var got []post
		eventually(t, eventType, func() bool {
			got = w.tellings("retired", eventType)
			return len(got) > 0
		})
		header := verify.Header{}
		for name := range got[0].header {
			header[strings.ToLower(name)] = got[0].header.Get(name)
		}
		_, err := verifier.Verify(t.Context(), verify.Request{Method: http.MethodPost, Header: header, Body: got[0].body, ReceivedAt: time.Now()})
		if err != nil || len(got) > 1 || header["relay-source"] != relay.OperatorSource {
			t.Errorf("%d times %s: %s from %s: %v", len(got), eventType, got[0].body, header["relay-source"], err)
		}
	}
}

// tellings are the POSTs that the endpoint "operator" has got of a type and about an endpoint.
func (w *world) tellings(about, eventType string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []post
	for _, p := range w.got["operator"] {
		if p.header.Get("relay-event-type") == eventType && bytes.Contains(p.body, []byte(`"endpoint":"`+about+`"`)) {
			found = append(found, p)
		}
	}
	return found
}

func limited(t *testing.T, w *world) {
	began := time.Now()
	const webhooks, perSecond = 6, 2
	var ids []string
	for range webhooks {
		ids = append(ids, w.send(t, "limited", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}))
	}
	for _, id := range ids {
		w.settled(t, id, "limited", relay.Delivered, 1)
	}
	// So many seconds have begun, of which the first and the last need not have been whole.
	if took, least := time.Since(began), (webhooks/perSecond-2)*time.Second; took < least {
		t.Errorf("%d webhooks at %d a second within %s", webhooks, perSecond, took)
	}
}

// proved delivers to an endpoint that grants the handshake, and one of whose secrets is on its way out.
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
		if origin := p.header.Get("webhook-request-origin"); !strings.Contains(origin, ".execute-api.") {
			t.Errorf("the relay calls itself %q", origin)
		}
		if signatures := strings.Fields(p.header.Get("webhook-signature")); len(signatures) != 2 || signatures[0] == signatures[1] {
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

// signedForAWS plays what API Gateway does: whose role signed must be allowed to call the API. The signature itself is held in package egress.
func signedForAWS(t *testing.T, w *world) {
	id := w.send(t, "api", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, id, "api", relay.Delivered, 1)
	for _, p := range w.posts("api", id) {
		got := p.header.Get("Authorization")
		if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=") || !strings.Contains(got, "/execute-api/aws4_request, SignedHeaders=content-length;content-type;host;") {
			t.Errorf("authorization %q", got)
		}
		if !w.host.May("Deliver", "execute-api:Invoke", deployed.InvokedAPI) {
			t.Error("its role may not call the API")
		}
	}
}

// narrow has more webhooks come to an endpoint than may be under way at once, to all instances together.
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
		time.Sleep(100 * time.Millisecond) // as an endpoint does that cannot take more at once
		return http.StatusOK
	})
	var ids []string
	for range webhooks {
		ids = append(ids, w.send(t, "narrow", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)}))
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
	eventually(t, "the slow endpoint is at work", func() bool { return len(w.posts("slow", id)) == 1 })
	other := w.send(t, "quick", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	w.settled(t, other, "quick", relay.Delivered, 1)
	if n := w.host.Instances("Deliver"); n < 2 {
		t.Errorf("%d instance of deliver", n)
	}
}

// guarded holds that the seam of the test build lets one address through and no more.
func guarded(t *testing.T, w *world) {
	id := w.send(t, "guarded", verify.Webhook{DeliveryID: rand.Text(), Body: []byte(`{}`)})
	for _, a := range w.settled(t, id, "guarded", relay.Dead, 1).History {
		if a.Outcome != relay.Blocked {
			t.Errorf("attempt %+v", a)
		}
	}
}

// putAside sends what no stage can process: each message must end in the dead-letter queue, put there by the function or, after its
// receives, by SQS.
func putAside(t *testing.T, w *world) {
	event := relay.Event{
		ID: relay.EventID("large", "gone"), Receipt: "r", Source: "large", ReceivedAt: time.Now().UTC().Truncate(time.Millisecond),
		BodyRef: &relay.BodyRef{Key: "2000/01/01/large/gone", Size: 1},
	}
	bodiless := fmt.Sprintf(`{"v":1,"endpoint":"large","attempt":1,"step":0,"event":%s}`, relay.EncodeEvent(event))
	event.Header = relay.Header{"x-large": strings.Repeat("x", 450_000)} // more than an item of DynamoDB holds
	unrecordable := string(relay.EncodeEvent(event))
	for what, tt := range map[string]struct {
		output, message, queue string
		aside                  string // part of what lies there then
	}{
		"unreadable, at once by fanout":          {"IngestQueueUrl", "unreadable event", "IngestDlq", "unreadable event"},
		"unrecordable, after five tries by SQS":  {"IngestQueueUrl", unrecordable, "IngestDlq", unrecordable},
		"unreadable, at once by deliver":         {"DeliveryQueueUrl", "unreadable delivery", "DeliveryDlq", "unreadable delivery"},
		"unreadable retry, at once by deliver":   {"RetryQueueUrl", "unreadable retry", "DeliveryDlq", "unreadable retry"},
		"bodiless, after five tries, by deliver": {"DeliveryQueueUrl", bodiless, "DeliveryDlq", `"origin":"`},
	} {
		url, dlq := w.host.Outputs[tt.output], w.host.Queue(tt.queue)
		if _, err := w.host.SQS.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: &tt.message}); err != nil {
			t.Fatal(err)
		}
		eventually(t, what, func() bool {
			w.passVisibility(t)
			out, err := w.host.SQS.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &dlq, MaxNumberOfMessages: 10})
			if err != nil {
				t.Fatal(err)
			}
			return slices.ContainsFunc(out.Messages, func(m sqstypes.Message) bool { return strings.Contains(*m.Body, tt.aside) })
		})
	}
}

// passVisibility saves the wait for the visibility timeouts of what failed.
func (w *world) passVisibility(t *testing.T) {
	t.Helper()
	for _, queue := range []string{"Ingest", "Delivery", "Retry"} {
		if _, err := w.host.PassVisibility(t.Context(), queue); err != nil {
			t.Fatal(err)
		}
	}
}

// world is a running stack with a catalog and its endpoints.
type world struct {
	host    *deployed.Host
	log     *logged
	ledger  *dynamo.Ledger
	sources map[string]relay.Source

	mu      sync.Mutex
	answers map[string]func(n int) int // status of an endpoint's n-th POST
	got     map[string][]post
}

type post struct {
	header http.Header
	body   []byte
}

// demoPrefix is what the names of the demonstration's sources begin with here.
const demoPrefix = "demo-"

// endpointToken is what an endpoint wants to see, and is kept in Secrets Manager, in a secret of this name.
const (
	endpointToken = "t0ken"
	tokenSecret   = deployed.SecretsPrefix + "shop"
)

// signingSecret is an endpoint's.
const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// lookAtSources opens every folder with sources of the stack. The go command takes a result from its cache if what the test has opened is
// unchanged; what the compilers that Synthesise starts open, it does not know.
func lookAtSources(t *testing.T, root string) {
	t.Helper()
	for _, dir := range []string{"functions", "infra", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	lookAtSources(t, repository)
	assembly, err := deployed.Synthesise(t.Context(), repository, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	host, err := deployed.Start(t.Context(), assembly, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		host.Close()
		if t.Failed() {
			t.Logf("what the functions logged:\n%s", log)
		}
	})
	w := &world{
		host: host, log: log, ledger: dynamo.NewLedger(host.DynamoDB, host.Outputs["LedgerTable"]), sources: map[string]relay.Source{},
		got: map[string][]post{}, answers: map[string]func(int) int{
			"flaky":   statuses(http.StatusServiceUnavailable, http.StatusNoContent),
			"broken":  statuses(http.StatusInternalServerError),
			"patient": statuses(http.StatusServiceUnavailable, http.StatusOK),
			"gone":    statuses(http.StatusGone),
			"retired": statuses(http.StatusGone),
		},
	}
	endpoints := httptest.NewServer(http.HandlerFunc(w.serveEndpoint))
	t.Cleanup(endpoints.Close)
	w.configure(t, endpoints.URL)
	return w
}

// configure puts a source and an endpoint of the same name for each test into the catalog, and a provider with two endpoints.
func (w *world) configure(t *testing.T, endpoints string) {
	t.Helper()
	w.host.Secrets.Set(tokenSecret, `{"token":"`+endpointToken+`"}`)
	w.host.Secrets.Set(tokenSecret, `{"token":"`+endpointToken+`"}`)
	var c relay.Catalog
	for name, schedule := range map[string][]time.Duration{
		"large": {}, "bulky": {}, "repeated": {}, "flaky": {time.Second}, "broken": {time.Second}, "patient": {time.Hour},
		"slow": {}, "quick": {}, "guarded": {}, "shop": {}, "audit": {}, "gone": {time.Hour}, "retired": {time.Hour}, "limited": {}, "narrow": {}, "tokened": {}, "api": {}, "proved": {}, "unstarted": {}, "late": {}, "overdue": {time.Hour},
		"ordered": {2 * time.Second},
	} {
		url := endpoints + "/" + name
		if name == "guarded" {
			url = "http://127.0.0.2/" // loopback too, but not the address that is let through
		}
		c.Sources = append(c.Sources, relay.Source{Name: name, Verify: verify.Config{Provider: "bearer"}, Secrets: []string{rand.Text()}})
		ep := relay.Endpoint{Name: name, URL: url, Secrets: []string{signingSecret}, Schedule: schedule}
		switch name {
		case "limited":
			ep.RateLimit = 2
		case "narrow":
			ep.Concurrency = 2
		case "ordered":
			ep.Order = relay.Order{On: true, Key: "data.key"}
		case "tokened":
			ep.Auth = &relay.Auth{Bearer: relay.SecretPrefix + tokenSecret + "#token"}
		case "api":
			ep.Auth = &relay.Auth{SigV4: &relay.SigV4{Service: "execute-api", Region: "eu-central-1"}}
		case "proved":
			ep.Prove, ep.Retiring = relay.ProveOptions, []relay.RetiringSecret{{Secret: sign.NewSecret(), Until: time.Now().Add(time.Hour).UTC()}}
		}
		c.Endpoints = append(c.Endpoints, ep)
		sub := relay.Subscription{Source: name, Endpoint: name}
		if name == "bulky" {
			sub.Filter = `{"data": [{"exists": false}]}` // the body must be read to be found no JSON
		}
		c.Subscriptions = append(c.Subscriptions, sub)
	}
	c.Sources = append(c.Sources, relay.Source{Name: "github", Verify: verify.Config{Provider: "github"}, Secrets: []string{rand.Text()}})
	c.Subscriptions = append(c.Subscriptions,
		relay.Subscription{Source: "github", Endpoint: "shop", Types: []string{"push"}}, relay.Subscription{Source: "github", Endpoint: "audit"})
	c.Endpoints = append(c.Endpoints, relay.Endpoint{Name: "operator", URL: endpoints + "/operator", Secrets: []string{signingSecret}})
	c.Subscriptions = append(c.Subscriptions, relay.Subscription{Source: relay.OperatorSource, Endpoint: "operator"})
	c.Sources = append(c.Sources, relay.Source{Name: "learner", Verify: verify.Config{Provider: "asana"}})
	for _, source := range c.Sources {
		w.sources[source.Name] = source
	}
	demo, err := events.Demo()
	if err != nil {
		t.Fatal(err)
	}
	c.Endpoints = append(c.Endpoints, relay.Endpoint{Name: "every", URL: endpoints + "/every", Secrets: []string{signingSecret}})
	for _, source := range demo.Sources {
		source.Name = demoPrefix + source.Name
		c.Sources = append(c.Sources, source)
		c.Subscriptions = append(c.Subscriptions, relay.Subscription{Source: source.Name, Endpoint: "every"})
	}
	c.SetOrder()
	sealer := kms.New(w.host.KMS, w.host.Outputs["SecretsKeyArn"])
	if err := dynamo.NewCatalog(w.host.DynamoDB, w.host.Outputs["CatalogTable"], sealer).ReplaceCatalog(t.Context(), c, 0); err != nil {
		t.Fatal(err)
	}
}

func (w *world) serveEndpoint(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the attempt is over
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	w.mu.Lock()
	w.got[name] = append(w.got[name], post{r.Header, body})
	n, answer := len(w.got[name]), w.answers[name]
	w.mu.Unlock()
	status := http.StatusOK
	if answer != nil {
		status = answer(n)
	}
	if attempt, err := strconv.Atoi(r.Header.Get(relay.HeaderAttempt)); name == "ordered" && err == nil {
		status = readStep(body).status(attempt)
	}
	if r.Method == http.MethodOptions {
		rw.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
	}
	rw.WriteHeader(status)
}

// statuses answers with one status after the other, and with the last one from then on.
func statuses(all ...int) func(int) int {
	return func(n int) int { return all[min(n, len(all))-1] }
}

func (w *world) answer(endpoint string, with func(n int) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[endpoint] = with
}

// posts are the POSTs of an event that an endpoint has got.
func (w *world) posts(endpoint, eventID string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []post
	for _, p := range w.got[endpoint] {
		if p.header.Get("webhook-id") == eventID {
			found = append(found, p)
		}
	}
	return found
}

// header is what proves a webhook to its source.
func (w *world) header(t *testing.T, source string, webhook verify.Webhook) verify.Header {
	t.Helper()
	v, err := verify.New(w.sources[source].Verify, w.sources[source].Secrets)
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Sign(webhook, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r.Header
}

// send sends a webhook as its provider would, and returns its event's id.
func (w *world) send(t *testing.T, source string, webhook verify.Webhook) string {
	t.Helper()
	status, text := w.post(t, "/in/"+source, w.header(t, source, webhook), webhook.Body)
	var answer struct{ ID string }
	if err := json.Unmarshal(text, &answer); status != http.StatusOK || err != nil || answer.ID == "" {
		t.Fatalf("%s: %d %s", source, status, text)
	}
	return answer.ID
}

func (w *world) post(t *testing.T, path string, header verify.Header, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.host.Outputs["IngressUrl"]+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

// settled waits until a delivery has a status after at least so many attempts, and returns it.
func (w *world) settled(t *testing.T, eventID, endpoint string, status relay.Status, attempts int) relay.Delivery {
	t.Helper()
	var d relay.Delivery
	eventually(t, fmt.Sprintf("%s to %s: %s after %d attempts", eventID, endpoint, status, attempts), func() bool {
		var err error
		d, err = w.ledger.Delivery(t.Context(), eventID, endpoint)
		return err == nil && d.Status == status && d.Attempts >= attempts
	})
	return d
}

// queuesAreEmpty waits until no message is on its way.
func (w *world) queuesAreEmpty(t *testing.T) {
	t.Helper()
	for _, name := range []string{"Ingest", "Delivery", "Retry", "Slow", "OrderedIngest", "OrderedDelivery"} {
		eventually(t, name+" is empty", func() bool { return w.messages(t, name) == 0 })
	}
}

// messages counts what is in a queue, in hand or delayed or neither.
func (w *world) messages(t *testing.T, name string) int {
	t.Helper()
	url, sum := w.host.Queue(name), 0
	out, err := w.host.SQS.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	} {
		n, err := strconv.Atoi(out.Attributes[string(count)])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// eventually waits for what processes of their own bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
