package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"webhook-relay/shared/relay/catalog"
)

// ErrTaken means that a file names resources that somebody else manages. The message lists them.
var ErrTaken = errors.New("config: managed by somebody else")

// Merge completes a file's catalog by what others than files manage in the current one, so that a
// replacement by it changes nothing of theirs. What has not changed keeps its stamp. With adopt, a
// name of the file that somebody else manages becomes the file's. Errors: ErrTaken;
// catalog.ErrInUse if something would be removed that others' subscriptions name.
func Merge(next *catalog.Catalog, current catalog.Catalog, adopt bool) error {
	var taken, missing []error
	next.Sources, taken = merged(
		catalog.KindSource, next.Sources, current.Sources, adopt, taken,
		func(s *catalog.Source) owned {
			return owned{name: s.Name, by: &s.ManagedBy, changed: &s.Changed}
		},
	)
	next.Endpoints, taken = merged(
		catalog.KindEndpoint, next.Endpoints, current.Endpoints, adopt, taken,
		func(e *catalog.Endpoint) owned {
			return owned{name: e.Name, by: &e.ManagedBy, changed: &e.Changed}
		},
	)
	next.Subscriptions, taken = merged(
		catalog.KindSubscription, next.Subscriptions, current.Subscriptions, adopt, taken,
		func(s *catalog.Subscription) owned {
			return owned{name: s.Name, by: &s.ManagedBy, changed: &s.Changed}
		},
	)
	if len(taken) > 0 {
		return fmt.Errorf("%w:\n%w", ErrTaken, errors.Join(taken...))
	}
	sourcesBefore, endpointsBefore := placesOf(current)
	sources, endpoints := placesOf(*next)
	gone := func(name string, before, after map[string]int) bool {
		_, was := before[name]
		_, is := after[name]
		return was && !is
	}
	for _, s := range next.Subscriptions {
		if isFiles(s.ManagedBy) {
			continue // the file itself was checked
		}
		if gone(s.Source, sourcesBefore, sources) {
			missing = append(missing, inUse(catalog.KindSource, s.Source, s))
		}
		if gone(s.Endpoint, endpointsBefore, endpoints) {
			missing = append(missing, inUse(catalog.KindEndpoint, s.Endpoint, s))
		}
	}
	return errors.Join(missing...)
}

func inUse(kind catalog.Kind, name string, s catalog.Subscription) error {
	return fmt.Errorf(
		"%s %s would be removed: %w: %s, which the %s manages", kind, name, catalog.ErrInUse,
		s.Name, s.ManagedBy,
	)
}

// owned is what Merge needs to know of a resource.
type owned struct {
	name    string
	by      *catalog.Manager
	changed *catalog.Stamp
}

func isFiles(by catalog.Manager) bool { return by == "" || by == catalog.ManagedByFile }

// merged returns the resources of a kind in the file, and those that others manage.
func merged[T any](
	kind catalog.Kind, next, current []T, adopt bool, taken []error, of func(*T) owned,
) ([]T, []error) {
	next, current = slices.Clone(next), slices.Clone(current)
	at := map[string]int{}
	for i := range next {
		at[of(&next[i]).name] = i
	}
	for i := range current {
		was := of(&current[i])
		j, inFile := at[was.name]
		switch {
		case !inFile && !isFiles(*was.by):
			next = append(next, current[i])
		case inFile && !isFiles(*was.by) && !adopt:
			taken = append(taken, fmt.Errorf(
				"%s %s: is managed by the %s; to take it over, run relay apply --adopt",
				kind, was.name, *was.by,
			))
		case inFile:
			stamp := *was.changed
			*was.changed = catalog.Stamp{}
			if reflect.DeepEqual(current[i], next[j]) {
				*of(&next[j]).changed = stamp
			}
		}
	}
	return next, taken
}
