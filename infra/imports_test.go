package main_test

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// The stack describes the relay from outside: all it may know of its code is the names that the
// functions read and those of the metrics that they write.
func TestInfraImportsNamesAlone(t *testing.T) {
	t.Parallel()
	allowed := []string{"webhook-relay/infra/stack", "webhook-relay/shared/lambda/settings",
		"webhook-relay/shared/telemetry/metric"}
	for _, dir := range []string{".", "stack"} {
		pkg, err := build.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range slices.Concat(pkg.Imports, pkg.TestImports, pkg.XTestImports) {
			if path == "webhook-relay/shared/lab/page" && !slices.Contains(pkg.Imports, path) {
				continue // tests read the documentation's tables
			}
			if strings.HasPrefix(path, "webhook-relay/") && !slices.Contains(allowed, path) {
				t.Errorf("infra/%s imports %s", dir, path)
			}
		}
	}
}
