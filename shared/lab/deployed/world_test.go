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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/events"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/lab/deployed"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/sign"
	"webhook-relay/shared/verify"
)

// openLearning lets a source's next handshake bring its secret, like relay secret SOURCE --learn.
func (w *world) openLearning(t *testing.T, source string) {
	t.Helper()
	catalogs := dynamo.NewCatalog(
		w.host.Tables, w.host.Outputs["CatalogTable"],
		kms.New(w.host.Config("kms"), w.host.Outputs["SecretsKeyArn"]),
	)
	if err := catalogs.OpenLearning(t.Context(), source, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// tellings returns the POSTs to the endpoint "operator" of one type, about one endpoint or source.
func (w *world) tellings(about, eventType string) []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []post
	for _, p := range w.got["operator"] {
		if p.header.Get("relay-event-type") == eventType &&
			(bytes.Contains(p.body, []byte(`"endpoint":"`+about+`"`)) ||
				bytes.Contains(p.body, []byte(`"source":"`+about+`"`))) {
			found = append(found, p)
		}
	}
	return found
}

// passVisibility ends the visibility timeouts of failed messages, so that the test need not wait.
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
	sources map[string]catalog.Source
	// endpoints is the URL of the server that plays the endpoints.
	endpoints string

	mu      sync.Mutex
	answers map[string]func(n int) int // the status for an endpoint's n-th POST
	got     map[string][]post
}

type post struct {
	header http.Header
	body   []byte
}

// demoPrefix is the prefix of the demonstration's source names here.
const demoPrefix = "demo-"

// endpointToken is the token that an endpoint expects. It is stored in Secrets Manager, in a secret
// with this name.
const (
	endpointToken = "t0ken"
	tokenSecret   = deployed.SecretsPrefix + "shop"
)

// signingSecret is the signing secret of an endpoint.
const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// lookAtSources opens every folder with sources of the stack. The go command reuses a cached test
// result if the files that the test opened are unchanged. It does not know which files Synthesise's
// compilers open.
func lookAtSources(t *testing.T, root string) {
	t.Helper()
	for _, dir := range []string{"functions", "infra", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(
			_ string, entry fs.DirEntry, err error,
		) error {
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
	assembly, err := deployed.Synthesise(
		t.Context(), repository, t.TempDir(), "news="+deployed.TriggerTopic,
		"shop-bus="+deployed.TriggerBus, "uploads="+deployed.TriggerBucket,
	)
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
		host: host, log: log, ledger: dynamo.NewLedger(
			host.Tables, host.Outputs["LedgerTable"], s3.New(
				s3.NewBucket(host.Config("s3"), host.Outputs["BodiesBucket"]),
			),
		), sources: map[string]catalog.Source{},
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
	w.endpoints = endpoints.URL
	w.configure(t, endpoints.URL)
	return w
}

// configure writes the catalog: a source and an endpoint with the same name for each test, and a
// provider with two endpoints.
func (w *world) configure(t *testing.T, endpoints string) {
	t.Helper()
	w.host.Secrets.Set(tokenSecret, `{"token":"`+endpointToken+`"}`)
	w.host.Secrets.Set(tokenSecret, `{"token":"`+endpointToken+`"}`)
	var c catalog.Catalog
	for name, schedule := range map[string][]time.Duration{
		"large": {}, "bulky": {}, "repeated": {}, "flaky": {time.Second}, "broken": {time.Second},
		"patient": {time.Hour},
		"slow":    {}, "quick": {}, "guarded": {}, "shop": {}, "audit": {}, "gone": {time.Hour},
		"retired": {time.Hour}, "limited": {}, "narrow": {}, "tokened": {}, "api": {}, "proved": {},
		"unstarted": {}, "late": {}, "overdue": {time.Hour},
		"ordered": {2 * time.Second}, "queued": {}, "started": {}, "awaited": {},
		"archived": {},
	} {
		url := endpoints + "/" + name
		if name == "guarded" {
			url = "http://127.0.0.2/" // also loopback, but not the permitted address
		}
		c.Sources = append(
			c.Sources,
			catalog.Source{
				Name: name, Verify: verify.Config{Provider: "bearer"},
				Secrets: []string{rand.Text()},
			},
		)
		ep := catalog.Endpoint{
			Name: name, URL: url, Secrets: []string{signingSecret}, Schedule: schedule,
		}
		switch name {
		case "limited":
			ep.RateLimit = 2
		case "narrow":
			ep.Concurrency = 2
		case "ordered":
			ep.Order = catalog.Order{On: true, Key: "data.key"}
		case "tokened":
			ep.Auth = &catalog.Auth{Bearer: catalog.SecretPrefix + tokenSecret + "#token"}
		case "api":
			ep.Auth = &catalog.Auth{
				SigV4: &catalog.SigV4{Service: "execute-api", Region: "eu-central-1"},
			}
		case "proved":
			ep.Prove, ep.Retiring = catalog.ProveOptions, []catalog.RetiringSecret{
				{Secret: sign.NewSecret(), Until: time.Now().Add(time.Hour).UTC()},
			}
		}
		aim(&ep)
		c.Endpoints = append(c.Endpoints, ep)
		sub := catalog.Subscription{Source: name, Endpoint: name}
		if name == "bulky" {
			// the body must be read to find that it is no JSON
			sub.Filter = `{"data": [{"exists": false}]}`
		}
		c.Subscriptions = append(c.Subscriptions, sub)
	}
	c.Sources = append(
		c.Sources,
		catalog.Source{
			Name: "github", Verify: verify.Config{Provider: "github"},
			Secrets: []string{rand.Text()},
		},
	)
	c.Subscriptions = append(c.Subscriptions,
		catalog.Subscription{
			Source: "github", Endpoint: "shop", Types: []string{"push"},
		}, catalog.Subscription{Source: "github", Endpoint: "audit"})
	c.Endpoints = append(
		c.Endpoints,
		catalog.Endpoint{
			Name: "operator", URL: endpoints + "/operator", Secrets: []string{signingSecret},
		},
	)
	c.Subscriptions = append(
		c.Subscriptions, catalog.Subscription{Source: catalog.OwnSource, Endpoint: "operator"},
	)
	c.Sources = append(
		c.Sources, catalog.Source{Name: "learner", Verify: verify.Config{Provider: "asana"}},
	)
	c.Sources = append(c.Sources, catalog.Source{
		Name: "publisher", Verify: verify.Config{Provider: "bearer"},
		Secrets: []string{rand.Text()}, Tenant: &catalog.TenantOf{Header: "webhook-tenant"},
	})
	for i, source := range c.Sources {
		w.sources[source.Name] = source
		if source.Name == "overdue" {
			c.Sources[i].Expect = time.Hour
		}
	}
	addTriggered(&c, endpoints)
	demo, err := events.Demo()
	if err != nil {
		t.Fatal(err)
	}
	c.Endpoints = append(
		c.Endpoints,
		catalog.Endpoint{
			Name: "every", URL: endpoints + "/every", Secrets: []string{signingSecret},
		},
	)
	for _, source := range demo.Sources {
		source.Name = demoPrefix + source.Name
		c.Sources = append(c.Sources, source)
		c.Subscriptions = append(
			c.Subscriptions, catalog.Subscription{Source: source.Name, Endpoint: "every"},
		)
	}
	sealer := kms.New(w.host.Config("kms"), w.host.Outputs["SecretsKeyArn"])
	catalogs := dynamo.NewCatalog(w.host.Tables, w.host.Outputs["CatalogTable"], sealer)
	if err := catalogs.ReplaceCatalog(t.Context(), c, 0); err != nil {
		t.Fatal(err)
	}
	w.configureTenant(t, catalogs.For("acme"), endpoints)
}

// configureTenant gives a tenant a source, a source that learns its secret, and two endpoints, of
// which one is ordered, by single changes.
func (w *world) configureTenant(t *testing.T, acme catalog.Editor, endpoints string) {
	t.Helper()
	own := catalog.Source{
		Name: "own", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{rand.Text()},
	}
	w.sources["acme/own"] = own
	all := []catalog.Resource{
		catalog.SourceResource(own),
		catalog.SourceResource(catalog.Source{
			Name: "learner", Verify: verify.Config{Provider: "asana"},
		}),
		catalog.EndpointResource(catalog.Endpoint{
			Name: "tenants", URL: endpoints + "/tenants", Secrets: []string{signingSecret},
		}),
		catalog.EndpointResource(catalog.Endpoint{
			Name: "in-order", URL: endpoints + "/in-order", Secrets: []string{signingSecret},
			Order: catalog.Order{On: true},
		}),
	}
	for _, s := range []catalog.Subscription{
		{Source: "own", Endpoint: "tenants"}, {Source: "own", Endpoint: "in-order"},
		{Source: "publisher", Endpoint: "tenants"}, {Source: "learner", Endpoint: "tenants"},
	} {
		s.Name = s.Source + "-" + s.Endpoint
		all = append(all, catalog.SubscriptionResource(s))
	}
	for _, r := range all {
		if _, err := acme.Edit(
			t.Context(), catalog.Edit{Put: &r, By: catalog.ManagedByAPI},
		); err != nil {
			t.Fatal(err)
		}
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
	if attempt, err := strconv.Atoi(r.Header.Get(relay.HeaderAttempt)); name == "ordered" &&
		err == nil {
		status = readStep(body).status(attempt)
	}
	if r.Method == http.MethodOptions {
		rw.Header().Set("WebHook-Allowed-Origin", r.Header.Get("WebHook-Request-Origin"))
	}
	rw.WriteHeader(status)
}

// statuses returns the given statuses one after the other, and then repeats the last.
func statuses(all ...int) func(int) int {
	return func(n int) int { return all[min(n, len(all))-1] }
}

func (w *world) answer(endpoint string, with func(n int) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[endpoint] = with
}

// posts returns the POSTs of an event that an endpoint received.
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

// header is the header that proves a webhook to its source.
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

// send sends a webhook as its provider does, and returns the event's id.
func (w *world) send(t *testing.T, source string, webhook verify.Webhook) string {
	t.Helper()
	status, text := w.post(t, "/in/"+source, w.header(t, source, webhook), webhook.Body)
	var answer struct{ ID string }
	if err := json.Unmarshal(text, &answer); status != http.StatusOK || err != nil ||
		answer.ID == "" {
		t.Fatalf("%s: %d %s", source, status, text)
	}
	return answer.ID
}

func (w *world) post(t *testing.T, path string, header verify.Header, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, w.host.Outputs["IngressUrl"]+path, bytes.NewReader(body),
	)
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

// settled waits until a delivery has a status and at least the given number of attempts, and
// returns it.
func (w *world) settled(
	t *testing.T, eventID, endpoint string, status relay.Status, attempts int,
) relay.Delivery {
	t.Helper()
	var d relay.Delivery
	eventually(t, fmt.Sprintf(
		"%s to %s: %s after %d attempts", eventID, endpoint, status, attempts,
	), func() bool {
		var err error
		d, err = w.delivery(t, eventID, endpoint)
		return err == nil && d.Status == status && d.Attempts >= attempts
	})
	return d
}

// delivery returns a recorded delivery of an event.
func (w *world) delivery(t *testing.T, eventID, endpoint string) (relay.Delivery, error) {
	t.Helper()
	r, err := w.ledger.EventRecord(t.Context(), eventID)
	if err != nil {
		return relay.Delivery{}, err
	}
	return w.ledger.Delivery(t.Context(), r.DeliveryTo(endpoint))
}

// queuesAreEmpty waits until the queues hold no messages.
func (w *world) queuesAreEmpty(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"Ingest", "Delivery", "Retry", "Slow", "OrderedIngest", "OrderedDelivery",
	} {
		eventually(t, name+" is empty", func() bool { return w.messages(t, name) == 0 })
	}
}

// messages counts the messages in a queue: visible, in flight and delayed.
func (w *world) messages(t *testing.T, name string) int {
	t.Helper()
	url, sum := w.host.Queue(name), 0
	out, err := w.host.SQS.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeNameAll,
		},
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

// eventually waits for a result of other processes.
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
