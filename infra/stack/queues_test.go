package stack_test

import (
	"strings"
	"testing"
)

// sources returns, for each queue that is somebody's dead-letter queue, whose.
func (tmpl template) sources() map[string][]string {
	sources := map[string][]string{}
	for id, r := range tmpl.Resources {
		if dlq := target(r.get("RedrivePolicy", "deadLetterTargetArn")); dlq != "" {
			sources[dlq] = append(sources[dlq], id)
		}
	}
	return sources
}

// mappings returns the event source mappings of each queue.
func (tmpl template) mappings() map[string][]resource {
	mappings := map[string][]resource{}
	for _, r := range tmpl.Resources {
		if r.Type == "AWS::Lambda::EventSourceMapping" {
			queue := target(r.get("EventSourceArn"))
			mappings[queue] = append(mappings[queue], r)
		}
	}
	return mappings
}

func TestEveryQueueIsConsumedWithADeadLetterQueueOrIsOne(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	sources, mappings := tmpl.sources(), tmpl.mappings()
	const fourteenDays = 14 * 24 * 60 * 60
	tmpl.each(t, "AWS::SQS::Queue", func(t *testing.T, id string, r resource) {
		deadLetters := target(r.get("RedrivePolicy", "deadLetterTargetArn"))
		switch {
		case len(sources[id]) == 0 && deadLetters == "":
			t.Error("has no dead-letter queue and is none")
		case len(sources[id]) > 1 && name(id) != "DeliveryDlq":
			// its redrive names the delivery queue, from where slow ones go on
			t.Errorf(
				"is the dead-letter queue of %v: a redrive could not tell where to", sources[id],
			)
		case len(sources[id]) >= 1:
			if deadLetters != "" || len(mappings[id]) > 0 {
				t.Error("a dead-letter queue is consumed, or has one itself")
			}
			if got := r.number("MessageRetentionPeriod"); got != fourteenDays {
				t.Errorf("keeps messages for %d s, want %d", got, fourteenDays)
			}
		default:
			if len(mappings[id]) != 1 {
				t.Errorf("%d functions consume it, want 1", len(mappings[id]))
			}
			switch got := r.number("MessageRetentionPeriod"); {
			case isFIFO(r) && got != fourteenDays:
				t.Errorf(
					"keeps messages for %d s, want %d: one may wait for long behind others, and its time begins anew in its dead-letter queue",
					got, fourteenDays,
				)
			case !isFIFO(r) && (got < 4*24*60*60 || got > fourteenDays/2):
				t.Errorf(
					"keeps messages for %d s, want four days at least, and at most half of its dead-letter queue's time",
					got,
				)
			}
		}
	})
}

// SQS counts receives that reach no function, so that it may move nothing: the functions themselves
// set aside what they cannot process.
func TestMaxReceives(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	for _, sources := range tmpl.sources() {
		for _, id := range sources {
			if got := tmpl.Resources[id].number("RedrivePolicy", "maxReceiveCount"); got != 1000 {
				t.Errorf("%s: %d receives, want 1000", name(id), got)
			}
		}
	}
}

func TestQueuesAndBucketsRefusePlainHTTP(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	refuses := map[string]bool{}
	for _, r := range tmpl.Resources {
		if !deniesPlainHTTP(r) {
			continue
		}
		for _, of := range append(items(r.get("Queues")), items(r.get("Bucket"))...) {
			refuses[target(of)] = true
		}
	}
	for _, resourceType := range []string{"AWS::SQS::Queue", "AWS::S3::Bucket"} {
		tmpl.each(t, resourceType, func(t *testing.T, id string, _ resource) {
			if !refuses[id] {
				t.Error("has no policy that denies everybody everything without TLS")
			}
		})
	}
}

func deniesPlainHTTP(policy resource) bool {
	for _, s := range items(policy.get("PolicyDocument", "Statement")) {
		action := get(s, "Action")
		if get(s, "Effect") == "Deny" && (action == "sqs:*" || action == "s3:*") &&
			get(s, "Principal", "AWS") == "*" &&
			get(s, "Condition", "Bool", "aws:SecureTransport") == "false" {
			return true
		}
	}
	return false
}

func isFIFO(queue resource) bool { return queue.get("FifoQueue") == true }

func TestQueuesAreEncrypted(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::SQS::Queue", func(t *testing.T, _ string, r resource) {
		if r.get("SqsManagedSseEnabled") != true {
			t.Error("is not encrypted by SQS")
		}
	})
}

// FIFO queues know no delay per message, which the others need, and a dead-letter queue is of the
// same kind as its queue.
func TestOnlyQueuesOfOrderedEndpointsAreOrdered(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	tmpl.each(t, "AWS::SQS::Queue", func(t *testing.T, id string, r resource) {
		if isFIFO(r) != strings.HasPrefix(name(id), "Ordered") {
			t.Errorf("is a FIFO queue: %t", isFIFO(r))
		}
		if dlq := target(r.get("RedrivePolicy", "deadLetterTargetArn")); dlq != "" &&
			isFIFO(tmpl.Resources[dlq]) != isFIFO(r) {
			t.Error("has a dead-letter queue of another kind")
		}
		if isFIFO(r) && (r.get("DeduplicationScope") != "messageGroup" ||
			r.get("FifoThroughputLimit") != "perMessageGroupId") {
			t.Error("has one limit for all its message groups")
		}
	})
}

func TestEventSourceMappings(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	concurrency := map[string]int{
		"IngestToFanout": 50, "DeliveryToDeliver": 300, "RetryToDeliver": 30, "SlowToDeliver": 50,
		"OrderedIngestToFanout": 50, "OrderedDeliveryToDeliver": 300,
	}
	tmpl.each(t, "AWS::Lambda::EventSourceMapping", func(t *testing.T, id string, r resource) {
		queue := tmpl.Resources[target(r.get("EventSourceArn"))]
		visibility := queue.number("VisibilityTimeout")
		timeout := tmpl.Resources[target(r.get("FunctionName"))].number("Timeout")
		if timeout == 0 || visibility < 6*timeout {
			t.Errorf(
				"visibility timeout %d s, function timeout %d s, want six times as much",
				visibility, timeout,
			)
		}
		if types := items(r.get("FunctionResponseTypes")); len(types) != 1 ||
			types[0] != "ReportBatchItemFailures" {
			t.Errorf("response types %v, want partial batch responses", types)
		}
		if got := r.number("ScalingConfig", "MaximumConcurrency"); got == 0 ||
			got != concurrency[name(id)] {
			t.Errorf("maximum concurrency %d, want %d", got, concurrency[name(id)])
		}
		batch := 10
		if isFIFO(queue) {
			batch = 1 // no group waits for another, nor for those behind its first
		}
		if r.number("BatchSize") != batch || r.get("MaximumBatchingWindowInSeconds") != nil {
			t.Errorf(
				"batches of %d, window %v, want %d and none", r.number("BatchSize"),
				r.get("MaximumBatchingWindowInSeconds"), batch,
			)
		}
	})
}
