package operate_test

import (
	"flag"
	"testing"

	"webhook-relay/shared/lab/golden"
	"webhook-relay/shared/relay/operate"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

func TestFormatsAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	golden.Formats(t, ".", operate.StoredFormats(), *update)
}
