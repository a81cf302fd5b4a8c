// Command empty is a Lambda function that does nothing. The cold start of the others is compared
// with it.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() {}) }
