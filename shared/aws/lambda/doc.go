// Package lambda invokes functions on AWS Lambda without waiting for them.
//
//	starter := lambda.NewStarter(cfg, functionName) // of admin, which works on jobs
//
// It makes one signed POST to Lambda's API:
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html. The client of the SDK would add
// 0.7 MB to the function.
package lambda
