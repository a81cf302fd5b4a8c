package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"webhook-relay/shared/relay/access"
)

const (
	// DefaultLimit is how many items a list has if the request sets no limit.
	DefaultLimit = 50
	// MaxLimit is the largest limit of a request.
	MaxLimit = 250
	// cursorTTL is how long a position in a list is valid.
	cursorTTL = 24 * time.Hour
)

// Paging are the parameters of every list.
type Paging struct {
	Limit int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"How many items at most"`
	Next  string `query:"next" maxLength:"2000" doc:"Where to go on: next of the answer before. Valid for 24 h, with the same filters only"`
}

// List is an answer with a part of a list. I tells what the part covers: Scanned or Covered.
type List[T, I any] struct {
	Body Page[T, I]
}

// Page is a part of a list.
type Page[T, I any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Where to go on, as the parameter next. Without it, this is the end"`
	Page  I      `json:"page" doc:"What this part of the list covers"`
}

// Scanned tells what a part of a list without times covers.
type Scanned struct {
	Scanned int `json:"scanned" doc:"How many records were read for it"`
}

// Covered tells what a part of a list by time covers.
type Covered struct {
	From    *time.Time `json:"from,omitempty" doc:"The oldest time that this part covers"`
	To      *time.Time `json:"to,omitempty" doc:"The newest time that this part covers"`
	Scanned int        `json:"scanned" doc:"How many records were read for it"`
}

// page returns an answer.
func page[T, I any](items []T, next string, info I) *List[T, I] {
	if items == nil {
		items = []T{}
	}
	return &List[T, I]{Body: Page[T, I]{Items: items, Next: next, Page: info}}
}

// covered returns the times of a part of a list, newest first.
func covered[T any](items []T, scanned int, at func(T) time.Time) Covered {
	info := Covered{Scanned: scanned}
	if len(items) > 0 {
		from, to := at(items[len(items)-1]), at(items[0])
		info.From, info.To = &from, &to
	}
	return info
}

// cursor is a position in a list, as it is sealed.
type cursor struct {
	Position string    `json:"p"`
	Filter   []byte    `json:"f"` // hash of the route, the tenant and the filters
	Expires  time.Time `json:"e"`
}

const cursorPurpose = "cursor"

// filterHash returns the hash of what a position is valid for.
func (c *call) filterHash(filter any) ([]byte, error) {
	b, err := json.Marshal([]any{c.route.ID, c.tenant, filter})
	sum := sha256.Sum256(b)
	return sum[:], err
}

// seal returns the next of an answer. position is where the list goes on; "": this is the end.
// filter are the list's parameters without Paging.
func (s *server) seal(
	ctx context.Context, position string, filter any,
) (string, error) {
	if position == "" {
		return "", nil
	}
	hash, err := callOf(ctx).filterHash(filter)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(cursor{
		Position: position, Filter: hash, Expires: s.Now().Add(cursorTTL).UTC(),
	})
	if err != nil {
		return "", err
	}
	sealed, err := s.sealer.Seal(ctx, cursorPurpose, "", plain)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// position returns where a list goes on. "": its begin.
func (s *server) position(
	ctx context.Context, next string, filter any,
) (string, error) {
	if next == "" {
		return "", nil
	}
	const again = " Leave next out to begin from the start."
	broken := badCursor.problem("It is not one that this relay has given out." + again)
	sealed, err := base64.RawURLEncoding.DecodeString(next)
	if err != nil {
		return "", broken
	}
	plain, err := s.sealer.Open(ctx, cursorPurpose, "", sealed)
	if err != nil {
		return "", orError(err, access.ErrSealed, broken)
	}
	var c cursor
	if err := json.Unmarshal(plain, &c); err != nil {
		return "", err
	}
	hash, err := callOf(ctx).filterHash(filter)
	switch {
	case err != nil:
		return "", err
	case string(hash) != string(c.Filter):
		return "", badCursor.problem("It belongs to another list, or to other filters." + again)
	case !s.Now().Before(c.Expires):
		return "", badCursor.problem("It has expired: it was valid for 24 h." + again)
	}
	return c.Position, nil
}
