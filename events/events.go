package events

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"webhook-relay/shared/trigger"
	"webhook-relay/shared/verify"
)

// ErrNoSample says that there is no such sample. The message lists the provider's samples.
var ErrNoSample = errors.New("events: no such sample")

//go:embed webhooks
var webhooks embed.FS

//go:embed triggers
var triggers embed.FS

// Sample returns the body and the event type of a provider's webhook. If eventType is "", it is the
// provider's first in List. The caller may change the body. The only error is ErrNoSample.
func Sample(provider, eventType string) (body []byte, foundType string, err error) {
	types := sampled(provider)
	if eventType == "" && len(types) > 0 {
		eventType = types[0]
	}
	if !slices.Contains(types, eventType) {
		wanted := strings.TrimSuffix(provider+"/"+eventType, "/")
		return nil, "", fmt.Errorf(
			"%w: %s; of this provider there are: %s", ErrNoSample, wanted,
			cmp.Or(strings.Join(types, ", "), "none"),
		)
	}
	body, err = webhooks.ReadFile(fileOf(provider, eventType))
	return body, eventType, err
}

// Triggered returns the body and the event type of a message that a service in AWS sends to the
// queue of a source. provider is one of package trigger. If eventType is "", it is the provider's
// first. The only error is ErrNoSample.
func Triggered(provider, eventType string) (body []byte, foundType string, err error) {
	d, _ := trigger.Describe(provider)
	for _, t := range d.Examples {
		if eventType != "" && t != eventType {
			continue
		}
		if body, err := triggers.ReadFile(
			"triggers/" + provider + "/" + fileName.Replace(t) + ".json",
		); err == nil {
			return body, t, nil
		}
	}
	return nil, "", fmt.Errorf(
		"%w: %s; of this provider there are: %s", ErrNoSample,
		strings.TrimSuffix(provider+"/"+eventType, "/"),
		cmp.Or(strings.Join(d.Examples, ", "), "none"),
	)
}

// fileName makes the name of a file of an event type.
var fileName = strings.NewReplacer(":", "-", "/", "-", " ", "-")

// List returns all samples as provider/type. They are sorted by provider; a provider's default
// sample comes first.
func List() []string {
	var all []string
	for _, p := range verify.Providers() {
		for _, t := range sampled(p) {
			all = append(all, p+"/"+t)
		}
	}
	return all
}

// sampled returns the event types for which a provider has a sample, in the order of the table of
// providers.
func sampled(provider string) []string {
	d, _ := verify.Describe(provider)
	return slices.DeleteFunc(slices.Clone(d.Examples), func(t string) bool {
		return fileOf(provider, t) == ""
	})
}

// fileOf returns the path of a sample, "" if there is none: webhooks/<provider>/<type>.<json, form
// or xml>. Characters that a file's name cannot have are replaced by "-".
func fileOf(provider, eventType string) string {
	files, _ := webhooks.ReadDir("webhooks/" + provider)
	name := fileName.Replace(eventType)
	for _, f := range files {
		if strings.TrimSuffix(f.Name(), path.Ext(f.Name())) == name {
			return "webhooks/" + provider + "/" + f.Name()
		}
	}
	return ""
}
