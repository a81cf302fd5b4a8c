// Package kms seals secrets with a key of AWS KMS.
//
//	sealer := kms.New(awskms.NewFromConfig(cfg), keyARN)
//
// The name that a secret is sealed under is its encryption context, {"name": name}: what was sealed under one name does not open
// under another, and CloudTrail shows whose secret was opened. KMS itself does the encryption, so a secret is never larger than
// 4,096 bytes, and each call is one request to KMS: callers keep what they have opened for a while.
package kms
