package sqs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
)

// sent is a message in a call, as sent on the wire.
type sent struct {
	ID                string `json:"Id"`
	MessageBody       string
	MessageGroupID    *string `json:"MessageGroupId"`
	Once              string  `json:"MessageDeduplicationId"`
	DelaySeconds      int
	MessageAttributes map[string]struct{ DataType, StringValue string }

	ReceiptHandle     string // of a message that is held
	VisibilityTimeout int
}

// mark returns the message's body, followed by "*" if it is marked as resent.
func (s sent) mark() string {
	if a := s.MessageAttributes[sqs.ResentAttribute]; a.DataType == "String" &&
		a.StringValue == "1" {
		return s.MessageBody + "*"
	}
	return s.MessageBody
}

// wire is a fake SQS. answer gets the number of the call, from 1, and its messages.
type wire struct {
	answer func(call int, msgs []sent) (*http.Response, error)

	mu       sync.Mutex
	calls    [][]sent
	underWay int
	most     int // calls under way at a time
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	msgs := make([]sent, 1)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "Batch") {
		batch := struct{ Entries *[]sent }{&msgs}
		err = json.Unmarshal(body, &batch)
	} else {
		err = json.Unmarshal(body, &msgs[0])
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.calls = append(w.calls, msgs)
	call := len(w.calls)
	w.underWay++
	w.most = max(w.most, w.underWay)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.underWay--
		w.mu.Unlock()
	}()
	if w.answer == nil {
		return accept(msgs), nil
	}
	resp, err := w.answer(call, msgs)
	if resp == nil && err == nil { // no answer ever
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return resp, err
}

// marks returns the marks of the messages, by call.
func (w *wire) marks() [][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all [][]string
	for _, call := range w.calls {
		var marks []string
		for _, m := range call {
			marks = append(marks, m.mark())
		}
		all = append(all, marks)
	}
	return all
}

func (w *wire) queue() *sqs.Queue { return w.queueAt("http://sqs.test/1/queue") }

func (w *wire) queueAt(url string) *sqs.Queue {
	cfg := emulator.Config("http://sqs.test")
	cfg.HTTPClient = w
	return sqs.New(sqs.Client(cfg), url)
}

func response(status int, body any) *http.Response {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(bytes.NewReader(b)),
	}
}

type object = map[string]any

// accept returns the answer to a call in which every message was accepted.
func accept(msgs []sent) *http.Response {
	return response(
		200, object{"Successful": successes(msgs), "Failed": []object{}, "MessageId": "m-0"},
	)
}

func successes(msgs []sent) []object {
	var successful []object
	for i, m := range msgs {
		successful = append(
			successful,
			object{"Id": m.ID, "MessageId": "m-" + strconv.Itoa(i), "MD5OfMessageBody": ""},
		)
	}
	return successful
}

func refusal(code string) *http.Response {
	return response(400, object{"__type": code, "message": "no"})
}

func failed(id, code string, senderFault bool) object {
	return object{"Id": id, "Code": code, "SenderFault": senderFault, "Message": "no"}
}

var errReset = errors.New("connection reset by peer")

func TestSendJudgesEachMessageOnItsOwn(t *testing.T) {
	t.Parallel()
	succeed := func(msgs []sent) (*http.Response, error) { return accept(msgs), nil }
	for name, tc := range map[string]struct {
		msgs   []string
		answer func(call int, msgs []sent) (*http.Response, error)
		calls  [][]string
		errs   []error // by identity; nil: sent
	}{
		"one message, accepted": {
			msgs: []string{"a"}, answer: func(_ int, m []sent) (*http.Response, error) {
				return succeed(m)
			},
			calls: [][]string{{"a"}}, errs: []error{nil},
		},
		"one message, the answer lost": {
			msgs: []string{"a"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call == 1 {
					return nil, errReset
				}
				return succeed(m)
			},
			calls: [][]string{{"a"}, {"a*"}}, errs: []error{nil},
		},
		"a batch, the answer lost": {
			msgs: []string{"a", "b"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call == 1 {
					return nil, errReset
				}
				return succeed(m)
			},
			calls: [][]string{{"a", "b"}, {"a*", "b*"}}, errs: []error{nil, nil},
		},
		"the answer cut short": {
			msgs: []string{"a"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call == 1 {
					r := accept(m)
					r.Body = io.NopCloser(strings.NewReader(`{"MessageId": "m`))
					return r, nil
				}
				return succeed(m)
			},
			calls: [][]string{{"a"}, {"a*"}}, errs: []error{nil},
		},
		"a fault of the service": {
			msgs: []string{"a"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call < 3 {
					return response(503, object{"__type": "ServiceUnavailable"}), nil
				}
				return succeed(m)
			},
			calls: [][]string{{"a"}, {"a*"}, {"a*"}}, errs: []error{nil},
		},
		"throttled": {
			msgs: []string{"a"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call == 1 {
					return refusal("com.amazonaws.sqs#RequestThrottled"), nil
				}
				return succeed(m)
			},
			calls: [][]string{{"a"}, {"a"}}, errs: []error{nil},
		},
		"refused for good": {
			msgs: []string{"a", "b"},
			answer: func(int, []sent) (*http.Response, error) {
				return refusal("com.amazonaws.sqs#QueueDoesNotExist"), nil
			},
			calls: [][]string{{"a", "b"}}, errs: []error{sqs.ErrRefused, sqs.ErrRefused},
		},
		"no answer in three tries": {
			msgs: []string{"a"}, answer: func(int, []sent) (*http.Response, error) {
				return nil, errReset
			},
			calls: [][]string{{"a"}, {"a*"}, {"a*"}}, errs: []error{errReset},
		},
		"each entry of Failed": {
			msgs: []string{"good", "bad", "fault", "throttled"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call > 1 {
					return succeed(m)
				}
				return response(200, object{
					"Successful": []object{{"Id": "0", "MessageId": "m-0"}},
					"Failed": []object{failed("1", "InvalidMessageContents", true), failed(
						"2", "InternalError", false,
					),
						failed("3", "RequestThrottled", true)},
				}), nil
			},
			calls: [][]string{
				{"good", "bad", "fault", "throttled"}, {"fault*", "throttled"},
			}, errs: []error{nil, sqs.ErrRefused, nil, nil},
		},
		"an entry without an answer, and one without a message id": {
			msgs: []string{"a", "b", "c"},
			answer: func(call int, m []sent) (*http.Response, error) {
				if call > 1 {
					return succeed(m)
				}
				return response(
					200,
					object{
						"Successful": []object{{"Id": "0", "MessageId": "m-0"}, {"Id": "2"}},
						"Failed":     []object{},
					},
				), nil
			},
			calls: [][]string{{"a", "b", "c"}, {"b*", "c*"}}, errs: []error{nil, nil, nil},
		},
		"ids in the answer that were never sent": {
			msgs: []string{"a", "b"},
			answer: func(int, []sent) (*http.Response, error) {
				return response(200, object{
					"Successful": []object{
						{"Id": "0", "MessageId": "m"}, {"Id": "1", "MessageId": "m"},
						{"Id": "7", "MessageId": "m"},
					},
					"Failed": []object{
						failed("x", "InternalError", false), failed("-1", "InternalError", false),
					},
				}), nil
			},
			calls: [][]string{{"a", "b"}}, errs: []error{nil, nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: tc.answer}
				var msgs []relay.Outgoing
				for _, body := range tc.msgs {
					msgs = append(msgs, relay.Outgoing{Body: []byte(body)})
				}
				errs := w.queue().Send(t.Context(), msgs)
				if diff := cmp.Diff(tc.calls, w.marks()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if len(errs) != len(tc.errs) {
					t.Fatalf("%d errors, want %d", len(errs), len(tc.errs))
				}
				for i, err := range errs {
					if !errors.Is(err, tc.errs[i]) {
						t.Errorf("error of %s: %v, want %v", tc.msgs[i], err, tc.errs[i])
					}
				}
			})
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(int, []sent) (*http.Response, error){
		"while no answer comes": func(int, []sent) (*http.Response, error) {
			return nil, nil
		},
		"while it waits to try again": func(int, []sent) (*http.Response, error) {
			return nil, errReset
		},
		"while the service is down too": func(int, []sent) (*http.Response, error) {
			return response(500, object{}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const limit = 10 * time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				w := &wire{answer: answer}
				begun := time.Now()
				errs := w.queue().Send(
					ctx, []relay.Outgoing{{Body: []byte("1")}, {Body: []byte("2")}},
				)
				if took := time.Since(begun); took > limit {
					t.Errorf("took %v, the context %v", took, limit)
				}
				if errs[0] == nil || errs[1] == nil {
					t.Errorf("errors %v, want two", errs)
				}
			})
		})
	}
}

func TestSendCutsWhatOneCallCannotCarry(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 500_000)
	for name, tc := range map[string]struct {
		msgs  []string
		sizes map[int]int // number of calls by number of messages
	}{
		"5,000 messages": {slices.Repeat([]string{"{}"}, 5000), map[int]int{10: 500}},
		"11 messages":    {slices.Repeat([]string{"{}"}, 11), map[int]int{10: 1, 1: 1}},
		"by size":        {[]string{large, large, large, "small", large}, map[int]int{2: 1, 3: 1}},
		"none":           {nil, map[int]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: func(_ int, msgs []sent) (*http.Response, error) {
					time.Sleep(10 * time.Millisecond) // the bubble's time
					return accept(msgs), nil
				}}
				msgs := make([]relay.Outgoing, len(tc.msgs))
				for i, body := range tc.msgs {
					msgs[i].Body = []byte(body)
				}
				for i, err := range w.queue().Send(t.Context(), msgs) {
					if err != nil {
						t.Errorf("message %d: %v", i, err)
					}
				}
				sizes := map[int]int{}
				for _, call := range w.calls {
					sizes[len(call)]++
				}
				if diff := cmp.Diff(tc.sizes, sizes); diff != "" {
					t.Errorf("calls by their number of messages (-want +got):\n%s", diff)
				}
				if w.most > 8 {
					t.Errorf("%d calls at a time, want at most 8", w.most)
				}
			})
		})
	}
}

func TestSendSetsWhatAMessageHas(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		msg   relay.Outgoing
		delay int
		group string
		mark  string
	}{
		"plain": {relay.Outgoing{Body: []byte("1")}, 0, "", "1"},
		"group": {
			relay.Outgoing{Body: []byte("1"), Group: "shipping"}, 0, "shipping", "1",
		},
		"delay is rounded up": {
			relay.Outgoing{Body: []byte("1"), Delay: 1001 * time.Millisecond}, 2, "", "1",
		},
		"whole seconds stay": {
			relay.Outgoing{Body: []byte("1"), Delay: 2 * time.Second}, 2, "", "1",
		},
		"the longest delay": {
			relay.Outgoing{Body: []byte("1"), Delay: relay.MaxDelay}, 900, "", "1",
		},
		"resent by its sender": {relay.Outgoing{Body: []byte("1"), Resent: true}, 0, "", "1*"},
	} {
		for kind, copies := range map[string]int{"alone": 1, "in a batch": 2} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				w := &wire{}
				msgs := make([]relay.Outgoing, copies)
				for i := range msgs {
					msgs[i] = tc.msg
				}
				if errs := w.queue().Send(t.Context(), msgs); errors.Join(errs...) != nil {
					t.Fatal(errs)
				}
				for _, got := range w.calls[0] {
					group := ""
					if got.MessageGroupID != nil {
						group = *got.MessageGroupID
					}
					want := fmt.Sprint(tc.delay, tc.group, tc.mark)
					if have := fmt.Sprint(got.DelaySeconds, group, got.mark()); have != want {
						t.Errorf("sent %s, want %s", have, want)
					}
				}
			})
		}
	}
}

func TestSendRefusesWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	w := &wire{}
	errs := w.queue().Send(t.Context(), []relay.Outgoing{{Body: make([]byte, 1<<20)}})
	if !errors.Is(errs[0], sqs.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", errs[0])
	}
	if len(w.calls) != 0 {
		t.Errorf("%d calls, want none", len(w.calls))
	}
}

// failing answers each message with its codes, one a try, and then accepts it.
func failing(codes map[string][]string) func(int, []sent) (*http.Response, error) {
	left := maps.Clone(codes)
	return func(_ int, msgs []sent) (*http.Response, error) {
		var good []sent
		var bad []object
		for _, m := range msgs {
			body := m.MessageBody
			if len(left[body]) == 0 {
				good = append(good, m)
				continue
			}
			bad = append(bad, failed(m.ID, left[body][0], left[body][0] != internalError))
			left[body] = left[body][1:]
		}
		switch {
		case msgs[0].ID != "":
			return response(200, object{"Successful": successes(good), "Failed": bad}), nil
		case len(good) > 0:
			return accept(good), nil
		case bad[0]["Code"] == internalError:
			return response(500, object{"__type": internalError}), nil
		}
		return refusal(bad[0]["Code"].(string)), nil //nolint:forcetypeassert // made above
	}
}

const internalError = "InternalError"

// If one call contained two messages of a group, SQS could take the second and not the first.
func TestAFIFOQueueGetsAGroupInOrderAndNothingBehindAFailure(t *testing.T) {
	t.Parallel()
	const refused, throttled = "InvalidMessageContents", "RequestThrottled"
	for name, tc := range map[string]struct {
		codes  map[string][]string
		calls  [][]string
		failed []int
	}{
		"all accepted": {nil, [][]string{{"a1", "b1"}, {"a2", "b2"}, {"a3"}}, nil},
		"the first refused": {
			map[string][]string{"a1": {refused}}, [][]string{{"a1", "b1"}, {"b2"}}, []int{0, 1, 4},
		},
		"one refused alone": {
			map[string][]string{"a2": {refused}, "b2": {refused}},
			[][]string{{"a1", "b1"}, {"a2", "b2"}}, []int{1, 3, 4},
		},
		"an entry that is tried again is waited for": {
			map[string][]string{"a1": {internalError}}, [][]string{
				{"a1", "b1"}, {"a1*"}, {"a2", "b2"}, {"a3"},
			}, nil,
		},
		"so is one that is throttled": {
			map[string][]string{
				"a1": {throttled, throttled},
			}, [][]string{{"a1", "b1"}, {"a1"}, {"a1"}, {"a2", "b2"}, {"a3"}}, nil,
		},
		"each group waits for its own, both in one call": {
			map[string][]string{
				"a1": {internalError}, "b1": {throttled},
			}, [][]string{{"a1", "b1"}, {"a1*", "b1"}, {"a2", "b2"}, {"a3"}}, nil,
		},
		"one that fails at every try": {
			map[string][]string{"a2": {internalError, throttled, internalError}},
			[][]string{{"a1", "b1"}, {"a2", "b2"}, {"a2*"}, {"a2*"}}, []int{1, 4},
		},
		"the last, by itself": {
			map[string][]string{"a3": {internalError}}, [][]string{
				{"a1", "b1"}, {"a2", "b2"}, {"a3"}, {"a3*"},
			}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: failing(tc.codes)}
				var msgs []relay.Outgoing
				for _, body := range []string{"a1", "a2", "b1", "b2", "a3"} {
					msgs = append(
						msgs,
						relay.Outgoing{Body: []byte(body), Group: body[:1], Once: "once-" + body},
					)
				}
				var failed []int
				for i, err := range w.queueAt(
					"http://sqs.test/1/queue.fifo",
				).Send(t.Context(), msgs) {
					if err != nil {
						failed = append(failed, i)
					}
				}
				if diff := cmp.Diff(tc.calls, w.marks()); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tc.failed, failed); diff != "" {
					t.Errorf("failed (-want +got):\n%s", diff)
				}
				for _, m := range slices.Concat(w.calls...) {
					if m.Once != "once-"+m.MessageBody || *m.MessageGroupID != m.MessageBody[:1] {
						t.Errorf("sent %+v", m)
					}
				}
			})
		})
	}
}

// A message that could not be held comes back by itself. So no error may be swallowed, and no try
// made after an answer that says it cannot succeed.
func TestHoldSetsTheVisibilityTimeout(t *testing.T) {
	t.Parallel()
	reset := func(int, []sent) (*http.Response, error) { return nil, errReset }
	isNone := func(err error) bool { return err == nil }
	isReset := func(err error) bool { return errors.Is(err, errReset) }
	isWorn := func(err error) bool { return errors.Is(err, sqs.ErrRefused) }
	for name, tc := range map[string]struct {
		answer func(int, []sent) (*http.Response, error)
		d      time.Duration
		held   []int // seconds, of each call
		want   func(error) bool
	}{
		"whole seconds stay":     {nil, 2 * time.Second, []int{2}, isNone},
		"the rest is rounded up": {nil, 1001 * time.Millisecond, []int{2}, isNone},
		"not at all":             {nil, 0, []int{0}, isNone},
		"the longest":            {nil, relay.MaxHold, []int{11 * 3600}, isNone},
		"throttled": {
			failing(map[string][]string{"": {"RequestThrottled"}}), time.Second, []int{1, 1},
			isNone,
		},
		"a fault of the service": {
			failing(map[string][]string{"": {internalError}}), time.Second, []int{1, 1}, isNone,
		},
		"no answer in three tries": {reset, time.Second, []int{1, 1, 1}, isReset},
		"a handle that is worn": {
			failing(map[string][]string{"": {"ReceiptHandleIsInvalid"}}), time.Second, []int{1},
			isWorn,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answer: tc.answer}
				err := w.queueAt("http://sqs.test/1/queue.fifo").Hold(
					t.Context(),
					[]relay.Held{{Message: relay.Message{Handle: "handle"}, For: tc.d}},
				)[0]
				if !tc.want(err) {
					t.Errorf("error %v", err)
				}
				var held []int
				for _, call := range w.calls {
					if call[0].ReceiptHandle != "handle" {
						t.Errorf("of %q", call[0].ReceiptHandle)
					}
					held = append(held, call[0].VisibilityTimeout)
				}
				if diff := cmp.Diff(tc.held, held); diff != "" {
					t.Errorf("seconds of each call (-want +got):\n%s", diff)
				}
			})
		})
	}
}
