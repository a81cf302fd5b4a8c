package emulator

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tablePatience is how long a table may take to become active.
const tablePatience = time.Minute

// CreateTable makes a table with a partition key and a sort key, both strings, and with keys-only
// indexes, by name. It returns when the table is ready.
func CreateTable(
	ctx context.Context, client *dynamodb.Client, name string, keys [2]string,
	indexes map[string][2]string,
) error {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	schema := func(names [2]string) []types.KeySchemaElement {
		for _, n := range names {
			in.AttributeDefinitions = append(in.AttributeDefinitions,
				types.AttributeDefinition{
					AttributeName: aws.String(n), AttributeType: types.ScalarAttributeTypeS,
				})
		}
		return []types.KeySchemaElement{
			{AttributeName: aws.String(names[0]), KeyType: types.KeyTypeHash}, {
				AttributeName: aws.String(names[1]), KeyType: types.KeyTypeRange,
			},
		}
	}
	in.KeySchema = schema(keys)
	for index, names := range indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &index, KeySchema: schema(names), Projection: &types.Projection{
				ProjectionType: types.ProjectionTypeKeysOnly,
			},
		})
	}
	if _, err := client.CreateTable(ctx, in); err != nil {
		return err
	}
	active := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay = 5 * time.Millisecond
	})
	return active.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, tablePatience)
}
