package admin_test

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
)

type tokenList struct {
	Items []admin.Token
	Next  string
}

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	var made admin.MadeToken
	r.send(request{method: "POST", path: "/v1/tokens?tenant=acme", token: boss,
		body: map[string]string{
			"name": "ci", "role": "admin", "expires": "90d",
		}}).wants(200, &made)
	if want := r.clock.now().Add(90 * 24 * time.Hour).Truncate(time.Second); made.ExpiresAt == nil ||
		!made.ExpiresAt.Equal(want) || made.Tenant != "acme" || made.Role != "admin" {
		t.Errorf("made: %+v", made)
	}
	// the tenant's own token makes further ones
	var more admin.MadeToken
	r.send(request{method: "POST", path: "/v1/tokens", token: made.Text, body: map[string]string{
		"name": "more", "role": "read",
	}}).wants(200, &more)
	if more.Tenant != "acme" || more.CreatedBy != made.ID {
		t.Errorf("made by a tenant: %+v", more)
	}
	names := func(token, query string) (all []string) {
		t.Helper()
		for next := ""; ; {
			var list tokenList
			a := r.send(request{
				method: "GET", path: "/v1/tokens?limit=1" + query + next, token: token,
			}).wants(200, &list)
			if strings.Contains(string(a.body), made.Text) {
				t.Errorf("a list shows a token: %s", a.body)
			}
			for _, token := range list.Items {
				all = append(all, token.Name)
			}
			if next = "&next=" + list.Next; list.Next == "" {
				slices.Sort(all)
				return all
			}
		}
	}
	for got, want := range map[string]string{
		fmt.Sprint(names(made.Text, "")):        "[ci more]",
		fmt.Sprint(names(boss, "&tenant=acme")): "[ci more]",
		fmt.Sprint(names(boss, "")):             "[admin of ]",
	} {
		if got != want {
			t.Errorf("tokens: %s, want %s", got, want)
		}
	}
	r.send(request{
		method: "DELETE", path: "/v1/tokens/" + made.ID, token: boss,
	}).problem(404, "not-found")
	r.send(request{method: "DELETE", path: "/v1/tokens/" + made.ID + "?tenant=acme", token: boss}).
		wants(204, nil)
	r.send(request{
		method: "GET", path: "/v1/tokens", token: made.Text,
	}).problem(401, "unauthorized")
	r.send(request{method: "DELETE", path: "/v1/tokens/" + made.ID + "?tenant=acme", token: boss}).
		problem(404, "not-found")
}

func TestTheAuditLogShowsWhoChangedWhat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	var made admin.MadeToken
	for _, name := range []string{"a", "b", "c"} {
		r.send(request{method: "POST", path: "/v1/tokens?tenant=acme", token: boss,
			body: map[string]string{
				"name": name, "role": "admin",
			}}).wants(200, &made)
	}
	r.send(request{method: "DELETE", path: "/v1/tokens/" + made.ID + "?tenant=acme", token: boss}).
		wants(204, nil)
	var all []admin.Change
	for next := ""; ; {
		var list struct {
			Items []admin.Change
			Next  string
			Page  admin.Covered
		}
		a := r.send(request{
			method: "GET", path: "/v1/audit?tenant=acme&limit=3" + next, token: boss,
		}).wants(200, &list)
		if strings.Contains(string(a.body), "rly_") {
			t.Errorf("the log shows a token: %s", a.body)
		}
		if list.Page.From == nil || list.Page.To.Before(*list.Page.From) {
			t.Errorf("page: %+v", list.Page)
		}
		all = append(all, list.Items...)
		if next = "&next=" + list.Next; list.Next == "" {
			break
		}
	}
	var got []string
	for _, c := range all {
		got = append(got, fmt.Sprintf("%d %s %s %s %t %t", c.Number, c.Action, c.Target, c.Who.Name,
			c.Before != nil, c.After != nil))
	}
	if len(got) != 4 || got[0] != "4 tokens.revoke token/"+made.ID+" admin of  true false" ||
		got[1] != "3 tokens.create token/"+made.ID+" admin of  false true" {
		t.Errorf("%q", got)
	}
	var list struct{ Items []admin.Change }
	r.send(request{method: "GET", path: "/v1/audit", token: boss}).wants(200, &list)
	if len(list.Items) != 0 {
		t.Errorf("changes of the operator's: %+v", list.Items)
	}
}

// TestAChangeThatCannotBeRecordedIsNotMade: and one that fails is recorded as failed.
func TestAChangeAndItsRecord(t *testing.T) {
	t.Parallel()
	ledger := &failing{}
	catalogs := &failing{}
	r := newRig(t, func(c *admin.Config) {
		ledger.Documents, catalogs.Documents = c.LedgerDocuments, c.CatalogDocuments
		c.LedgerDocuments, c.CatalogDocuments = ledger, catalogs
	})
	boss := r.token(access.Admin, "")
	put := request{
		method: "PUT", path: "/v1/tenants/new", token: boss, body: map[string]string{"name": "New"},
		header: map[string]string{"If-None-Match": "*"},
	}
	ledger.collection = "audit/"
	r.send(put).problem(500, "internal")
	ledger.collection = ""
	r.send(request{method: "GET", path: "/v1/tenants/new", token: boss}).problem(404, "not-found")
	catalogs.collection = "tenants"
	a := r.send(put)
	a.problem(500, "internal")
	catalogs.collection = ""
	var list struct{ Items []admin.Change }
	r.send(request{method: "GET", path: "/v1/audit", token: boss}).wants(200, &list)
	if len(list.Items) != 2 || list.Items[0].Failed == "" || list.Items[1].Failed != "" ||
		list.Items[0].RequestID != a.header.Get("x-request-id") ||
		list.Items[0].RequestID != list.Items[1].RequestID {
		t.Errorf("%+v", list.Items)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.observed[2]; o.Err == nil || !strings.Contains(o.Err.Error(), errFails.Error()) {
		t.Errorf("the log does not say why: %+v", o)
	}
}

func TestTheAuditLogIsVerified(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token(access.Read, "acme")
	var got admin.Verification
	r.send(request{method: "GET", path: "/v1/audit/verify", token: token}).wants(200, &got)
	if got.Entries != 0 || got.First != nil {
		t.Errorf("an empty log: %+v", got)
	}
	for i := range 1002 {
		_, err := r.audit.Append(t.Context(), "acme", access.Entry{
			Who: access.Who{Kind: "token", ID: "tok_1", Name: "ci"}, Action: "a", Target: "b",
			RequestID: "r", Failed: "f", Before: []byte("{}"), After: []byte(fmt.Sprint(i)),
		})
		must(t, err)
	}
	path := "/v1/audit/verify?tenant=acme"
	r.send(request{method: "GET", path: path, token: token}).wants(200, &got)
	if got.Entries != 1000 || got.First.Number != 1 || got.Next == "" {
		t.Errorf("first part: %+v", got)
	}
	next := path + "&next=" + got.Next
	got = admin.Verification{}
	r.send(request{method: "GET", path: next, token: token}).wants(200, &got)
	if got.Entries != 2 || got.First.Number != 1001 || got.Last.Number != 1002 || got.Next != "" {
		t.Errorf("second part: %+v", got)
	}
	key := fmt.Sprintf("%019d", 1001)
	d, err := r.config.LedgerDocuments.Document(t.Context(), "audit/acme", key)
	must(t, err)
	d.Body = []byte(strings.Replace(string(d.Body), `"b"`, `"c"`, 1))
	_, err = r.config.LedgerDocuments.PutDocument(t.Context(), "audit/acme", d, operate.AnyVersion)
	must(t, err)
	req := request{method: "GET", path: next, token: token}
	w := r.raw(req)
	w.problem(409, "not-possible-now")
}

func TestTenants(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	put := request{
		method: "PUT", path: "/v1/tenants/new", token: boss, body: map[string]string{"name": "New"},
	}
	ifNone, ifMatch := map[string]string{"If-None-Match": "*"}, func(tag string) map[string]string {
		return map[string]string{"If-Match": tag}
	}
	r.send(put).problem(428, "precondition-required")
	r.send(put.with(ifMatch(`"1"`))).problem(412, "precondition-failed")
	var made admin.TenantView
	tag := r.send(put.with(ifNone)).wants(200, &made).header.Get("etag")
	if made.ID != "new" || made.Name != "New" || tag != `"1"` {
		t.Errorf("%+v, %s", made, tag)
	}
	r.send(put.with(ifNone)).problem(412, "precondition-failed")
	for _, tag := range []string{`"0"`, `"x"`, `1`, `*`, `W/"1"`, `"1", "2"`} {
		r.send(put.with(ifMatch(tag))).problem(422, "invalid")
	}
	r.send(put.with(map[string]string{"If-None-Match": `"1"`})).problem(422, "invalid")
	r.send(put.with(map[string]string{
		"If-None-Match": "*", "If-Match": tag,
	})).problem(422, "invalid")
	tag = r.send(put.with(ifMatch(tag))).wants(200, nil).header.Get("etag")
	r.send(put.with(ifMatch(`"1"`))).problem(412, "precondition-failed")
	var got admin.TenantView
	if now := r.send(request{
		method: "GET", path: put.path, token: boss,
	}).wants(200, &got).header.Get(
		"etag",
	); now != tag || !reflect.DeepEqual(got, made) {
		t.Errorf("%+v, %s", got, now)
	}
	for _, id := range []string{"a%2Fb", "-a", "%20", strings.Repeat("a", 64), "a.b"} {
		path := "/v1/tenants/" + id
		r.send(request{method: "PUT", path: path, token: boss, body: put.body, header: ifNone}).
			problem(422, "invalid")
		r.send(request{method: "GET", path: path, token: boss}).problem(404, "not-found")
		r.send(request{method: "DELETE", path: path, token: boss}).problem(404, "not-found")
	}
	var ids []string
	for next := ""; ; {
		var list struct {
			Items []admin.TenantView
			Next  string
		}
		r.send(request{
			method: "GET", path: "/v1/tenants?limit=2" + next, token: boss,
		}).wants(200, &list)
		for _, tenant := range list.Items {
			ids = append(ids, tenant.ID)
		}
		if next = "&next=" + list.Next; list.Next == "" {
			break
		}
	}
	if fmt.Sprint(ids) != "[acme new other]" {
		t.Errorf("%v", ids)
	}
	theirs := r.token(access.Admin, "new")
	r.send(request{method: "GET", path: "/v1/tokens", token: theirs}).wants(200, nil)
	remove := request{method: "DELETE", path: put.path, token: boss}
	r.send(remove.with(ifMatch(`"1"`))).problem(412, "precondition-failed")
	r.send(remove.with(ifMatch(tag))).wants(204, nil)
	r.send(remove).problem(404, "not-found")
	r.send(request{method: "GET", path: "/v1/tokens", token: theirs}).problem(401, "unauthorized")
}

// TestTwoWritersAtOnce: one of them is told that the other was faster.
func TestTwoWritersAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	for round := range 5 {
		header := map[string]string{"If-Match": fmt.Sprintf("%q", fmt.Sprint(round))}
		if round == 0 {
			header = map[string]string{"If-None-Match": "*"}
		}
		statuses := make([]int, 4)
		var writers sync.WaitGroup
		for i := range statuses {
			writers.Go(func() {
				statuses[i] = r.raw(request{
					method: "PUT", path: "/v1/tenants/new", token: boss, header: header,
					body: map[string]string{"name": fmt.Sprint(i)},
				}).status
			})
		}
		writers.Wait()
		slices.Sort(statuses)
		if fmt.Sprint(statuses) != "[200 412 412 412]" {
			t.Errorf("round %d: %v", round, statuses)
		}
	}
}

func TestPositionsInAList(t *testing.T) {
	t.Parallel()
	r, another := newRig(t), newRig(t)
	boss := r.token(access.Admin, "")
	next := func(r *rig, path, token string) string {
		t.Helper()
		var list tokenList
		r.send(request{method: "GET", path: path, token: token}).wants(200, &list)
		if list.Next == "" {
			t.Fatalf("%s has no next", path)
		}
		return list.Next
	}
	foreign := another.token(access.Admin, "")
	good := next(r, "/v1/tenants?limit=1", boss)
	for _, tenant := range []string{"acme", "acme", "", ""} {
		r.token(access.Read, tenant)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(good)
	must(t, err)
	sealed[20] ^= 1
	path := "/v1/tenants?limit=1&next="
	for name, tt := range map[string]struct{ path, token string }{
		"changed":          {path + base64.RawURLEncoding.EncodeToString(sealed), boss},
		"cut":              {path + good[:len(good)-4], boss},
		"no base64":        {path + "%25%25", boss},
		"a word":           {path + "next", boss},
		"of another list":  {"/v1/tokens?next=" + good, boss},
		"of another relay": {path + next(another, "/v1/tenants?limit=1", foreign), boss},
		"of another tenant": {
			"/v1/tokens?tenant=acme&next=" + next(r, "/v1/tokens?limit=1", boss), boss,
		},
		"of the operator, by a tenant": {
			"/v1/tokens?next=" + next(r, "/v1/tokens?limit=1", boss), r.token(access.Admin, "acme"),
		},
	} {
		if a := r.send(request{method: "GET", path: tt.path, token: tt.token}); a.status != 422 {
			t.Errorf("%s: status %d: %s", name, a.status, a.body)
		} else {
			a.problem(422, "invalid-cursor")
		}
	}
	r.send(request{method: "GET", path: path + strings.Repeat("x", 2001), token: boss}).
		problem(422, "invalid")
	r.send(request{
		method: "GET", path: "/v1/tenants?limit=2&next=" + good, token: boss,
	}).wants(200, nil)
	r.clock.add(24 * time.Hour)
	r.send(request{method: "GET", path: path + good, token: boss}).problem(422, "invalid-cursor")
}

func TestARepeatedRequestIsRunOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	boss := r.token(access.Admin, "")
	post := request{
		method: "POST", path: "/v1/tokens", token: boss,
		body:   map[string]string{"name": "ci", "role": "read"},
		header: map[string]string{"Idempotency-Key": "k-1"},
	}
	var first, again admin.MadeToken
	one := r.send(post).wants(200, &first)
	two := r.send(post).wants(200, &again)
	if first.Text != again.Text || two.header.Get("idempotency-replayed") != "true" ||
		one.header.Get("x-request-id") != two.header.Get("x-request-id") {
		t.Errorf("again: %s %v", two.body, two.header)
	}
	other := post
	other.body = map[string]string{"name": "ci", "role": "operate"}
	r.send(other).problem(422, "idempotency-key-reused")
	other = post
	other.path += "?tenant=acme"
	r.send(other).wants(200, &again)
	if again.Tenant != "acme" {
		t.Errorf("for another tenant: %+v", again)
	}
	// what was refused may be corrected under the same key
	bad := post.with(map[string]string{"Idempotency-Key": "k-2"})
	bad.body = map[string]string{"name": "ci"}
	r.send(bad).problem(422, "invalid")
	bad.body = post.body
	r.send(bad).wants(200, nil)
	r.send(post.with(map[string]string{"Idempotency-Key": strings.Repeat("k", 256)})).
		problem(422, "invalid")
	r.clock.add(25 * time.Hour)
}

// TestARequestThatIsStillRunning: its repeat waits for the answer elsewhere.
func TestARequestThatIsStillRunning(t *testing.T) {
	t.Parallel()
	inside, goOn := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(c *admin.Config) {
		c.CatalogDocuments = &slow{Documents: c.CatalogDocuments, inside: inside, goOn: goOn}
	})
	boss := r.token(access.Admin, "")
	post := request{
		method: "POST", path: "/v1/tokens", token: boss,
		body:   map[string]string{"name": "slow", "role": "read"},
		header: map[string]string{"Idempotency-Key": "k"},
	}
	done := make(chan answer)
	go func() { done <- r.raw(post) }()
	<-inside
	a := r.raw(post)
	a.problem(409, "idempotency-key-running")
	if a.header.Get("retry-after") == "" {
		t.Error("no retry-after")
	}
	close(goOn)
	a = <-done
	a.wants(200, nil)
	r.raw(post).wants(200, nil)
}
