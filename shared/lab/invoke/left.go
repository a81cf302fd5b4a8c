package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
)

// left lists what is in the queues, the ledger, the bucket and the scheduler: the count, and a line
// for each (for a queue, the first ten).
func (w *world) left(ctx context.Context) (string, error) {
	var b strings.Builder
	for _, name := range queueNames {
		count, lines, err := w.messages(ctx, w.queues[name])
		if err != nil {
			return "", fmt.Errorf("queue %s: %w", name, err)
		}
		list(&b, "queue "+name, count, lines)
	}
	records, err := w.records(ctx)
	if err != nil {
		return "", fmt.Errorf("ledger: %w", err)
	}
	list(&b, "ledger", strconv.Itoa(len(records)), records)
	bodies, err := w.bodies(ctx)
	if err != nil {
		return "", fmt.Errorf("bodies: %w", err)
	}
	list(&b, "bodies", strconv.Itoa(len(bodies)), bodies)
	var schedules []string
	for _, s := range w.schedules.Pending() {
		schedules = append(
			schedules, fmt.Sprintf("%s at %s", s.Name, s.At.Format("2006-01-02 15:04:05")),
		)
	}
	list(&b, "schedules", strconv.Itoa(len(schedules)), schedules)
	return b.String(), nil
}

func list(b *strings.Builder, what, count string, lines []string) {
	fmt.Fprintf(b, "%-19s %s\n", what, count)
	for _, line := range lines {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// messages counts a queue's messages, and returns a line for each that one call receives. Delayed
// messages cannot be received.
func (w *world) messages(
	ctx context.Context, url string,
) (count string, lines []string, err error) {
	attributes, err := w.sqs.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{
			sqstypes.QueueAttributeNameAll,
		},
	})
	if err != nil {
		return "", nil, err
	}
	count = attributes.Attributes[string(sqstypes.QueueAttributeNameApproximateNumberOfMessages)]
	if n := attributes.Attributes[string(
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	)]; n != "" && n != "0" {
		count += ", and " + n + " delayed"
	}
	received, err := w.sqs.ReceiveMessage(
		ctx, &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10},
	)
	if err != nil {
		return "", nil, err
	}
	for _, m := range received.Messages {
		lines = append(lines, summary(*m.Body))
	}
	return count, lines, nil
}

// summary describes a message in one line.
func summary(body string) string {
	type event struct{ ID, Source, Type string }
	var m struct {
		event
		Endpoint string
		Attempt  int
		Event    event
	}
	err := json.Unmarshal([]byte(body), &m)
	switch {
	case err == nil && m.Endpoint != "":
		return fmt.Sprintf(
			"%s, attempt %d at endpoint %s", eventLine(m.Event.ID, m.Event.Type, m.Event.Source),
			m.Attempt, m.Endpoint,
		)
	case err == nil && m.ID != "":
		return eventLine(m.ID, m.Type, m.Source)
	default:
		return fmt.Sprintf("unreadable: %.80q", body)
	}
}

func eventLine(id, eventType, source string) string {
	return fmt.Sprintf("%s %s from %s", id, cmp.Or(eventType, "(no type)"), source)
}

// records describes the ledger's items, sorted by event.
func (w *world) records(ctx context.Context) ([]string, error) {
	tables := dynamo.Client(emulator.Config(w.services.DynamoDB))
	ledger := dynamo.NewLedger(tables, w.ledgerTable, nil)
	var lines []string
	for pages := dynamodb.NewScanPaginator(
		w.tables, &dynamodb.ScanInput{TableName: &w.ledgerTable},
	); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			line, err := record(
				ctx, ledger, text(item, dynamo.PartitionKey), text(item, dynamo.SortKey),
			)
			if err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// record describes the item with the given keys. Package dynamo documents their form.
func record(ctx context.Context, ledger *dynamo.Ledger, id, sort string) (string, error) {
	if name, ok := strings.CutPrefix(id, "endpoint#"); ok && sort == "state" {
		state, _, err := ledger.EndpointState(ctx, name)
		return fmt.Sprintf(
			"endpoint %s: %s, %d failed in a row", name, state.Phase(time.Now()), state.Failures,
		), err
	}
	if sort == "event" {
		r, _, err := ledger.Event(ctx, id)
		return fmt.Sprintf("%s, for endpoints %v", eventLine(r.ID, r.Type, r.Source), r.Endpoints),
			err
	}
	partition, isDelivery := strings.CutPrefix(id, "delivery#")
	// other items of the relay: failure counts of messages, reservations of a rate limit, the
	// sweeper's cursor
	if !isDelivery {
		return id + " " + sort, nil
	}
	endpoint := partition[:max(0, strings.LastIndex(partition, "#"))]
	accepted, id, _ := strings.Cut(sort, "#")
	at, err := time.Parse(time.RFC3339, accepted)
	if err != nil {
		return "", err
	}
	d, err := ledger.Delivery(
		ctx, relay.DeliveryKey{EventID: id, Endpoint: endpoint, ReceivedAt: at},
	)
	if err != nil {
		return "", err
	}
	if d.Attempts == 0 {
		return fmt.Sprintf("%s to %s: %s, held", id, endpoint, d.Status), nil
	}
	last := d.History[len(d.History)-1]
	return fmt.Sprintf(
		"%s to %s: %s, attempt %d %s", id, endpoint, d.Status, d.Attempts, ended(last),
	), nil
}

func ended(a relay.Attempt) string {
	switch {
	case a.StatusCode != 0:
		return fmt.Sprintf("%s with %d", a.Outcome, a.StatusCode)
	case a.Error != "":
		return fmt.Sprintf("%s: %s", a.Outcome, a.Error)
	}
	return string(a.Outcome)
}

func text(item map[string]types.AttributeValue, name string) string {
	s, _ := item[name].(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func (w *world) bodies(ctx context.Context) ([]string, error) {
	found, err := w.s3.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &w.bucket})
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, o := range found.Contents {
		lines = append(lines, fmt.Sprintf("%s, %d bytes", *o.Key, *o.Size))
	}
	return lines, nil
}
