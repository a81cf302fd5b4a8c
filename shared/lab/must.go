// Package lab is what tests and tools have in common. Its packages test the product; the product imports none of them.
package lab

// Must returns v, and panics if err is not nil: for what a test is made of.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
