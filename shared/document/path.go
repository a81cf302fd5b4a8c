package document

import (
	"fmt"
	"strings"
)

// SplitPath splits a path in a JSON value into member names, from the outermost to the innermost. A
// path is either member names separated by dots, "event.kind", or a JSON Pointer (RFC 6901), which
// begins with a slash: "/event.kind/id". Use a JSON Pointer if a name contains a dot. In both, the
// first element of an array is its member "0".
func SplitPath(path string) []string {
	pointer, ok := strings.CutPrefix(path, "/")
	if !ok {
		return strings.Split(path, ".")
	}
	members := strings.Split(pointer, "/")
	for i, m := range members {
		members[i] = strings.ReplaceAll(strings.ReplaceAll(m, "~1", "/"), "~0", "~")
	}
	return members
}

// CheckPath says what is wrong with a path of the configuration. nil: it is valid.
func CheckPath(path string) error {
	pointer, ok := strings.CutPrefix(path, "/")
	if !ok && strings.Contains("."+path+".", "..") {
		return fmt.Errorf(
			"%q has an empty member name; write them separated by single dots, as event.kind, or as a JSON Pointer, /event/kind",
			path,
		)
	}
	if ok && strings.Contains(
		strings.ReplaceAll(strings.ReplaceAll(pointer, "~0", ""), "~1", ""), "~",
	) {
		return fmt.Errorf(
			"%q is not a JSON Pointer (RFC 6901); write a ~ in a name as ~0, and a / as ~1",
			path,
		)
	}
	return nil
}
