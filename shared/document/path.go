package document

import (
	"fmt"
	"strings"
)

// SplitPath returns the members that a path of a JSON value names, in the order in which they hold each other. A path is either
// members separated by dots, "event.kind", or, where a member's own name has a dot, a JSON Pointer (RFC 6901), which begins with a
// slash: "/event.kind/id". The first element of an array is its member "0" in both.
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

// CheckPath tells what is wrong with a path as the configuration has it; nil: nothing.
func CheckPath(path string) error {
	pointer, ok := strings.CutPrefix(path, "/")
	if !ok && strings.Contains("."+path+".", "..") {
		return fmt.Errorf("%q has an empty member name; write them separated by single dots, as event.kind, or as a JSON Pointer, /event/kind", path)
	}
	if ok && strings.Contains(strings.ReplaceAll(strings.ReplaceAll(pointer, "~0", ""), "~1", ""), "~") {
		return fmt.Errorf("%q is no JSON Pointer (RFC 6901): a ~ in a name is written ~0, a / is written ~1", path)
	}
	return nil
}
