package relay_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// passedOn returns the headers with which an endpoint gets a webhook that had the given ones.
func passedOn(t *testing.T, header relay.Header) (got relay.Header) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		with := relay.Header{"authorization": "Bearer " + bearerToken}
		for name, value := range header {
			with[name] = value
		}
		_, err := r.receiver.Receive(t.Context(), relay.Inbound{
			Source: "app", Method: "POST", Body: []byte("{}"), ReceivedAt: time.Now(), Header: with,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.pump()
		got = r.poster.posts[0].Header
	})
	return got
}

// A webhook may also have the credentials of another provider, or a second one of its own provider.
// None is kept.
func TestNoCredentialIsPassedOnWhateverTheProofIs(t *testing.T) {
	t.Parallel()
	names := []string{
		"cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-amz-security-token",
		"x-csrf-token", "x-access-token",
	}
	for _, provider := range verify.Providers() {
		cfg, secret, signing, err := verify.Example(
			provider, strings.NewReader(strings.Repeat("k", 32)),
		)
		if err != nil {
			t.Fatal(err)
		}
		var secrets []string
		if secret != "" {
			secrets = []string{secret}
		}
		v, err := verify.New(cfg, secrets, verify.SignWith(signing))
		if err != nil {
			t.Fatal(err)
		}
		if cfg.HMAC == nil && cfg.Settings["header"] == "" { // else the name is the operator's
			names = append(names, v.SignatureHeaders()...)
		}
	}
	sent := relay.Header{"x-acme-tenant": "7"}
	for _, name := range names {
		if name != "authorization" {
			sent[name] = "credential"
		}
	}
	got := passedOn(t, sent)
	for _, name := range names {
		if got[name] == "credential" {
			t.Errorf("%s is passed on", name)
		}
		if relay.Keeps(name) {
			t.Errorf("%s is kept", name)
		}
	}
	if got["x-acme-tenant"] != "7" {
		t.Error("x-acme-tenant is not passed on")
	}
}

func TestTheOperatorMaySetCredentialsOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, reserved := range map[string]bool{
		"authorization": false, "x-api-key": false, "cookie": false, "accept": false,
		"x-signature": false,
		"set-cookie":  true, "host": true, "traceparent": true, "webhook-id": true,
		"relay-source": true, "proxy-authorization": true,
	} {
		if catalog.IsReserved(name) != reserved {
			t.Errorf("%s: reserved is %v", name, !reserved)
		}
	}
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

func TestTraceContextIsContinuedAsW3CAsks(t *testing.T) {
	t.Parallel()
	const good = "00-" + traceID + "-" + spanID + "-01"
	many := make([]string, 33)
	for i := range many {
		many[i] = string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "=1"
	}
	long := "long=" + strings.Repeat("v", 200)
	filler := strings.Repeat("v", 100)
	tests := map[string]struct {
		parent, state    string
		flags, wantState string // flags "": a new trace
	}{
		"version 00": {good, "acme=1", "01", "acme=1"},
		"not sampled": {
			"00-" + traceID + "-" + spanID + "-00", "acme=1", "00", "acme=1",
		},
		"random trace id":          {"00-" + traceID + "-" + spanID + "-03", "", "03", ""},
		"unknown flags are zeroed": {"00-" + traceID + "-" + spanID + "-ff", "", "03", ""},
		"later version": {
			"01-" + traceID + "-" + spanID + "-01", "acme=1", "01", "acme=1",
		},
		"later version with more": {
			"cc-" + traceID + "-" + spanID + "-01-what-the-future-will-be", "acme=1", "01",
			"acme=1",
		},
		"later version, more undashed": {
			"cc-" + traceID + "-" + spanID + "-01.more", "acme=1", "", "",
		},
		"version 00 with more": {good + "-more", "acme=1", "", ""},
		"version ff": {
			"ff-" + traceID + "-" + spanID + "-01", "acme=1", "", "",
		},
		"none":       {"", "acme=1", "", ""},
		"upper case": {strings.ToUpper(good), "acme=1", "", ""},
		"zero trace id": {
			"00-" + strings.Repeat("0", 32) + "-" + spanID + "-01", "acme=1", "", "",
		},
		"zero span id": {
			"00-" + traceID + "-" + strings.Repeat("0", 16) + "-01", "acme=1", "", "",
		},
		"sent twice": {good + "," + good, "acme=1", "", ""},
		"too short":  {good[:54], "acme=1", "", ""},
		"dashes elsewhere": {
			"00-" + traceID[:31] + "-" + "0" + spanID + "-01", "acme=1", "", "",
		},
		"state with spaces and gaps": {
			good, " acme=1 ,, tenant@vendor=2\t", "01", "acme=1,tenant@vendor=2",
		},
		"state with a repeated key":    {good, "acme=1,acme=2", "01", ""},
		"state without equals":         {good, "acme", "01", ""},
		"state with an upper-case key": {good, "Acme=1", "01", ""},
		"state with two equals":        {good, "acme=1=2", "01", ""},
		"state of 32 members": {
			good, strings.Join(many[:32], ","), "01", strings.Join(many[:32], ","),
		},
		"state of 33 members": {good, strings.Join(many, ","), "01", ""},
		"long members go first": {
			good, "a=" + filler + "," + long + ",b=" + filler + ",c=" + filler + ",d=" + filler,
			"01", "a=" + filler + ",b=" + filler + ",c=" + filler + ",d=" + filler,
		},
		"and then the last": {
			good,
			"a=" + filler + ",b=" + filler + ",c=" + filler + ",d=" + filler + ",e=" + filler +
				",f=1",
			"01", "a=" + filler + ",b=" + filler + ",c=" + filler + ",d=" + filler,
		},
		"state with a control character": {good, "acme=1\x1b", "01", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := relay.Header{}
			for header, value := range map[string]string{
				"traceparent": tt.parent, "tracestate": tt.state,
			} {
				if value != "" {
					sent[header] = value
				}
			}
			got := passedOn(t, sent)
			parent := strings.Split(got["traceparent"], "-")
			if len(parent) != 4 || parent[0] != "00" || len(parent[1]) != 32 ||
				len(parent[2]) != 16 || parent[2] == spanID {
				t.Fatalf("traceparent %s", got["traceparent"])
			}
			switch {
			case tt.flags == "" && (parent[1] == traceID || parent[3] != "01"):
				t.Errorf("the trace goes on: %s", got["traceparent"])
			case tt.flags != "" && (parent[1] != traceID || parent[3] != tt.flags):
				t.Errorf(
					"%s does not continue the trace with flags %s", got["traceparent"], tt.flags,
				)
			}
			if diff := cmp.Diff(tt.wantState, got["tracestate"]); diff != "" {
				t.Errorf("tracestate (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzTraceContext(f *testing.F) {
	f.Add("00-"+traceID+"-"+spanID+"-01", "acme=1")
	f.Add("cc-"+traceID+"-"+spanID+"-01-more", "a=1,b=2")
	f.Add("", ",")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := passedOn(t, relay.Header{"traceparent": parent, "tracestate": state})
		out := got["traceparent"]
		if len(out) != 55 || !strings.HasPrefix(out, "00-") {
			t.Fatalf("traceparent %q", out)
		}
		if s := got["tracestate"]; len(s) > 512 || s != "" && !strings.Contains(parent, out[3:35]) {
			t.Errorf("tracestate %q goes with %q, which came of %q", s, out, parent)
		}
	})
}

// The operator may name any header for a token. Such a header is never kept, even if its name does
// not look like a credential.
func TestTheProofOfASourceIsNotKeptWhateverItsHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "a")
		r.edit(func(c *catalog.Catalog) {
			c.Sources[0].Verify = verify.Config{
				Provider: "token", Settings: map[string]string{"header": "X-Proof"},
			}
		})
		r.build(func(p ports) ports { return p })
		in := inbound("1", "t", "{}")
		in.Header["x-proof"] = bearerToken
		if _, err := r.receiver.Receive(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		r.pump()
		if len(r.poster.posts) != 1 || r.poster.posts[0].Header["x-proof"] != "" {
			t.Errorf("the token is passed on: %v", r.poster.posts)
		}
	})
}
