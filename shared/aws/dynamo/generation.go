package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// items returns the items of a generation. It calls the sealer once for each source and endpoint
// with secrets.
func (t *tenantCatalog) items(
	ctx context.Context, generation string, next catalog.Catalog,
) ([]item, error) {
	sources, endpoints := len(next.Sources), len(next.Endpoints)
	items := make([]item, sources+endpoints)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealerCalls)
	for i, s := range next.Sources {
		g.Go(func() (err error) { items[i], err = t.sourceItem(ctx, generation, s); return err })
	}
	for i, e := range next.Endpoints {
		g.Go(func() (err error) {
			items[sources+i], err = t.endpointItem(ctx, generation, e)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	items = append(items, subscriptionItems(generation, next.Subscriptions)...)
	items = append(items, listItems(generation, next)...)
	for _, it := range items {
		if err := checkSize(it); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (t *tenantCatalog) sourceItem(
	ctx context.Context, generation string, s catalog.Source,
) (item, error) {
	plain := s.Verify
	plain.Settings = nil // sealed
	doc := sourceDoc{
		Version: docVersion, Verify: encode(plain), Tenant: s.Tenant, Validation: s.Validation,
		ExpectNs: s.Expect,
	}
	packed := packedTypes(s.Types)
	if packed == nil {
		doc.Types = s.Types
	}
	it := docItem(generation, sourceKind+"#"+s.Name, doc)
	if packed != nil {
		it[typesAttribute] = bytesOf(packed)
	}
	stamp(it, s.ManagedBy, s.Changed)
	secret := sealedDoc{Secrets: s.Secrets, Settings: s.Verify.Settings}
	return it, t.seal(ctx, it, sourceKind, s.Name, secret)
}

// packedTypes returns types compressed; nil: they are few, or not smaller then.
func packedTypes(all []catalog.EventType) []byte {
	plain := encode(all)
	if len(plain) < 4<<10 {
		return nil
	}
	return format.Deflate(plain)
}

func (t *tenantCatalog) endpointItem(
	ctx context.Context, generation string, e catalog.Endpoint,
) (item, error) {
	doc, secret := endpointDocs(e)
	it := docItem(generation, endpointKind+"#"+e.Name, doc)
	stamp(it, e.ManagedBy, e.Changed)
	return it, t.seal(ctx, it, endpointKind, e.Name, secret)
}

// seal adds the sealed part to an item, if there is anything to seal.
func (t *tenantCatalog) seal(
	ctx context.Context, it item, kind, name string, secret sealedDoc,
) error {
	plain := encode(secret)
	if string(plain) == "{}" {
		return nil
	}
	sealed, err := t.all.sealer.Seal(ctx, kind+"/"+catalog.Qualify(t.tenant, name), plain)
	if err != nil {
		return err
	}
	it[sealedAttribute] = bytesOf(sealed)
	return nil
}

func docItem(generation, sort string, doc any) item {
	it := key(generation, sort)
	it[docAttribute] = text(string(encode(doc)))
	return it
}

// stamp notes in an item who manages the resource, and when it was changed.
func stamp(it item, by catalog.Manager, changed catalog.Stamp) {
	if by != "" {
		it[managedAttribute] = text(string(by))
	}
	it[changedRevision], it[changedAtAttribute] = number(changed.Revision),
		number(changed.At.Unix())
}

func stampOf(it item) (by catalog.Manager, changed catalog.Stamp) {
	by = catalog.Manager(textOf(it, managedAttribute))
	if at := numberOf(it, changedAtAttribute); at > 0 {
		changed.Revision, changed.At = numberOf(it, changedRevision), time.Unix(at, 0).UTC()
	}
	return by, changed
}

// listItems returns the items with the lists of a catalog's names and ordered endpoints.
func listItems(generation string, next catalog.Catalog) (items []item) {
	names, orders := map[string][]string{}, map[int]map[string]string{}
	for _, s := range next.Sources {
		sort := nameListSort(sourceKind, shardOfName(s.Name))
		names[sort] = append(names[sort], s.Name)
	}
	for _, e := range next.Endpoints {
		shard := shardOfName(e.Name)
		sort := nameListSort(endpointKind, shard)
		names[sort] = append(names[sort], e.Name)
		if e.Order.On {
			if orders[shard] == nil {
				orders[shard] = map[string]string{}
			}
			orders[shard][e.Name] = e.Order.Key
		}
	}
	for sort, all := range names {
		items = append(items, namesItem(generation, sort, all))
	}
	for shard, all := range orders {
		items = append(items, ordersItem(generation, shard, all))
	}
	return items
}

func shardOfName(name string) int { return catalog.ShardOf(name, catalog.NameShards) }

func namesItem(generation, sort string, names []string) item {
	slices.Sort(names)
	return docItem(generation, sort, namesDoc{Version: docVersion, Names: names})
}

func ordersItem(generation string, shard int, orders map[string]string) item {
	return docItem(
		generation, shardSort(ordersKind, shard), ordersDoc{Version: docVersion, Orders: orders},
	)
}

// subscriptionItems returns the items of subscriptions: each by its name, each by its endpoint, and
// all in parts by source.
func subscriptionItems(generation string, subs []catalog.Subscription) (items []item) {
	bySource := map[string][]catalog.Subscription{}
	for _, s := range subs {
		bySource[s.Source] = append(bySource[s.Source], s)
		items = append(items, key(generation, userSort(s.Endpoint, s.Name)))
	}
	for source, all := range bySource {
		for n, part := range parts(all) {
			items = append(items, routesItem(generation, source, n, part))
			for _, s := range part {
				items = append(items, namedItem(generation, s, n))
			}
		}
	}
	return items
}

func userSort(endpoint, subscription string) string {
	return userKind + "#" + endpoint + "#" + subscription
}

func routesSort(source string, part int) string {
	return fmt.Sprintf("%s#%s#%06d", routesKind, source, part)
}

func routesItem(
	generation, source string, part int, subs []catalog.Subscription,
) item {
	doc := routesDoc{Version: docVersion}
	for _, s := range subs {
		doc.Subscriptions = append(doc.Subscriptions, toSubscriptionDoc(s))
	}
	return docItem(generation, routesSort(source, part), doc)
}

func namedItem(generation string, s catalog.Subscription, part int) item {
	it := docItem(generation, subscriptionKind+"#"+s.Name, namedDoc{
		Version: docVersion, Source: s.Source, Part: part, subscriptionDoc: toSubscriptionDoc(s),
	})
	stamp(it, s.ManagedBy, s.Changed)
	return it
}

// parts divides the subscriptions to a source into items.
func parts(subs []catalog.Subscription) [][]catalog.Subscription {
	var out [][]catalog.Subscription
	var part []catalog.Subscription
	size := 0
	for _, s := range subs {
		n := sizeOf(s)
		if len(part) > 0 && !fits(len(part), size, n) {
			out, part, size = append(out, part), nil, 0
		}
		part, size = append(part, s), size+n
	}
	return append(out, part)
}

// sizeOf returns the bytes of a subscription in a part.
func sizeOf(s catalog.Subscription) int { return len(encode(toSubscriptionDoc(s))) }

// fits tells whether a part that has so many subscriptions, of a size, has room for more bytes.
func fits(count, size, more int) bool {
	return count < subscriptionsPerItem && size+more <= subscriptionBytesPerItem
}

// encode cannot fail: every document consists of plain values.
func encode(doc any) []byte {
	b, _ := json.Marshal(doc)
	return b
}
