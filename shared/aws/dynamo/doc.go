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
//	catalog      pointer                     generation, revision (how often it was replaced), learned (how often a secret was learned)
//	generations  <generation>                created_at, retired_at (Unix seconds)
//	<generation> source#<name>               doc, sealed
//	<generation> endpoint#<name>             doc, sealed
//	<generation> subscriptions#<source>#<n>  doc: a hundred subscriptions, in the operator's order
//	<generation> names#source#<n>            doc: 4,000 names, and whether there are more
//	<generation> names#endpoint#<n>          the same
//	learned      <source>                    learn_until (Unix milliseconds): a handshake may bring its secret until then
//	learned      <source>                    generation, sealed, write: the secret that a handshake brought, in that generation
//
// A replacement registers its generation, writes its items, and last moves the pointer, on the condition that the revision is still
// the one it was made from. Until then nothing of it is seen; of two at a time one gets relay.ErrConflict. A replaced generation stays for two
// hours at least: the first replacement that finds it out of force marks it (retired_at), and one that comes two hours later deletes it. So does it
// with what was never finished, once that is an hour old.
//
// A generation never changes. Readers ask for the pointer from time to time, and for an item once as long as the pointer stays where it is. All reads
// are consistent, and one call each. doc is versioned JSON. sealed holds what must not be read (secrets, auth, and static headers, which often carry
// tokens), sealed under "source/<name>" or "endpoint/<name>".
//
// A window for a handshake is an item beside the generations, and outlives them. The secret that is learned takes its place,
// so that it closes with the same write. The secret holds in its generation alone, and is counted in the pointer. The revision is the sum of both counts, so that a
// replacement which was made before the secret was learned gets relay.ErrConflict, whichever of the two writes first.
//
// # Ledger
//
//	pk               sk                   attributes
//	<event id>       event                doc and body, or packed; endpoints or parts, expires_at, write, events_pk, events_sk
//	<event id>       endpoints#<hash>#<n> endpoints, expires_at: a part of a list that is too long for the event's item
//	<event id>       sent                 sent, expires_at, write: to how many endpoints deliveries have been sent, where that takes several invocations
//	<event id>       delivery#<endpoint>  doc or packed, attempts, status, expires_at, write, open_pk, open_sk
//	endpoint#<name>  state                doc, revision, expires_at, write, troubled_pk, troubled_sk: only of endpoints that have failed
//	quota#<name>     line                 ends (Unix microseconds), expires_at: how far ahead the places of an endpoint's rate limit are taken
//	failure#<id>     count                failures, expires_at: how often the handling of a queue's message has failed
//	slot#<name>#<n>  claim                holder, held_until (Unix milliseconds), expires_at: one of the attempts that an endpoint with a
//	                                      concurrency limit may have under way; without holder it is free
//	sweep            cursor               doc: how far the sweeper has looked at the events
//
// doc is the core's own versioned form. packed is doc and body compressed together, with the length of doc in front; it takes their place where it is smaller. endpoints are names, separated by commas. expires_at is the table's time-to-live attribute; DynamoDB deletes days late, so
// every condition and every reader compares it. write is random for each call: a conditional write whose answer
// was lost and that is tried again then recognises its own work, and does not take it for somebody else's.
//
// Three indexes, of keys only (listings read the items themselves, so that they show the present state). A partition takes 1,000 writes a second, and
// an index that cannot keep up throttles the table. So what grows with the traffic is spread over shards, by a hash of the id:
//
//	events    events_pk = <source>#<hour>#<shard>, events_sk = time received and id. 8 shards
//	open      open_pk = <endpoint>#<status>#<shard>, open_sk = due time, or time of death, and event id. 8 shards. Only deliveries that wait or are
//	          dead have them: to list delivered ones too, newest first, would be the same keys, and one write more for each delivery
//	troubled  troubled_pk = troubled#<shard>, troubled_sk = endpoint. 4 shards. Only states that are not well have them: what keeps deliveries
//	          to an endpoint back is found without a look at each endpoint
//
// An event's record is one PutItem, a delivery's attempt is one PutItem; only when its condition fails another call follows. An
// item has at most 400 KB ([ErrTooLarge]). A list of endpoints of more than 64 KB is written in parts before its event, so that one to relay.MaxEndpoints fits.
package dynamo
