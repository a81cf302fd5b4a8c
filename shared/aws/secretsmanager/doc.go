// Package secretsmanager reads secrets from AWS Secrets Manager for endpoints whose configuration refers to them.
//
//	store := secretsmanager.New(cfg)
//	text, err := store.Secret(ctx, "shop/token")
//
// Its client is made when a secret is first read: a relay without references pays nothing for it. It keeps nothing, so that each call is one
// request (0.05 USD for 10,000) and sees a rotated secret at once: callers keep what they have read for a while.
//
// No error of this package has a secret in it.
package secretsmanager
