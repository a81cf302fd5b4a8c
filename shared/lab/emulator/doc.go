// Package emulator runs stand-ins for the AWS services that the relay uses, on loopback, for tests and for trying a
// built function.
//
//	services := emulator.Start(t)      // SQS, S3 and DynamoDB
//	kms := emulator.NewKMS(t)          // Encrypt and Decrypt
//	schedules := emulator.NewScheduler(t)
//	secrets := emulator.NewSecretsManager(t)
//	err := emulator.CreateTable(ctx, client, "catalog", [2]string{"pk", "sk"}, nil)
//
// A program that is no test has Run, RunKMS, RunScheduler and RunSecretsManager, which return an error or want to be closed.
//
// SQS, S3 and DynamoDB are npm packages, pinned in infra/package.json: one Node process for each process that asks for them,
// started with the first call and ended with that process, however it ends. If they are not installed yet, "npm ci" does it; test
// binaries that start at the same time wait for the one that does. KMS, EventBridge Scheduler and Secrets Manager are small servers in this
// package, which speak the services' protocols as far as the relay uses them, and refuse what the services refuse.
//
// None of them checks signatures or permissions. What they hold is gone when they end. The emulator of SQS forgets the message group of a
// message on a standard queue, so fairness cannot be seen here; the one of DynamoDB has no transactions and never deletes by
// time-to-live.
package emulator
