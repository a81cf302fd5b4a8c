package verify

import "strings"

// hubSpotEscapes are what HubSpot writes without its escape in the URL that it signs, and nothing else.
var hubSpotEscapes = []string{
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
}

// hubSpotURL returns a URL as HubSpot signs it.
func hubSpotURL(u string) string {
	if !strings.Contains(u, "%") {
		return u
	}
	return strings.NewReplacer(hubSpotEscapes...).Replace(u)
}
