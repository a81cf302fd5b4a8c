package relay

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrIncomplete means that a configuration lacks something that has no default.
var ErrIncomplete = errors.New("relay: incomplete configuration")

// Lacks returns an error that names the required fields of a configuration that are missing.
func Lacks(config string, missing map[string]bool) error {
	maps.DeleteFunc(missing, func(_ string, isMissing bool) bool { return !isMissing })
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf(
		"%w: %s has no %s", ErrIncomplete, config,
		strings.Join(slices.Sorted(maps.Keys(missing)), ", no "),
	)
}
