//go:build !local

package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/s3"
	"webhook-relay/shared/aws/sqs"
)

// The stack's outputs by which its tables, key, bucket and queues are found.
const (
	outputCatalogTable   = "CatalogTable"
	outputLedgerTable    = "LedgerTable"
	outputSecretsKeyARN  = "SecretsKeyArn"
	outputBodiesBucket   = "BodiesBucket"
	outputIngestQueueURL = "IngestQueueUrl"
	outputRetryQueueURL  = "RetryQueueUrl"
)

var outputs = []string{
	outputCatalogTable, outputLedgerTable, outputSecretsKeyARN, outputBodiesBucket,
	outputIngestQueueURL, outputRetryQueueURL,
}

func openDeployed(ctx context.Context, stack string) (*target, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	found, err := stackOutputs(ctx, cfg, stack)
	if err != nil {
		return nil, err
	}
	tables, queues := dynamodb.NewFromConfig(cfg), awssqs.NewFromConfig(cfg)
	sealer := kms.New(awskms.NewFromConfig(cfg), found[outputSecretsKeyARN])
	return &target{
		catalog: dynamo.NewCatalog(tables, found[outputCatalogTable], sealer),
		ledger:  dynamo.NewLedger(tables, found[outputLedgerTable]),
		bodies:  s3.New(s3.Client(cfg), found[outputBodiesBucket]),
		ingest:  sqs.New(queues, found[outputIngestQueueURL]),
		retry:   sqs.New(queues, found[outputRetryQueueURL]),
		close:   func() error { return nil },

		catalogDocuments: dynamo.NewDocuments(tables, found[outputCatalogTable]),
		ledgerDocuments:  dynamo.NewDocuments(tables, found[outputLedgerTable]),
	}, nil
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
