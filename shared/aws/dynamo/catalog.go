package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
)

// The kinds of catalog items. A kind and a name make the sort key. For items with secrets they also
// make the name under which the secrets are sealed ("source/github").
const (
	sourceKind       = "source"
	endpointKind     = "endpoint"
	subscriptionKind = "subscriptions"
	namesKind        = "names"
)

// namesPerItem keeps a list of names far below an item's limit. A name has at most 63 characters.
const namesPerItem = 4000

// namesDoc is a part of the list of a generation's sources or endpoints.
type namesDoc struct {
	Version int      `json:"v"`
	Names   []string `json:"names"`
	More    bool     `json:"more,omitempty"` // the list continues in the next item
}

// nameListSort returns the sort key of the nth part of a list.
func nameListSort(kind string, n int) string {
	return fmt.Sprintf("%s#%s#%06d", namesKind, kind, n)
}

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

	OrderKey *string `json:"orderKey,omitempty"`
}

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
}

type subscriptionsDoc struct {
	Version       int               `json:"v"`
	Subscriptions []subscriptionDoc `json:"subscriptions"`
}

type subscriptionDoc struct {
	Endpoint string   `json:"endpoint"`
	Types    []string `json:"types,omitempty"`
	// JSON in a string, so it is read back exactly as written
	Filter   string  `json:"filter,omitempty"`
	OrderKey *string `json:"orderKey,omitempty"`
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

// Catalog keeps the catalog. It implements catalog.Sources, catalog.LearnedSecrets,
// catalog.LearningWindows, catalog.Subscriptions, catalog.Endpoints and catalog.Store. It is safe
// for concurrent use. It has no cache.
type Catalog struct {
	table
	sealer catalog.Sealer
}

// NewCatalog returns the catalog in a table. The sealer seals and opens secrets. It may be nil if
// only Subscriptions is called.
func NewCatalog(client *dynamodb.Client, tableName string, sealer catalog.Sealer) *Catalog {
	return &Catalog{table: table{client: client, name: tableName}, sealer: sealer}
}

// Generation implements catalog.Generations.
func (c *Catalog) Generation(ctx context.Context) (catalog.Generation, error) {
	p, err := c.pointer(ctx)
	return catalog.Generation(p.generation), err
}

// Source implements catalog.Sources.
func (c *Catalog) Source(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Source, error) {
	it, err := c.find(ctx, g, sourceKind, name)
	if err != nil {
		return catalog.Source{}, err
	}
	return c.readSource(ctx, it)
}

// Endpoint implements catalog.Endpoints.
func (c *Catalog) Endpoint(
	ctx context.Context, g catalog.Generation, name string,
) (catalog.Endpoint, error) {
	it, err := c.find(ctx, g, endpointKind, name)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	return c.readEndpoint(ctx, it)
}

// find returns an item of a generation.
func (c *Catalog) find(
	ctx context.Context, g catalog.Generation, kind, name string,
) (it item, err error) {
	if g != "" {
		it, err = c.get(ctx, string(g), kind+"#"+name)
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
	ctx context.Context, g catalog.Generation, source string,
) ([]catalog.Subscription, error) {
	var subs []catalog.Subscription
	err := c.each(ctx, g, subscriptionKind+"#"+source+"#", func(it item) (err error) {
		subs, err = appendSubscriptions(subs, it)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dynamo: subscriptions of %s: %w", source, err)
	}
	return subs, nil
}

// LoadCatalog implements catalog.Store. It opens every secret, which takes one call of the sealer
// each.
func (c *Catalog) LoadCatalog(ctx context.Context) (catalog.Catalog, int64, error) {
	p, err := c.pointer(ctx)
	if err != nil {
		return catalog.Catalog{}, 0, err
	}
	var items []item
	err = c.each(ctx, catalog.Generation(p.generation), "", func(it item) error {
		items = append(items, it)
		return nil
	})
	if err != nil {
		return catalog.Catalog{}, 0, fmt.Errorf("dynamo: catalog: %w", err)
	}
	loaded, err := c.readAll(ctx, items)
	if err != nil {
		return catalog.Catalog{}, 0, err
	}
	return loaded, p.current(), nil
}

// SourceNames implements catalog.Sources.
func (c *Catalog) SourceNames(ctx context.Context, g catalog.Generation) ([]string, error) {
	return c.namesOf(ctx, g, sourceKind)
}

// EndpointNames implements catalog.Endpoints.
func (c *Catalog) EndpointNames(ctx context.Context, g catalog.Generation) ([]string, error) {
	return c.namesOf(ctx, g, endpointKind)
}

// Names implements catalog.Names.
func (c *Catalog) Names(ctx context.Context) (sources, endpoints []string, err error) {
	g, err := c.Generation(ctx)
	if err != nil {
		return nil, nil, err
	}
	if sources, err = c.SourceNames(ctx, g); err != nil {
		return nil, nil, err
	}
	endpoints, err = c.EndpointNames(ctx, g)
	return sources, endpoints, err
}

// namesOf reads the list of a generation's names by GetItem. So a function that may only read
// single items needs no other permission.
func (c *Catalog) namesOf(
	ctx context.Context, g catalog.Generation, kind string,
) (names []string, err error) {
	for n := 0; g != ""; n++ {
		it, err := c.get(ctx, string(g), nameListSort(kind, n))
		if err != nil {
			return nil, fmt.Errorf("dynamo: names: %w", err)
		}
		if it == nil {
			break // the generation has none of this kind
		}
		var doc namesDoc
		if err := decode(it, &doc, &doc.Version); err != nil {
			return nil, err
		}
		if names = append(names, doc.Names...); !doc.More {
			break
		}
	}
	return names, nil
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
	in := &dynamodb.QueryInput{
		KeyConditionExpression:    aws.String("pk = :partition"),
		ExpressionAttributeValues: item{":partition": text(partition)},
		ConsistentRead:            aws.Bool(true),
	}
	if prefix != "" {
		*in.KeyConditionExpression += " AND begins_with(sk, :prefix)"
		in.ExpressionAttributeValues[":prefix"] = text(prefix)
	}
	return c.queryAll(ctx, in, func(items []item) error {
		for _, it := range items {
			if err := do(it); err != nil {
				return err
			}
		}
		return nil
	})
}

// sealerCalls is the number of secrets that are sealed or opened concurrently.
const sealerCalls = 16

// readAll builds a catalog from a generation's items, which are sorted by kind and name.
func (c *Catalog) readAll(ctx context.Context, items []item) (catalog.Catalog, error) {
	var sources, endpoints []item
	var loaded catalog.Catalog
	for _, it := range items {
		var err error
		switch kind, _ := kindAndName(it); kind {
		case sourceKind:
			sources = append(sources, it)
		case endpointKind:
			endpoints = append(endpoints, it)
		case subscriptionKind:
			loaded.Subscriptions, err = appendSubscriptions(loaded.Subscriptions, it)
		}
		if err != nil {
			return catalog.Catalog{}, err
		}
	}
	loaded.Sources, loaded.Endpoints = make([]catalog.Source, len(sources)),
		make([]catalog.Endpoint, len(endpoints))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sealerCalls)
	for i, it := range sources {
		g.Go(func() (err error) {
			loaded.Sources[i], err = c.readSource(ctx, it)
			loaded.Sources[i].LearnUntil = time.Time{} // not part of the catalog
			return err
		})
	}
	for i, it := range endpoints {
		g.Go(func() (err error) { loaded.Endpoints[i], err = c.readEndpoint(ctx, it); return err })
	}
	if err := g.Wait(); err != nil {
		return catalog.Catalog{}, err
	}
	return loaded, nil
}

func kindAndName(it item) (kind, name string) {
	kind, name, _ = strings.Cut(textOf(it, SortKey), "#")
	return kind, name
}

func (c *Catalog) readSource(ctx context.Context, it item) (catalog.Source, error) {
	_, name := kindAndName(it)
	var doc sourceDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return catalog.Source{}, err
	}
	secret, err := c.open(ctx, it)
	if err != nil {
		return catalog.Source{}, err
	}
	s := catalog.Source{Name: name, Secrets: secret.Secrets, Order: orderOf(doc.OrderKey)}
	if err := json.Unmarshal(doc.Verify, &s.Verify); err != nil {
		return catalog.Source{}, unreadable(it, err)
	}
	s.Verify.Settings = secret.Settings
	if s.Learns() && len(s.Secrets) == 0 {
		err = c.addLearned(ctx, textOf(it, PartitionKey), &s)
	}
	return s, err
}

// addLearned adds to a source of a generation the secret of its handshake. If there is none, it
// adds the end of the window in which one may come.
func (c *Catalog) addLearned(ctx context.Context, generation string, s *catalog.Source) error {
	it, err := c.get(ctx, learnedPartition, s.Name)
	if err != nil {
		return err
	}
	if isLearned(it, generation) {
		doc, err := c.unseal(ctx, it, sourceKind, s.Name)
		s.Secrets = doc.Secrets
		return err
	}
	if until := numberOf(it, learnUntilAttribute); until > 0 {
		s.LearnUntil = time.UnixMilli(until)
	}
	return nil
}

// isLearned reports whether an item holds the secret of a handshake in this generation.
func isLearned(it item, generation string) bool {
	return len(binaryOf(it, sealedAttribute)) > 0 && textOf(it, generationAttribute) == generation
}

// OpenLearning implements catalog.LearningWindows. The window overwrites a secret that was learned
// in another generation.
func (c *Catalog) OpenLearning(ctx context.Context, source string, until time.Time) error {
	g, err := c.Generation(ctx)
	if err != nil {
		return err
	}
	s, err := c.Source(ctx, g, source)
	if err != nil {
		return err
	}
	written := len(s.Secrets) == 0
	if written {
		window := key(learnedPartition, source)
		window[learnUntilAttribute] = number(until.UnixMilli())
		written, _, err = c.putIf(ctx, window,
			"attribute_not_exists(sealed) OR generation <> :generation",
			item{":generation": text(string(g))})
	}
	if err == nil && !written {
		err = fmt.Errorf("it has a secret: %w", catalog.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: window of source %s: %w", source, err)
	}
	return nil
}

// LearnSecret implements catalog.LearnedSecrets. It writes the secret over the window's item, for
// the generation in force. A replacement that was loaded after that contains the secret and writes
// it with the others. A replacement that was loaded before is refused, since the pointer counts
// learned secrets.
//
// One case is left: a replacement that was loaded before may come in force before the count is
// raised here. So LearnSecret reads the pointer once more at the end, and learns the secret again
// for the new generation. If the process dies just before that, the window is closed and no secret
// is learned. The operator then opens another window.
func (c *Catalog) LearnSecret(ctx context.Context, source, secret string) error {
	var kept []byte // the sealed secret that this call has written
	for range learnTries {
		g, err := c.Generation(ctx)
		if err != nil {
			return err
		}
		if kept, err = c.learnIn(ctx, g, source, secret, kept); err != nil {
			return err
		}
		if err := c.countLearned(ctx); err != nil {
			return fmt.Errorf("dynamo: secret of source %s: %w", source, err)
		}
		now, err := c.Generation(ctx)
		if err != nil || now == g {
			return err
		}
	}
	return fmt.Errorf(
		"dynamo: secret of source %s: the catalog was replaced %d times", source, learnTries,
	)
}

// learnTries is how often LearnSecret tries while the catalog is replaced again and again.
const learnTries = 5

// learnIn stores the secret for a generation, unless the generation has it, and returns it as
// stored. It overwrites an open window. If this call has already closed the window for an earlier
// generation, it overwrites the secret stored there (kept).
func (c *Catalog) learnIn(
	ctx context.Context, g catalog.Generation, source, secret string, kept []byte,
) ([]byte, error) {
	s, err := c.Source(ctx, g, source)
	switch {
	case err != nil:
		return nil, err
	case slices.Equal(s.Secrets, []string{secret}):
		return kept, nil
	case len(s.Secrets) > 0:
		return nil, fmt.Errorf("dynamo: source %s has a secret: %w", source, catalog.ErrConflict)
	case kept == nil && !time.Now().Before(s.LearnUntil):
		return nil, fmt.Errorf("dynamo: source %s: %w", source, catalog.ErrNotOpen)
	}
	sealed, err := c.sealer.Seal(
		ctx, sourceKind+"/"+source, encode(sealedDoc{Secrets: []string{secret}}),
	)
	if err != nil {
		return nil, err
	}
	condition, values := "learn_until > :now", item{":now": number(time.Now().UnixMilli())}
	if kept != nil {
		condition, values = "sealed = :kept", item{":kept": bytesOf(kept)}
	}
	it := key(learnedPartition, source)
	it[generationAttribute], it[sealedAttribute] = text(string(g)), bytesOf(sealed)
	written, stored, err := c.putIf(ctx, it, condition, values)
	switch {
	case err == nil && written:
		return sealed, nil
	case err == nil && isLearned(stored, string(g)):
		err = catalog.ErrConflict
	case err == nil:
		err = catalog.ErrNotOpen
	}
	return nil, fmt.Errorf("dynamo: secret of source %s: %w", source, err)
}

// countLearned raises the revision. It changes no other attribute of the pointer, because the
// receiver's role allows no other.
func (c *Catalog) countLearned(ctx context.Context) error {
	_, err := c.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 &c.name,
		Key:                       key(catalogPartition, pointerSort),
		UpdateExpression:          aws.String("ADD " + learnedAttribute + " :one"),
		ExpressionAttributeValues: item{":one": number(1)},
	})
	return err
}

// endpointDocs returns what is stored of an endpoint: the readable part and the part to be sealed.
func endpointDocs(e catalog.Endpoint) (endpointDoc, sealedDoc) {
	doc := endpointDoc{Version: docVersion, URL: e.URL, TimeoutNs: e.Timeout, Schedule: e.Schedule,
		MaxAgeNs: e.MaxAge, Final: e.Final,
		RateLimit: e.RateLimit, RatePerNs: e.RatePer, Concurrency: e.Concurrency,
		SecretsMade: e.SecretsMade, Prove: e.Prove, Sends: e.Sends,
		OrderKey: orderKey(e.Order)}
	secret := sealedDoc{Secrets: e.Secrets, Retiring: e.Retiring, Header: e.Header, Auth: e.Auth}
	if e.TLS != nil {
		doc.Certificate, doc.Authorities, secret.TLSKey = string(e.TLS.Certificate),
			string(e.TLS.Authorities), string(e.TLS.Key)
	}
	return doc, secret
}

func (c *Catalog) readEndpoint(ctx context.Context, it item) (catalog.Endpoint, error) {
	_, name := kindAndName(it)
	var doc endpointDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return catalog.Endpoint{}, err
	}
	secret, err := c.open(ctx, it)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	e := catalog.Endpoint{Name: name, URL: doc.URL, Secrets: secret.Secrets, Header: secret.Header,
		Auth:    secret.Auth,
		Timeout: doc.TimeoutNs, Schedule: doc.Schedule, MaxAge: doc.MaxAgeNs, Final: doc.Final,
		RateLimit: doc.RateLimit, RatePer: doc.RatePerNs, Concurrency: doc.Concurrency,
		SecretsMade: doc.SecretsMade, Retiring: secret.Retiring, Prove: doc.Prove,
		Order: orderOf(doc.OrderKey), Sends: doc.Sends}
	if doc.Certificate != "" || doc.Authorities != "" {
		e.TLS = &catalog.TLS{
			Certificate: []byte(doc.Certificate), Authorities: []byte(doc.Authorities),
			Key: []byte(secret.TLSKey),
		}
	}
	return e, nil
}

func appendSubscriptions(subs []catalog.Subscription, it item) ([]catalog.Subscription, error) {
	_, rest := kindAndName(it)
	source, _, _ := strings.Cut(rest, "#")
	var doc subscriptionsDoc
	if err := decode(it, &doc, &doc.Version); err != nil {
		return nil, err
	}
	for _, s := range doc.Subscriptions {
		subs = append(
			subs,
			catalog.Subscription{
				Source: source, Endpoint: s.Endpoint, Types: s.Types, Filter: s.Filter,
				Order: orderOf(s.OrderKey),
			},
		)
	}
	return subs, nil
}

// open opens the sealed part of an item of a generation.
func (c *Catalog) open(ctx context.Context, it item) (sealedDoc, error) {
	kind, name := kindAndName(it)
	return c.unseal(ctx, it, kind, name)
}

// unseal opens the sealed part of an item. An item without secrets has no sealed part.
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
	if err := json.Unmarshal([]byte(textOf(it, docAttribute)), doc); err != nil {
		return unreadable(it, err)
	}
	if *version < 1 || *version > docVersion {
		return unreadable(
			it, fmt.Errorf("version %d, but this build reads only 1 to %d; use a newer build", *version, docVersion),
		)
	}
	return nil
}

func unreadable(it item, err error) error {
	return fmt.Errorf("dynamo: %s: %w: %w", textOf(it, SortKey), format.ErrFormat, err)
}
