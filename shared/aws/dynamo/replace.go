package dynamo

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
)

// The catalog's partitions that are not generations.
const (
	catalogPartition     = "catalog"
	pointerSort          = "pointer"
	generationsPartition = "generations"
	// windows and secrets of handshakes, by source; a partition of its own, because receive may
	// write to no other
	learnedPartition = "learned"
)

// A generation that is not in force may still be being written until abandonedAfter. Its writer
// gives up well before (giveUpAfter). A replaced generation is read by those who have not polled
// the pointer since, for at most an hour. catalog.Generations promises two hours (keptAfter).
const (
	abandonedAfter = time.Hour
	giveUpAfter    = abandonedAfter / 2
	keptAfter      = 2 * time.Hour
)

// ErrTooSlow means that writing the catalog took longer than half an hour by the wall clock. The
// old catalog stays in force.
var ErrTooSlow = errors.New("dynamo: catalog took too long to write")

// The largest number of writes in a call of BatchWriteItem, and the number of concurrent calls.
const (
	batchWrites    = 25
	batchesAtATime = 4
)

// pointer names the generation in force. The zero pointer stands for the empty catalog of a new
// store.
type pointer struct {
	generation string
	revision   int64 // how often the catalog was replaced
	// how often a source has learned a secret; counted so that a replacement cannot undo that
	// unknowingly
	learned int64
}

// current returns the revision that callers see. It grows with each change. Both counts only grow,
// so no two states have the same sum.
func (p pointer) current() int64 { return p.revision + p.learned }

func (c *Catalog) pointer(ctx context.Context) (pointer, error) {
	it, err := c.get(ctx, catalogPartition, pointerSort)
	if err != nil {
		return pointer{}, fmt.Errorf("dynamo: catalog: %w", err)
	}
	return pointer{
		generation: textOf(it, generationAttribute), revision: numberOf(it, revisionAttribute),
		learned: numberOf(it, learnedAttribute),
	}, nil
}

// ReplaceCatalog implements catalog.Store. It can also return ErrTooLarge and ErrTooSlow. If it is
// interrupted or returns an error, the old catalog stays in force. The one exception is an error of
// the very last call, which may hide that the call succeeded.
func (c *Catalog) ReplaceCatalog(ctx context.Context, next catalog.Catalog, base int64) error {
	p, err := c.pointer(ctx)
	if err != nil {
		return err
	}
	if p.current() != base {
		return fmt.Errorf(
			"dynamo: the catalog has revision %d, not %d: %w", p.current(), base, catalog.ErrConflict,
		)
	}
	if err := c.sweep(ctx, p); err != nil {
		return fmt.Errorf("dynamo: delete old catalogs: %w", err)
	}
	begun := time.Now().Round(0) // the wall clock, because it also counts while the machine sleeps
	generation := rand.Text()
	if err := c.write(ctx, generation, begun, next); err != nil {
		return fmt.Errorf("dynamo: write catalog: %w", err)
	}
	if took := time.Now().Round(0).Sub(begun); took > giveUpAfter {
		return fmt.Errorf("%w: %v, at most %v", ErrTooSlow, took, giveUpAfter)
	}
	return c.move(
		ctx, pointer{generation: generation, revision: p.revision + 1, learned: p.learned},
	)
}

// sweep deletes the generations that no reader or writer can still use. The first replacement that
// finds a generation out of force, and begun more than abandonedAfter ago, marks it. The first
// replacement that comes keptAfter later deletes it.
func (c *Catalog) sweep(ctx context.Context, p pointer) error {
	var retired, old []item
	err := c.eachOf(ctx, generationsPartition, "", func(it item) error {
		switch at := numberOf(it, retiredAttribute); {
		case textOf(it, SortKey) == p.generation:
		case at > 0 && since(at) > keptAfter:
			old = append(old, it)
		case at == 0 && since(numberOf(it, createdAttribute)) > abandonedAfter:
			retired = append(retired, it)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, it := range retired {
		it[retiredAttribute] = number(time.Now().Unix())
		if _, err := c.client.PutItem(
			ctx, &dynamodb.PutItemInput{TableName: &c.name, Item: it},
		); err != nil {
			return err
		}
	}
	for _, it := range old {
		if err := c.drop(ctx, textOf(it, SortKey)); err != nil {
			return err
		}
	}
	return nil
}

// since returns the time that has passed since a Unix time in seconds.
func since(seconds int64) time.Duration { return time.Since(time.Unix(seconds, 0)) }

// drop deletes a generation's items, and its entry in the register last, so an interrupted deletion
// is continued later.
func (c *Catalog) drop(ctx context.Context, generation string) error {
	var deletes []types.WriteRequest
	remove := func(k item) {
		deletes = append(deletes, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: k}})
	}
	err := c.eachOf(ctx, generation, "", func(it item) error {
		remove(key(generation, textOf(it, SortKey)))
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.dropLearned(ctx, generation); err != nil {
		return err
	}
	if err := c.bulk(ctx, deletes); err != nil {
		return err
	}
	deletes = nil
	remove(key(generationsPartition, generation))
	return c.bulk(ctx, deletes)
}

// dropLearned deletes the secrets that were learned in a generation. A window that was opened since
// then stays.
func (c *Catalog) dropLearned(ctx context.Context, generation string) error {
	return c.eachOf(ctx, learnedPartition, "", func(it item) error {
		if textOf(it, generationAttribute) != generation {
			return nil
		}
		_, err := c.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &c.name, Key: key(learnedPartition, textOf(it, SortKey)),
			ConditionExpression:       aws.String("generation = :generation"),
			ExpressionAttributeValues: item{":generation": text(generation)},
		})
		if conditionFailed(err) {
			return nil
		}
		return err
	})
}

// write writes next as a generation. It first writes the entry in the register, so no items are
// ever left that nobody knows of.
func (c *Catalog) write(
	ctx context.Context, generation string, begun time.Time, next catalog.Catalog,
) error {
	items, err := c.items(ctx, generation, next)
	if err != nil {
		return err
	}
	entry := key(generationsPartition, generation)
	entry[createdAttribute] = number(begun.Unix())
	if _, err := c.client.PutItem(
		ctx, &dynamodb.PutItemInput{TableName: &c.name, Item: entry},
	); err != nil {
		return err
	}
	puts := make([]types.WriteRequest, len(items))
	for i, it := range items {
		puts[i].PutRequest = &types.PutRequest{Item: it}
	}
	return c.bulk(ctx, puts)
}

// move points to a generation, if the catalog's revision is still the one before.
func (c *Catalog) move(ctx context.Context, to pointer) error {
	it := key(catalogPartition, pointerSort)
	it[generationAttribute], it[revisionAttribute], it[learnedAttribute] = text(to.generation),
		number(to.revision), number(to.learned)
	in := &dynamodb.PutItemInput{
		TableName: &c.name, Item: it, ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}
	if to.revision > 1 {
		in.ConditionExpression = aws.String("revision = :base AND learned = :learned")
		in.ExpressionAttributeValues = item{
			":base": number(to.revision - 1), ":learned": number(to.learned),
		}
	}
	_, err := c.client.PutItem(ctx, in)
	if conditionFailed(err) {
		now, lookErr := c.pointer(ctx)
		if lookErr != nil {
			return lookErr
		}
		if now.generation == to.generation { // the first try succeeded, but its answer was lost
			return nil
		}
		return fmt.Errorf(
			"dynamo: the catalog now has revision %d, not %d: %w", now.current(), to.current()-1,
			catalog.ErrConflict,
		)
	}
	if err != nil {
		return fmt.Errorf("dynamo: catalog: %w", err)
	}
	return nil
}

// items returns the items of a generation. It calls the sealer once for each source and endpoint
// with secrets.
func (c *Catalog) items(
	ctx context.Context, generation string, next catalog.Catalog,
) ([]item, error) {
	sources, endpoints := len(next.Sources), len(next.Endpoints)
	items := make([]item, sources+endpoints)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealerCalls)
	for i, s := range next.Sources {
		g.Go(func() (err error) {
			plain := s.Verify
			plain.Settings = nil // sealed
			doc := sourceDoc{
				Version: docVersion, Verify: encode(plain), OrderKey: orderKey(s.Order),
			}
			items[i], err = c.item(
				ctx, generation, sourceKind, s.Name, doc,
				sealedDoc{Secrets: s.Secrets, Settings: s.Verify.Settings},
			)
			return err
		})
	}
	for i, e := range next.Endpoints {
		g.Go(func() (err error) {
			doc, secret := endpointDocs(e)
			items[sources+i], err = c.item(ctx, generation, endpointKind, e.Name, doc, secret)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	items = append(items, subscriptionItems(generation, next.Subscriptions)...)
	items = append(items, nameItems(generation, next)...)
	for _, it := range items {
		if err := checkSize(it); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (c *Catalog) item(
	ctx context.Context, generation, kind, name string, doc any, secret sealedDoc,
) (item, error) {
	it := key(generation, kind+"#"+name)
	it[docAttribute] = text(string(encode(doc)))
	plain := encode(secret)
	if string(plain) == "{}" {
		return it, nil
	}
	sealed, err := c.sealer.Seal(ctx, kind+"/"+name, plain)
	if err != nil {
		return nil, err
	}
	it[sealedAttribute] = bytesOf(sealed)
	return it, nil
}

// nameItems returns the items with the lists of a catalog's names.
func nameItems(generation string, next catalog.Catalog) (items []item) {
	names := map[string][]string{}
	for _, s := range next.Sources {
		names[sourceKind] = append(names[sourceKind], s.Name)
	}
	for _, e := range next.Endpoints {
		names[endpointKind] = append(names[endpointKind], e.Name)
	}
	for kind, all := range names {
		slices.Sort(all)
		for n := 0; len(all) > 0; n++ {
			doc := namesDoc{
				Version: docVersion, Names: all[:min(len(all), namesPerItem)],
				More: len(all) > namesPerItem,
			}
			all = all[len(doc.Names):]
			it := key(generation, nameListSort(kind, n))
			it[docAttribute] = text(string(encode(doc)))
			items = append(items, it)
		}
	}
	return items
}

func subscriptionItems(generation string, subs []catalog.Subscription) []item {
	bySource := map[string][]subscriptionDoc{}
	for _, s := range subs {
		bySource[s.Source] = append(
			bySource[s.Source],
			subscriptionDoc{
				Endpoint: s.Endpoint, Types: s.Types, Filter: s.Filter, OrderKey: orderKey(s.Order),
			},
		)
	}
	var items []item
	for source, docs := range bySource {
		for n, part := range parts(docs) {
			it := key(generation, fmt.Sprintf("%s#%s#%06d", subscriptionKind, source, n))
			it[docAttribute] = text(string(encode(subscriptionsDoc{
				Version: docVersion, Subscriptions: part,
			})))
			items = append(items, it)
		}
	}
	return items
}

// parts divides a source's subscriptions into items.
func parts(docs []subscriptionDoc) [][]subscriptionDoc {
	var out [][]subscriptionDoc
	var part []subscriptionDoc
	size := 0
	for _, doc := range docs {
		n := len(encode(doc))
		if len(part) == subscriptionsPerItem || size+n > subscriptionBytesPerItem && size > 0 {
			out, part, size = append(out, part), nil, 0
		}
		part, size = append(part, doc), size+n
	}
	return append(out, part)
}

// encode cannot fail: every document consists of plain values.
func encode(doc any) []byte {
	b, _ := json.Marshal(doc)
	return b
}

// bulk executes writes in any order. It repeats those that DynamoDB returns as unprocessed.
func (c *Catalog) bulk(ctx context.Context, writes []types.WriteRequest) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(batchesAtATime)
	for batch := range slices.Chunk(writes, batchWrites) {
		g.Go(func() error { return c.writeBatch(ctx, batch) })
	}
	return g.Wait()
}

func (c *Catalog) writeBatch(ctx context.Context, batch []types.WriteRequest) error {
	for try := 0; len(batch) > 0; try++ {
		if try > 0 {
			if err := again(ctx, try); err != nil {
				return err
			}
		}
		out, err := c.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
			RequestItems: map[string][]types.WriteRequest{c.name: batch}})
		if err != nil {
			return err
		}
		batch = out.UnprocessedItems[c.name]
	}
	return nil
}
