package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
)

// The ledger's indexes.
const (
	eventsIndex = "events" // by hour
	// Waiting and dead deliveries, by endpoint. The index is sparse: an item leaves it with its
	// delivery.
	openIndex = "open"

	troubledIndex = "troubled" // endpoints in trouble; also sparse
)

// addTables makes the catalog (small: sources, endpoints, subscriptions) and the ledger (large:
// events and deliveries, for RetentionDays). Both are on demand and have no limit of their own,
// because a throttled write delays a webhook.
func (r *relay) addTables() {
	r.catalog = r.addTable("Catalog", nil, true)
	r.ledger = r.addTable("Ledger", new("expires_at"), r.props.LedgerRecovery)
	r.addIndex(eventsIndex, "events_sk", "listed")
	r.addIndex(openIndex, "sk", "due")
	r.addIndex(troubledIndex, "troubled_sk")
}

func (r *relay) addTable(id string, timeToLive *string, recovery bool) awsdynamodb.Table {
	return awsdynamodb.NewTable(r.stack, &id, &awsdynamodb.TableProps{
		PartitionKey:        text("pk"),
		SortKey:             text("sk"),
		BillingMode:         awsdynamodb.BillingMode_PAY_PER_REQUEST,
		TimeToLiveAttribute: timeToLive,
		PointInTimeRecoverySpecification: &awsdynamodb.PointInTimeRecoverySpecification{
			PointInTimeRecoveryEnabled: new(recovery),
		},
		RemovalPolicy:      r.keptTable(),
		DeletionProtection: whenTrue(r.props.protected()),
		Encryption:         tableEncryption(r.dataKey),
		EncryptionKey:      r.dataKey,
	})
}

// keptTable returns the removal policy of the tables. A table that a failed deployment has just
// made is deleted in the rollback. A table with deletion protection cannot be deleted, so it is
// kept, and the rollback succeeds.
func (r *relay) keptTable() awscdk.RemovalPolicy {
	if r.props.protected() {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
}

// addIndex adds an index to the ledger. It projects keys, and the attributes that a listing filters
// by. It then reads the items themselves, so it shows their present state. A write that changes
// nothing of this costs nothing here.
func (r *relay) addIndex(name, sortKey string, projected ...string) {
	projection := awsdynamodb.ProjectionType_KEYS_ONLY
	var attributes *[]*string
	if len(projected) > 0 {
		projection, attributes = awsdynamodb.ProjectionType_INCLUDE, pointers(projected)
	}
	r.ledger.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:        &name,
		PartitionKey:     text(name + "_pk"),
		SortKey:          text(sortKey),
		ProjectionType:   projection,
		NonKeyAttributes: attributes,
	})
}

func text(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}
