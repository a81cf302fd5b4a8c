package egress_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/egress"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/transform"
)

const (
	theirQueue = "arn:aws:sqs:us-east-1:999999999999:in"
	theirRole  = "arn:aws:iam::999999999999:role/relay"
)

// ownKeys are the credentials of the function.
func ownKeys(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID: "AKIAOWN", SecretAccessKey: "own-secret", SessionToken: "own-token",
	}, nil
}

// awsServer plays AWS: one handler for each service.
func awsServer(t testing.TB, services map[string]http.HandlerFunc) *egress.Client {
	t.Helper()
	urls := map[string]string{}
	for name, handle := range services {
		s := httptest.NewServer(handle)
		t.Cleanup(s.Close)
		urls[name] = s.URL
	}
	return egress.New(egress.Options{
		Unguarded: true, Credentials: aws.CredentialsProviderFunc(ownKeys),
		Endpoint: func(service string) string { return urls[service] },
	})
}

func toQueue(t testing.TB, v4 catalog.SigV4) relay.Post {
	t.Helper()
	d, err := destination.Parse(theirQueue)
	if err != nil {
		t.Fatal(err)
	}
	p := postOf(t, d, destination.Message{
		Event: transform.Event{ID: "evt_1", Source: "app", Body: []byte(`{"n":1}`)},
		Once:  "evt_1", Attempt: 1,
	})
	p.Auth = &catalog.Auth{SigV4: &v4}
	return p
}

// postOf returns the request that sends a message.
func postOf(t testing.TB, d destination.Destination, m destination.Message) relay.Post {
	t.Helper()
	texts, err := d.ParseTexts(destination.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Texts, err = texts.Apply(m.Event); err != nil {
		t.Fatal(err)
	}
	r, err := d.Request(m, destination.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := relay.Post{
		Method: r.Method, URL: r.URL, Header: relay.Header{}, Body: r.Body, Timeout: time.Minute,
		To: &relay.Destination{Destination: d, Request: r}, Auth: &catalog.Auth{
			SigV4: &catalog.SigV4{Service: d.Service(), Region: d.Region},
		},
	}
	maps.Copy(p.Header, r.Header)
	return p
}

func plainV4() catalog.SigV4 { return catalog.SigV4{Service: "sqs", Region: "us-east-1"} }

func TestPostToADestination(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		want   destination.Verdict
		text   string
	}{
		"accepted": {200, `{"MessageId":"1"}`, destination.Accepted, ""},
		"throttled": {
			400, `{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow"}`,
			destination.Throttled, "RequestThrottled: slow",
		},
		"not allowed": {
			403, `{"__type":"AccessDeniedException","message":"no"}`, destination.Denied,
			"sqs:SendMessage on " + theirQueue +
				" is not allowed: AccessDeniedException: no; add the ARN to the setting send",
		},
		"a failure after the first KiB": {
			400, `{"padding":"` + strings.Repeat("x", 5000) + `","__type":"RequestThrottled"}`,
			destination.Throttled, "RequestThrottled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got *http.Request
			client := awsServer(t, map[string]http.HandlerFunc{
				"sqs": func(w http.ResponseWriter, r *http.Request) {
					got = r
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				},
			})
			reply, err := client.Post(t.Context(), toQueue(t, plainV4()))
			if err != nil {
				t.Fatal(err)
			}
			if reply.StatusCode != tt.status || reply.Result.Verdict != tt.want ||
				!strings.HasPrefix(reply.Result.Text, tt.text) ||
				len(reply.Body) > relay.MaxResponseBytes {
				t.Errorf("%+v, %+v", reply, reply.Result)
			}
			auth := got.Header.Get("Authorization")
			if !strings.Contains(auth, "Credential=AKIAOWN/") ||
				!strings.Contains(auth, "/us-east-1/sqs/aws4_request") ||
				!strings.Contains(auth, "x-amz-target") ||
				got.Header.Get("X-Amz-Security-Token") != "own-token" ||
				got.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" {
				t.Errorf("header %v", got.Header)
			}
		})
	}
}

// TestPostToABucket: S3 gets the path encoded once, and the hash of the content.
func TestPostToABucket(t *testing.T) {
	t.Parallel()
	client := awsServer(t, map[string]http.HandlerFunc{
		"s3": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			sum := fmt.Sprintf("%x", sha256.Sum256(body))
			if r.Method != http.MethodPut || r.RequestURI != "/archive/a%20b%2B/evt_1.json" ||
				r.Header.Get("X-Amz-Content-Sha256") != sum || string(body) != `{"n":1}` {
				t.Errorf("%s %s %v %s", r.Method, r.RequestURI, r.Header, body)
			}
		},
	})
	d, err := destination.Parse("s3://archive/{type}/{id}.json")
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Post(t.Context(), postOf(t, d.In("us-east-1"), destination.Message{
		Event: transform.Event{ID: "evt_1", Type: "a b+", Body: []byte(`{"n":1}`)}, Attempt: 1,
	}))
	if err != nil || reply.Result.Verdict != destination.Accepted {
		t.Errorf("%+v, %v", reply, err)
	}
}

// TestEachKindIsSigned as AWS checks it.
func TestEachKindIsSigned(t *testing.T) {
	t.Parallel()
	const account = ":us-east-1:123456789012:"
	for _, address := range []string{
		"arn:aws:sqs" + account + "q.fifo", "arn:aws:sns" + account + "t",
		"arn:aws:events" + account + "event-bus/b", "arn:aws:lambda" + account + "function:f:live",
		"arn:aws:states" + account + "stateMachine:m", "arn:aws:kinesis" + account + "stream/s",
		"arn:aws:firehose" + account + "deliverystream/d", "s3://a.bucket/{type}/é {id}.json.gz",
		"arn:aws:logs" + account + "log-group:/g",
	} {
		d, err := destination.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		d = d.In("us-east-1")
		client := awsServer(t, map[string]http.HandlerFunc{
			d.Service(): func(_ http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				keys, _ := ownKeys(r.Context())
				if err := emulator.CheckSignature(r, body, keys); err != nil {
					t.Errorf("%s: %v", address, err)
				}
			},
		})
		reply, err := client.Post(t.Context(), postOf(t, d, destination.Message{
			Event: transform.Event{
				ID: "evt_1", Type: "a  b/+é", Source: "s", Time: time.Now(), Body: []byte(`{}`),
				Data: []byte(`{}`),
			},
			Once: "evt_1", Endpoint: "e", Attempt: 1,
		}))
		if err != nil || reply.StatusCode != 200 {
			t.Errorf("%s: %+v, %v", address, reply, err)
		}
	}
}

// TestALogStreamIsMade when Logs says that it is missing, once.
func TestALogStreamIsMade(t *testing.T) {
	t.Parallel()
	const missing = `{"__type":"ResourceNotFoundException","message":"The specified log stream does not exist."}`
	for name, tt := range map[string]struct {
		create string // the answer; "": it works
		works  bool   // the stream is there then
		calls  string
		want   destination.Verdict
	}{
		"it is made": {works: true, calls: "PutLogEvents CreateLogStream PutLogEvents"},
		"another attempt was first": {
			create: `{"__type":"ResourceAlreadyExistsException"}`, works: true,
			calls: "PutLogEvents CreateLogStream PutLogEvents",
		},
		"it is not allowed": {
			create: `{"__type":"AccessDeniedException","message":"logs:CreateLogStream"}`,
			calls:  "PutLogEvents CreateLogStream", want: destination.Denied,
		},
		"it does not help": {
			calls: "PutLogEvents CreateLogStream PutLogEvents", want: destination.Unprepared,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls []string
			made := false
			client := awsServer(t, map[string]http.HandlerFunc{
				"logs": func(w http.ResponseWriter, r *http.Request) {
					_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
					calls = append(calls, call)
					answer := missing
					if call == "CreateLogStream" {
						made, answer = tt.works, tt.create
					} else if made {
						answer = ""
					}
					if answer != "" {
						w.WriteHeader(http.StatusBadRequest)
					}
					_, _ = io.WriteString(w, answer)
				},
			})
			d, err := destination.Parse("arn:aws:logs:us-east-1:123456789012:log-group:/webhooks")
			if err != nil {
				t.Fatal(err)
			}
			reply, err := client.Post(t.Context(), postOf(t, d, destination.Message{
				Event: transform.Event{ID: "evt_1", Time: time.Now()}, Endpoint: "logs",
			}))
			if err != nil || reply.Result.Verdict != tt.want || strings.Join(calls, " ") != tt.calls {
				t.Errorf("%v, %+v, %v", err, reply.Result, calls)
			}
		})
	}
}

// assumed is the answer of AssumeRole as
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html shows it.
func assumed(n int, until time.Time) string {
	return fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>
<AccessKeyId>ASIA%d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-%d</SessionToken>
<Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		n, n, until.UTC().Format(time.RFC3339))
}

// TestRole: credentials of another account are asked for once, until shortly before they expire.
func TestRole(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var form atomic.Value
	now := time.Now()
	client := awsServer(t, map[string]http.HandlerFunc{
		"sts": func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			form.Store(r.PostForm.Encode())
			if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/sts/aws4_request") {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = io.WriteString(w, assumed(int(asked.Add(1)), now.Add(time.Hour)))
		},
		"sqs": func(w http.ResponseWriter, r *http.Request) {
			n := asked.Load()
			if !strings.Contains(
				r.Header.Get("Authorization"), fmt.Sprintf("Credential=ASIA%d/", n),
			) || r.Header.Get("X-Amz-Security-Token") != fmt.Sprintf("token-%d", n) {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = io.WriteString(w, `{"MessageId":"1"}`)
		},
	})
	v4 := plainV4()
	v4.Role, v4.ExternalID = theirRole, "shared"
	post := func(want int32) {
		t.Helper()
		reply, err := client.Post(t.Context(), toQueue(t, v4))
		if err != nil || reply.StatusCode != 200 || asked.Load() != want {
			t.Errorf("%+v, %v; asked %d times, want %d", reply, err, asked.Load(), want)
		}
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if reply, err := client.Post(t.Context(), toQueue(t, v4)); err != nil ||
				reply.StatusCode != 200 {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
	group.Wait()
	post(1)
	client.SetRoleClock(func() time.Time { return now.Add(54 * time.Minute) })
	post(1)
	client.SetRoleClock(func() time.Time { return now.Add(56 * time.Minute) })
	post(2)
	v4.ExternalID = "another"
	post(3)
	if want := "Action=AssumeRole&ExternalId=another&RoleArn=arn%3Aaws%3Aiam%3A%3A999999999999%3A" +
		"role%2Frelay&RoleSessionName=webhook-relay&Version=2011-06-15"; form.Load() != want {
		t.Errorf("asked %s", form.Load())
	}
}

// TestRoleThatCannotBeAssumed: nothing is sent, and the error says what to do without a secret.
func TestRoleThatCannotBeAssumed(t *testing.T) {
	t.Parallel()
	failure := func(code string) string {
		return `<ErrorResponse><Error><Code>` + code + `</Code><Message>shared</Message></Error>` +
			`</ErrorResponse>`
	}
	for name, tt := range map[string]struct {
		status     int
		body, want string
	}{
		"not allowed": {
			403, failure("AccessDenied"), "sts:AssumeRole on " + theirRole + " is not allowed: add",
		},
		"another error": {400, failure("ValidationError"), "STS answered 400 ValidationError"},
		"no XML":        {200, "{}", "STS answered 200"},
		"no key":        {200, "<AssumeRoleResponse/>", "STS answered 200"},
		"too long":      {200, strings.Repeat("x", 1<<20), "STS"},
		"broken":        {500, "", "STS answered 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := awsServer(t, map[string]http.HandlerFunc{
				"sts": func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				},
				"sqs": func(http.ResponseWriter, *http.Request) { t.Error("a message was sent") },
			})
			v4 := plainV4()
			v4.Role, v4.ExternalID = theirRole, "shared-external-id"
			_, err := client.Post(t.Context(), toQueue(t, v4))
			failed, ok := errors.AsType[*relay.PostError](err)
			if !ok || failed.Outcome != relay.AuthFailed ||
				!strings.Contains(err.Error(), tt.want) ||
				strings.Contains(err.Error(), "shared-external-id") {
				t.Errorf("%v", err)
			}
		})
	}
}

// BenchmarkDestination compares a signed POST to a queue with a plain one of the same size.
func BenchmarkDestination(b *testing.B) {
	client := awsServer(b, map[string]http.HandlerFunc{
		"sqs": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = json.NewEncoder(w).Encode(map[string]string{"MessageId": "1"})
		},
	})
	signed := toQueue(b, plainV4())
	plain := signed
	plain.Auth = nil
	for name, p := range map[string]relay.Post{"signed": signed, "plain": plain} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Post(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
