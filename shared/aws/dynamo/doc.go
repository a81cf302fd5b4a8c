// Package dynamo keeps the relay's catalog and ledger in Amazon DynamoDB, one table each.
//
//	catalog := dynamo.NewCatalog(client, "catalog", sealer)
//	ledger := dynamo.NewLedger(client, "ledger", nil)
//
// Both tables have the keys [PartitionKey] and [SortKey]. Both keys are strings.
//
// # Catalog
//
// A catalog is replaced as a whole or not at all, however large it is. No transaction of DynamoDB
// could do that. So each replacement is written as a generation of its own. One small item, the
// pointer, names the generation that is in force:
//
//	pk           sk                          attributes
//	catalog      pointer                     generation, revision (how often it was replaced), learned (how often a secret was learned)
//	catalog      listening                   doc, revision: until when somebody may be listening to events
//	catalog      rates                       doc, revision: the rates of the tenant
//	generations  <generation>                created_at, retired_at (Unix seconds)
//	<generation> source#<name>               doc, sealed
//	<generation> endpoint#<name>             doc, sealed
//	<generation> subscriptions#<source>#<n>  doc: a hundred subscriptions, in the operator's order
//	<generation> names#source#<n>            doc: 4,000 names, and whether there are more
//	<generation> names#endpoint#<n>          the same
//	learned      <source>                    learn_until (Unix milliseconds): until then a handshake may bring the secret
//	learned      <source>                    generation, sealed, write: the secret that a handshake brought, in that generation
//
// A replacement first registers its generation, then writes the generation's items, and moves the
// pointer last. The move has a condition: the revision must still be the one that the replacement
// is based on. Until the move, readers see nothing of the new generation. Of two concurrent
// replacements one gets catalog.ErrConflict.
//
// A replaced generation stays readable for at least two hours. The first replacement that finds a
// generation out of force, and begun more than an hour ago, sets its retired_at. A replacement that
// comes two hours later deletes it. Generations that were never finished are deleted in the same
// way.
//
// A generation never changes. Readers poll the pointer. While the pointer stays the same, they read
// each item only once. All reads are consistent and take one call each. doc is versioned JSON.
// sealed holds what nobody may read: secrets, auth, and static headers, which often contain tokens.
// It is sealed under the name "source/<name>" or "endpoint/<name>".
//
// A window for a handshake is an item outside the generations, so a replacement does not end it.
// The learned secret overwrites the window's item, so the same write stores the secret and closes
// the window. The secret is valid in its generation only, and the pointer counts it. The catalog's
// revision is the sum of both counts. So a replacement based on a catalog from before the secret
// was learned gets catalog.ErrConflict, whichever of the two writes first.
//
// # Ledger
//
//	pk                          sk                    attributes
//	<event id>                  event                 doc and body, or packed; endpoints or parts, added, expires_at, mark, events_pk, events_sk, listed
//	<event id>                  endpoints#<hash>#<n>  endpoints, expires_at: a part of a list that is too long for the event's item
//	<event id>                  sent                  sent, expires_at, mark: to how many endpoints deliveries have been sent, where that takes several invocations
//	delivery#<endpoint>#<shard> <time>#<event id>     doc or packed, attempts, status, due, expires_at, mark, open_pk; time is when the webhook was accepted
//	endpoint#<name>             state                 doc, revision, expires_at, mark, troubled_pk, troubled_sk: only of endpoints that have failed
//	quota#<name>                line                  ends (Unix microseconds), expires_at: until when an endpoint's rate limit is reserved
//	failure#<id>                count                 failures, expires_at: how often the handling of a queue's message has failed
//	slot#<name>#<n>             claim                 holder, held_until (Unix milliseconds), expires_at: one of the attempts that an endpoint with a
//	                                                  concurrency limit may have in flight; without holder it is free
//	hours                       <hour>                expires_at: the hour has events
//	sweep                       cursor                doc: how far the sweeper has read the events
//
// # Documents
//
// Either table also holds small documents ([Documents]) of the relay's own bookkeeping:
//
//	doc/<collection> <key>  body, version (how often it was written), write; expires_at if it expires
//
// # Formats
//
// doc is in the core's own versioned format. packed holds doc and body, compressed together, with
// the length of doc in front. It replaces them where it is smaller. endpoints are names, separated
// by commas; added are those that were added later. due is in Unix milliseconds. listed is binary:
// see appendKeys. expires_at is the table's time-to-live attribute. DynamoDB deletes expired items
// days late, so every condition and every reader compares it. mark is random for each write. If the
// answer to a conditional write is lost and the write is repeated, the repeat recognises its own
// work by it.
//
// An endpoint's deliveries can be listed without an index, in the order in which their webhooks
// were accepted. An index would cost another write for each delivery. A partition takes 1,000
// writes a second, so they are spread over 8 shards by a hash of the event's id.
//
// The table has three indexes. They project keys, events also listed, and open also due: listings
// read the items themselves, and so show the present state. An index that cannot keep up throttles
// the table. So keys that grow with the traffic are spread over shards:
//
//	events    events_pk = <hour>#<shard>, events_sk = <time>#<mark>. 8 shards. Events that are recorded together share an entry, which their
//	          first event has: up to 20 whose webhooks were accepted within a minute of one hour. time is that of the newest. listed has
//	          their ids, tenants, sources, types and times. Each of their items has the entry's mark. An event that was on record before
//	          has another mark: it belongs to another entry
//	open      open_pk = <endpoint>#<status>#<shard>, sk. 8 shards. Only waiting and dead deliveries have this key: these are few
//	troubled  troubled_pk = troubled#<shard>, troubled_sk = endpoint. 4 shards. Only states that are not healthy have these keys. So the
//	          endpoints whose deliveries are held can be found without reading every endpoint
//
// Recording an event takes one PutItem, and so does recording an attempt. Only if its condition
// fails, another call follows. An item holds at most 400 KB ([ErrTooLarge]). A list of endpoints
// longer than 64 KB is written in parts before its event, so a list of up to relay.MaxEndpoints
// fits.
package dynamo
