package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/gate"
)

// TestTheRatesOfATenant are set in its form. Its page tells whether deliveries wait because of
// them.
func TestTheRatesOfATenant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fill()
	b := r.signedIn(access.Admin, "")
	page := func() string {
		t.Helper()
		a := b.get("/tenants/acme")
		if a.Code != http.StatusOK {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		return a.Body.String()
	}
	save := func(etag, accepted, delivered string) int {
		return b.post("/tenants/acme", url.Values{
			"etag": {etag}, "name": {"Acme Inc."}, "accepted": {accepted}, "delivered": {delivered},
		}).Code
	}
	const waits, none = "Deliveries wait because of it.", "No delivery waits because of it."
	if text := page(); strings.Contains(text, "Accepts at most</dt>") || strings.Contains(text, none) {
		t.Error("rates of a tenant that has none")
	}
	if code := save(`"1"`, "100/s", "50/m"); code != http.StatusSeeOther {
		t.Fatalf("saved with %d", code)
	}
	if text := page(); !strings.Contains(text, "100/s") || !strings.Contains(text, "50/m") ||
		!strings.Contains(text, none) {
		t.Errorf("%s", text)
	}
	r.record(relay.Event{ID: "evt_held", Source: "app", Type: "order.paid"}, relay.Delivery{
		Endpoint: "acme/theirs", Status: relay.Waiting, Held: gate.HeldTenantRate,
		NextAt: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	})
	if text := page(); !strings.Contains(text, waits) {
		t.Errorf("%s", text)
	}
	if text := b.get("/~acme/endpoints/theirs").Body.String(); !strings.Contains(
		text, "by the rate of the tenant",
	) {
		t.Errorf("%s", text)
	}
	a := b.post("/tenants/acme", url.Values{
		"etag": {`"2"`}, "name": {"Acme Inc."}, "accepted": {"0/s"}, "delivered": {"fast"},
	})
	for _, want := range []string{"0 is not between 1 and 100000", "is not a rate", `value="fast"`} {
		if !strings.Contains(a.Body.String(), want) {
			t.Errorf("no %q in %d %s", want, a.Code, a.Body)
		}
	}
	if code := save(`"2"`, "", ""); code != http.StatusSeeOther || strings.Contains(page(), none) {
		t.Errorf("removed with %d", code)
	}
}
