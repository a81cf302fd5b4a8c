package relay

import (
	"strconv"
	"strings"
)

// isFinal tells whether the operator wants no further attempt after a status.
func (ep Endpoint) isFinal(status int) bool {
	code := strconv.Itoa(status)
	for _, f := range ep.Final {
		if f == code || strings.HasSuffix(f, "xx") && f[0] == code[0] {
			return true
		}
	}
	return false
}
