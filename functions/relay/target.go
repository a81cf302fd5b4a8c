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

	"webhook-relay/shared/dynamo"
	"webhook-relay/shared/kms"
	"webhook-relay/shared/relay"
	"webhook-relay/shared/sqlite"
	"webhook-relay/shared/sqs"
)

// targetFlags say which relay a command operates.
type targetFlags struct {
	Data  string `help:"Directory of the local relay." default:".relay" type:"path"`
	Stack string `help:"Name of a deployed stack, in the place of a local relay; uses your own AWS credentials."`
}

// target is a relay to be operated, local or deployed. It must be closed.
type target struct {
	catalog relay.CatalogStore
	ledger  relay.Ledger
	retry   relay.Queue
	close   func() error
}

func (f targetFlags) open(ctx context.Context) (*target, error) {
	if f.Stack == "" {
		return openLocal(f.Data)
	}
	t, err := openDeployed(ctx, f.Stack)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", f.Stack, err)
	}
	return t, nil
}

// openLocal opens the relay in a directory. Its host may be running.
func openLocal(dir string) (*target, error) {
	store, err := sqlite.Open(dir)
	if err != nil {
		return nil, err
	}
	sealer, err := sqlite.NewSealer(dir)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	queues, err := openQueues(store)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	return &target{store.Catalog(sealer), store.Ledger(), queues[retryQueue], store.Close}, nil
}

// Outputs of the stack by which its relay is found.
const (
	outputCatalogTable  = "CatalogTable"
	outputLedgerTable   = "LedgerTable"
	outputSecretsKeyARN = "SecretsKeyArn"
	outputRetryQueueURL = "RetryQueueUrl"
)

func openDeployed(ctx context.Context, stack string) (*target, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	outputs, err := stackOutputs(ctx, cfg, stack)
	if err != nil {
		return nil, err
	}
	tables := dynamodb.NewFromConfig(cfg)
	sealer := kms.New(awskms.NewFromConfig(cfg), outputs[outputSecretsKeyARN])
	return &target{
		catalog: dynamo.NewCatalog(tables, outputs[outputCatalogTable], sealer),
		ledger:  dynamo.NewLedger(tables, outputs[outputLedgerTable]),
		retry:   sqs.New(awssqs.NewFromConfig(cfg), outputs[outputRetryQueueURL]),
		close:   func() error { return nil },
	}, nil
}

func stackOutputs(ctx context.Context, cfg aws.Config, stack string) (map[string]string, error) {
	described, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return nil, err
	}
	outputs := map[string]string{}
	for _, s := range described.Stacks {
		for _, o := range s.Outputs {
			outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	for _, name := range []string{outputCatalogTable, outputLedgerTable, outputSecretsKeyARN, outputRetryQueueURL} {
		if outputs[name] == "" {
			return nil, fmt.Errorf("has no output %s; is it a webhook relay's?", name)
		}
	}
	return outputs, nil
}
