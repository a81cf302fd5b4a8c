// Package catalog is the configuration of a relay: its sources, endpoints and subscriptions, their
// secrets and the rotation of these, and the ports that store all of it.
//
//	c := catalog.Catalog{Sources: …, Endpoints: …, Subscriptions: …}
//	err := store.ReplaceCatalog(ctx, c, revision) // a Store: package dynamo or sqlite
//
// A function reads the catalog through a [Cache]. The cache asks once in each TTL which generation
// is current, and reads nothing else twice.
//
// The package does not read the operator's file (package config does), and it does not check the
// values that it gets.
package catalog
