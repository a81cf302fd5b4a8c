// Package pattern compiles regular expressions when they are first needed. What is compiled before
// main is paid for by each cold start of a function.
//
//	var colour = pattern.Lazy(`^#[0-9a-f]{6}$`)
//
//	if colour().MatchString(text) …
package pattern

import (
	"regexp"
	"sync"
)

// Lazy returns a function that returns a regular expression. The first call compiles it, and panics
// if it is not one. It is safe for concurrent use.
func Lazy(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
