package signed_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/lab"
)

var queues = signed.Service{ID: "SQS", Name: "sqs"}

// wire answers with the answers, one after the other, and the last one again and again.
type wire struct {
	answers []answer
	calls   []*http.Request
	bodies  []string
}

type answer struct {
	status int
	body   string
	err    error
	header http.Header
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.calls = append(w.calls, r)
	w.bodies = append(w.bodies, string(lab.Must(io.ReadAll(r.Body))))
	a := w.answers[min(len(w.calls), len(w.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	header := a.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
	}, nil
}

func config(w *wire) aws.Config {
	return aws.Config{
		Region: "eu-central-1", HTTPClient: w,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "hidden", "token"),
	}
}

func TestARequestIsSigned(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []answer{{status: 200, body: "yes"}}}
	got, err := signed.New(config(w), queues).Do(t.Context(), signed.Request{
		Header: map[string]string{"Content-Type": "text/plain"}, Body: []byte("body"),
	})
	if err != nil || got.Status != 200 || string(got.Body) != "yes" {
		t.Fatalf("%+v, %v", got, err)
	}
	r := w.calls[0]
	authorization := r.Header.Get("Authorization")
	if r.Method != http.MethodPost || r.URL.String() != "https://sqs.eu-central-1.amazonaws.com/" ||
		w.bodies[0] != "body" || r.Header.Get("X-Amz-Security-Token") != "token" ||
		!strings.Contains(authorization, "Credential=AKID/") ||
		!strings.Contains(authorization, "/eu-central-1/sqs/aws4_request") ||
		!strings.Contains(authorization, "content-type") ||
		r.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("%s %s %v %q", r.Method, r.URL, r.Header, w.bodies[0])
	}
	if r.Header.Get("X-Amz-Content-Sha256") != "" {
		t.Error("a header that only S3 wants")
	}
}

var errReset = errors.New("connection reset by peer")

func TestWhatMayPassIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers []answer
		once    bool
		calls   int
		want    string // the error; "": none
	}{
		"at once":      {answers: []answer{{status: 200}}, calls: 1},
		"after a 503":  {answers: []answer{{status: 503}, {status: 200}}, calls: 2},
		"after a 429":  {answers: []answer{{status: 429}, {status: 200}}, calls: 2},
		"after resets": {answers: []answer{{err: errReset}, {err: errReset}, {status: 200}}, calls: 3},
		"after being throttled": {
			answers: []answer{{status: 400, body: `{"__type":"ThrottlingException"}`}, {status: 200}},
			calls:   2,
		},
		"never": {
			answers: []answer{{status: 500, body: `{"__type":"InternalFailure","message":"m"}`,
				header: http.Header{"X-Amzn-Requestid": {"r-1"}}}},
			calls: 3, want: "500 InternalFailure: m (request r-1)",
		},
		"refused": {
			answers: []answer{{status: 400, body: `{"__type":"ValidationException"}`}}, calls: 1,
			want: "400 ValidationException",
		},
		"not found":               {answers: []answer{{status: 404}}, calls: 1, want: "404"},
		"elsewhere":               {answers: []answer{{status: 301}}, calls: 1, want: "301"},
		"once, with a 503":        {answers: []answer{{status: 503}}, once: true, calls: 1, want: "503"},
		"once, with a connection": {answers: []answer{{err: errReset}}, once: true, calls: 1, want: "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{answers: tt.answers}
				_, err := signed.New(config(w), queues).Do(
					t.Context(), signed.Request{Body: []byte("b"), Once: tt.once},
				)
				if len(w.calls) != tt.calls {
					t.Errorf("%d calls, want %d", len(w.calls), tt.calls)
				}
				if (err == nil) != (tt.want == "") ||
					err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				for _, b := range w.bodies {
					if b != "b" {
						t.Errorf("sent %q", b)
					}
				}
			})
		})
	}
}

func TestTriesEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		w := &wire{answers: []answer{{status: 503}}}
		begun := time.Now()
		_, err := signed.New(config(w), queues).Do(ctx, signed.Request{})
		if err == nil || time.Since(begun) > time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// When most calls fail, their retries would be most of the load. They are made again when calls
// succeed.
func TestRetriesAreLimitedWhenMostCallsFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answers: []answer{{status: 503}}}
		client := signed.New(config(w), queues)
		const calls = 200
		for range calls {
			if _, err := client.Do(t.Context(), signed.Request{}); err == nil {
				t.Fatal("no error")
			}
		}
		if n := len(w.calls); n >= 2*calls {
			t.Errorf("%d requests for %d calls", n, calls)
		}
		requests := func(answers ...answer) int {
			before := len(w.calls)
			w.answers = append(make([]answer, before), answers...)
			_, _ = client.Do(t.Context(), signed.Request{})
			return len(w.calls) - before
		}
		if n := requests(answer{status: 503}); n != 1 {
			t.Errorf("%d requests while retries are used up, want 1", n)
		}
		for range 20 {
			requests(answer{status: 200})
		}
		if n := requests(answer{status: 503}, answer{status: 200}); n != 2 {
			t.Errorf("%d requests after calls that succeeded, want 2", n)
		}
	})
}

func TestTheConfigurationSaysHowOften(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []answer{{status: 503}}}
	cfg := config(w)
	cfg.RetryMaxAttempts = 1
	if _, err := signed.New(cfg, queues).Do(t.Context(), signed.Request{}); err == nil ||
		len(w.calls) != 1 {
		t.Errorf("%v, %d calls", err, len(w.calls))
	}
}

func TestNothingIsSentWithoutCredentials(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []answer{{status: 200}}}
	for name, provider := range map[string]aws.CredentialsProvider{
		"none": nil,
		"lost": aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errReset
		}),
	} {
		cfg := config(w)
		cfg.Credentials = provider
		if _, err := signed.New(cfg, queues).Do(t.Context(), signed.Request{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := signed.New(cfg, queues).Presign(
			t.Context(), "https://b.test/", time.Now(), time.Hour,
		); err == nil {
			t.Errorf("%s: a URL", name)
		}
	}
	if len(w.calls) != 0 {
		t.Errorf("%d calls", len(w.calls))
	}
}

func TestAnAnswerThatIsTooLongIsAnError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 16<<20+1)
	for name, length := range map[string]int64{"told": int64(len(long)), "not told": -1} {
		w := &wire{answers: []answer{{status: 200, body: long}}}
		cfg := config(w)
		cfg.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
			resp, err := w.Do(r)
			resp.ContentLength = length
			return resp, err
		})
		got, err := signed.New(cfg, queues).Do(t.Context(), signed.Request{Once: true})
		if err == nil || got.Body != nil {
			t.Errorf("%s: %d bytes, %v", name, len(got.Body), err)
		}
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// source is a source of the configuration, as the SDK's config package has them.
type source struct {
	url     string
	ignored bool
	err     error
}

func (s source) GetServiceBaseEndpoint(_ context.Context, id string) (string, bool, error) {
	return s.url, id == "SQS" && s.url != "", s.err
}

func (s source) GetIgnoreConfiguredEndpoints(context.Context) (bool, bool, error) {
	return s.ignored, s.ignored, nil
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		all     string
		sources []any
		path    string
		want    string
	}{
		"AWS's own":          {want: "https://sqs.eu-central-1.amazonaws.com/"},
		"one for all":        {all: "http://all.test/", path: "https://x.test/a/b?c=d", want: "http://all.test/a/b?c=d"},
		"one with a path":    {all: "http://all.test/base", want: "http://all.test/base/"},
		"the service's":      {all: "http://all.test", sources: []any{source{url: "http://own.test"}}, want: "http://own.test/"},
		"the second source":  {sources: []any{source{}, source{url: "http://own.test"}}, want: "http://own.test/"},
		"ignored":            {sources: []any{source{url: "http://own.test", ignored: true}}, want: "https://sqs.eu-central-1.amazonaws.com/"},
		"a source of others": {sources: []any{1}, want: "https://sqs.eu-central-1.amazonaws.com/"},
	} {
		w := &wire{answers: []answer{{status: 200}}}
		cfg := config(w)
		cfg.ConfigSources = tt.sources
		if tt.all != "" {
			cfg.BaseEndpoint = &tt.all
		}
		if _, err := signed.New(cfg, queues).Do(
			t.Context(), signed.Request{URL: tt.path},
		); err != nil {
			t.Fatal(err)
		}
		if got := w.calls[0].URL.String(); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	cfg := config(&wire{})
	cfg.ConfigSources = []any{source{err: errReset}}
	if _, err := signed.New(cfg, queues).Do(
		t.Context(), signed.Request{},
	); !errors.Is(err, errReset) {
		t.Errorf("a configuration that cannot be read: %v", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []answer{{status: 200, body: `{"MessageId":"m-1"}`}}}
	var out struct {
		MessageID string `json:"MessageId"`
	}
	in := map[string]signed.Text{"MessageBody": signed.Text("<a href=\"?x&y\">\n\u00e9")}
	call := signed.Call{Target: "AmazonSQS.SendMessage", Version: "1.0"}
	client := signed.New(config(w), queues)
	if err := client.JSON(t.Context(), call, in, &out); err != nil || out.MessageID != "m-1" {
		t.Fatalf("%+v, %v", out, err)
	}
	if want := `{"MessageBody":"<a href=\"?x&y\">\né"}`; w.bodies[0] != want {
		t.Errorf("sent %s, want %s", w.bodies[0], want)
	}
	if h := w.calls[0].Header; h.Get("X-Amz-Target") != call.Target ||
		h.Get("Content-Type") != "application/x-amz-json-1.0" {
		t.Errorf("%v", h)
	}
	w.answers = []answer{{status: 200, body: "not JSON"}}
	if err := client.JSON(t.Context(), call, in, nil); err != nil {
		t.Errorf("an answer that nobody wants: %v", err)
	}
	if err := client.JSON(t.Context(), call, in, &out); err == nil ||
		!strings.Contains(err.Error(), call.Target) {
		t.Errorf("an answer that is not JSON: %v", err)
	}
	if err := client.JSON(t.Context(), call, func() {}, &out); err == nil {
		t.Error("a function was sent as JSON")
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	w := &wire{answers: []answer{{status: 400, body: `{"__type":"a#KeyException"}`}}}
	_, err := signed.New(config(w), queues).Do(t.Context(), signed.Request{})
	if got := signed.Code(err); got != "KeyException" {
		t.Errorf("%q of %v", got, err)
	}
	if signed.Code(errReset) != "" || signed.Code(nil) != "" {
		t.Error("a code of an error that has none")
	}
}
