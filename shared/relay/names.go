package relay

import (
	"hash/maphash"
	"sync"
)

// maxNames is the number of delivery ids that a usedNames remembers at least; at most it is twice
// that: 1 MB.
const maxNames = 8 << 10

// usedNames tells whether a delivery id was used before for another event. This can happen only
// with ids that the provider does not sign. It remembers the latest ids in this process: certainty
// would need a record for each event. The zero value is empty. It is safe for concurrent use.
type usedNames struct {
	mu            sync.Mutex
	recent, older map[uint64]uint64 // hash of the event's id, by the hash of source and delivery id
}

var nameSeed = maphash.MakeSeed()

// reused remembers the delivery id of e, and tells whether it belonged to another event before.
func (u *usedNames) reused(e Event) bool {
	if e.DeliveryID == "" {
		return false
	}
	name, event := maphash.String(nameSeed, origin(e.Tenant, e.Source)+"\x00"+e.DeliveryID),
		maphash.String(nameSeed, e.ID)
	u.mu.Lock()
	defer u.mu.Unlock()
	before, known := u.recent[name]
	if !known {
		before, known = u.older[name]
	}
	if len(u.recent) >= maxNames {
		u.older, u.recent = u.recent, nil
	}
	if u.recent == nil {
		u.recent = map[uint64]uint64{}
	}
	u.recent[name] = event
	return known && before != event
}
