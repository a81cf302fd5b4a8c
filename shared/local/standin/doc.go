// Package standin plays the destinations in AWS on one machine: it accepts what is sent to them,
// and keeps the last of it in files, where it can be looked at.
//
//	poster := standin.New(dir, egress.New(egress.Options{}))
//	kept, err := standin.Sent(dir, "orders")
//
// It checks no permission and no limit beyond those of package destination, and delivers nothing
// any further: no function runs.
package standin
