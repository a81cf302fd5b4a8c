package deployed_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/verify"
)

// tenantRates gives a tenant rates. What it sends over the one is refused. What is accepted is
// delivered at the other.
func tenantRates(t *testing.T, w *world) {
	c := newClient(t, w)
	c.newTenant(t, "piper")
	c.want( // before any instance has read anything of the tenant

		t, ok, "PUT", "/v1/tenants/piper",
		`{"name": "Piper", "rates": {"accepted": "5/h", "delivered": "1/s"}}`, "if-match", `"1"`,
	)
	v, err := verify.New(verify.Config{Provider: "standard-webhooks"}, []string{signingSecret})
	if err != nil {
		t.Fatal(err)
	}
	var accepted []string
	n := 0
	eventually(t, "the rate is in force and reached", func() bool {
		n++
		r, err := v.Sign(verify.Webhook{
			DeliveryID: fmt.Sprint("rated-", n), Body: []byte(`{}`),
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		status, answer := w.post(t, "/in/piper/piper", r.Header, []byte(`{}`))
		var event struct{ ID string }
		_ = json.Unmarshal(answer, &event) // it is empty then
		if status == http.StatusOK {
			accepted = append(accepted, event.ID)
		}
		return status == http.StatusTooManyRequests
	})
	if len(accepted) < 5 {
		t.Errorf("%d webhooks were accepted, allowed are 5 at once", len(accepted))
	}
	for _, id := range accepted {
		w.settled(t, id, "piper/piper", relay.Delivered, 1)
	}
}
