package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Scheduler implements EventBridge Scheduler's protocol (REST JSON) for CreateSchedule: one-time
// schedules in UTC with SQS's SendMessage as their universal target. It keeps schedules until the
// test fires them, whatever their time. It is safe for concurrent use.
type Scheduler struct {
	URL string

	server *httptest.Server

	mu      sync.Mutex
	pending []Schedule
}

// Schedule is a pending schedule.
type Schedule struct {
	Group       string
	Name        string
	At          time.Time
	RoleARN     string
	Input       json.RawMessage // for SendMessage
	DeleteAfter bool            // ActionAfterCompletion is DELETE
	MaxAge      time.Duration   // of the retry policy
	MaxTries    int
}

// RunScheduler starts a Scheduler. Stop it with Close.
func RunScheduler() *Scheduler {
	s := &Scheduler{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /schedules/{name}", s.create)
	s.server = httptest.NewServer(mux)
	s.URL = s.server.URL
	return s
}

// Close stops s.
func (s *Scheduler) Close() { s.server.Close() }

// NewScheduler starts a Scheduler that stops with the test.
func NewScheduler(tb testing.TB) *Scheduler {
	s := RunScheduler()
	tb.Cleanup(s.Close)
	return s
}

// Pending returns the schedules that were not fired yet, in the order of their creation.
func (s *Scheduler) Pending() []Schedule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pending)
}

// Fire does what the service does at a schedule's time: it calls SendMessage at the host of the
// queue's URL, and deletes the schedule if it says so.
func (s *Scheduler) Fire(ctx context.Context, group, name string) error {
	due, err := s.Take(group, name)
	if err != nil {
		return err
	}
	var input struct {
		QueueURL string `json:"QueueUrl"`
	}
	if err := json.Unmarshal(due.Input, &input); err != nil {
		return fmt.Errorf("input of schedule %s: %w", name, err)
	}
	queue, err := url.Parse(input.QueueURL)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(
		ctx, http.MethodPost, "http://"+loopback(queue)+"/", bytes.NewReader(due.Input),
	)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("schedule %s: SendMessage: %s: %s", name, resp.Status, why)
	}
	return nil
}

// loopback returns the address of a queue's host. Every name under localhost means loopback (RFC
// 6761), but few resolvers support it.
func loopback(queue *url.URL) string {
	if strings.HasSuffix(queue.Hostname(), ".localhost") {
		return net.JoinHostPort("127.0.0.1", queue.Port())
	}
	return queue.Host
}

// Take returns a schedule, for a host that makes its call itself, and deletes it if it says so.
func (s *Scheduler) Take(group, name string) (Schedule, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(group, name)
	if i < 0 {
		return Schedule{}, fmt.Errorf("no schedule %s in group %s", name, group)
	}
	due := s.pending[i]
	if due.DeleteAfter {
		s.pending = slices.Delete(s.pending, i, i+1)
	}
	return due, nil
}

func (s *Scheduler) index(group, name string) int {
	return slices.IndexFunc(s.pending, func(p Schedule) bool {
		return p.Group == group && p.Name == name
	})
}

type createSchedule struct {
	GroupName                  string
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	ActionAfterCompletion      string
	FlexibleTimeWindow         struct{ Mode string }
	Target                     struct {
		Arn         string
		RoleArn     string
		Input       string
		RetryPolicy struct {
			MaximumEventAgeInSeconds int
			MaximumRetryAttempts     int
		}
	}
}

var scheduleName = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)

// maxInput is the service's limit for a target's input.
const maxInput = 256 << 10

func (s *Scheduler) create(w http.ResponseWriter, r *http.Request) {
	var in createSchedule
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "ValidationException", err.Error())
		return
	}
	at, err := time.Parse("at(2006-01-02T15:04:05)", in.ScheduleExpression)
	partition, _, isRole := strings.Cut(in.Target.RoleArn, ":iam::")
	var fault string
	switch name := r.PathValue("name"); {
	case !scheduleName.MatchString(name):
		fault = "name " + name
	case err != nil:
		fault = err.Error()
	case at.Before(time.Now()):
		fault = "time has passed: " + in.ScheduleExpression
	case in.ScheduleExpressionTimezone != "" && in.ScheduleExpressionTimezone != "UTC":
		fault = "time zone " + in.ScheduleExpressionTimezone
	case in.FlexibleTimeWindow.Mode != "OFF":
		fault = "flexible time window " + in.FlexibleTimeWindow.Mode
	case !isRole || !strings.HasPrefix(partition, "arn:aws"):
		fault = "role " + in.Target.RoleArn
	case in.Target.Arn != partition+":scheduler:::aws-sdk:sqs:sendMessage":
		fault = "target " + in.Target.Arn
	case !json.Valid([]byte(in.Target.Input)) || len(in.Target.Input) > maxInput:
		fault = fmt.Sprintf("input of %d bytes", len(in.Target.Input))
	case strings.Contains(in.Target.Input, "<aws.scheduler."):
		fault = "keywords in the input are not supported"
	}
	if fault != "" {
		refuse(w, http.StatusBadRequest, "ValidationException", fault)
		return
	}
	made := Schedule{
		Group: in.GroupName, Name: r.PathValue("name"), At: at, RoleARN: in.Target.RoleArn,
		Input:       json.RawMessage(in.Target.Input),
		DeleteAfter: in.ActionAfterCompletion == "DELETE",
		MaxAge:      time.Duration(in.Target.RetryPolicy.MaximumEventAgeInSeconds) * time.Second,
		MaxTries:    in.Target.RetryPolicy.MaximumRetryAttempts,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.index(made.Group, made.Name) >= 0 {
		refuse(
			w, http.StatusConflict, "ConflictException", "Schedule "+made.Name+" already exists.",
		)
		return
	}
	s.pending = append(s.pending, made)
	answer(
		w,
		map[string]string{
			"ScheduleArn": "arn:aws:scheduler:eu-central-1:000000000000:schedule/" + made.Group +
				"/" + made.Name,
		},
	)
}
