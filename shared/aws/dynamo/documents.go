package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// documentPrefix is in front of a collection's name in the partition key.
const documentPrefix = "doc/"

// documentNames are the attributes of documents in expressions.
var documentNames = map[string]string{
	"#body": bodyAttribute, "#version": versionAttribute, "#write": markAttribute,
	"#expires": TimeToLive,
}

// named returns those of documentNames that an expression uses: DynamoDB refuses others.
func named(names ...string) map[string]string {
	some := make(map[string]string, len(names))
	for _, name := range names {
		some[name] = documentNames[name]
	}
	return some
}

// Documents keeps documents in the catalog's or the ledger's table. It implements
// operate.Documents. It is safe for concurrent use.
type Documents struct{ table }

// NewDocuments returns the documents in a table.
func NewDocuments(client *signed.Client, tableName string) *Documents {
	return &Documents{table{client: client, name: tableName}}
}

// Document implements operate.Documents.
func (s *Documents) Document(
	ctx context.Context, collection, key string,
) (operate.Document, error) {
	it, err := s.get(ctx, documentPrefix+collection, key)
	if err == nil && documentAbsent(it) {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return operate.Document{}, fmt.Errorf(
			"dynamo: document %s of %s: %w", key, collection, err)
	}
	return readDocument(it), nil
}

// documentAbsent reports whether there is no document, or it has expired.
func documentAbsent(it item) bool { return it == nil || it[TimeToLive].N != "" && expired(it) }

func readDocument(it item) operate.Document {
	d := operate.Document{
		Key: textOf(it, SortKey), Body: binaryOf(it, bodyAttribute),
		Version: numberOf(it, versionAttribute),
	}
	if expires := numberOf(it, TimeToLive); expires != 0 {
		d.ExpiresAt = time.Unix(expires, 0).UTC()
	}
	return d
}

// PutDocument implements operate.Documents.
func (s *Documents) PutDocument(
	ctx context.Context, collection string, d operate.Document, base int64,
) (int64, error) {
	if err := operate.CheckDocument(collection, d); err != nil {
		return 0, err
	}
	version, err := s.putDocument(ctx, collection, d, base)
	if err != nil {
		return 0, fmt.Errorf("dynamo: document %s of %s: %w", d.Key, collection, err)
	}
	return version, nil
}

func (s *Documents) putDocument(
	ctx context.Context, collection string, d operate.Document, base int64,
) (int64, error) {
	mark := rand.Text()
	update := "SET #body = :body, #write = :write, #version = if_not_exists(#version, :zero) + :one"
	in := request{
		Key:   key(documentPrefix+collection, d.Key),
		Names: named("#body", "#version", "#write", "#expires"),
		Values: item{
			":body": bytesOf(d.Body), ":write": text(mark),
			":zero": number(0), ":one": number(1),
		},
		Returns: updated,
	}
	if d.ExpiresAt.IsZero() {
		update += " REMOVE #expires"
	} else {
		update += ", #expires = :expires"
		in.Values[":expires"] = number(d.ExpiresAt.Unix())
	}
	in.Update = update
	switch base {
	case operate.AnyVersion:
	case 0:
		in.Condition = "attribute_not_exists(pk) OR #expires <= :now"
		in.Values[":now"] = number(time.Now().Unix())
	default:
		in.Condition = "#version = :base AND (attribute_not_exists(#expires) OR #expires > :now)"
		in.Values[":now"] = number(time.Now().Unix())
		in.Values[":base"] = number(base)
	}
	out, err := s.do(ctx, updateItem, in)
	if err == nil {
		return numberOf(out.Attributes, versionAttribute), nil
	}
	if !conditionFailed(err) {
		return 0, err
	}
	// the client may have repeated a call whose answer was lost
	stored, err := s.get(ctx, documentPrefix+collection, d.Key)
	if err == nil && textOf(stored, markAttribute) != mark {
		err = fmt.Errorf("version %d, not %d: %w",
			numberOf(stored, versionAttribute), base, catalog.ErrConflict)
	}
	return numberOf(stored, versionAttribute), err
}

// DeleteDocument implements operate.Documents.
func (s *Documents) DeleteDocument(
	ctx context.Context, collection, sort string, base int64,
) error {
	in := request{
		Key: key(documentPrefix+collection, sort),
	}
	if base != operate.AnyVersion {
		in.Condition = "attribute_not_exists(pk) OR #version = :base OR #expires <= :now"
		in.Names = named("#version", "#expires")
		in.Values = item{
			":base": number(base), ":now": number(time.Now().Unix()),
		}
	}
	_, err := s.do(ctx, deleteItem, in)
	if conditionFailed(err) {
		err = fmt.Errorf("not version %d: %w", base, catalog.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: delete document %s of %s: %w", sort, collection, err)
	}
	return nil
}

// DocumentsIn implements operate.Documents.
func (s *Documents) DocumentsIn(
	ctx context.Context, collection string, r operate.DocumentRange,
) (found []operate.Document, next string, err error) {
	if err := r.Check(); err != nil {
		return nil, "", err
	}
	if r.Before != "" && r.Before <= r.From {
		return nil, "", nil
	}
	out, err := s.do(ctx, query, s.documentQuery(collection, r))
	if err != nil {
		return nil, "", fmt.Errorf("dynamo: documents of %s: %w", collection, err)
	}
	for _, it := range out.Items {
		if !documentAbsent(it) && textOf(it, SortKey) != r.Before {
			found = append(found, readDocument(it))
		}
	}
	switch last := textOf(out.Last, SortKey); {
	case last == "":
		return found, "", nil
	case r.Newest:
		return found, last, nil
	case r.Before != "" && last+"\x00" >= r.Before:
		return found, "", nil
	default:
		return found, last + "\x00", nil
	}
}

// documentQuery returns the query for a range. Its result may include Before itself.
func (s *Documents) documentQuery(
	collection string, r operate.DocumentRange,
) request {
	condition, values := "pk = :pk", item{":pk": text(documentPrefix + collection)}
	in := request{
		Values: values, Consistent: true, Ascending: new(!r.Newest), Limit: r.Limit,
	}
	before := r.Before
	if r.Newest && before != "" {
		in.After = key(documentPrefix+collection, before)
		before = ""
	}
	switch {
	case r.From != "" && before != "":
		condition += " AND sk BETWEEN :from AND :before"
	case r.From != "":
		condition += " AND sk >= :from"
	case before != "":
		condition += " AND sk < :before"
	}
	if r.From != "" {
		values[":from"] = text(r.From)
	}
	if before != "" {
		values[":before"] = text(before)
	}
	in.KeyCondition = condition
	return in
}
