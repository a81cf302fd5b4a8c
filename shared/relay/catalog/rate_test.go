package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay/catalog"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]catalog.Rate{
		"": {}, "1/s": {Count: 1, Per: time.Second}, "90/m": {Count: 90, Per: time.Minute},
		"100000/h": {Count: catalog.MaxRate, Per: time.Hour},
	} {
		got, err := catalog.ParseRate(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v (%s), error %v, want %v", text, got, got, err, want)
		}
		var back struct{ Rate catalog.Rate }
		stored, err := json.Marshal(map[string]any{"Rate": want})
		if err == nil {
			err = json.Unmarshal(stored, &back)
		}
		if err != nil || back.Rate != want {
			t.Errorf("%q stored as %s is %v, error %v", text, stored, back.Rate, err)
		}
	}
}

func TestParseRateRefuses(t *testing.T) {
	t.Parallel()
	const form = "write a number a second, minute or hour"
	for text, why := range map[string]string{
		"50": form, "50/": form, "50/d": form, "/s": form, "s": form, "-5/s": form, "+5/s": form,
		"5.5/s": form, "5 /s": form, " 5/s": form, "5/s/s": form, "0x5/s": form, "1_000/s": form,
		"0/s":                    "0 is not between 1 and 100000",
		"100001/s":               "100001 is not between 1 and 100000",
		"99999999999999999999/h": "99999999999999999999 is not between 1 and 100000",
	} {
		_, err := catalog.ParseRate(text)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: error %v, want one with %q", text, err, why)
		}
	}
}

// TestRatesAreStoredAs holds the stored form.
func TestRatesAreStoredAs(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]catalog.Rates{
		`{"accepted":"100/s","delivered":"90/m","revision":2}`: {
			Accepted:  catalog.Rate{Count: 100, Per: time.Second},
			Delivered: catalog.Rate{Count: 90, Per: time.Minute}, Revision: 2,
		},
		`{"revision":3}`: {Revision: 3},
	} {
		got, err := json.Marshal(r)
		if err != nil || string(got) != want {
			t.Errorf("%s, error %v, want %s", got, err, want)
		}
	}
}
