// Command admin is the Lambda function behind /v1 and /console of the HTTP API: it serves the API
// by which operators and tenants run the relay, and the console. It invokes itself to work on jobs.
package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/console"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/lambda"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/aws/sts"
	"webhook-relay/shared/lambda/handler"
	"webhook-relay/shared/lambda/settings"
	"webhook-relay/shared/lambda/start"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/listen"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/telemetry"
	"webhook-relay/shared/transform/jq"
)

func main() { start.Function(wire) }

func wire(s settings.Admin, cfg aws.Config, log telemetry.Log) (any, error) {
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	catalogs := dynamo.NewCatalog(
		tables, s.CatalogTable, kms.New(cfg, s.SecretsKeyARN),
	)
	access := dynamo.NewDocuments(tables, s.CatalogTable) // tokens, sessions and tenants
	bodies := s3.New(s3.NewBucket(cfg, s.BodiesBucket))
	ledger := dynamo.NewLedger(tables, s.LedgerTable, bodies)
	documents := dynamo.NewDocuments(tables, s.LedgerTable)
	endpoints := operate.EndpointsOf(catalogs)
	replayer := operate.Replayer{
		Ledger: ledger, Deliveries: ledger, Retry: sqs.New(queues, s.RetryQueueURL),
		Router: relay.NewRouter(
			catalogs, bodies, settings.Seconds(s.CatalogCacheSeconds), time.Now,
		),
	}
	jobs, err := operate.NewJobs(operate.JobsConfig{
		Documents: documents, Deliveries: ledger, Events: ledger, Records: ledger,
		Replayer: replayer,
		Bodies:   bodies, Endpoints: endpoints,
		Starter: lambda.NewStarter(cfg, lambdacontext.FunctionName),
	})
	if err != nil {
		return nil, err
	}
	listening, err := listeningOf(s, cfg, queues, access, catalogs)
	if err != nil {
		return nil, err
	}
	api, err := admin.New(admin.Config{
		Catalogs:         catalogs,
		CatalogDocuments: access,
		LedgerDocuments:  documents,
		Events:           ledger,
		Bodies:           bodies,
		States:           ledger,
		Granted:          s.Send,
		Triggers:         s.Triggers,
		JQ:               jq.New("", start.Beside("jq")),
		Jobs:             jobs,
		Replayer:         replayer,
		Learned:          catalogs,
		Listening:        listening,
		Queues:           countersOf(s, queues),
		Searcher: operate.Searcher{
			Events: ledger, Deliveries: ledger, Records: ledger, Bodies: bodies,
			Endpoints: endpoints,
		},
		Statistics: operate.Statistics{Documents: documents, Events: ledger},
		Notifier: operate.NewNotifier(
			relay.NewRouter(catalogs, nil, settings.Seconds(s.CatalogCacheSeconds), time.Now),
			sqs.New(queues, s.IngestQueueURL),
		),
		Pinger: operate.Pinger{
			Events: ledger, Delivery: sqs.New(queues, s.DeliveryQueueURL),
			Retention: settings.Days(s.RetentionDays),
		},
		Observe: func(ctx context.Context, o admin.Observation) {
			log.Administered(ctx, telemetry.Administration{
				RequestID: o.RequestID, Route: o.Route, Status: o.Status, Kind: o.Who.Kind,
				By: o.Who.ID, Tenant: o.Tenant, Duration: o.Duration, Err: o.Err,
			})
		},
	})
	if err != nil {
		return nil, err
	}
	pages, err := console.New(console.Config{API: api, Documents: access})
	if err != nil {
		return nil, err
	}
	return handler.Admin(handler.HTTP(pages.Beside(api), identify), jobs.Work), nil
}

// countersOf returns what counts the messages of each queue.
func countersOf(s settings.Admin, queues *signed.Client) map[string]admin.QueueCounter {
	counters := map[string]admin.QueueCounter{}
	for name, inSQS := range s.Queues {
		counters[name] = sqs.New(queues, sqs.Beside(s.IngestQueueURL, inSQS)).Len
	}
	return counters
}

// listeningOf returns what people need to listen; zero: listening is off.
func listeningOf(
	s settings.Admin, cfg aws.Config, queues *signed.Client, documents operate.Documents,
	marks *dynamo.Catalog,
) (admin.Listening, error) {
	if s.ListenPrefix == "" {
		return admin.Listening{}, nil
	}
	temporary := sqs.ListenQueues{
		Client: queues, Beside: s.IngestQueueURL, Prefix: s.ListenPrefix, Key: s.DataKeyARN,
		Role: s.ListenRoleARN, Region: cfg.Region, Assume: sts.New(cfg, s.ListenRoleARN).Assume,
	}
	listeners, err := listen.New(listen.Config{
		Documents: documents, Marks: marks, Queues: temporary,
		CacheTTL: settings.Seconds(s.CatalogCacheSeconds),
	})
	return admin.Listening{Listeners: listeners, Sender: temporary}, err
}

// identify passes on what API Gateway knows of a request: its id, and with the setting iam who
// signed it.
func identify(
	ctx context.Context, c events.APIGatewayV2HTTPRequestContext,
) context.Context {
	ctx = admin.WithRequestID(ctx, c.RequestID)
	if c.Authorizer != nil && c.Authorizer.IAM != nil && c.Authorizer.IAM.UserARN != "" {
		ctx = admin.WithIdentity(ctx, c.Authorizer.IAM.UserARN)
	}
	return ctx
}
