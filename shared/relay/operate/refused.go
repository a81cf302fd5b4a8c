package operate

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/format"
)

// Bounds of the kept refused requests. The list of a tenant has at most refusedSlots requests for
// each of its sources and each reason, and refusedUnknown for URLs without a source.
const (
	refusedSlots   = 5
	refusedUnknown = 20
	// refusedEvery is how often an instance writes for one source and reason. refusedBurst and
	// refusedPerMinute bound its writes for all of them.
	refusedEvery     = time.Minute
	refusedBurst     = 10
	refusedPerMinute = 10
	// refusedWait is how long a write may delay the answer to a refused request.
	refusedWait = 500 * time.Millisecond
	// refusedKept is how long a refused request is kept.
	refusedKept = 7 * 24 * time.Hour
	// refusedKeys bounds the memory of an instance.
	refusedKeys = 1000
	// what is kept of the texts of a request
	refusedHeaders   = 50
	refusedTextBytes = 100
)

// Refused keeps refused requests in documents, for the operator to look at. It implements
// relay.Refusals and is safe for concurrent use.
//
// Anybody can send such requests, as many as the gateway lets through. So each is written into one
// of a fixed number of slots, over an older one. And an instance writes at most once a minute for
// one source and reason, and at most 10 times a minute in all. Those in between are only counted:
// see RefusedEntry.Others.
type Refused struct {
	documents Documents
	now       func() time.Time

	mu    sync.Mutex
	kinds map[refusedKind]*refusedCount
	left  float64 // writes that are allowed now
	at    time.Time
}

type refusedKind struct {
	source string
	reason relay.Refusal
}

type refusedCount struct {
	writtenAt time.Time
	others    int
}

// NewRefused returns a Refused. It calls nothing yet. now returns the current time.
func NewRefused(documents Documents, now func() time.Time) *Refused {
	return &Refused{
		documents: documents, now: now, kinds: map[refusedKind]*refusedCount{}, left: refusedBurst,
		at: now(),
	}
}

// RefusedEntry is a refused request that was kept.
type RefusedEntry struct {
	relay.RefusedRequest
	// Others counts the requests that were refused for the same source and reason by the same
	// instance since it wrote the entry before, and that are not kept.
	Others int
}

type refusedDoc struct {
	Version   int           `json:"v"`
	Reason    relay.Refusal `json:"reason"`
	Source    string        `json:"source"`
	Method    string        `json:"method"`
	RemoteIP  string        `json:"remoteIp,omitempty"`
	Headers   []string      `json:"headers,omitempty"`
	BodyBytes int           `json:"bodyBytes"`
	At        time.Time     `json:"at"`
	Others    int           `json:"others,omitempty"`
}

func refusedCollection(tenant string) string { return "refused/" + tenant }

// NoteRefused implements relay.Refusals.
func (s *Refused) NoteRefused(ctx context.Context, r relay.RefusedRequest) {
	others, may := s.mayWrite(r)
	if !may {
		return
	}
	tenant, slots := "", int64(refusedSlots)
	name := r.Source
	if r.Reason == relay.RefusedSource { // the name is anybody's, and so is the tenant in it
		name, slots = "", refusedUnknown
	} else if owner, _, owned := strings.Cut(r.Source, "/"); owned {
		tenant = owner
	}
	now := s.now().UTC()
	d := refusedDoc{
		Version: format.Version, Reason: r.Reason, Source: shortened(r.Source),
		Method: shortened(r.Method), RemoteIP: shortened(r.RemoteIP), BodyBytes: r.BodyBytes,
		At: r.At.UTC(), Others: others,
	}
	for _, header := range r.Headers[:min(len(r.Headers), refusedHeaders)] {
		d.Headers = append(d.Headers, shortened(header))
	}
	slot := now.Unix() / int64(refusedEvery/time.Second) % slots
	ctx, cancel := context.WithTimeout(ctx, refusedWait)
	defer cancel()
	_, _ = s.documents.PutDocument(ctx, refusedCollection(tenant), Document{
		Key:  fmt.Sprintf("%s/%s/%02d", ownName(tenant, name), r.Reason, slot),
		Body: format.Encode(d), ExpiresAt: now.Add(refusedKept).Truncate(time.Second),
	}, AnyVersion)
}

// shortened returns the beginning of a text that anybody may have written, in valid UTF-8.
func shortened(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), refusedTextBytes)], "�")
}

// mayWrite tells whether a request is written, and how many like it were not written before.
func (s *Refused) mayWrite(r relay.RefusedRequest) (others int, may bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := refusedKind{source: r.Source, reason: r.Reason}
	if r.Reason == relay.RefusedSource {
		kind.source = ""
	}
	now := s.now()
	count := s.kinds[kind]
	if count == nil {
		if len(s.kinds) >= refusedKeys {
			clear(s.kinds)
		}
		count = new(refusedCount)
		s.kinds[kind] = count
	}
	s.left = min(refusedBurst, s.left+now.Sub(s.at).Minutes()*refusedPerMinute)
	s.at = now
	if now.Sub(count.writtenAt) < refusedEvery || s.left < 1 {
		count.others++
		return 0, false
	}
	s.left--
	others = count.others
	count.writtenAt, count.others = now, 0
	return others, true
}

// RefusedRequests lists a tenant's kept refused requests by source, reason and slot, at most limit
// of them. from is where to go on: a result of the call before, or "".
func RefusedRequests(
	ctx context.Context, documents Documents, tenant, from string, limit int,
) (found []RefusedEntry, next string, err error) {
	docs, next, err := documents.DocumentsIn(
		ctx, refusedCollection(tenant), DocumentRange{From: from, Limit: limit},
	)
	if err != nil {
		return nil, "", err
	}
	for _, d := range docs {
		var doc refusedDoc
		if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
			return nil, "", err
		}
		found = append(found, RefusedEntry{
			RefusedRequest: relay.RefusedRequest{
				Reason: doc.Reason, Source: ownName(tenant, doc.Source), Method: doc.Method,
				RemoteIP: doc.RemoteIP, Headers: doc.Headers, BodyBytes: doc.BodyBytes,
				At: doc.At.UTC(),
			},
			Others: doc.Others,
		})
	}
	return found, next, nil
}
