package relay

import (
	"net/url"
	"strings"
)

// AddQuery appends an encoded query, without "?", to the query of a URL. It does not change how the
// existing query is written.
func AddQuery(u *url.URL, query string) {
	if query == "" {
		return
	}
	if u.RawQuery != "" && !strings.HasSuffix(u.RawQuery, "&") {
		u.RawQuery += "&"
	}
	u.RawQuery += query
}
