// Package kms seals secrets with a key of AWS KMS.
//
//	sealer := kms.New(cfg, keyARN)
//
// The name that a secret is sealed under is its encryption context, {"name": name}. So a secret
// sealed under one name does not open under another, and CloudTrail shows which secret was opened.
// KMS itself encrypts, so a secret has at most 4,096 bytes. Each call is one request to KMS:
// callers cache opened secrets for a while.
package kms
