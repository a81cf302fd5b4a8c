package relay

import (
	"hash/maphash"
	"sync"
)

// maxNames is how many delivery ids a usedNames remembers at least, and half of how many at most: 1 MB.
const maxNames = 8 << 10

// usedNames tells whether a delivery id came before as that of another event, which one that is signed cannot. It remembers the last ones
// of this process: to be certain, each event would have to be held against a record of its own. The zero value is empty. It is safe for concurrent use.
type usedNames struct {
	mu            sync.Mutex
	recent, older map[uint64]uint64 // hashes of events' ids, by those of source and delivery id
}

var nameSeed = maphash.MakeSeed()

// reused remembers the delivery id of e, and tells whether it was another event's.
func (u *usedNames) reused(e Event) bool {
	if e.DeliveryID == "" {
		return false
	}
	name, event := maphash.String(nameSeed, e.Source+"\x00"+e.DeliveryID), maphash.String(nameSeed, e.ID)
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
