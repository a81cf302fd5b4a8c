// Package secretsmanager reads secrets from AWS Secrets Manager, for endpoints whose configuration
// refers to them.
//
//	store := secretsmanager.New(cfg)
//	text, err := store.Secret(ctx, "shop/token")
//
// The client is created when a secret is first read, so a relay without references pays nothing for
// it. There is no cache: each call is one request (0.05 USD for 10,000) and sees a rotated secret
// at once. Callers cache what they have read for a while.
//
// No error of this package contains a secret.
package secretsmanager
