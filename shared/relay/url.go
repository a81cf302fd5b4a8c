package relay

import (
	"net/url"
	"strings"
)

// AddQuery appends a query, already encoded and without "?", to that of a URL, and leaves what is there as it is written.
func AddQuery(u *url.URL, query string) {
	if query == "" {
		return
	}
	if u.RawQuery != "" && !strings.HasSuffix(u.RawQuery, "&") {
		u.RawQuery += "&"
	}
	u.RawQuery += query
}
