package breaker_test

import (
	"flag"
	"testing"

	"webhook-relay/shared/lab/golden"
	"webhook-relay/shared/relay/gate/breaker"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

func TestFormatsAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	golden.Formats(t, ".", breaker.StoredFormats(), *update)
}
