package settings_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lambda/settings"
)

var deliver = settings.Deliver{
	CatalogTable: "catalog", LedgerTable: "ledger", BodiesBucket: "bodies",
	SecretsKeyARN: "arn:key", IngestQueueURL: "https://ingest",
	DeliveryQueueURL:        "https://delivery",
	OrderedDeliveryQueueURL: "https://line.fifo",
	RetryQueueURL:           "https://retry", SlowQueueURL: "https://slow",
	DeadQueueURL: "https://dead", PoisonQueueURL: "https://poison", ScheduleGroup: "group",
	ScheduleRoleARN: "arn:role",
	RetentionDays:   3, CatalogCacheSeconds: 9, EgressPorts: []uint16{8443, 9000},
	Origin: "in.example.com",
}

func TestWhatInfraWritesIsWhatTheFunctionReads(t *testing.T) {
	vars, err := settings.Environment(deliver)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	got, err := settings.Read[settings.Deliver]()
	if diff := cmp.Diff(deliver, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestMapsAreWrittenAsTheyAreRead(t *testing.T) {
	receive := settings.Receive{
		CatalogTable: "a", LedgerTable: "f", IngestQueueURL: "b", OrderedIngestQueueURL: "e",
		BodiesBucket: "c", SecretsKeyARN: "d", TriggersDLQURL: "https://dlq",
		MaxBodyBytes: 1, InlineBodyBytes: 1, RetentionDays: 1, CatalogCacheSeconds: 1,
		Triggers: map[string]string{"TriggerB": "b", "TriggerA-2": "a-2"},
	}
	vars, err := settings.Environment(receive)
	if err != nil || vars["RELAY_TRIGGER_QUEUES"] != "TriggerA-2:a-2,TriggerB:b" {
		t.Fatal(vars, err)
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	got, err := settings.Read[settings.Receive]()
	if diff := cmp.Diff(receive, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestZeroFieldsMeanTheDefaults(t *testing.T) {
	vars, err := settings.Environment(settings.Receive{
		CatalogTable: "a", LedgerTable: "f", IngestQueueURL: "b", OrderedIngestQueueURL: "e",
		BodiesBucket: "c", SecretsKeyARN: "d",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(vars) != 6 {
		t.Errorf("written: %v", vars)
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	got, err := settings.Read[settings.Receive]()
	if err != nil || got.MaxBodyBytes != 4<<20 || got.InlineBodyBytes != 40<<10 ||
		got.CatalogCacheSeconds != 30 {
		t.Errorf("read: %+v, %v", got, err)
	}
}

func TestEverythingMissingOrUnreadableIsNamed(t *testing.T) {
	t.Setenv("RELAY_CATALOG_TABLE", "catalog")
	t.Setenv("RELAY_LEDGER_TABLE", "")
	t.Setenv("RELAY_RETENTION_DAYS", "soon")
	_, err := settings.Read[settings.Fanout]()
	for _, name := range []string{
		"RELAY_LEDGER_TABLE", "RELAY_DELIVERY_QUEUE_URL", "RELAY_POISON_QUEUE_URL", "RetentionDays",
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

func TestInfraCannotLeaveARequiredSettingOut(t *testing.T) {
	t.Parallel()
	incomplete := deliver
	incomplete.DeadQueueURL = ""
	if vars, err := settings.Environment(incomplete); err == nil ||
		!strings.Contains(err.Error(), "DeadQueueURL") {
		t.Errorf("got %v, %v", vars, err)
	}
}
