package deployed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// subscribe makes the topic of a subscription in the template, which is the operator's in AWS, and
// subscribes the queue to it.
func (h *Host) subscribe(ctx context.Context, id string) error {
	var p struct {
		TopicArn, Protocol, Endpoint, Region string
		RawMessageDelivery                   bool
	}
	if err := h.stack.properties(id, &p); err != nil {
		return err
	}
	if p.Protocol != "sqs" || p.Region != region {
		return fmt.Errorf(
			"%w: subscription %s is by %q in %q, which is not played", ErrTemplate, id, p.Protocol,
			p.Region,
		)
	}
	name := p.TopicArn[strings.LastIndexByte(p.TopicArn, ':')+1:]
	if err := h.sns(ctx, url.Values{"Action": {"CreateTopic"}, "Name": {name}}); err != nil {
		return err
	}
	return h.sns(ctx, url.Values{
		"Action": {"Subscribe"}, "TopicArn": {p.TopicArn}, "Protocol": {p.Protocol},
		"Endpoint": {p.Endpoint}, "Attributes.entry.1.key": {"RawMessageDelivery"},
		"Attributes.entry.1.value": {strconv.FormatBool(p.RawMessageDelivery)},
	})
}

// Publish sends a message to a topic.
func (h *Host) Publish(ctx context.Context, topic, message string) error {
	return h.sns(ctx, url.Values{
		"Action": {"Publish"}, "TopicArn": {topic}, "Message": {message},
	})
}

// sns calls SNS in the emulator of SQS, which has it too.
func (h *Host) sns(ctx context.Context, form url.Values) error {
	form.Set("Version", "2010-03-31")
	r, err := http.NewRequestWithContext(
		ctx, http.MethodPost, h.services["sqs"].String(), strings.NewReader(form.Encode()),
	)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/"+
		region+"/sns/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("deployed: %s of SNS: %s: %s", form.Get("Action"), answer.Status, text)
	}
	return err
}
