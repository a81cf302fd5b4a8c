package stack_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/caarlos0/env/v11"
	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lambda/settings"
)

// names returns the environment that a function's settings are read from.
func names(t *testing.T, s any) []string {
	t.Helper()
	params, err := env.GetFieldParams(s)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"GOMEMLIMIT", settings.RelayName}
	for _, p := range params {
		names = append(names, p.Key)
	}
	slices.Sort(names)
	return names
}

func TestEnvironmentIsWhatSettingsRead(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"Receive": names(
			t, &settings.Receive{},
		), "Fanout": names(t, &settings.Fanout{}), "Deliver": names(t, &settings.Deliver{}),
		"Sweep": names(t, &settings.Sweep{}), "Admin": names(t, &settings.Admin{}),
	}
	got := map[string][]string{}
	// the most: what is not asked for is left out
	whole(t).each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
		variables, _ := r.get("Environment", "Variables").(map[string]any)
		got[name(id)] = slices.Sorted(maps.Keys(variables))
		if limit := fmt.Sprintf(
			"%dMiB", r.number("MemorySize")*9/10,
		); variables["GOMEMLIMIT"] != limit {
			t.Errorf("GOMEMLIMIT %v, want %s", variables["GOMEMLIMIT"], limit)
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

// environment is what the variables that name resources name, in all functions that have them.
var environment = map[string]string{
	"RELAY_ADMIN_FUNCTION":             "{Admin}",
	"RELAY_BODIES_BUCKET":              "{Bodies}",
	"RELAY_CATALOG_TABLE":              "{Catalog}",
	"RELAY_DEAD_QUEUE_URL":             "{Dead}",
	"RELAY_DELIVERY_QUEUE_URL":         "{Delivery}",
	"RELAY_INGEST_QUEUE_URL":           "{Ingest}",
	"RELAY_LEDGER_TABLE":               "{Ledger}",
	"RELAY_LISTEN_ROLE_ARN":            "{Listen.Arn}",
	"RELAY_ORDERED_DELIVERY_QUEUE_URL": "{OrderedDelivery}",
	"RELAY_ORDERED_INGEST_QUEUE_URL":   "{OrderedIngest}",
	"RELAY_ORIGIN":                     "{Ingress}.execute-api.{AWS::Region}.{AWS::URLSuffix}",
	"RELAY_QUEUES": "dead:{Dead.QueueName},delivery:{Delivery.QueueName}," +
		"delivery-dlq:{DeliveryDlq.QueueName},ingest:{Ingest.QueueName}," +
		"ingest-dlq:{IngestDlq.QueueName},ordered-delivery:{OrderedDelivery.QueueName}," +
		"ordered-delivery-dlq:{OrderedDeliveryDlq.QueueName}," +
		"ordered-ingest:{OrderedIngest.QueueName}," +
		"ordered-ingest-dlq:{OrderedIngestDlq.QueueName},retry:{Retry.QueueName}," +
		"slow:{Slow.QueueName}",
	"RELAY_RETRY_QUEUE_URL":   "{Retry}",
	"RELAY_SLOW_QUEUE_URL":    "{Slow}",
	"RELAY_SCHEDULE_GROUP":    "{Schedules}",
	"RELAY_SCHEDULE_ROLE_ARN": "{SchedulesRole.Arn}",
	"RELAY_SECRETS_KEY_ARN":   "{SecretsKey.Arn}",

	"Deliver RELAY_POISON_QUEUE_URL": "{DeliveryDlq}",
	"Fanout RELAY_POISON_QUEUE_URL":  "{IngestDlq}",
}

func TestEnvironmentNamesTheRightResources(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	defaults(t).each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
		variables, _ := r.get("Environment", "Variables").(map[string]any)
		for variable, value := range variables {
			if _, plain := value.(string); plain {
				continue // a number, or a name of the stack's
			}
			key := variable
			if own := name(id) + " " + variable; environment[own] != "" {
				key = own
			}
			named[key] = true
			if got, want := render(value), environment[key]; got != want {
				t.Errorf("%s is %s, want %q", variable, got, want)
			}
		}
	})
	for key := range environment {
		if !named[key] {
			t.Errorf("no function has %s", key)
		}
	}
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	timeouts := map[string]int{
		"Receive": 10, "Fanout": 30, "Deliver": 60, "Sweep": 900, "Admin": 29,
	}
	memory := map[string]int{
		"Receive": 256, "Fanout": 256, "Deliver": 512, "Sweep": 1769, "Admin": 512,
	}
	tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
		if r.get("Runtime") != "provided.al2023" || r.get("Architectures", 0) != "arm64" ||
			r.get("Handler") != "bootstrap" {
			t.Errorf("runs %v on %v", r.get("Runtime"), r.get("Architectures"))
		}
		if r.number("Timeout") != timeouts[name(id)] || r.number("MemorySize") != memory[name(id)] {
			t.Errorf("timeout %d s, memory %d MiB", r.number("Timeout"), r.number("MemorySize"))
		}
		if r.get("TracingConfig") != nil {
			t.Error("is traced, and nobody asked for it")
		}
		if r.get("LoggingConfig", "LogFormat") != "JSON" ||
			r.get("LoggingConfig", "ApplicationLogLevel") != "INFO" ||
			r.get("LoggingConfig", "SystemLogLevel") != "WARN" {
			t.Errorf("logs %v", r.get("LoggingConfig"))
		}
		if logs := tmpl.Resources[target(r.get(
			"LoggingConfig", "LogGroup",
		))]; logs.Type != "AWS::Logs::LogGroup" {
			t.Error("has no log group of its own")
		}
	})
}

// Lambda stops what it takes for a runaway: a function that sends to a queue that starts it, or
// invokes itself, needs leave, and no other has it.
func TestRecursionIsAllowedWhereItIsMeant(t *testing.T) {
	t.Parallel()
	tmpl := defaults(t)
	starts := map[string][]string{} // function → the queues that start it, as grants write them
	for queue, mappings := range tmpl.mappings() {
		for _, m := range mappings {
			f := target(m.get("FunctionName"))
			starts[f] = append(starts[f], "sqs:SendMessage on {"+name(queue)+".Arn}")
		}
	}
	for id := range tmpl.Resources {
		starts[id] = append(starts[id], "lambda:InvokeFunction on "+named(id))
	}
	var recursive []string
	tmpl.each(t, "AWS::Lambda::Function", func(t *testing.T, id string, r resource) {
		loops := slices.ContainsFunc(statements(
			tmpl.Resources[target(r.get("Role"))],
		), func(grant string) bool {
			return slices.Contains(starts[id], grant)
		})
		if loops {
			recursive = append(recursive, name(id))
		}
		if allowed := r.get("RecursiveLoop") == "Allow"; allowed != loops {
			t.Errorf("recursion allowed %t, starts itself %t", allowed, loops)
		}
	})
	slices.Sort(recursive)
	if want := []string{"Admin", "Deliver"}; !slices.Equal(recursive, want) {
		t.Errorf("%v start themselves, want %v", recursive, want)
	}
}

func TestLogsAreKeptForAWhile(t *testing.T) {
	t.Parallel()
	defaults(t).each(t, "AWS::Logs::LogGroup", func(t *testing.T, _ string, r resource) {
		if got := r.number("RetentionInDays"); got != 30 {
			t.Errorf("kept for %d days, want 30", got)
		}
	})
}
