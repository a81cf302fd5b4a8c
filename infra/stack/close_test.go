//go:build !race

package stack_test

import (
	"os"
	"testing"

	"webhook-relay/infra/stack"
)

// TestMain ends the Node process that the constructs live in. Closing it is a data race inside
// jsii, so that a run with -race leaves it to the end of the process.
func TestMain(m *testing.M) {
	code := m.Run()
	stack.Close()
	os.Exit(code)
}
