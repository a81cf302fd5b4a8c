package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// The kinds of catalog items. A kind and a name make the sort key. For items with secrets a kind
// and a qualified name also make the name under which the secrets are sealed ("source/github").
const (
	sourceKind       = "source"
	endpointKind     = "endpoint"
	subscriptionKind = "subscription"  // one subscription, by name
	routesKind       = "subscriptions" // those to a source, by its name and a part's number
	userKind         = "user"          // by an endpoint's name and that of a subscription to it
	namesKind        = "names"         // by a kind and a shard's number
	ordersKind       = "orders"        // by a shard's number
)

// namesDoc is a shard of the list of a generation's sources or endpoints.
type namesDoc struct {
	Version int      `json:"v"`
	Names   []string `json:"names"`
}

// ordersDoc is a shard of the orders of a generation's ordered endpoints.
type ordersDoc struct {
	Version int               `json:"v"`
	Orders  map[string]string `json:"orders"` // the order's key, by the endpoint's plain name
}

// shardSort returns the sort key of a shard of a list.
func shardSort(list string, shard int) string { return fmt.Sprintf("%s#%03d", list, shard) }

// nameListSort returns the sort key of a shard of the names of a kind.
func nameListSort(kind string, shard int) string { return shardSort(namesKind+"#"+kind, shard) }

// The limits of an item of subscriptions. They keep the item far below DynamoDB's limit, and the
// fan-out's read small: a hundred subscriptions with a name and two types each have about 10 KB.
const (
	subscriptionsPerItem     = 100
	subscriptionBytesPerItem = 64 << 10
)

// docVersion is the version of the documents below. The formats of package relay carry versions of
// their own. One rule holds for both: within a version, only fields may be added that an older
// reader can safely ignore.
const docVersion = 1

type sourceDoc struct {
	Version int             `json:"v"`
	Verify  json.RawMessage `json:"verify"` // verify.Config

	Tenant     *catalog.TenantOf  `json:"tenant,omitempty"`
	Validation catalog.Validation `json:"validation,omitempty"`
	ExpectNs   time.Duration      `json:"expectNs,omitempty"`
	// where they are not compressed, in an attribute of their own
	Types []catalog.EventType `json:"types,omitempty"`
}

// maxTypesBytes limits the types of a source when they are decompressed. A configuration has less.
const maxTypesBytes = 1 << 20

type endpointDoc struct {
	Version   int           `json:"v"`
	URL       string        `json:"url"`
	TimeoutNs time.Duration `json:"timeoutNs,omitempty"`
	// null means the default schedule, empty means no retry
	Schedule  []time.Duration `json:"scheduleNs"`
	MaxAgeNs  time.Duration   `json:"maxAgeNs,omitempty"`
	Final     []string        `json:"final,omitempty"`
	RateLimit int             `json:"rateLimit,omitempty"`
	RatePerNs time.Duration   `json:"ratePerNs,omitempty"`

	Concurrency int `json:"concurrency,omitempty"`
	// of TLS, like Authorities; not sealed, because both are public and KMS seals 4 KiB at most
	Certificate string `json:"certificate,omitempty"`
	Authorities string `json:"authorities,omitempty"`

	SecretsMade bool              `json:"secretsMade,omitempty"`
	Prove       catalog.ProofKind `json:"prove,omitempty"`
	OrderKey    *string           `json:"orderKey,omitempty"`
	// by source; JSON in strings, so it is read back exactly as written
	Sends map[string]string `json:"sends,omitempty"`
	// null: URL is not an ARN
	Destination *destination.Options `json:"destination,omitempty"`
}

// routesDoc is a part of the subscriptions to a source.
type routesDoc struct {
	Version       int               `json:"v"`
	Subscriptions []subscriptionDoc `json:"subscriptions"`
}

type subscriptionDoc struct {
	Name     string   `json:"name"`
	Endpoint string   `json:"endpoint"`
	Types    []string `json:"types,omitempty"`
	// JSON in a string, so it is read back exactly as written
	Filter string `json:"filter,omitempty"`
}

// namedDoc is a subscription by its name. It also tells in which part it is.
type namedDoc struct {
	Version int    `json:"v"`
	Source  string `json:"source"`
	Part    int    `json:"part"`
	subscriptionDoc
}

// orderKey returns the stored form of an order: nil if it is off.
func orderKey(o catalog.Order) *string {
	if !o.On {
		return nil
	}
	return &o.Key
}

func orderOf(key *string) catalog.Order {
	return catalog.Order{On: key != nil, Key: aws.ToString(key)}
}

// sealedDoc is the sealed part of a source or an endpoint.
type sealedDoc struct {
	Secrets  []string          `json:"secrets,omitempty"`
	Header   map[string]string `json:"header,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	TLSKey   string            `json:"tlsKey,omitempty"`
	Auth     *catalog.Auth     `json:"auth,omitempty"`

	Retiring []catalog.RetiringSecret `json:"retiring,omitempty"`
}

// Catalog keeps the catalogs of all tenants. It implements catalog.Sources, catalog.LearnedSecrets,
// catalog.LearningWindows, catalog.Subscriptions, catalog.Types, catalog.Endpoints, catalog.Names
// and catalog.Tenants. The operator's catalog is also its own catalog.TenantStore. It is safe for
// concurrent use. It has no cache.
type Catalog struct {
	table
	*tenantCatalog // the operator's
	sealer         catalog.Sealer
}

// NewCatalog returns the catalogs in a table. The sealer seals and opens secrets. It may be nil if
// only Subscriptions and EventTypes are called.
func NewCatalog(client *signed.Client, tableName string, sealer catalog.Sealer) *Catalog {
	c := &Catalog{table: table{client: client, name: tableName}, sealer: sealer}
	c.tenantCatalog = &tenantCatalog{all: c}
	return c
}

// For implements catalog.Tenants.
func (c *Catalog) For(tenant string) catalog.TenantStore {
	return &tenantCatalog{all: c, tenant: tenant}
}

// State implements catalog.Generations. The pointer and the marks beside it come in one call.
func (c *Catalog) State(ctx context.Context, tenant string) (catalog.State, error) {
	var p pointer
	var listening catalog.Listening
	var rates catalog.Rates
	err := c.eachOf(
		ctx, catalog.Qualify(tenant, catalogPartition), "", func(it item) (err error) {
			switch textOf(it, SortKey) {
			case pointerSort:
				p, err = pointerOf(it)
			case listeningSort:
				err = decodeDoc(it, &listening)
			case ratesSort:
				err = decodeDoc(it, &rates)
			}
			return err
		},
	)
	if err != nil {
		return catalog.State{}, fmt.Errorf("dynamo: catalog: %w", err)
	}
	s := p.state()
	s.Listening, s.Rates = listening, rates
	return s, nil
}

// MarkListening implements catalog.ListeningMarks.
func (c *Catalog) MarkListening(ctx context.Context, m catalog.Listening) error {
	return c.mark(ctx, key(catalogPartition, listeningSort), m, m.Revision)
}

// SetRates implements catalog.TenantRates. It lists the tenant first, so that receive looks for its
// rates.
func (c *Catalog) SetRates(ctx context.Context, tenant string, r catalog.Rates) error {
	t := &tenantCatalog{all: c, tenant: tenant}
	if !r.SameLimits(catalog.Rates{}) {
		if err := t.enlist(ctx); err != nil {
			return fmt.Errorf("dynamo: list of tenants: %w", err)
		}
	}
	return c.mark(ctx, key(t.partition(catalogPartition), ratesSort), r, r.Revision)
}

// mark writes a mark beside a catalog, unless a later one is there. The first revision replaces
// any. A mark is an item of its own, so that it never meets a change of the catalog.
func (c *Catalog) mark(ctx context.Context, it item, doc any, revision int64) error {
	it[docAttribute], it[revisionAttribute] = text(string(encode(doc))), number(revision)
	in := request{Item: it}
	if revision > 1 {
		in.Condition = "attribute_not_exists(pk) OR revision < :revision"
		in.Values = item{":revision": number(revision)}
	}
	_, err := c.do(ctx, putItem, in)
	if err != nil && !conditionFailed(err) {
		return fmt.Errorf("dynamo: %s: %w", textOf(it, SortKey), err)
	}
	return nil
}

// TenantNames implements catalog.Sources.
func (c *Catalog) TenantNames(ctx context.Context, shard int) ([]string, error) {
	it, err := c.get(ctx, tenantsPartition, shardSort(tenantsSort, shard))
	if err != nil {
		return nil, fmt.Errorf("dynamo: tenants: %w", err)
	}
	return textsOf(it, namesAttribute), nil
}

// Source implements catalog.Sources.
func (c *Catalog) Source(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Source, error) {
	it, err := c.find(ctx, g, sourceKind, name)
	if err != nil {
		return catalog.Source{}, err
	}
	tenant, _ := catalog.SplitName(name)
	s, err := c.readSource(ctx, tenant, it)
	s.Name = name
	return s, err
}

// EventTypes implements catalog.Types.
func (c *Catalog) EventTypes(
	ctx context.Context, g catalog.Generation, source string,
) (catalog.EventTypes, error) {
	it, err := c.find(ctx, g, sourceKind, source)
	if err != nil {
		return catalog.EventTypes{}, err
	}
	s, err := plainSource(it)
	return catalog.EventTypes{Types: s.Types, Validation: s.Validation}, err
}

// Endpoint implements catalog.Endpoints.
func (c *Catalog) Endpoint(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Endpoint, error) {
	it, err := c.find(ctx, g, endpointKind, name)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	tenant, _ := catalog.SplitName(name)
	e, err := c.readEndpoint(ctx, tenant, it)
	e.Name = name
	return e, err
}

// find returns the item of a qualified name in a generation.
func (c *Catalog) find(
	ctx context.Context, g catalog.Generation, kind, name string,
) (it item, err error) {
	_, plain := catalog.SplitName(name)
	if g != "" {
		it, err = c.get(ctx, string(g), kind+"#"+plain)
	}
	if err == nil && it == nil {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("dynamo: %s %s: %w", kind, name, err)
	}
	return it, nil
}

// Subscriptions implements catalog.Subscriptions.
func (c *Catalog) Subscriptions(
	ctx context.Context, g catalog.Generation, tenant, source string,
) ([]catalog.Subscription, error) {
	var subs []catalog.Subscription
	err := c.each(ctx, g, routesKind+"#"+source+"#", func(it item) (err error) {
		subs, err = appendSubscriptions(subs, it)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dynamo: subscriptions of %s: %w", source, err)
	}
	for i := range subs {
		subs[i].Endpoint = catalog.Qualify(tenant, subs[i].Endpoint)
	}
	return subs, nil
}

// OrderedEndpoints implements catalog.Subscriptions.
func (c *Catalog) OrderedEndpoints(
	ctx context.Context, g catalog.Generation, tenant string,
) (map[string]catalog.Order, error) {
	orders := map[string]catalog.Order{}
	err := c.each(ctx, g, ordersKind+"#", func(it item) error {
		var doc ordersDoc
		if err := decode(it, &doc, &doc.Version); err != nil {
			return err
		}
		for name, key := range doc.Orders {
			orders[catalog.Qualify(tenant, name)] = catalog.Order{On: true, Key: key}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("dynamo: ordered endpoints: %w", err)
	}
	return orders, nil
}

// SourceNames implements catalog.Sources.
func (c *Catalog) SourceNames(
	ctx context.Context, g catalog.Generation, _ string, shard int,
) ([]string, error) {
	return c.namesIn(ctx, g, sourceKind, shard)
}

// EndpointNames implements catalog.Endpoints.
func (c *Catalog) EndpointNames(
	ctx context.Context, g catalog.Generation, _ string, shard int,
) ([]string, error) {
	return c.namesIn(ctx, g, endpointKind, shard)
}

// namesIn reads a shard of a generation's names by GetItem. So a function that may only read single
// items needs no other permission.
func (c *Catalog) namesIn(
	ctx context.Context, g catalog.Generation, kind string, shard int,
) ([]string, error) {
	if g == "" {
		return nil, nil
	}
	it, err := c.get(ctx, string(g), nameListSort(kind, shard))
	if err != nil || it == nil {
		return nil, err
	}
	var doc namesDoc
	err = decode(it, &doc, &doc.Version)
	return doc.Names, err
}

// AllTenants implements catalog.Names.
func (c *Catalog) AllTenants(ctx context.Context) (names []string, err error) {
	err = c.eachOf(ctx, tenantsPartition, "", func(it item) error {
		names = append(names, textsOf(it, namesAttribute)...)
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Names implements catalog.Names.
func (c *Catalog) Names(
	ctx context.Context, tenant string,
) (sources, endpoints []string, err error) {
	p, err := c.pointer(ctx, tenant)
	if err != nil {
		return nil, nil, err
	}
	g := catalog.Generation(p.generation)
	for kind, names := range map[string]*[]string{sourceKind: &sources, endpointKind: &endpoints} {
		err := c.each(ctx, g, namesKind+"#"+kind+"#", func(it item) error {
			var doc namesDoc
			err := decode(it, &doc, &doc.Version)
			*names = append(*names, doc.Names...)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("dynamo: names: %w", err)
		}
		slices.Sort(*names)
	}
	return sources, endpoints, nil
}

// each calls do for each item of a generation whose sort key begins with prefix, in order.
func (c *Catalog) each(
	ctx context.Context, g catalog.Generation, prefix string, do func(item) error,
) error {
	if g == "" {
		return nil
	}
	return c.eachOf(ctx, string(g), prefix, do)
}

// eachOf is each for any partition.
func (c *Catalog) eachOf(ctx context.Context, partition, prefix string, do func(item) error) error {
	in := request{
		KeyCondition: "pk = :partition",
		Values:       item{":partition": text(partition)},
		Consistent:   true,
	}
	if prefix != "" {
		in.KeyCondition += " AND begins_with(sk, :prefix)"
		in.Values[":prefix"] = text(prefix)
	}
	for it, err := range c.matching(ctx, in) {
		if err == nil {
			err = do(it)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func kindAndName(it item) (kind, name string) {
	kind, name, _ = strings.Cut(textOf(it, SortKey), "#")
	return kind, name
}

func (c *Catalog) readSource(
	ctx context.Context, tenant string, it item,
) (catalog.Source, error) {
	s, err := plainSource(it)
	if err != nil {
		return catalog.Source{}, err
	}
	secret, err := c.open(ctx, tenant, it)
	if err != nil {
		return catalog.Source{}, err
	}
	s.Secrets, s.Verify.Settings = secret.Secrets, secret.Settings
	if s.Learns() && len(s.Secrets) == 0 {
		err = c.addLearned(ctx, textOf(it, PartitionKey), tenant, &s)
	}
	return s, err
}

// plainSource reads what is not sealed of a source.
func plainSource(it item) (catalog.Source, error) {
	_, name := kindAndName(it)
	var doc sourceDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return catalog.Source{}, err
	}
	s := catalog.Source{
		Name: name, Tenant: doc.Tenant, Types: doc.Types, Validation: doc.Validation,
		Expect: doc.ExpectNs,
	}
	s.ManagedBy, s.Changed = stampOf(it)
	if packed := binaryOf(it, typesAttribute); packed != nil {
		plain, err := format.Inflate(packed, maxTypesBytes)
		if err == nil {
			err = json.Unmarshal(plain, &s.Types)
		}
		if err != nil {
			return catalog.Source{}, unreadable(it, err)
		}
	}
	if err := json.Unmarshal(doc.Verify, &s.Verify); err != nil {
		return catalog.Source{}, unreadable(it, err)
	}
	return s, nil
}

// endpointDocs returns what is stored of an endpoint: the readable part and the part to be sealed.
func endpointDocs(e catalog.Endpoint) (endpointDoc, sealedDoc) {
	doc := endpointDoc{Version: docVersion, URL: e.URL, TimeoutNs: e.Timeout, Schedule: e.Schedule,
		MaxAgeNs: e.MaxAge, Final: e.Final,
		RateLimit: e.RateLimit, RatePerNs: e.RatePer, Concurrency: e.Concurrency,
		SecretsMade: e.SecretsMade, Prove: e.Prove, Sends: e.Sends,
		OrderKey: orderKey(e.Order), Destination: e.Destination}
	secret := sealedDoc{Secrets: e.Secrets, Retiring: e.Retiring, Header: e.Header, Auth: e.Auth}
	if e.TLS != nil {
		doc.Certificate, doc.Authorities, secret.TLSKey = string(e.TLS.Certificate),
			string(e.TLS.Authorities), string(e.TLS.Key)
	}
	return doc, secret
}

func (c *Catalog) readEndpoint(
	ctx context.Context, tenant string, it item,
) (catalog.Endpoint, error) {
	e, err := plainEndpoint(it)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	secret, err := c.open(ctx, tenant, it)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	e.Secrets, e.Retiring, e.Header, e.Auth = secret.Secrets, secret.Retiring, secret.Header,
		secret.Auth
	if e.TLS != nil {
		e.TLS.Key = []byte(secret.TLSKey)
	}
	return e, nil
}

// plainEndpoint reads what is not sealed of an endpoint.
func plainEndpoint(it item) (catalog.Endpoint, error) {
	_, name := kindAndName(it)
	var doc endpointDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return catalog.Endpoint{}, err
	}
	e := catalog.Endpoint{
		Name: name, URL: doc.URL, Timeout: doc.TimeoutNs, Schedule: doc.Schedule,
		MaxAge: doc.MaxAgeNs, Final: doc.Final, RateLimit: doc.RateLimit, RatePer: doc.RatePerNs,
		Concurrency: doc.Concurrency, SecretsMade: doc.SecretsMade, Prove: doc.Prove,
		Order: orderOf(doc.OrderKey), Sends: doc.Sends, Destination: doc.Destination,
	}
	e.ManagedBy, e.Changed = stampOf(it)
	if doc.Certificate != "" || doc.Authorities != "" {
		e.TLS = &catalog.TLS{
			Certificate: []byte(doc.Certificate), Authorities: []byte(doc.Authorities),
		}
	}
	return e, nil
}

// namedSubscription reads a subscription by its name, and the part that it is in.
func namedSubscription(it item) (s catalog.Subscription, part int, err error) {
	var doc namedDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return s, 0, err
	}
	s = doc.subscription(doc.Source)
	s.ManagedBy, s.Changed = stampOf(it)
	return s, doc.Part, nil
}

func (d subscriptionDoc) subscription(source string) catalog.Subscription {
	return catalog.Subscription{
		Name: d.Name, Source: source, Endpoint: d.Endpoint, Types: d.Types, Filter: d.Filter,
	}
}

func toSubscriptionDoc(s catalog.Subscription) subscriptionDoc {
	return subscriptionDoc{Name: s.Name, Endpoint: s.Endpoint, Types: s.Types, Filter: s.Filter}
}

// appendSubscriptions appends those of a part.
func appendSubscriptions(subs []catalog.Subscription, it item) ([]catalog.Subscription, error) {
	_, rest := kindAndName(it)
	source, _, _ := strings.Cut(rest, "#")
	doc, err := routesIn(it)
	for _, s := range doc.Subscriptions {
		subs = append(subs, s.subscription(source))
	}
	return subs, err
}

func routesIn(it item) (doc routesDoc, err error) {
	err = decode(it, &doc, &doc.Version)
	return doc, err
}

// open opens the sealed part of an item of a tenant's generation.
func (c *Catalog) open(ctx context.Context, tenant string, it item) (sealedDoc, error) {
	kind, name := kindAndName(it)
	return c.unseal(ctx, it, kind, catalog.Qualify(tenant, name))
}

// unseal opens the sealed part of an item, by its qualified name. An item without secrets has no
// sealed part.
func (c *Catalog) unseal(ctx context.Context, it item, kind, name string) (sealedDoc, error) {
	var doc sealedDoc
	sealed := binaryOf(it, sealedAttribute)
	if sealed == nil {
		return doc, nil
	}
	plain, err := c.sealer.Open(ctx, kind+"/"+name, sealed)
	if err != nil {
		return doc, fmt.Errorf("dynamo: %s %s: %w", kind, name, err)
	}
	if err := json.Unmarshal(plain, &doc); err != nil {
		// the parser's error could quote them
		return doc, fmt.Errorf("%w: secrets of %s %s", format.ErrFormat, kind, name)
	}
	return doc, nil
}

// decode reads an item's document. version is the doc's version field.
func decode(it item, doc any, version *int) error {
	if err := decodeDoc(it, doc); err != nil {
		return err
	}
	if *version < 1 || *version > docVersion {
		return unreadable(
			it, fmt.Errorf(
				"version %d, but this build reads only 1 to %d; use a newer build", *version,
				docVersion,
			),
		)
	}
	return nil
}

// decodeDoc reads an item's document, whatever its version.
func decodeDoc(it item, doc any) error {
	if err := json.Unmarshal([]byte(textOf(it, docAttribute)), doc); err != nil {
		return unreadable(it, err)
	}
	return nil
}

func unreadable(it item, err error) error {
	return fmt.Errorf("dynamo: %s: %w: %w", textOf(it, SortKey), format.ErrFormat, err)
}
