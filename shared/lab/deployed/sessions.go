package deployed

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// callerHeader tells STS which role calls it. A door sets it.
const callerHeader = "X-Lab-Caller"

// accessKey captures the access key in a request's signature.
var accessKey = regexp.MustCompile(`Credential=([^/]+)/`)

// sessions plays STS, and the SQS of whoever has the credentials of a session: a call is granted if
// both the role and the session's own policy allow it.
type sessions struct {
	sts   *httptest.Server
	sqs   *httptest.Server
	roles func(arn string) *role

	mu     sync.Mutex
	active map[string]session // by access key
}

// session is a role that is limited further, with credentials of its own.
type session struct {
	*role
	aws.Credentials
}

// sessionTime is how long credentials last.
const sessionTime = time.Hour

// runSessions starts them. queues is the URL of SQS.
func runSessions(roles func(arn string) *role, queues *url.URL, m *meter) *sessions {
	s := &sessions{roles: roles, active: map[string]session{}}
	s.sts = httptest.NewServer(http.HandlerFunc(s.assume))
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(queues) }, Transport: m,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	s.sqs = httptest.NewServer(granted(proxy, s.sender))
	return s
}

// sender returns the session that signed a request; nil: it has ended, or never was.
func (s *sessions) sender(r *http.Request) (*role, aws.Credentials) {
	found := accessKey.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return nil, aws.Credentials{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.active[found[1]]
	return session.role, session.Credentials
}

// assume answers AssumeRole.
func (s *sessions) assume(w http.ResponseWriter, r *http.Request) {
	assumed := s.roles(r.PostFormValue("RoleArn"))
	var policy policyDocument
	err := json.Unmarshal([]byte(r.PostFormValue("Policy")), &policy)
	if assumed == nil || err != nil || r.PostFormValue("Action") != "AssumeRole" ||
		!assumed.trustsRole(r.Header.Get(callerHeader)) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
		return
	}
	made := aws.Credentials{
		AccessKeyID: "ASIA" + rand.Text(), SecretAccessKey: rand.Text(), SessionToken: rand.Text(),
		Expires: time.Now().Add(sessionTime).UTC().Truncate(time.Second),
	}
	s.mu.Lock()
	s.active[made.AccessKeyID] = session{assumed.limited(policy.Statement), made}
	s.mu.Unlock()
	type credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	var answer struct {
		XMLName     xml.Name    `xml:"AssumeRoleResponse"`
		Credentials credentials `xml:"AssumeRoleResult>Credentials"`
	}
	answer.Credentials = credentials{
		AccessKeyID: made.AccessKeyID, SecretAccessKey: made.SecretAccessKey,
		SessionToken: made.SessionToken, Expiration: made.Expires,
	}
	_ = xml.NewEncoder(w).Encode(answer) // a client that is gone needs no answer
}

// expire ends the credentials that were given out until now.
func (s *sessions) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.active)
}

func (s *sessions) Close() {
	s.sts.Close()
	s.sqs.Close()
}

// Sessions returns the URL of SQS for whoever has credentials of a session, of a listener for
// example. Its calls are checked against the role and the policy of the session.
func (h *Host) Sessions() string { return h.sessions.sqs.URL }

// ExpireSessions ends the credentials of all sessions.
func (h *Host) ExpireSessions() { h.sessions.expire() }
