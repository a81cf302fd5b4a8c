package onaws_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/verify"
)

const (
	token = "a-token" // of the source "app"
	// handed over by the provider of the source "learner"
	learnedSecret = "a-secret-of-the-providers"
	endpointToken = "t0ken"       // expected by the endpoint "tokened"
	tokenSecret   = "relay/token" // its name in Secrets Manager
)

// endpoint is a receiver of deliveries.
type endpoint struct {
	catalog.Endpoint
	outcomes []relay.Outcome // of the attempts of each delivery, whatever fails in the relay
}

var endpoints = map[string]endpoint{
	"good": {catalog.Endpoint{Schedule: []time.Duration{}}, accepts},
	// so low that each attempt makes its own reservation
	"flaky": {catalog.Endpoint{Schedule: []time.Duration{time.Second}, RateLimit: 5}, secondTime},
	"bad": {
		catalog.Endpoint{Schedule: []time.Duration{time.Hour}},
		[]relay.Outcome{relay.FailedAnswer, relay.FailedAnswer},
	},
	"closed": {catalog.Endpoint{Schedule: []time.Duration{}}, []relay.Outcome{relay.FailedAnswer}},
	"line":   {catalog.Endpoint{Schedule: []time.Duration{time.Second}, Order: byKey}, secondTime},
	"queue":  {catalog.Endpoint{Schedule: []time.Duration{}, Order: byKey}, accepts},
	"proved": {catalog.Endpoint{Schedule: []time.Duration{}, Prove: catalog.ProvePing}, accepts},
	// so high that one is left when three are lost
	"narrow": {catalog.Endpoint{Schedule: []time.Duration{}, Concurrency: 8}, accepts},
	"tokened": {
		catalog.Endpoint{
			Schedule: []time.Duration{},
			Auth:     &catalog.Auth{Bearer: catalog.SecretPrefix + tokenSecret},
		},
		accepts,
	},
	"operator": {catalog.Endpoint{Schedule: []time.Duration{}}, accepts},
}

var (
	accepts    = []relay.Outcome{relay.Succeeded}
	secondTime = []relay.Outcome{relay.FailedAnswer, relay.Succeeded}
	byKey      = catalog.Order{On: true, Key: "data.key"}
)

// status returns how a delivery to the endpoint ends.
func (e endpoint) status() relay.Status {
	if e.outcomes[len(e.outcomes)-1] == relay.Succeeded {
		return relay.Delivered
	}
	return relay.Dead
}

var sources = map[string]catalog.Source{
	"app":     {Name: "app", Verify: verify.Config{Provider: "bearer"}, Secrets: []string{token}},
	"learner": {Name: "learner", Verify: verify.Config{Provider: "asana"}},
}

// script is what happens in a run, apart from the fault.
type script struct {
	subscriptions []catalog.Subscription // the first names the source of the webhooks
	webhooks      []verify.Webhook       // "RUN" in a body stands for the run's name
	poison        map[string]string      // messages of a later version, by their queue
	losses        []loss                 // lost messages, which the sweeper must restore
	// of the tenant that has the webhooks; zero: they are the operator's
	rates catalog.Rates
}

// limited is the tenant that has the webhooks of a script with rates.
const limited = "acme"

// loss is a message that a queue loses: the first one of an attempt.
type loss struct {
	queue, webhook, endpoint string
	attempt                  int
}

const unwanted = "unwanted" // the id of a webhook without a subscription

var scripts = map[string]*script{
	"repeats": {
		subscriptions: subscribe("app", []string{"order.*"}, "good", "flaky", "bad"),
		webhooks: []verify.Webhook{order("1", small), order("2", large), order("1", small),
			{DeliveryID: unwanted, EventType: "ping", Body: small}},
	},
	"order": {
		subscriptions: subscribe("app", nil, "line", "queue"),
		webhooks: []verify.Webhook{
			order("1", ofKey("a", 0)), order("2", ofKey("a", relay.MaxPackedBodyBytes)),
			order("3", ofKey("b", 0)),
		},
	},
	"destinations": {
		subscriptions: subscribe(
			"app", nil, slices.Sorted(maps.Keys(destinations))...,
		),
		webhooks: []verify.Webhook{order("1", small), order("2", ofKey("a", 256<<10))},
	},
	"rates": { // so high that nothing is refused
		subscriptions: subscribe("app", nil, "good"),
		webhooks:      []verify.Webhook{order("1", small), order("2", small)},
		rates: catalog.Rates{
			Accepted: catalog.Rate{Count: 100, Per: time.Second}, Revision: 1,
		},
	},
	"losses": {
		subscriptions: subscribe("app", nil, "good", "flaky", "queue"),
		webhooks:      []verify.Webhook{order("1", small), order("2", small)},
		losses: []loss{
			{"delivery", "1", "good", 1}, {"retry", "1", "flaky", 2},
			{"ordered-delivery", "2", "queue", 1},
		},
	},
	"setup": {
		subscriptions: slices.Concat(
			subscribe("learner", nil, "proved", "narrow", "tokened", "closed"),
			subscribe(
				catalog.OwnSource,
				[]string{operate.DeliveryDead, gate.EndpointProved, operate.SourceSecretLearned},
				"operator",
			)),
		webhooks: []verify.Webhook{{Body: []byte(`{"events":[],"run":"RUN"}`)}},
		poison: map[string]string{
			"ingest":   `{"v":99,"id":"evt_later"}`,
			"delivery": `{"v":99,"endpoint":"good","attempt":1,"event":{"v":99,"id":"evt_later"}}`,
		},
	},
}

func subscribe(source string, types []string, endpoints ...string) []catalog.Subscription {
	var subs []catalog.Subscription
	for _, name := range endpoints {
		subs = append(subs, catalog.Subscription{Source: source, Endpoint: name, Types: types})
	}
	return subs
}

var (
	small = []byte(`{"run":"RUN"}`)
	large = append(bytes.Repeat([]byte{0xff}, relay.MaxPackedBodyBytes), "RUN"...)
)

func ofKey(key string, pad int) []byte {
	return []byte(
		`{"run":"RUN","data":{"key":"` + key + `"},"pad":"` + strings.Repeat(" ", pad) + `"}`,
	)
}

func order(id string, body []byte) verify.Webhook {
	return verify.Webhook{DeliveryID: id, EventType: "order.paid", Body: body}
}

func (s *script) source() catalog.Source {
	source := sources[s.subscriptions[0].Source]
	if s.rates.Revision > 0 {
		source.Tenant = &catalog.TenantOf{ID: limited}
	}
	return source
}

// learns tells whether the provider begins with a handshake that hands over its secret.
func (s *script) learns() bool { return len(s.source().Secrets) == 0 }

// tells tells whether there is a subscription to the relay's own events.
func (s *script) tells() bool {
	return slices.ContainsFunc(s.subscriptions, func(sub catalog.Subscription) bool {
		return sub.Source == catalog.OwnSource
	})
}

// catalog returns the relay's configuration.
func (s *script) catalog() catalog.Catalog {
	c := catalog.Catalog{
		Sources: []catalog.Source{s.source()}, Subscriptions: slices.Clone(s.subscriptions),
	}
	for _, sub := range s.subscriptions {
		ep := endpoints[sub.Endpoint].Endpoint
		ep.Name, ep.Secrets = sub.Endpoint, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
		if ep.Destination == nil {
			ep.URL = "https://" + sub.Endpoint + ".example.com/"
		}
		c.Endpoints = append(c.Endpoints, ep)
	}
	return c
}

// requests returns the provider's requests, in order.
func (s *script) requests(run string) ([]relay.Inbound, error) {
	var all []relay.Inbound
	secrets := s.source().Secrets
	if s.learns() {
		secrets = []string{learnedSecret}
		all = append(all, relay.Inbound{Header: relay.Header{"x-hook-secret": learnedSecret}})
	}
	v, err := verify.New(s.source().Verify, secrets)
	if err != nil {
		return nil, err
	}
	for _, w := range s.webhooks {
		w.Body = bytes.ReplaceAll(w.Body, []byte("RUN"), []byte(run))
		r, err := v.Sign(w, time.Now())
		if err != nil {
			return nil, err
		}
		all = append(all, relay.Inbound{Header: r.Header, Body: r.Body})
	}
	return all, nil
}
