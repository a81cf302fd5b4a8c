package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// SourceResource returns a source as a resource.
func SourceResource(s Source) Resource {
	return Resource{
		Kind: KindSource, Name: s.Name, ManagedBy: cmp.Or(s.ManagedBy, ManagedByFile),
		Revision: s.Changed.Revision, ChangedAt: s.Changed.At, Source: &s,
	}
}

// EndpointResource returns an endpoint as a resource.
func EndpointResource(e Endpoint) Resource {
	return Resource{
		Kind: KindEndpoint, Name: e.Name, ManagedBy: cmp.Or(e.ManagedBy, ManagedByFile),
		Revision: e.Changed.Revision, ChangedAt: e.Changed.At, Endpoint: &e,
	}
}

// SubscriptionResource returns a subscription as a resource.
func SubscriptionResource(s Subscription) Resource {
	return Resource{
		Kind: KindSubscription, Name: s.Name, ManagedBy: cmp.Or(s.ManagedBy, ManagedByFile),
		Revision: s.Changed.Revision, ChangedAt: s.Changed.At, Subscription: &s,
	}
}

// WithoutSecrets returns a resource without the secrets of its source or endpoint, and without what
// may contain some: headers, settings and authentication.
func (r Resource) WithoutSecrets() Resource {
	if r.Source != nil {
		s := *r.Source
		s.Secrets, s.Verify.Settings = nil, nil
		r.Source = &s
	}
	if r.Endpoint != nil {
		e := *r.Endpoint
		e.Secrets, e.Retiring, e.Header, e.Auth = nil, nil, nil, nil
		if e.TLS != nil {
			tls := *e.TLS
			tls.Key = nil
			e.TLS = &tls
		}
		r.Endpoint = &e
	}
	return r
}

// Subject returns the kind and name of the resource that the edit changes.
func (e Edit) Subject() (Kind, string) {
	if e.Put != nil {
		return e.Put.Kind, e.Put.Name
	}
	return e.Kind, e.Name
}

// Check returns why the edit may not be made of the resource as it is now, or nil. nil stands for a
// resource that does not exist. Errors: ErrNotFound, ErrConflict, ErrManaged.
func (e Edit) Check(now *Resource) error {
	kind, name := e.Subject()
	revision := int64(0)
	if now != nil {
		revision = now.Revision
	}
	switch {
	case now == nil && e.Put == nil:
		return fmt.Errorf("%s %s: %w", kind, name, ErrNotFound)
	case e.Base != AnyRevision && e.Base != revision:
		return fmt.Errorf(
			"%s %s is of revision %d, not %d: %w", kind, name, revision, e.Base, ErrConflict,
		)
	case now != nil && now.ManagedBy != e.By && !e.Adopt:
		return fmt.Errorf("%s %s: %w: %s, not %s", kind, name, ErrManaged, now.ManagedBy, e.By)
	}
	return nil
}

// Stamped returns the resource to store: it has the name, the manager and the stamp of the edit. A
// file's source, endpoint or subscription names no manager, as in the file.
func (e Edit) Stamped(stamp Stamp) Resource {
	r, by := *e.Put, e.By
	if by == ManagedByFile {
		by = ""
	}
	r.ManagedBy, r.Revision, r.ChangedAt = e.By, stamp.Revision, stamp.At
	switch r.Kind {
	case KindSource:
		s := *r.Source
		s.Name, s.ManagedBy, s.Changed = r.Name, by, stamp
		r.Source = &s
	case KindEndpoint:
		ep := *r.Endpoint
		ep.Name, ep.ManagedBy, ep.Changed = r.Name, by, stamp
		r.Endpoint = &ep
	case KindSubscription:
		s := *r.Subscription
		s.Name, s.ManagedBy, s.Changed = r.Name, by, stamp
		r.Subscription = &s
	}
	return r
}

// InUse returns ErrInUse, with the first of the subscriptions that name a source or endpoint, or
// nil if there are none.
func InUse(kind Kind, name string, users []string) error {
	if len(users) == 0 {
		return nil
	}
	more := ""
	if n := len(users) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("%s %s: %w: %s%s", kind, name, ErrInUse, users[0], more)
}

// maxNameBytes is the length of the longest name.
const maxNameBytes = 63

// NameSubscriptions gives a name to those of a catalog's subscriptions that have none:
// "source-endpoint", or with "-2" and so on if that is taken. It changes subs. The same
// subscriptions always get the same names.
func NameSubscriptions(subs []Subscription) {
	taken := make(map[string]bool, len(subs))
	for _, s := range subs {
		taken[s.Name] = true
	}
	for i := range subs {
		if s := &subs[i]; s.Name == "" {
			s.Name = freeName(s.Source+"-"+s.Endpoint, taken)
			taken[s.Name] = true
		}
	}
}

func freeName(wish string, taken map[string]bool) string {
	wish = strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(wish))
	for n := 1; ; n++ {
		name := wish
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		if len(name) > maxNameBytes {
			sum := sha256.Sum256([]byte(name))
			name = name[:maxNameBytes-9] + "-" + hex.EncodeToString(sum[:4])
		}
		if !taken[name] {
			return name
		}
	}
}
