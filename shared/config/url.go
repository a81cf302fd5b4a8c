package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"webhook-relay/shared/egress"
	"webhook-relay/shared/pattern"
)

// cleanURL returns a URL of the configuration in the form in which it is sent:
//
//   - Spaces, characters outside ASCII, and other characters that a URL cannot contain are
//     percent-encoded in the path and the query.
//   - The scheme is written in lower case, and a dot at the end of the host is removed.
//
// It rejects URLs that are surely a mistake, and hosts outside ASCII: what they are in DNS takes
// tables of Unicode of 0.2 MB, and API destinations of EventBridge reject them too. Errors quote no
// part of the URL that may be a secret.
func cleanURL(raw string) (string, error) {
	if err := checkURLText(raw); err != nil {
		return "", err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		// the parser's error would quote the URL, which may contain a secret
		return "", errors.New("is not a URL")
	case u.User != nil:
		return "", errors.New(
			"has a user or password in it; credentials do not belong in a URL, send them with auth or headers",
		)
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("has the scheme %q; use https or http", u.Scheme)
	case u.Hostname() == "":
		return "", errors.New("has no host")
	case strings.HasSuffix(u.Host, ":"):
		return "", errors.New("has a colon after the host, but no port")
	case !egress.IsPort(u.Port()):
		return "", fmt.Errorf("has the port %s; ports are 1 to 65535", u.Port())
	}
	host, err := cleanHost(u.Hostname())
	if err != nil {
		return "", err
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	_, rest, _ := strings.Cut(raw, "//")
	rest = rest[strings.IndexAny(rest+"/", "/?"):] // the authority contains neither
	path, query, hasQuery := strings.Cut(rest, "?")
	clean := u.Scheme + "://" + host + encodeURL(path, pathBytes)
	if hasQuery {
		clean += "?" + encodeURL(query, queryBytes)
	}
	return clean, nil
}

// checkURLText reports mistakes that can be seen before the URL is parsed.
func checkURLText(raw string) error {
	switch {
	case strings.TrimSpace(raw) != raw:
		return errors.New("has white space before or after it")
	case strings.ContainsFunc(raw, unicode.IsControl):
		return errors.New("has a control character")
	case literalHint(raw) != "":
		return errors.New(literalHint(raw))
	case strings.Contains(raw, "#"):
		return errors.New(
			"has a fragment (#…), which is never sent; write %23 for a # of the path or the query",
		)
	case badEscape().MatchString(raw):
		return errors.New("has a % without two hex digits after it; write %25 for a percent sign")
	}
	return nil
}

var badEscape = pattern.Lazy(`%([^0-9A-Fa-f]|[0-9A-Fa-f][^0-9A-Fa-f]|.?$)`)

// The characters that need no escape (RFC 3986, appendix A), and the percent sign that begins one.
const (
	unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	pathBytes  = unreserved + "%!$&'()*+,;=:@/"
	queryBytes = pathBytes + "?"
)

func encodeURL(text, plain string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(plain, text[i]) >= 0 {
			b.WriteByte(text[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", text[i])
		}
	}
	return b.String()
}

// hostForm is the form of a name in DNS. It allows underscores, because some names have them.
var hostForm = pattern.Lazy(
	`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`,
)

// numericHost matches hosts that some resolvers read as an IPv4 address although they are not in
// dotted notation.
var numericHost = pattern.Lazy(`(^|\.)(0[xX][0-9A-Fa-f]*|[0-9]+)$`)

// maxHostBytes is the length of the longest name in DNS.
const maxHostBytes = 253

// cleanHost returns a host in the form in which it is resolved: an address, or a name without a dot
// at its end.
func cleanHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		switch {
		case ip.Zone() != "":
			return "", errors.New(
				"has an address with a zone, which is valid on one machine only; write it without the zone",
			)
		case ip.Is6():
			return "[" + host + "]", nil
		}
		return host, nil
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", errors.New(
			"has a host with characters outside ASCII; write it in Punycode, as it is in DNS (xn--…)",
		)
	}
	host = strings.TrimSuffix(host, ".")
	switch {
	case numericHost().MatchString(host):
		if _, err := netip.ParseAddr(host); err != nil {
			return "", errors.New(
				"has a number as its host that is not an address; write an IPv4 address as four numbers",
			)
		}
	case len(host) > maxHostBytes || !hostForm().MatchString(host):
		return "", errors.New(
			"has a host that is not a valid name; a name has labels of letters, digits and hyphens, at most 63 characters each, with dots between them",
		)
	}
	return host, nil
}
