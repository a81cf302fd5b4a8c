// Command empty is a Lambda function that does nothing: what the cold start of the others is held against.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
