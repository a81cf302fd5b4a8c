package onaws_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// destined is a destination of the runs.
type destined struct {
	service, url string
	options      destination.Options
	// once: the service drops repeats, so an event takes effect once however often it is sent
	once      bool
	operation string
	accepted  string // the answer
}

const eu = "eu-central-1:000000000000:"

// destinations are those of the runs, by the endpoint's name.
var destinations = map[string]destined{
	"to-sqs": {
		service: "sqs", url: "arn:aws:sqs:" + eu + "to.fifo", once: true, operation: "SendMessage",
		accepted: `{"MessageId":"1"}`,
	},
	"to-sns": {
		service: "sns", url: "arn:aws:sns:" + eu + "to", operation: "Publish",
		accepted: "<PublishResponse/>",
	},
	"to-bus": {
		service: "events", url: "arn:aws:events:" + eu + "event-bus/to", operation: "PutEvents",
		accepted: `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
	},
	"to-lambda": {
		service: "lambda", url: "arn:aws:lambda:" + eu + "function:to", operation: "Invoke",
		options: destination.Options{Wait: true}, accepted: `{"ok":true}`,
	},
	"to-states": {
		service: "states", url: "arn:aws:states:" + eu + "stateMachine:to", once: true,
		options:   destination.Options{Claim: destination.ClaimS3},
		operation: "StartExecution", accepted: `{"executionArn":"a","startDate":1}`,
	},
	"to-kinesis": {
		service: "kinesis", url: "arn:aws:kinesis:" + eu + "stream/to", operation: "PutRecord",
		accepted: `{"SequenceNumber":"1","ShardId":"1"}`,
	},
	"to-firehose": {
		service: "firehose", url: "arn:aws:firehose:" + eu + "deliverystream/to",
		operation: "PutRecord", accepted: `{"RecordId":"1"}`,
	},
	"to-s3": {
		service: "s3", url: "s3://to-s3/{id}", once: true, operation: "PutObject",
		options: destination.Options{Region: "eu-central-1"},
	},
	"to-logs": {
		service: "logs", url: "arn:aws:logs:" + eu + "log-group:to", operation: "PutLogEvents",
		accepted: `{"nextSequenceToken":"1"}`,
	},
}

// endpoint returns the endpoint of a destination. Each attempt may be struck, as often as a fault
// strikes, and one more succeeds.
func (d destined) endpoint() endpoint {
	return endpoint{catalog.Endpoint{
		URL: d.url, Destination: &d.options, Timeout: 4 * time.Second, // a machine is busy
		Schedule: slices.Repeat([]time.Duration{time.Second}, outage),
		Auth: &catalog.Auth{SigV4: &catalog.SigV4{
			Service: d.service, Region: "eu-central-1",
		}},
	}, accepts}
}

func init() {
	for name, d := range destinations {
		endpoints[name] = d.endpoint()
		for _, operation := range d.operations() {
			calls["deliver"] = append(calls["deliver"], operation+" "+name)
		}
	}
}

// operations are the calls that a delivery makes.
func (d destined) operations() []string {
	if d.service == "logs" {
		return []string{d.operation, "CreateLogStream"}
	}
	return []string{d.operation}
}

// services plays the services of the destinations, of one run.
type services struct {
	p      *pipeline
	client *egress.Client
	server *httptest.Server

	mu      sync.Mutex
	effects map[string]int  // by endpoint, name of what the service got, and event
	struck  map[string]bool // by endpoint and event: a call took effect, and seemed to fail
	streams map[string]bool
}

func (p *pipeline) newServices() *services {
	s := &services{
		p: p, effects: map[string]int{}, struck: map[string]bool{}, streams: map[string]bool{},
	}
	s.server = httptest.NewServer(s)
	s.client = egress.New(egress.Options{
		Unguarded: true, Credentials: p.cfg.Credentials,
		Endpoint: func(string) string { return s.server.URL },
	})
	return s
}

// ServeHTTP plays one call, with the run's fault.
func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	name, c := s.read(r)
	m, err := s.p.wire.fate(c)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	answer, status := destinations[name].accepted, http.StatusOK
	if m.takesEffect() || m.partial() {
		answer, status = s.effect(name, c, r, body, m)
	}
	switch m {
	case none:
	case failed, failedLate:
		answer, status = `{"__type":"InternalFailure"}`, http.StatusInternalServerError
	case throttled:
		answer, status = `{"__type":"ThrottlingException"}`, http.StatusBadRequest
	case unanswered, late:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case brokenOff:
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)+10))
	case killBefore, killAfter:
		s.p.wire.mu.Lock()
		s.p.wire.dead = true
		s.p.wire.mu.Unlock()
		panic(http.ErrAbortHandler)
	default:
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer[:len(answer)/max(1, map[mode]int{brokenOff: 2}[m])])
	if m == brokenOff {
		panic(http.ErrAbortHandler)
	}
}

// read returns the endpoint that a request is for, and the call that it makes.
func (s *services) read(r *http.Request) (string, *call) {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	service := strings.Split(scope, "/")[3]
	for name, d := range destinations {
		if d.service != service {
			continue
		}
		operation := d.operation
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".CreateLogStream") {
			operation = "CreateLogStream"
		}
		return name, &call{
			function: "deliver", service: name, operation: operation, resource: name,
		}
	}
	panic("a call to " + service)
}

// effect lets a call take effect, and returns the answer.
func (s *services) effect(
	name string, c *call, r *http.Request, body []byte, m mode,
) (answer string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := destinations[name]
	in := map[string]any{}
	_ = json.Unmarshal(body, &in) // a form is no JSON
	if stream := textOf(in, "logStreamName"); stream != "" {
		if c.operation == "CreateLogStream" {
			s.streams[stream] = true
			return "", http.StatusOK
		}
		if !s.streams[stream] {
			return `{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}`,
				http.StatusBadRequest
		}
	}
	event, once := sentEvent(d.service, r, body, in)
	if m != none {
		s.struck[name+" "+event] = true
	}
	if d.once {
		s.effects[name+" "+once+" "+event] = 1
	} else {
		s.effects[name+"  "+event]++
	}
	return d.accepted, http.StatusOK
}

// sentEvent returns the event in a request, and by what the service drops its repeats.
func sentEvent(
	service string, r *http.Request, body []byte, in map[string]any,
) (event, once string) {
	idOf := func(document string) string {
		var d struct{ ID string }
		_ = json.Unmarshal([]byte(document), &d)
		return d.ID
	}
	first := func(list string) any { return in[list].([]any)[0] }
	switch service {
	case "sqs":
		return textOf(in, "MessageAttributes", "webhook-id", "StringValue"),
			textOf(in, "MessageDeduplicationId")
	case "sns":
		form, _ := url.ParseQuery(string(body))
		for name := range form {
			if prefix, found := strings.CutSuffix(name, ".Name"); found &&
				form.Get(name) == "webhook-id" {
				return form.Get(prefix + ".Value.StringValue"), ""
			}
		}
	case "events":
		return idOf(textOf(first("Entries"), "Detail")), ""
	case "lambda":
		return idOf(string(body)), ""
	case "states":
		return idOf(textOf(in, "input")), textOf(in, "name")
	case "kinesis", "firehose":
		data, _ := base64.StdEncoding.DecodeString(textOf(in, "Data") + textOf(in, "Record", "Data"))
		return idOf(string(data)), ""
	case "s3":
		return strings.TrimPrefix(r.URL.Path, "/to-s3/"), r.URL.Path
	case "logs":
		return idOf(textOf(first("logEvents"), "message")), ""
	}
	return "", ""
}

// checkDestination checks that a delivery took effect, and not more often than its service and the
// faults allow.
func (p *pipeline) checkDestination(d relay.Delivery) {
	s := p.services
	s.mu.Lock()
	defer s.mu.Unlock()
	n, names := 0, 0
	for key, times := range s.effects {
		if strings.HasPrefix(key, d.Endpoint+" ") && strings.HasSuffix(key, " "+d.EventID) {
			n += times
			names++
		}
	}
	last := d.History[len(d.History)-1]
	most := 1
	if s.struck[d.Endpoint+" "+d.EventID] {
		most += p.wire.fault.calls
	}
	for _, a := range d.History { // the process was killed while it made the attempt
		most += p.excuses[attemptName(d.EventID, d.Endpoint, strconv.Itoa(a.Number))]
	}
	switch {
	case d.Status != relay.Delivered || last.Outcome != relay.Succeeded:
		p.wrong("delivery of %s to %s: %s, %+v", d.EventID, d.Endpoint, d.Status, d.History)
	case n < 1 || n > most || names != 1:
		p.wrong("%s took effect %d times at %s, at most %d", d.EventID, n, d.Endpoint, most)
	case d.Attempts > 1 && p.wire.fault.n == 0:
		p.wrong("%d attempts of %s at %s without a fault", d.Attempts, d.EventID, d.Endpoint)
	}
}
