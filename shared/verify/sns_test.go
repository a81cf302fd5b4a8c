package verify_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// snsMembers is a message as in SNS's documentation.
func snsMembers() map[string]string {
	return map[string]string{
		"Type": "Notification", "MessageId": "22b80b92",
		"TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders", "Subject": "order.created",
		"Message": "Hello\nworld", "Timestamp": "2023-11-14T22:13:20.000Z", "SignatureVersion": "2",
		"SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
		"UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
}

// snsRequest signs the text in the documented form.
func snsRequest(t testing.TB, members map[string]string) verify.Request {
	t.Helper()
	text := "Message\n" + members["Message"] + "\nMessageId\n" + members["MessageId"] + "\n"
	if subject, ok := members["Subject"]; ok {
		text += "Subject\n" + subject + "\n"
	}
	if members["Type"] != "Notification" {
		text += "SubscribeURL\n" + members["SubscribeURL"] + "\n"
	}
	text += "Timestamp\n" + members["Timestamp"] + "\n"
	if members["Type"] != "Notification" {
		text += "Token\n" + members["Token"] + "\n"
	}
	text += "TopicArn\n" + members["TopicArn"] + "\nType\n" + members["Type"] + "\n"
	signed := maps.Clone(members)
	signed["Signature"] = rsaOver(t, "sns", crypto.SHA256, sha256Of(text))
	if members["SignatureVersion"] == "1" {
		signed["Signature"] = rsaOver(t, "sns", crypto.SHA1, sha1Of(text))
	}
	return snsBody(t, signed)
}

func snsBody(t testing.TB, members map[string]string) verify.Request {
	t.Helper()
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return verify.Request{
		Header: verify.Header{"content-type": "text/plain; charset=UTF-8"}, Body: body,
		ReceivedAt: signedAt,
	}
}

func changed(members map[string]string, name, value string) map[string]string {
	members = maps.Clone(members)
	members[name] = value
	return members
}

func without(members map[string]string, name string) map[string]string {
	members = maps.Clone(members)
	delete(members, name)
	return members
}

func TestVerify_SNS(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "sns"}, "current")
	for version, want := range map[string]error{
		"1": nil, "2": nil, "3": verify.ErrMalformed, "": verify.ErrMalformed,
	} {
		if err := s.verify(snsRequest(
			t, changed(snsMembers(), "SignatureVersion", version),
		)); !errors.Is(err, want) {
			t.Errorf("version %q: got %v, want %v", version, err, want)
		}
	}
	got, err := s.verifier.Verify(t.Context(), snsRequest(t, snsMembers()))
	if err != nil || got.DeliveryID != "22b80b92" || got.EventType != "order.created" ||
		got.Trust != verify.Verified || got.Handshake {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = s.verifier.Verify(t.Context(), snsRequest(t, without(snsMembers(), "Subject")))
	if err != nil || got.EventType != "Notification" {
		t.Errorf("without a subject: got %+v, %v", got, err)
	}
}

// Signed values cannot be changed, neither by another division of the same text nor by a body that
// libraries read differently.
func TestVerify_SNSRefusesWhatWasNotSigned(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "sns"}, "current")
	var signed map[string]string
	must(t, json.Unmarshal(snsRequest(t, snsMembers()).Body, &signed))
	crafted := snsMembers()
	delete(crafted, "Subject")
	crafted["Message"] = "harmless\nMessageId\nforged"
	var divided map[string]string
	must(t, json.Unmarshal(snsRequest(t, crafted).Body, &divided))
	divided["Message"], divided["MessageId"] = "harmless", "forged\nMessageId\n22b80b92"
	text := string(snsBody(t, signed).Body)
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"as it was": {text, nil},
		"not signed": {
			string(snsBody(t, changed(signed, "UnsubscribeURL", "x")).Body), nil,
		},
		"message": {
			string(snsBody(t, changed(signed, "Message", "x")).Body), verify.ErrMismatch,
		},
		"id": {
			string(snsBody(t, changed(signed, "MessageId", "x")).Body), verify.ErrMismatch,
		},
		"subject": {
			string(snsBody(t, changed(signed, "Subject", "x")).Body), verify.ErrMismatch,
		},
		"no subject": {
			string(snsBody(t, without(signed, "Subject")).Body), verify.ErrMismatch,
		},
		"time": {
			string(snsBody(t, changed(signed, "Timestamp", "2023-11-14T22:13:21.000Z")).Body),
			verify.ErrMismatch,
		},
		"no time": {
			string(snsBody(t, without(signed, "Timestamp")).Body), verify.ErrMissing,
		},
		"no message": {
			string(snsBody(t, without(signed, "Message")).Body), verify.ErrMissing,
		},
		"another topic": {
			string(
				snsBody(
					t, changed(signed, "TopicArn", "arn:aws:sns:eu-west-1:123456789012:other"),
				).Body,
			),
			verify.ErrMismatch,
		},
		"no topic": {
			string(snsBody(t, without(signed, "TopicArn")).Body), verify.ErrMismatch,
		},
		"another type": {
			string(snsBody(t, changed(signed, "Type", "Other")).Body), verify.ErrMalformed,
		},
		"divided in other way": {string(snsBody(t, divided).Body), verify.ErrMalformed},
		"no signature": {
			string(snsBody(t, without(signed, "Signature")).Body), verify.ErrMissing,
		},
		"signature no base64": {
			string(snsBody(t, changed(signed, "Signature", "!")).Body), verify.ErrMalformed,
		},
		"second message":      {`{"Message":"forged",` + text[1:], verify.ErrMalformed},
		"message, other case": {`{"message":"forged",` + text[1:], verify.ErrMalformed},
		"message, other s": {
			`{"Me\u017f\u017fage":"forged",` + text[1:], verify.ErrMalformed,
		},
		"attributes of close names": {
			`{"MessageAttributes":{"Type":{"Type":"String"},"type":{"Type":"String"},"a":1,"a":2},` + text[1:],
			nil,
		},
		"another member twice": {`{"Other":1,"other":2,` + text[1:], nil},
		"more after it":        {text + "{}", verify.ErrMalformed},
		"cut":                  {text[:len(text)-1], verify.ErrMalformed},
		"raw delivery":         {"Hello world", verify.ErrMissing},
		"raw delivery, list":   {"[1]", verify.ErrMissing},
	} {
		r := snsBody(t, signed)
		r.Body = []byte(c.body)
		if err := s.verify(r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	raw := with(snsBody(t, signed), "x-amz-sns-rawdelivery", "true")
	if err := s.verify(raw); !errors.Is(err, verify.ErrMissing) ||
		!strings.Contains(err.Error(), "raw message delivery") {
		t.Errorf("raw delivery, by its header: got %v", err)
	}
}

// fetches is a Fetcher with an answer for each URL. It keeps the requests.
type fetches struct {
	answers map[string]string
	asked   chan verify.Fetch
}

func newFetches(answers map[string]string) fetches {
	return fetches{answers, make(chan verify.Fetch, 100)}
}

var errUnreachable = errors.New("unreachable")

func (f fetches) Fetch(_ context.Context, r verify.Fetch) ([]byte, error) {
	f.asked <- r
	answer, ok := f.answers[r.URL]
	if !ok {
		return nil, errUnreachable
	}
	return []byte(answer), nil
}

func (f fetches) urls() (urls []string) {
	for len(f.asked) > 0 {
		urls = append(urls, (<-f.asked).URL)
	}
	return urls
}

func TestVerify_SNSSubscription(t *testing.T) {
	t.Parallel()
	const subscribe = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=1"
	message := func(kind, url string) map[string]string {
		m := snsMembers()
		delete(m, "Subject")
		m["Type"], m["SubscribeURL"], m["Token"] = kind, url, "1"
		return m
	}
	confirm := message("SubscriptionConfirmation", subscribe)
	forged := snsRequest(t, confirm)
	forged.Body = []byte(strings.Replace(string(forged.Body), "Token=1", "Token=2", 1))
	for name, c := range map[string]struct {
		request   verify.Request
		wantErr   error
		wantFetch string
	}{
		"confirmed": {snsRequest(t, confirm), nil, subscribe},
		"unsubscribed": {
			snsRequest(t, message("UnsubscribeConfirmation", subscribe)), nil, "",
		},
		"not signed": {forged, verify.ErrMismatch, ""},
		"another topic": {
			snsRequest(t, changed(confirm, "TopicArn", "arn:aws:sns:eu-west-1:1:a")),
			verify.ErrMismatch, "",
		},
		"to another host": {
			snsRequest(t, message("SubscriptionConfirmation", "https://sns.example.com/?Action=x")),
			verify.ErrMalformed, "",
		},
		"to another host's port": {
			snsRequest(
				t, message("SubscriptionConfirmation", "https://sns.eu-west-1.amazonaws.com:8443/"),
			),
			verify.ErrMalformed, "",
		},
		"to another region": {
			snsRequest(
				t, message("SubscriptionConfirmation", "https://sns.us-east-1.amazonaws.com/?a"),
			),
			verify.ErrMalformed, "",
		},
		"in the clear": {
			snsRequest(
				t, message("SubscriptionConfirmation", "http://sns.eu-west-1.amazonaws.com/?a"),
			),
			verify.ErrMalformed, "",
		},
		"SNS is not there": {
			snsRequest(t, message("SubscriptionConfirmation", subscribe+"0")), verify.ErrFetch,
			subscribe + "0",
		},
		"a message is no question": {snsRequest(t, snsMembers()), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFetches(map[string]string{subscribe: "<ConfirmSubscriptionResponse/>"})
			s := newSubject(t, verify.Config{Provider: "sns"}, "current")
			v, err := verify.New(s.cfg, nil, verify.FetchBy(f))
			must(t, err)
			got, err := v.Verify(t.Context(), c.request)
			handshake := c.wantErr == nil && name != "a message is no question"
			if !errors.Is(err, c.wantErr) || got.Handshake != handshake || (handshake &&
				got.Reply.Status != 200) {
				t.Errorf("got %+v, %v, want %v", got, err, c.wantErr)
			}
			if urls := strings.Join(f.urls(), " "); urls != c.wantFetch {
				t.Errorf("fetched %q, want %q", urls, c.wantFetch)
			}
			if err != nil && strings.Contains(err.Error(), "Token") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
}

// A request must not cause a fetch from any host but the provider's. And nothing is fetched before
// everything is checked that needs no key.
func TestVerify_FetchesCertificatesFromTheProviderAlone(t *testing.T) {
	t.Parallel()
	sns := newSubject(t, verify.Config{Provider: "sns"}, "current")
	for url, fetched := range map[string]bool{
		"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem": true,
		// of another region than the topic
		"https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem": false,
		"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem":     false,
		"https://sns.eu-west-1.amazonaws.com.cn/SimpleNotificationService-1.pem":  false,
		"http://sns.eu-west-1.amazonaws.com/a.pem":                                false,
		"https://sns.eu-west-1.amazonaws.com/a.crt":                               false,
		"https://sns.eu-west-1.amazonaws.com/a/b.pem":                             false,
		"https://sns.eu-west-1.amazonaws.com/..%2fa.pem?x=.pem":                   false,
		"https://sns.eu-west-1.amazonaws.com/a.pem?":                              false,
		"https://sns.eu-west-1.amazonaws.com/a.pem#b":                             false,
		"https://sns.eu-west-1.amazonaws.com:444/a.pem":                           false,
		"https://a@sns.eu-west-1.amazonaws.com/a.pem":                             false,
		"https://sns.eu-west-1.amazonaws.com.evil.example/a.pem":                  false,
		"https://sns.evil.example.amazonaws.com/a.pem":                            false,
		"https://sns.s3.us-east-1.amazonaws.com/a.pem":                            false,
		"https://sns.eu.amazonaws.com/a.pem":                                      false,
		"https://sns-eu-west-1.amazonaws.com/a.pem":                               false,
		"https://169.254.169.254/a.pem":                                           false,
		"//sns.eu-west-1.amazonaws.com/a.pem":                                     false,
		"":                                                                        false,
	} {
		wantFetch(t, sns, snsRequest(t, changed(snsMembers(), "SigningCertURL", url)), url, fetched)
	}
	wantFetch(
		t, sns, snsRequest(t, changed(snsMembers(), "TopicArn", "arn:aws:sns:eu-west-1:1:other")),
		"another topic", false,
	)
	for topic, url := range map[string]string{
		"arn:aws-cn:sns:cn-north-1:1:a":        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
		"arn:aws-us-gov:sns:us-gov-west-1:1:a": "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-1.pem",
	} {
		sns.cfg.Settings["topic_arns"] = topic
		wantFetch(
			t, sns,
			snsRequest(t, changed(changed(snsMembers(), "TopicArn", topic), "SigningCertURL", url)),
			url, true,
		)
	}
	paypal := newSubject(t, verify.Config{Provider: "paypal"}, "current")
	for url, fetched := range map[string]bool{
		"https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594":         true,
		"https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594": false,
		"http://api.paypal.com/v1/notifications/certs/CERT-1":                          false,
		"https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1":            false,
		"https://evil.paypal.com/v1/notifications/certs/CERT-1":                        false,
		"https://api.paypal.com/v1/notifications/certs/../../x":                        false,
		"https://api.paypal.com/v1/notifications/certs/%2e%2e":                         false,
		"https://api.paypal.com/v1/payments/CERT-1":                                    false,
		"https://api.paypal.com/v1/notifications/certs/CERT-1?a=b":                     false,
		"https://api.paypal.com:444/v1/notifications/certs/CERT-1":                     false,
		"https://a:b@api.paypal.com/v1/notifications/certs/CERT-1":                     false,
	} {
		wantFetch(t, paypal, with(paypal.request, "paypal-cert-url", url), url, fetched)
	}
}

// wantFetch checks whether r causes a fetch of the certificate if none is pinned.
func wantFetch(t *testing.T, s subject, r verify.Request, what string, fetched bool) {
	t.Helper()
	f := newFetches(nil)
	delete(s.cfg.Settings, "certificate")
	v, err := verify.New(s.cfg, nil, verify.FetchBy(f))
	must(t, err)
	_, err = v.Verify(t.Context(), r)
	if urls := f.urls(); (len(urls) == 1) != fetched ||
		errors.Is(err, verify.ErrFetch) != fetched || err == nil {
		t.Errorf("%s %s: fetched %q, %v", s.cfg.Provider, what, urls, err)
	}
}

func TestVerify_PayPal(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "paypal"}, "current")
	for name, c := range map[string]struct {
		request verify.Request
		want    error
	}{
		"another algorithm": {
			with(s.request, "paypal-auth-algo", "SHA1withRSA"), verify.ErrMalformed,
		},
		"id with a separator": {
			with(s.request, "paypal-transmission-id", "a|b"), verify.ErrMalformed,
		},
		"time as a number": {
			with(s.request, "paypal-transmission-time", "1700000000"), verify.ErrMalformed,
		},
		"of another time": {
			with(s.request, "paypal-transmission-time", "2023-11-14T22:13:21Z"), verify.ErrMismatch,
		},
		// since one is pinned
		"any certificate's is": {with(s.request, "paypal-cert-url", ""), nil},
	} {
		if err := s.verify(c.request); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	other := s
	other.cfg.Settings = maps.Clone(s.cfg.Settings)
	other.cfg.Settings["webhook_id"] = "2EX00000AB000000C"
	if _, err := newVerifier(t, other.cfg).Verify(t.Context(), s.request); !errors.Is(
		err, verify.ErrMismatch,
	) {
		t.Errorf("for another listener: got %v, want %v", err, verify.ErrMismatch)
	}
	r := s.request
	r.ReceivedAt = signedAt.Add(72 * time.Hour)
	if err := s.verify(r); err != nil {
		t.Errorf("three days later: %v", err)
	}
}
