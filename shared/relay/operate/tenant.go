package operate

import (
	"context"
	"fmt"
	"slices"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// TenantLedger reads of the ledger what a tenant may see. Events and deliveries of others are
// ErrNotFound. The operator ("") sees everything. Sources and endpoints have qualified names.
type TenantLedger struct {
	records RecordReader
	tenant  string
}

// RecordReader reads single records of a ledger.
type RecordReader interface {
	// Event and EventRecord are as in Ledger, Delivery as in relay.Deliveries.
	Event(ctx context.Context, id string) (relay.EventRecord, []relay.Delivery, error)
	EventRecord(ctx context.Context, id string) (relay.EventRecord, error)
	Delivery(ctx context.Context, k relay.DeliveryKey) (relay.Delivery, error)
}

// ForTenant returns what a tenant may read of a ledger.
func ForTenant(records RecordReader, tenant string) TenantLedger {
	return TenantLedger{records: records, tenant: tenant}
}

// sees tells whether something of this tenant may be seen.
func (l TenantLedger) sees(tenant string) bool { return l.tenant == "" || l.tenant == tenant }

// seesEndpoint tells whether a delivery to an endpoint, by its qualified name, may be seen.
func (l TenantLedger) seesEndpoint(endpoint string) bool {
	tenant, _ := catalog.SplitName(endpoint)
	return l.sees(tenant)
}

// Event is Ledger.Event without the deliveries to others' endpoints.
func (l TenantLedger) Event(
	ctx context.Context, id string,
) (relay.EventRecord, []relay.Delivery, error) {
	record, deliveries, err := l.records.Event(ctx, id)
	if err != nil {
		return relay.EventRecord{}, nil, err
	}
	if record, err = l.seen(record); err != nil {
		return relay.EventRecord{}, nil, err
	}
	return record, slices.DeleteFunc(deliveries, func(d relay.Delivery) bool {
		return !l.sees(d.Tenant())
	}), nil
}

// EventRecord is Ledger.EventRecord without others' endpoints.
func (l TenantLedger) EventRecord(ctx context.Context, id string) (relay.EventRecord, error) {
	record, err := l.records.EventRecord(ctx, id)
	if err != nil {
		return relay.EventRecord{}, err
	}
	return l.seen(record)
}

// seen returns what may be seen of a record. Sent counts endpoints of all, so a tenant does not see
// it.
func (l TenantLedger) seen(record relay.EventRecord) (relay.EventRecord, error) {
	if !l.sees(record.Tenant) {
		return relay.EventRecord{}, fmt.Errorf("event %s: %w", record.ID, catalog.ErrNotFound)
	}
	if l.tenant == "" {
		return record, nil
	}
	record.Sent = 0
	record.Endpoints = slices.DeleteFunc(slices.Clone(record.Endpoints), func(name string) bool {
		return !l.seesEndpoint(name)
	})
	return record, nil
}

// Delivery is relay.Deliveries.Delivery; endpoint is a qualified name.
func (l TenantLedger) Delivery(
	ctx context.Context, k relay.DeliveryKey,
) (relay.Delivery, error) {
	if !l.seesEndpoint(k.Endpoint) {
		return relay.Delivery{}, fmt.Errorf(
			"delivery of %s to %s: %w", k.EventID, k.Endpoint, catalog.ErrNotFound,
		)
	}
	return l.records.Delivery(ctx, k)
}
