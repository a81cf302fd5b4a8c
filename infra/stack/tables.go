package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
)

// The ledger's indexes.
const (
	eventsIndex = "events" // by source and hour
	// deliveries that wait or are dead, by endpoint; sparse, since an item leaves it with its
	// delivery
	openIndex = "open"

	troubledIndex = "troubled" // endpoints in trouble; sparse too
)

// addTables makes the catalog (small: sources, endpoints, subscriptions) and the ledger (large:
// events and deliveries, for RetentionDays). Both are on demand, without a ceiling of their own: a
// throttled write is a webhook delayed.
func (r *relay) addTables() {
	r.catalog = r.addTable("Catalog", nil, true)
	r.ledger = r.addTable("Ledger", new("expires_at"), r.props.LedgerRecovery)
	r.addIndex(eventsIndex)
	r.addIndex(openIndex)
	r.addIndex(troubledIndex)
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

// keptTable: what a failed deployment has just made goes with it. A table with deletion protection
// cannot go, so that it stays behind and the rollback succeeds.
func (r *relay) keptTable() awscdk.RemovalPolicy {
	if r.props.protected() {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE
}

// addIndex makes an index of the ledger. It projects keys only: a listing reads the items
// themselves, so that it shows their present state, and a write to an item that changes none of the
// keys costs nothing here.
func (r *relay) addIndex(name string) {
	r.ledger.AddGlobalSecondaryIndex(&awsdynamodb.GlobalSecondaryIndexProps{
		IndexName:      &name,
		PartitionKey:   text(name + "_pk"),
		SortKey:        text(name + "_sk"),
		ProjectionType: awsdynamodb.ProjectionType_KEYS_ONLY,
	})
}

func text(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}
