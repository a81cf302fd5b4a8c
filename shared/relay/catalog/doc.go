// Package catalog is the configuration of a relay: its sources, endpoints and subscriptions, their secrets and how these are rotated,
// and the ports that store them.
//
//	c := catalog.Catalog{Sources: …, Endpoints: …, Subscriptions: …}
//	c.SetOrder()
//	err := store.ReplaceCatalog(ctx, c, revision) // a Store: package dynamo or sqlite
//
// A function reads it through a Cache, which asks once in each TTL which generation is in force and reads nothing else twice.
//
// It does not read the operator's file (package config), and checks nothing of what it is given.
package catalog
