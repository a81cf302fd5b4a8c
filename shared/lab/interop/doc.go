// Package interop holds the relay's signatures against the packages that providers publish for their receivers. It has
// tests only, and is a module of its own: the product does not depend on these packages.
package interop
