package catalog

import (
	"strconv"
	"strings"
)

// IsFinal tells whether the operator wants no further attempt after a status.
func (ep Endpoint) IsFinal(status int) bool {
	code := strconv.Itoa(status)
	for _, f := range ep.Final {
		if f == code || strings.HasSuffix(f, "xx") && f[0] == code[0] {
			return true
		}
	}
	return false
}
