package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// Changes lists what replacing current by next changes, one a line: "-" removed, "+" added, "~"
// changed, with the names of the changed fields. Removals come first. The lines contain no values,
// and so no secrets. A retiring secret that has ended by now is not a change.
func Changes(current, next catalog.Catalog, now time.Time) []string {
	var lines []string
	lines = append(lines, changes("source", current.Sources, next.Sources,
		func(s catalog.Source) string {
			return s.Name
		})...)
	lines = append(lines, changes("endpoint", signingAt(now, current), signingAt(now, next),
		func(e catalog.Endpoint) string {
			return e.Name
		})...)
	lines = append(lines, changes("subscription", grouped(current), grouped(next),
		func(p pair) string {
			return p.Name
		})...)
	slices.SortStableFunc(lines, func(a, b string) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return lines
}

const removal = "- "

func rank(line string) int {
	if strings.HasPrefix(line, removal) {
		return 0
	}
	return 1
}

// signingAt returns the endpoints with only those retiring secrets that still sign at the time.
func signingAt(now time.Time, c catalog.Catalog) []catalog.Endpoint {
	endpoints := slices.Clone(c.Endpoints)
	for i := range endpoints {
		endpoints[i].Retiring = endpoints[i].StillRetiring(now)
	}
	return endpoints
}

// pair is all subscriptions from one source to one endpoint, in order.
type pair struct {
	Name   string
	Types  [][]string
	Filter []string

	Names    []string
	Managers []catalog.Manager
}

func grouped(c catalog.Catalog) []pair {
	var out []pair
	at := map[string]int{}
	for _, s := range c.Subscriptions {
		name := s.Source + " → " + s.Endpoint
		if _, seen := at[name]; !seen {
			at[name] = len(out)
			out = append(out, pair{Name: name})
		}
		p := &out[at[name]]
		p.Types, p.Filter = append(p.Types, s.Types), append(p.Filter, s.Filter)
		p.Names, p.Managers = append(p.Names, s.Name), append(p.Managers, s.ManagedBy)
	}
	return out
}

func changes[T any](kind string, current, next []T, name func(T) string) []string {
	old := make(map[string]T, len(current))
	for _, v := range current {
		old[name(v)] = v
	}
	var lines []string
	for _, v := range next {
		before, known := old[name(v)]
		delete(old, name(v))
		if !known {
			lines = append(lines, fmt.Sprintf("+ %s %s", kind, name(v)))
		} else if fields := changedFields(before, v); len(fields) > 0 {
			lines = append(
				lines, fmt.Sprintf("~ %s %s: %s", kind, name(v), strings.Join(fields, ", ")),
			)
		}
	}
	for _, gone := range slices.Sorted(maps.Keys(old)) {
		lines = append(lines, fmt.Sprintf(removal+"%s %s", kind, gone))
	}
	return lines
}

func changedFields(a, b any) []string {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	var fields []string
	for i := range va.NumField() {
		name := va.Type().Field(i).Name
		if name == "Changed" {
			continue // a store's stamp
		}
		key := cmp.Or(keys[name], strings.ToLower(name))
		if !same(name, va.Field(i), vb.Field(i)) && !slices.Contains(fields, key) {
			fields = append(fields, key)
		}
	}
	return fields
}

// keys maps fields to their keys in the file, where the key is not the field's name in lower case.
var keys = map[string]string{
	"Schedule": "retry", "MaxAge": "retry", "Final": "retry", "RateLimit": "rate_limit",
	"RatePer": "rate_limit",
	"Names":   "name", "Managers": "manager", "ManagedBy": "manager",
	"SecretsMade": "secrets", "Retiring": "secrets", "Sends": "send",
	"Destination": "destination", "Validation": "validate", "Expect": "expect",
	"FrameAncestors": "frame_ancestors",
	"LogoURL":        "logo_url", "RefreshURL": "refresh_url",
}

// same compares two fields. An absent list or map equals an empty one, except for Schedule: an
// absent schedule is the default one, an empty schedule allows no retry.
func same(name string, a, b reflect.Value) bool {
	isList := a.Kind() == reflect.Map || a.Kind() == reflect.Slice
	if isList && a.Len() == 0 && b.Len() == 0 && name != "Schedule" {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
