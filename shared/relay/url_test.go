package relay_test

import (
	"net/url"
	"testing"

	"webhook-relay/shared/relay"
)

func TestAQueryIsAppendedToTheOneThatIsThere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ to, query, want string }{
		{"https://a.example.com/x", "k=1", "https://a.example.com/x?k=1"},
		{"https://a.example.com/x?", "k=1", "https://a.example.com/x?k=1"},
		{"https://a.example.com/x?a=%20b", "k=1&l", "https://a.example.com/x?a=%20b&k=1&l"},
		{"https://a.example.com/x?a&", "k=1", "https://a.example.com/x?a&k=1"},
		{"https://a.example.com/x?a=1#f", "k=1", "https://a.example.com/x?a=1&k=1#f"},
		{"https://a.example.com/x?a=1", "", "https://a.example.com/x?a=1"},
	} {
		u, err := url.Parse(tt.to)
		if err != nil {
			t.Fatal(err)
		}
		relay.AddQuery(u, tt.query)
		if u.String() != tt.want {
			t.Errorf("%s and %s: %s, want %s", tt.to, tt.query, u, tt.want)
		}
	}
}
