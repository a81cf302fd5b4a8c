package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// editTries is how often an edit is tried while others change the same catalog.
const editTries = 6

// Resource implements catalog.Editor.
func (t *tenantCatalog) Resource(
	ctx context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	p, err := t.pointer(ctx)
	if err != nil {
		return catalog.Resource{}, err
	}
	it, err := t.all.find(ctx, catalog.Generation(p.generation), string(kind), name)
	if err != nil {
		return catalog.Resource{}, err
	}
	switch kind {
	case catalog.KindSource:
		s, err := t.all.readSource(ctx, t.tenant, it)
		return catalog.SourceResource(s), err
	case catalog.KindEndpoint:
		e, err := t.all.readEndpoint(ctx, t.tenant, it)
		return catalog.EndpointResource(e), err
	default:
		return plainResource(it)
	}
}

// plainResource reads what is not sealed of a resource.
func plainResource(it item) (catalog.Resource, error) {
	switch kind, _ := kindAndName(it); catalog.Kind(kind) {
	case catalog.KindSource:
		s, err := plainSource(it)
		return catalog.SourceResource(s), err
	case catalog.KindEndpoint:
		e, err := plainEndpoint(it)
		return catalog.EndpointResource(e), err
	default:
		s, _, err := namedSubscription(it)
		return catalog.SubscriptionResource(s), err
	}
}

// Resources implements catalog.Editor.
func (t *tenantCatalog) Resources(
	ctx context.Context, kind catalog.Kind, after string, limit int,
) (found []catalog.Resource, next string, err error) {
	p, err := t.pointer(ctx)
	if err != nil || p.generation == "" {
		return nil, "", err
	}
	prefix := string(kind) + "#"
	in := request{
		KeyCondition: "pk = :partition AND sk BETWEEN :from AND :to",
		Values: item{
			":partition": text(p.generation), ":from": text(prefix + after),
			":to": text(prefix + "~"), // sorts after every name
		},
		Consistent: true,
		Limit:      limit + 2,
	}
	for it, err := range t.all.matching(ctx, in) {
		if err != nil {
			return nil, "", fmt.Errorf("dynamo: list of %ss: %w", kind, err)
		}
		switch _, name := kindAndName(it); {
		case name == after:
			continue
		case len(found) == limit:
			return found, found[limit-1].Name, nil
		}
		r, err := plainResource(it)
		if err != nil {
			return nil, "", err
		}
		found = append(found, r.WithoutSecrets())
	}
	return found, "", nil
}

// Users implements catalog.Editor.
func (t *tenantCatalog) Users(
	ctx context.Context, kind catalog.Kind, name string,
) ([]string, error) {
	p, err := t.pointer(ctx)
	if err != nil {
		return nil, err
	}
	return t.users(ctx, p, kind, name)
}

func (t *tenantCatalog) users(
	ctx context.Context, p pointer, kind catalog.Kind, name string,
) (users []string, err error) {
	g := catalog.Generation(p.generation)
	switch kind {
	case catalog.KindSource:
		err = t.all.each(ctx, g, routesKind+"#"+name+"#", func(it item) error {
			doc, err := routesIn(it)
			for _, s := range doc.Subscriptions {
				users = append(users, s.Name)
			}
			return err
		})
	case catalog.KindEndpoint:
		prefix := userSort(name, "")
		err = t.all.each(ctx, g, prefix, func(it item) error {
			users = append(users, strings.TrimPrefix(textOf(it, SortKey), prefix))
			return nil
		})
	case catalog.KindSubscription: // nothing names them
	}
	if err != nil {
		return nil, fmt.Errorf("dynamo: subscriptions of %s %s: %w", kind, name, err)
	}
	slices.Sort(users)
	return users, nil
}

// errMoved means that the catalog changed after an edit had read it.
var errMoved = errors.New("the catalog has changed meanwhile")

// Edit implements catalog.Editor. It reads the pointer, then what the change depends on, and writes
// everything in one transaction on the condition that the pointer is still the same. So all changes
// of a tenant's catalog are made one after the other.
func (t *tenantCatalog) Edit(ctx context.Context, e catalog.Edit) (int64, error) {
	kind, name := e.Subject()
	for range editTries {
		revision, err := t.edit(ctx, e)
		if !errors.Is(err, errMoved) {
			if err != nil {
				err = fmt.Errorf("dynamo: %w", err)
			}
			return revision, err
		}
	}
	return 0, fmt.Errorf(
		"dynamo: %s %s: others changed the catalog %d times: %w", kind, name, editTries,
		catalog.ErrConflict,
	)
}

func (t *tenantCatalog) edit(ctx context.Context, e catalog.Edit) (int64, error) {
	p, err := t.pointer(ctx)
	if err != nil {
		return 0, err
	}
	if err := t.register(ctx, p); err != nil {
		return 0, err
	}
	c := &change{tenantCatalog: t, edit: e, from: p, to: p}
	if p.generation == "" {
		c.to.generation = t.newGeneration()
		c.put(t.entry(c.to.generation, time.Now()))
	}
	if err := c.readBefore(ctx); err != nil {
		return 0, err
	}
	if err := c.check(ctx); err != nil {
		return 0, err
	}
	state := p.state().After(e.Changes(c.before))
	c.to.revision, c.to.changes = state.Revision, state.Changes
	if err := c.collect(ctx); err != nil {
		return 0, err
	}
	return c.to.current(), c.commit(ctx)
}

// change collects the writes of an edit.
type change struct {
	*tenantCatalog
	edit     catalog.Edit
	from, to pointer
	before   *catalog.Resource // nil: there is none
	part     int               // of the subscription before
	writes   []write
}

func (c *change) put(it item) {
	c.writes = append(c.writes, write{Put: &request{Item: it}})
}

func (c *change) remove(partition, sort string) {
	c.writes = append(c.writes, write{Delete: &request{Key: key(partition, sort)}})
}

// get returns an item of the generation before, or nil.
func (c *change) get(ctx context.Context, sort string) (item, error) {
	if c.from.generation == "" {
		return nil, nil //nolint:nilnil // as from the table
	}
	return c.all.get(ctx, c.from.generation, sort)
}

// readBefore reads the resource as it is, without its secrets.
func (c *change) readBefore(ctx context.Context) error {
	kind, name := c.edit.Subject()
	it, err := c.get(ctx, string(kind)+"#"+name)
	if err != nil || it == nil {
		return err
	}
	before, err := plainResource(it)
	if err != nil {
		return err
	}
	c.before = &before
	if kind == catalog.KindSubscription {
		_, c.part, err = namedSubscription(it)
	}
	return err
}

// check returns why the edit may not be made.
func (c *change) check(ctx context.Context) error {
	if err := c.edit.Check(c.before); err != nil {
		return err
	}
	if c.edit.Put == nil {
		kind, name := c.edit.Subject()
		users, err := c.users(ctx, c.from, kind, name)
		if err != nil {
			return err
		}
		return catalog.InUse(kind, name, users)
	}
	s := c.edit.Put.Subscription
	if s == nil {
		return nil
	}
	if it, err := c.get(ctx, endpointKind+"#"+s.Endpoint); err != nil || it == nil {
		return cmpErr(err, fmt.Errorf("endpoint %s: %w", s.Endpoint, catalog.ErrNotFound))
	}
	return catalog.CheckSource(c.tenant, s.Source, func(name string) (catalog.Source, error) {
		return c.all.lookUp(ctx, name)
	})
}

// cmpErr returns the first error that is not nil.
func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// lookUp returns the current source of a qualified name, without its secrets.
func (c *Catalog) lookUp(ctx context.Context, name string) (catalog.Source, error) {
	tenant, _ := catalog.SplitName(name)
	p, err := c.pointer(ctx, tenant)
	if err != nil {
		return catalog.Source{}, err
	}
	it, err := c.find(ctx, catalog.Generation(p.generation), sourceKind, name)
	if err != nil {
		return catalog.Source{}, err
	}
	return plainSource(it)
}

// collect collects the writes beside the pointer.
func (c *change) collect(ctx context.Context) error {
	kind, name := c.edit.Subject()
	var after catalog.Resource
	if c.edit.Put != nil {
		after = c.edit.Stamped(catalog.StampNow(c.to.current()))
	} else {
		c.remove(c.to.generation, string(kind)+"#"+name)
	}
	switch kind {
	case catalog.KindSource:
		return c.collectSource(ctx, name, after.Source)
	case catalog.KindEndpoint:
		return c.collectEndpoint(ctx, name, after.Endpoint)
	default:
		var before *catalog.Subscription
		if c.before != nil {
			before = c.before.Subscription
		}
		return c.collectSubscription(ctx, before, after.Subscription)
	}
}

// collectSource collects the writes of a source; nil: it is deleted. A secret that it has learned
// is deleted with it, or if it gets another.
func (c *change) collectSource(ctx context.Context, name string, after *catalog.Source) error {
	if c.edit.Forgets() {
		c.remove(c.partition(learnedPartition), name)
	}
	if after != nil {
		it, err := c.sourceItem(ctx, c.to.generation, *after)
		if err != nil {
			return err
		}
		c.put(it)
	}
	return c.collectName(ctx, sourceKind, name, after != nil)
}

// collectEndpoint collects the writes of an endpoint; nil: it is deleted.
func (c *change) collectEndpoint(
	ctx context.Context, name string, after *catalog.Endpoint,
) error {
	var was, is catalog.Order
	if c.before != nil {
		was = c.before.Endpoint.Order
	}
	if after != nil {
		it, err := c.endpointItem(ctx, c.to.generation, *after)
		if err != nil {
			return err
		}
		c.put(it)
		is = after.Order
	}
	if was != is {
		if err := c.collectOrder(ctx, name, is); err != nil {
			return err
		}
	}
	return c.collectName(ctx, endpointKind, name, after != nil)
}

// collectName adds a name to its list, or removes it.
func (c *change) collectName(ctx context.Context, kind, name string, there bool) error {
	if there == (c.before != nil) {
		return nil
	}
	sort := nameListSort(kind, shardOfName(name))
	var doc namesDoc
	if err := c.read(ctx, sort, &doc, &doc.Version); err != nil {
		return err
	}
	doc.Names = slices.DeleteFunc(doc.Names, func(n string) bool { return n == name })
	if there {
		doc.Names = append(doc.Names, name)
	}
	c.putOrRemove(len(doc.Names) > 0, namesItem(c.to.generation, sort, doc.Names))
	return nil
}

// collectOrder notes the order of an endpoint in its list.
func (c *change) collectOrder(ctx context.Context, name string, o catalog.Order) error {
	shard := shardOfName(name)
	doc := ordersDoc{Orders: map[string]string{}}
	if err := c.read(ctx, shardSort(ordersKind, shard), &doc, &doc.Version); err != nil {
		return err
	}
	before := len(doc.Orders)
	delete(doc.Orders, name)
	if o.On {
		doc.Orders[name] = o.Key
	}
	c.to.ordered += int64(len(doc.Orders) - before)
	c.putOrRemove(len(doc.Orders) > 0, ordersItem(c.to.generation, shard, doc.Orders))
	return nil
}

// read decodes an item of the generation before, if there is one.
func (c *change) read(ctx context.Context, sort string, doc any, version *int) error {
	it, err := c.get(ctx, sort)
	if err != nil || it == nil {
		return err
	}
	return decode(it, doc, version)
}

// putOrRemove puts a list's item, or removes it if the list is empty.
func (c *change) putOrRemove(filled bool, it item) {
	if filled {
		c.put(it)
		return
	}
	c.remove(textOf(it, PartitionKey), textOf(it, SortKey))
}

// collectSubscription collects the writes of a subscription, as it was and as it will be; nil:
// there is none.
func (c *change) collectSubscription(
	ctx context.Context, before, after *catalog.Subscription,
) error {
	if before != nil && (after == nil || after.Endpoint != before.Endpoint) {
		c.remove(c.to.generation, userSort(before.Endpoint, before.Name))
	}
	if after != nil && (before == nil || after.Endpoint != before.Endpoint) {
		c.put(key(c.to.generation, userSort(after.Endpoint, after.Name)))
	}
	stays := before != nil && after != nil && after.Source == before.Source
	if before != nil {
		var replacement *catalog.Subscription
		if stays {
			replacement = after
		}
		fitted, err := c.changePart(ctx, *before, replacement)
		if err != nil {
			return err
		}
		if stays && fitted {
			c.put(namedItem(c.to.generation, *after, c.part))
			return nil
		}
	}
	if after == nil {
		return nil
	}
	part, err := c.addToLastPart(ctx, before, *after)
	if err != nil {
		return err
	}
	c.put(namedItem(c.to.generation, *after, part))
	return nil
}

// changePart replaces a subscription in its part, or takes it out. It takes it out also if the
// replacement would make the part too large, and then returns false.
func (c *change) changePart(
	ctx context.Context, before catalog.Subscription, after *catalog.Subscription,
) (fitted bool, err error) {
	subs, size, err := c.readPart(ctx, before.Source, c.part)
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(subs, func(s catalog.Subscription) bool { return s.Name == before.Name })
	if at < 0 {
		return false, fmt.Errorf("subscription %s is not in part %d", before.Name, c.part)
	}
	size -= sizeOf(subs[at])
	if fitted = after != nil && fits(len(subs)-1, size, sizeOf(*after)); fitted {
		subs[at] = *after
	} else {
		subs = slices.Delete(subs, at, at+1)
	}
	c.putOrRemove(len(subs) > 0, routesItem(c.to.generation, before.Source, c.part, subs))
	return fitted, nil
}

// addToLastPart adds a subscription to the last part of its source, or to a new one, and returns
// the part's number. It does not add it to the part that changePart has just changed.
func (c *change) addToLastPart(
	ctx context.Context, before *catalog.Subscription, s catalog.Subscription,
) (part int, err error) {
	last, err := c.lastPart(ctx, s.Source)
	if err != nil {
		return 0, err
	}
	left := before != nil && before.Source == s.Source && last == c.part
	var subs []catalog.Subscription
	if last >= 0 && !left {
		var size int
		if subs, size, err = c.readPart(ctx, s.Source, last); err != nil {
			return 0, err
		}
		if !fits(len(subs), size, sizeOf(s)) {
			subs, last = nil, last+1
		}
	} else {
		last++
	}
	c.put(routesItem(c.to.generation, s.Source, last, append(subs, s)))
	return last, nil
}

// readPart returns the subscriptions of a part, and their size.
func (c *change) readPart(
	ctx context.Context, source string, part int,
) (subs []catalog.Subscription, size int, err error) {
	var doc routesDoc
	if err := c.read(ctx, routesSort(source, part), &doc, &doc.Version); err != nil {
		return nil, 0, err
	}
	for _, d := range doc.Subscriptions {
		s := d.subscription(source)
		subs, size = append(subs, s), size+sizeOf(s)
	}
	return subs, size, nil
}

// lastPart returns the number of the last part of a source; -1: there is none.
func (c *change) lastPart(ctx context.Context, source string) (int, error) {
	if c.from.generation == "" {
		return -1, nil
	}
	prefix := routesKind + "#" + source + "#"
	out, err := c.all.do(ctx, query, request{
		KeyCondition: "pk = :partition AND begins_with(sk, :prefix)",
		Values: item{
			":partition": text(c.from.generation), ":prefix": text(prefix),
		},
		Projection: SortKey, Consistent: true, Ascending: new(false), Limit: 1,
	})
	if err != nil || len(out.Items) == 0 {
		return -1, err
	}
	return strconv.Atoi(strings.TrimPrefix(textOf(out.Items[0], SortKey), prefix))
}

// commit writes everything, if the pointer is still the one that was read.
func (c *change) commit(ctx context.Context) error {
	condition, values := c.from.unchanged()
	c.writes = append(c.writes, write{Put: &request{
		Item: c.to.item(c.tenant), Condition: condition, Values: values,
	}})
	for _, w := range c.writes {
		if w.Put != nil {
			if err := checkSize(w.Put.Item); err != nil {
				return err
			}
		}
	}
	err := c.all.transact(ctx, c.writes)
	if conditionFailed(err) {
		return errMoved
	}
	return err
}
