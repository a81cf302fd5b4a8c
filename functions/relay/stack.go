//go:build !local

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/operate"
)

// The stack's outputs by which its address, tables, key, bucket and queues are found.
const (
	outputAPIURL         = "ApiUrl"
	outputCatalogTable   = "CatalogTable"
	outputLedgerTable    = "LedgerTable"
	outputSecretsKeyARN  = "SecretsKeyArn"
	outputBodiesBucket   = "BodiesBucket"
	outputIngestQueueURL = "IngestQueueUrl"
	outputRetryQueueURL  = "RetryQueueUrl"
)

var outputs = []string{
	outputAPIURL, outputCatalogTable, outputLedgerTable, outputSecretsKeyARN, outputBodiesBucket,
	outputIngestQueueURL, outputRetryQueueURL,
}

// addressOfStack returns the address of a stack's relay.
func addressOfStack(ctx context.Context, stack string) (string, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	found, err := stackOutputs(ctx, cfg, stack)
	return strings.TrimSuffix(found[outputAPIURL], "/v1"), err
}

// apiOfStack returns the handler of a stack's API, with AWS credentials in the place of a token,
// and the stack's address.
func apiOfStack(ctx context.Context, stack string) (http.Handler, string, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, "", err
	}
	found, err := stackOutputs(ctx, cfg, stack)
	if err != nil {
		return nil, "", err
	}
	tables, queues := dynamo.Client(cfg), sqs.Client(cfg)
	sealer := kms.New(cfg, found[outputSecretsKeyARN])
	bodies := s3.New(s3.NewBucket(cfg, found[outputBodiesBucket]))
	catalogs := dynamo.NewCatalog(tables, found[outputCatalogTable], sealer)
	ledger := dynamo.NewLedger(tables, found[outputLedgerTable], bodies)
	api, err := admin.New(admin.Config{
		Catalogs: catalogs, Events: ledger, States: ledger, Bodies: bodies,
		CatalogDocuments: dynamo.NewDocuments(tables, found[outputCatalogTable]),
		LedgerDocuments:  dynamo.NewDocuments(tables, found[outputLedgerTable]),
		Notifier: operate.NewNotifier(
			relay.NewRouter(catalogs, nil, 0, time.Now),
			sqs.New(queues, found[outputIngestQueueURL]),
		),
		Pinger: operate.Pinger{
			Events: ledger, Delivery: sqs.New(queues, found[outputRetryQueueURL]),
		},
	})
	return api, strings.TrimSuffix(found[outputAPIURL], "/v1"), err
}

func stackOutputs(ctx context.Context, cfg aws.Config, stack string) (map[string]string, error) {
	described, err := cloudformation.NewFromConfig(cfg).DescribeStacks(
		ctx, &cloudformation.DescribeStacksInput{StackName: &stack},
	)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, s := range described.Stacks {
		for _, o := range s.Outputs {
			found[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	for _, name := range outputs {
		if found[name] == "" {
			return nil, fmt.Errorf(
				"has no output %s; it is not the stack of a webhook relay, or an older version's: check --stack, or deploy again",
				name,
			)
		}
	}
	return found, nil
}
