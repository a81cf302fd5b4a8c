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

// CreateTable makes a table with a partition key and a sort key, both strings, and with indexes, by
// name. They project their keys and the projected attributes. It returns when the table is ready.
func CreateTable(
	ctx context.Context, client *dynamodb.Client, name string, keys [2]string,
	indexes map[string][2]string, projected ...string,
) error {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	defined := map[string]bool{}
	schema := func(names [2]string) []types.KeySchemaElement {
		for _, n := range names {
			if defined[n] {
				continue
			}
			defined[n] = true
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
	projection := &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
	if len(projected) > 0 {
		projection = &types.Projection{
			ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: projected,
		}
	}
	for index, names := range indexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: &index, KeySchema: schema(names), Projection: projection,
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
