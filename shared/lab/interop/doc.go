// Package interop checks the relay's signatures against the packages that providers publish for
// receivers. It has only tests, and is a separate module, so that the product does not depend on
// these packages.
package interop
