// Package events holds samples: webhooks as providers send them, and the events with which Lambda
// invokes each function.
//
//	body, eventType, err := events.Sample("github", "")   // a push
//
// The webhooks are made up in the documented form of the providers. Names are under example.com,
// and addresses are from the ranges that RFC 5737 reserves for documentation. Lambda's events are
// files beside them. This package's tests generate them from the webhooks (-update) and pass each
// to its handler. README.md describes each file, and how to invoke a function with it.
package events
