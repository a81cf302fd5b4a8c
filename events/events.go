package events

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoSample says that there is no such sample. The message lists those that there are.
var ErrNoSample = errors.New("events: no such sample")

//go:embed webhooks
var webhooks embed.FS

// samples are the providers' event types, the one that is asked for most first. Each is a file: webhooks/<provider>/<type>.json.
var samples = []struct {
	provider string
	types    []string
}{
	{"bearer", []string{"order.created"}},
	{"github", []string{"push", "pull_request.opened", "ping"}},
	{"hmac", []string{"customer.updated"}},
	{"none", []string{"reading"}},
	{"standard-webhooks", []string{"user.created"}},
	{"stripe", []string{"charge.succeeded", "invoice.paid"}},
}

// Sample returns the body of a provider's webhook, and its event type: the one that is asked for, the provider's first in List if that
// is "". The body is the caller's to change. The only error is ErrNoSample.
func Sample(provider, eventType string) (body []byte, foundType string, err error) {
	for _, s := range samples {
		if s.provider != provider || (eventType != "" && !slices.Contains(s.types, eventType)) {
			continue
		}
		if eventType == "" {
			eventType = s.types[0]
		}
		body, err = webhooks.ReadFile("webhooks/" + provider + "/" + eventType + ".json")
		return body, eventType, err
	}
	wanted := strings.TrimSuffix(provider+"/"+eventType, "/")
	return nil, "", fmt.Errorf("%w: %s; there are %s", ErrNoSample, wanted, strings.Join(List(), ", "))
}

// List returns all samples as provider/type: sorted by provider, and of each the one first that Sample returns by default.
func List() []string {
	var all []string
	for _, s := range samples {
		for _, t := range s.types {
			all = append(all, s.provider+"/"+t)
		}
	}
	return all
}
