// Package lab holds what tests and tools share. Its packages test the product. The product imports
// none of them.
package lab

// Must returns v, and panics if err is not nil. Use it to build the input of a test.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
