// Package emulator runs stand-ins for the AWS services that the relay uses, on loopback, for tests
// and for trying a built function.
//
//	services := emulator.Start(t)      // SQS, SNS, S3, DynamoDB and Kinesis
//	kms := emulator.NewKMS(t)          // Encrypt and Decrypt
//	schedules := emulator.NewScheduler(t)
//	secrets := emulator.NewSecretsManager(t)
//	states := emulator.NewStates(t, keys, machines) // Step Functions
//	err := emulator.CreateTable(ctx, client, "catalog", [2]string{"pk", "sk"}, nil)
//
// Outside of tests use Run, RunKMS, RunScheduler, RunSecretsManager and RunStates. Run returns an
// error; the results of the others must be closed.
//
// SQS, SNS, S3, DynamoDB and Kinesis are npm packages, pinned in infra/package.json. Each process
// that uses them has one Node process, which starts with the first call and ends with that process,
// however it ends. If the packages are not installed, "npm ci" is run. Test binaries that start at
// the same time wait for the one that runs it. KMS, EventBridge Scheduler, Secrets Manager and Step
// Functions are small servers in this package. They implement as much of the services' protocols as
// the relay uses, and refuse what the services refuse.
//
// None of them checks permissions. Step Functions can check signatures, and CheckSignature does it
// for any of them. Their data is lost when they end. The SQS emulator drops the message group of a
// message on a standard queue, so fairness cannot be observed. The DynamoDB emulator has no
// transactions, and never deletes by time-to-live.
package emulator
