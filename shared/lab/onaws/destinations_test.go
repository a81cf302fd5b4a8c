package onaws_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/transform"
)

// operator calls a service by hand, and returns its answer.
func operator(t *testing.T, base, service string, header map[string]string, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, base+"/", strings.NewReader(body),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	own, err := keys.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(
		t.Context(), own, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now(),
	); err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %s", body, answer.StatusCode, err, text)
	}
	return string(text)
}

// TestDestinationTopic publishes to a topic of an emulator, which a queue is subscribed to.
func TestDestinationTopic(t *testing.T) {
	t.Parallel()
	services := emulator.Start(t)
	queues := awssqs.NewFromConfig(virginia(services.SQS))
	name := "topic-" + rand.Text()
	queue, err := queues.CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		t.Fatal(err)
	}
	sns := func(form url.Values) string {
		t.Helper()
		return operator(t, services.SQS, "sns", map[string]string{
			"Content-Type": "application/x-www-form-urlencoded",
		}, form.Encode())
	}
	created := sns(url.Values{"Action": {"CreateTopic"}, "Name": {name}})
	arn := regexp.MustCompile(`arn:aws:sns:[^<]+`).FindString(created)
	sns(url.Values{
		"Action": {"Subscribe"}, "TopicArn": {arn}, "Protocol": {"sqs"},
		"Endpoint":                 {"arn:aws:sqs:us-east-1:000000000000:" + name},
		"Attributes.entry.1.key":   {"RawMessageDelivery"},
		"Attributes.entry.1.value": {"true"},
	})
	poster := posterTo(services.SQS, keys)
	sendTo(t, poster, arn, 1)
	got := receiveAll(t, queues, queue.QueueUrl)
	if len(got) != 1 || *got[0].Body != `{"a":"é\u0000"}` ||
		*got[0].MessageAttributes["webhook-id"].StringValue != "evt_1" {
		t.Errorf("%+v", got)
	}
	reply := postTo(t, poster, arn+"-missing", 1)
	if reply.Result.Verdict != destination.Failed || reply.Result.Code != "NotFound" {
		t.Errorf("%d %+v", reply.StatusCode, reply.Result)
	}
}

// TestDestinationBucket writes objects to an emulator, under keys that have to be encoded.
func TestDestinationBucket(t *testing.T) {
	t.Parallel()
	services := emulator.Start(t)
	client := emulator.Buckets(virginia(services.S3))
	bucket := "archive-" + strings.ToLower(rand.Text())
	if _, err := client.CreateBucket(
		t.Context(), &awss3.CreateBucketInput{Bucket: &bucket},
	); err != nil {
		t.Fatal(err)
	}
	poster := posterTo(services.S3, keys)
	m := destination.Message{
		Event: transform.Event{
			ID: "evt_1", Source: "app", Type: "a b+é/c", Body: []byte(`{"n":1}`),
			Header: map[string]string{"content-type": "application/json"},
		},
		Attempt: 1,
	}
	for _, suffix := range []string{"", ".gz"} {
		reply := post(
			t, poster, "s3://"+bucket+"/{source}/{type}/{id}.json"+suffix, m, destination.Options{},
		)
		if reply.Result.Verdict != destination.Accepted {
			t.Fatalf("%d %+v", reply.StatusCode, reply.Result)
		}
		key := "app/a b+é_c/evt_1.json" + suffix
		got, err := client.GetObject(
			t.Context(), &awss3.GetObjectInput{Bucket: &bucket, Key: &key},
		)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if suffix != "" {
			unzip, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if body, err = io.ReadAll(unzip); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != `{"n":1}` || aws.ToString(got.ContentType) != "application/json" ||
			got.Metadata["webhook-id"] != "evt_1" || got.Metadata["relay-source"] != "app" {
			t.Errorf("%s, %v, %v", body, got.ContentType, got.Metadata)
		}
	}
	reply := post(t, poster, "s3://"+bucket+"-missing/{id}", m, destination.Options{})
	if reply.Result.Verdict != destination.Failed || reply.Result.Code != "NoSuchBucket" {
		t.Errorf("%d %+v", reply.StatusCode, reply.Result)
	}
}

// TestDestinationStream puts records into a stream of an emulator.
func TestDestinationStream(t *testing.T) {
	t.Parallel()
	services := emulator.Start(t)
	name := "stream-" + rand.Text()
	kinesis := func(operation string, in map[string]any) (out struct {
		ShardIterator     string
		StreamDescription struct{ StreamStatus string }
		Records           []struct {
			Data         []byte
			PartitionKey string
		}
	},
	) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		answer := operator(t, services.Kinesis, "kinesis", map[string]string{
			"Content-Type": "application/x-amz-json-1.1",
			"X-Amz-Target": "Kinesis_20131202." + operation,
		}, string(body))
		if answer != "" {
			if err := json.Unmarshal([]byte(answer), &out); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	kinesis("CreateStream", map[string]any{"StreamName": name, "ShardCount": 1})
	for kinesis("DescribeStream", map[string]any{"StreamName": name}).
		StreamDescription.StreamStatus != "ACTIVE" {
		time.Sleep(10 * time.Millisecond)
	}
	poster := posterTo(services.Kinesis, keys)
	const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/"
	m := destination.Message{
		Event: transform.Event{ID: "evt_1", Body: []byte("\xff\x00"), Data: []byte(`{"c":7}`)},
	}
	for _, group := range []string{"", "{data.c}"} {
		reply := post(t, poster, arn+name, m, destination.Options{
			Envelope: destination.Raw, Group: group,
		})
		if reply.Result.Verdict != destination.Accepted {
			t.Fatalf("%d %+v", reply.StatusCode, reply.Result)
		}
	}
	from := kinesis("GetShardIterator", map[string]any{
		"StreamName": name, "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON",
	}).ShardIterator
	got := kinesis("GetRecords", map[string]any{"ShardIterator": from}).Records
	if len(got) != 2 || string(got[0].Data) != "\xff\x00" || got[0].PartitionKey != "evt_1" ||
		got[1].PartitionKey != "7" {
		t.Errorf("%+v", got)
	}
	reply := post(t, poster, arn+name+"-missing", m, destination.Options{Envelope: destination.Raw})
	if reply.Result.Verdict != destination.Failed ||
		reply.Result.Code != "ResourceNotFoundException" {
		t.Errorf("%d %+v", reply.StatusCode, reply.Result)
	}
}

// TestDestinationMachine starts executions, by requests whose signatures are checked.
func TestDestinationMachine(t *testing.T) {
	t.Parallel()
	own, err := keys.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const machine = "arn:aws:states:us-east-1:000000000000:stateMachine:"
	states := emulator.NewStates(t, &own, map[string]bool{
		machine + "standard": false, machine + "express": true,
	})
	poster := posterTo(states.URL, keys)
	m := destination.Message{
		Event: transform.Event{ID: "evt_1", Body: []byte(`{}`), Data: []byte(`{}`)}, Once: "evt_1",
	}
	for _, attempt := range []int{1, 2} { // a second attempt, and another input, start nothing
		m.Event.Type = []string{"", "", "x"}[attempt]
		reply := post(t, poster, machine+"standard", m, destination.Options{})
		if reply.Result.Verdict != destination.Accepted {
			t.Errorf("%d %+v", reply.StatusCode, reply.Result)
		}
	}
	if got := states.Executions(machine + "standard"); len(got) != 1 {
		t.Errorf("%v", got)
	}
	for name, want := range map[string]string{
		"express": "", "standard": "StateMachineTypeNotSupported",
		"missing": "StateMachineDoesNotExist",
	} {
		reply := post(t, poster, machine+name, m, destination.Options{Wait: true})
		if reply.Result.Code != want ||
			(reply.Result.Verdict == destination.Accepted) != (want == "") {
			t.Errorf("%s: %d %+v", name, reply.StatusCode, reply.Result)
		}
	}
	others := own
	others.SecretAccessKey = "x"
	forged := posterTo(states.URL, aws.CredentialsProviderFunc(
		func(context.Context) (aws.Credentials, error) { return others, nil },
	))
	reply := post(t, forged, machine+"standard", m, destination.Options{})
	if reply.Result.Verdict == destination.Accepted {
		t.Error("a forged request was accepted")
	}
}
