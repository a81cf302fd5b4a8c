package settings

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// RelayName is the environment variable with the relay's name, which is the stack's, in every
// function. If it is not set, no metrics are written.
const RelayName = "RELAY_NAME"

// Receive is the environment of the function receive.
type Receive struct {
	CatalogTable          string `env:"RELAY_CATALOG_TABLE,notEmpty"`
	LedgerTable           string `env:"RELAY_LEDGER_TABLE,notEmpty"` // for refused requests
	IngestQueueURL        string `env:"RELAY_INGEST_QUEUE_URL,notEmpty"`
	OrderedIngestQueueURL string `env:"RELAY_ORDERED_INGEST_QUEUE_URL,notEmpty"`
	BodiesBucket          string `env:"RELAY_BODIES_BUCKET,notEmpty"`
	SecretsKeyARN         string `env:"RELAY_SECRETS_KEY_ARN,notEmpty"`
	MaxBodyBytes          int    `env:"RELAY_MAX_BODY_BYTES" envDefault:"4194304"`
	InlineBodyBytes       int    `env:"RELAY_INLINE_BODY_BYTES" envDefault:"40960"`
	RetentionDays         int    `env:"RELAY_RETENTION_DAYS" envDefault:"30"`
	CatalogCacheSeconds   int    `env:"RELAY_CATALOG_CACHE_SECONDS" envDefault:"30"`

	// the sources that have a queue of their own, by the queue's name: queue:source, by commas
	Triggers map[string]string `env:"RELAY_TRIGGER_QUEUES"`
	// triggers-dlq; with Triggers
	TriggersDLQURL string `env:"RELAY_TRIGGERS_DLQ_URL"`
}

// Fanout is the environment of the function fanout.
type Fanout struct {
	CatalogTable            string `env:"RELAY_CATALOG_TABLE,notEmpty"`
	LedgerTable             string `env:"RELAY_LEDGER_TABLE,notEmpty"`
	BodiesBucket            string `env:"RELAY_BODIES_BUCKET,notEmpty"`
	IngestQueueURL          string `env:"RELAY_INGEST_QUEUE_URL,notEmpty"`
	OrderedIngestQueueURL   string `env:"RELAY_ORDERED_INGEST_QUEUE_URL,notEmpty"`
	DeliveryQueueURL        string `env:"RELAY_DELIVERY_QUEUE_URL,notEmpty"`
	OrderedDeliveryQueueURL string `env:"RELAY_ORDERED_DELIVERY_QUEUE_URL,notEmpty"`
	PoisonQueueURL          string `env:"RELAY_POISON_QUEUE_URL,notEmpty"` // ingest-dlq
	RetentionDays           int    `env:"RELAY_RETENTION_DAYS" envDefault:"30"`
	CatalogCacheSeconds     int    `env:"RELAY_CATALOG_CACHE_SECONDS" envDefault:"30"`
	// with what the names of the queues of listeners begin; not set: nobody can listen
	ListenPrefix string `env:"RELAY_LISTEN_PREFIX"`
}

// Deliver is the environment of the function deliver.
type Deliver struct {
	CatalogTable  string `env:"RELAY_CATALOG_TABLE,notEmpty"`
	LedgerTable   string `env:"RELAY_LEDGER_TABLE,notEmpty"`
	BodiesBucket  string `env:"RELAY_BODIES_BUCKET,notEmpty"`
	SecretsKeyARN string `env:"RELAY_SECRETS_KEY_ARN,notEmpty"`
	// for the relay's own events
	IngestQueueURL          string `env:"RELAY_INGEST_QUEUE_URL,notEmpty"`
	DeliveryQueueURL        string `env:"RELAY_DELIVERY_QUEUE_URL,notEmpty"`
	RetryQueueURL           string `env:"RELAY_RETRY_QUEUE_URL,notEmpty"`
	SlowQueueURL            string `env:"RELAY_SLOW_QUEUE_URL,notEmpty"`
	OrderedDeliveryQueueURL string `env:"RELAY_ORDERED_DELIVERY_QUEUE_URL,notEmpty"`
	DeadQueueURL            string `env:"RELAY_DEAD_QUEUE_URL,notEmpty"`
	PoisonQueueURL          string `env:"RELAY_POISON_QUEUE_URL,notEmpty"` // delivery-dlq
	ScheduleGroup           string `env:"RELAY_SCHEDULE_GROUP,notEmpty"`
	ScheduleRoleARN         string `env:"RELAY_SCHEDULE_ROLE_ARN,notEmpty"`
	RetentionDays           int    `env:"RELAY_RETENTION_DAYS" envDefault:"30"`
	CatalogCacheSeconds     int    `env:"RELAY_CATALOG_CACHE_SECONDS" envDefault:"30"`

	// endpoint ports that the guard allows in addition to 80 and 443; separated by commas
	EgressPorts []uint16 `env:"RELAY_EGRESS_PORTS"`
	// the DNS name that the relay tells endpoints as its own: the ingress's
	Origin string `env:"RELAY_ORIGIN"`
}

// ClaimPrefix begins the keys under which deliver stores what is too large for a destination.
const ClaimPrefix = "claim/"

// Sweep is the environment of the function sweep.
type Sweep struct {
	CatalogTable     string `env:"RELAY_CATALOG_TABLE,notEmpty"`
	LedgerTable      string `env:"RELAY_LEDGER_TABLE,notEmpty"`
	BodiesBucket     string `env:"RELAY_BODIES_BUCKET,notEmpty"`
	DeliveryQueueURL string `env:"RELAY_DELIVERY_QUEUE_URL,notEmpty"`
	RetryQueueURL    string `env:"RELAY_RETRY_QUEUE_URL,notEmpty"`
	IngestQueueURL   string `env:"RELAY_INGEST_QUEUE_URL,notEmpty"` // for the relay's own events
	AdminFunction    string `env:"RELAY_ADMIN_FUNCTION,notEmpty"`   // name; it works on jobs
	ListenPrefix     string `env:"RELAY_LISTEN_PREFIX"`             // as of Fanout
}

// Admin is the environment of the function admin.
type Admin struct {
	CatalogTable  string `env:"RELAY_CATALOG_TABLE,notEmpty"`
	LedgerTable   string `env:"RELAY_LEDGER_TABLE,notEmpty"`
	BodiesBucket  string `env:"RELAY_BODIES_BUCKET,notEmpty"`
	SecretsKeyARN string `env:"RELAY_SECRETS_KEY_ARN,notEmpty"`
	// for the relay's own events
	IngestQueueURL string `env:"RELAY_INGEST_QUEUE_URL,notEmpty"`
	// ARNs of destinations and roles that deliver may use; separated by commas
	Send []string `env:"RELAY_SEND"`
	// providers of the sources that have a queue: source:provider, by commas
	Triggers map[string]string `env:"RELAY_TRIGGERS"`
	// for pings
	DeliveryQueueURL string `env:"RELAY_DELIVERY_QUEUE_URL,notEmpty"`
	// for jobs that send deliveries again
	RetryQueueURL       string `env:"RELAY_RETRY_QUEUE_URL,notEmpty"`
	RetentionDays       int    `env:"RELAY_RETENTION_DAYS" envDefault:"30"`
	CatalogCacheSeconds int    `env:"RELAY_CATALOG_CACHE_SECONDS" envDefault:"30"`
	ListenPrefix        string `env:"RELAY_LISTEN_PREFIX"` // as of Fanout
	// the queues whose messages the API counts: name:name in SQS, by commas
	Queues map[string]string `env:"RELAY_QUEUES"`
	// the role whose credentials listeners get, limited to their queue; set with ListenPrefix
	ListenRoleARN string `env:"RELAY_LISTEN_ROLE_ARN"`
	// the KMS key that encrypts the queues of listeners; not set: a key of SQS's own
	DataKeyARN string `env:"RELAY_DATA_KEY_ARN"`
}

// Read reads a function's settings from the environment. The error names every variable that is
// missing or cannot be parsed.
func Read[T Receive | Fanout | Deliver | Sweep | Admin]() (T, error) {
	s, err := env.ParseAs[T]()
	if err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	return s, nil
}

// Environment returns the variables that make Read return s. Zero fields are omitted, so they get
// their defaults.
func Environment[T Receive | Fanout | Deliver | Sweep | Admin](s T) (map[string]string, error) {
	params, err := env.GetFieldParams(&s)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	vars := make(map[string]string, len(params))
	v := reflect.ValueOf(s)
	for i, p := range params {
		if field := v.Field(i); !field.IsZero() {
			vars[p.Key] = text(field)
		} else if p.NotEmpty {
			return nil, fmt.Errorf("settings: %s of %T is empty", v.Type().Field(i).Name, s)
		}
	}
	return vars, nil
}

// text writes a field as Read reads it. fmt sorts the keys of maps.
func text(field reflect.Value) string {
	written := fmt.Sprint(field.Interface())
	switch field.Kind() {
	case reflect.Slice:
		written = strings.Trim(written, "[]")
	case reflect.Map:
		written = strings.TrimSuffix(strings.TrimPrefix(written, "map["), "]")
	default:
		return written
	}
	return strings.ReplaceAll(written, " ", ",")
}

// Days converts a setting in days into a duration.
func Days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// Seconds converts a setting in seconds into a duration.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }
