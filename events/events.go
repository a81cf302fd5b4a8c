package events

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"webhook-relay/shared/verify"
)

// ErrNoSample says that there is no such sample. The message lists those that there are.
var ErrNoSample = errors.New("events: no such sample")

//go:embed webhooks
var webhooks embed.FS

// Sample returns the body of a provider's webhook, and its event type: the one that is asked for, the provider's first in List if that
// is "". The body is the caller's to change. The only error is ErrNoSample.
func Sample(provider, eventType string) (body []byte, foundType string, err error) {
	types := sampled(provider)
	if eventType == "" && len(types) > 0 {
		eventType = types[0]
	}
	if !slices.Contains(types, eventType) {
		wanted := strings.TrimSuffix(provider+"/"+eventType, "/")
		return nil, "", fmt.Errorf("%w: %s; of this provider there are: %s", ErrNoSample, wanted, cmp.Or(strings.Join(types, ", "), "none"))
	}
	body, err = webhooks.ReadFile(fileOf(provider, eventType))
	return body, eventType, err
}

// List returns all samples as provider/type: sorted by provider, and of each the one first that Sample returns by default.
func List() []string {
	var all []string
	for _, p := range verify.Providers() {
		for _, t := range sampled(p) {
			all = append(all, p+"/"+t)
		}
	}
	return all
}

// sampled returns the event types of a provider that have a sample, in the order of the table of providers.
func sampled(provider string) []string {
	d, _ := verify.Describe(provider)
	return slices.DeleteFunc(slices.Clone(d.Examples), func(t string) bool { return fileOf(provider, t) == "" })
}

// fileOf returns the path of a sample, "" where there is none: webhooks/<provider>/<type>.<json, form or xml>. What a file's name cannot
// hold is a "-" there.
func fileOf(provider, eventType string) string {
	files, _ := webhooks.ReadDir("webhooks/" + provider)
	name := strings.NewReplacer(":", "-", "/", "-").Replace(eventType)
	for _, f := range files {
		if strings.TrimSuffix(f.Name(), path.Ext(f.Name())) == name {
			return "webhooks/" + provider + "/" + f.Name()
		}
	}
	return ""
}
