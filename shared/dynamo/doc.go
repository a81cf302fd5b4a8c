// Package dynamo keeps the relay's catalog and ledger in Amazon DynamoDB, one table each.
//
//	catalog := dynamo.NewCatalog(client, "catalog", sealer)
//	ledger := dynamo.NewLedger(client, "ledger")
//
// Both tables have the keys [PartitionKey] and [SortKey], both strings.
//
// # Catalog
//
// A catalog is replaced wholly or not at all, however large it is, which no transaction of DynamoDB's could do. So each
// replacement is a generation of its own, and one small item, the pointer, says which generation is in force:
//
//	pk           sk                          attributes
//	catalog      pointer                     generation, previous, revision
//	generations  <generation>                created_at (Unix seconds)
//	<generation> source#<name>               doc, sealed
//	<generation> endpoint#<name>             doc, sealed
//	<generation> subscriptions#<source>#<n>  doc: a hundred subscriptions, in the operator's order
//
// A replacement registers its generation, writes its items, and last moves the pointer, on the condition that the revision is still
// the one it was made from. Until then nothing of it is seen; of two at a time one gets relay.ErrConflict. The generation before is kept,
// since readers may be at work in it. Older ones, and those that were never finished, are deleted by a later replacement, an hour
// after they were begun at the earliest.
//
// Readers ask for the pointer and then for the item, both with consistent reads: two calls, which callers are expected to
// cache. doc is versioned JSON. sealed holds what must not be read (secrets, auth, and static headers, which often carry tokens), sealed
// under "source/<name>" or "endpoint/<name>".
//
// # Ledger
//
//	pk               sk                   attributes
//	<event id>       event                doc, body, expires_at, write, events_pk, events_sk
//	<event id>       delivery#<endpoint>  doc, attempts, status, expires_at, write, open_pk, open_sk
//	endpoint#<name>  state                doc, revision, expires_at, write: only of endpoints that have failed
//	quota#<name>     line                 ends (Unix microseconds), expires_at: how far ahead the places of an endpoint's rate limit are taken
//	failure#<id>     count                failures, expires_at: how often the handling of a queue's message has failed
//	slot#<name>#<n>  claim                holder, held_until (Unix milliseconds), expires_at: one of the attempts that an endpoint with a
//	                                      concurrency limit may have under way; without holder it is free
//
// doc is the core's own versioned form. expires_at is the table's time-to-live attribute; DynamoDB deletes days late, so
// every condition and every reader compares it. write is random for each call: a conditional write whose answer
// was lost and that is tried again then recognises its own work, and does not take it for somebody else's.
//
// Two indexes, of keys only (listings read the items themselves, so that they show the present state):
//
//	events  events_pk = <source>#<hour>#<shard>, events_sk = time received and id. 8 shards, since one partition takes 1,000 writes a second
//	open    open_pk = <endpoint>#<status>, open_sk = due time, or time of death, and event id. Only deliveries that wait or are dead have them
//
// An event's record is one PutItem, a delivery's attempt is one PutItem; only when its condition fails another call follows. An
// item has at most 400 KB ([ErrTooLarge]): an event that goes to 5,000 endpoints fits, with 16 KiB of body.
package dynamo
