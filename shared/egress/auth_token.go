package egress

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/singleflight"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

const (
	// maxAnswerBytes is far more than the answer of a token endpoint has. maxTokenBytes fits into
	// the headers that servers accept.
	maxAnswerBytes = 64 << 10
	maxTokenBytes  = 8 << 10

	// maxTokenAge is the longest time for which a token is kept, whatever its endpoint says, so
	// that a revoked token is not used for ever. A token without expires_in is kept as long.
	maxTokenAge = time.Hour
	// tokenMargin is how long before its end a token is no longer used, because it must outlast an
	// attempt. It is at most half of the token's life.
	tokenMargin = time.Minute

	// maxTokens is the largest number of cached tokens.
	maxTokens = 1000
)

// tokenErrors are the codes of RFC 6749, section 5.2. Nothing else that a token endpoint says is
// repeated, because it knows our secret.
var tokenErrors = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client",
	"unsupported_grant_type", "invalid_scope",
}

// tokens fetches access tokens and caches them while they last, by everything that the request for
// them contains. It is safe for concurrent use.
type tokens struct {
	client  func() *http.Client // created on first use, because few endpoints need a token
	now     func() time.Time
	flights singleflight.Group

	mu   sync.Mutex
	kept map[string]keptToken
}

type keptToken struct {
	value string
	until time.Time
}

func newTokens(client func() *http.Client) *tokens {
	// the wall clock, because it runs on while the Lambda sandbox is frozen
	now := func() time.Time { return time.Now().Round(0) }
	return &tokens{client: sync.OnceValue(client), now: now, kept: map[string]keptToken{}}
}

func tokenKey(o *catalog.OAuth2) string {
	asked, _ := json.Marshal(o) // encoding strings cannot fail
	sum := sha256.Sum256(asked)
	return string(sum[:])
}

// accessToken is a token for one request.
type accessToken struct {
	value string
	kept  bool // it was cached, so it may have been revoked
}

// get returns a token that stays valid for a while. If several callers need the same token, one
// fetches it for all.
func (t *tokens) get(ctx context.Context, o *catalog.OAuth2) (accessToken, error) {
	key := tokenKey(o)
	t.mu.Lock()
	known := t.kept[key]
	t.mu.Unlock()
	if t.now().Before(known.until) {
		return accessToken{value: known.value, kept: true}, nil
	}
	fetched := t.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return t.fetch(ctx, key, o)
	})
	select {
	case <-ctx.Done():
		return accessToken{},
			noCredentials(fmt.Errorf("%w: no access token in time: %w", errAuth, ctx.Err()))
	case r := <-fetched:
		value, _ := r.Val.(string)
		return accessToken{value: value, kept: false}, r.Err
	}
}

func (t *tokens) fetch(ctx context.Context, key string, o *catalog.OAuth2) (string, error) {
	got, err := ask(context.WithValue(ctx, oauth2.HTTPClient, t.client()), o)
	if err != nil {
		return "", tokenFailure(err)
	}
	if !isVisible(got.AccessToken) || len(got.AccessToken) > maxTokenBytes ||
		got.Type() != "Bearer" {
		return "", noCredentials(fmt.Errorf(
			"%w: what the token endpoint gave is no bearer token of up to %d bytes", errAuth,
			maxTokenBytes,
		))
	}
	life := maxTokenAge
	if !got.Expiry.IsZero() {
		life = min(life, time.Until(got.Expiry))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) >= maxTokens {
		clear(t.kept)
	}
	t.kept[key] = keptToken{
		value: got.AccessToken, until: t.now().Add(life - min(tokenMargin, life/2)),
	}
	return got.AccessToken, nil
}

func ask(ctx context.Context, o *catalog.OAuth2) (*oauth2.Token, error) {
	cfg := clientcredentials.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, TokenURL: o.TokenURL, Scopes: o.Scopes,
		AuthStyle: oauth2.AuthStyleInHeader,
	}
	if o.InBody {
		cfg.AuthStyle = oauth2.AuthStyleInParams
	}
	if o.Audience != "" {
		cfg.EndpointParams = url.Values{"audience": {o.Audience}}
	}
	return cfg.Token(ctx)
}

// drop forgets a token that the endpoint rejected, unless it has been replaced by another.
func (t *tokens) drop(o *catalog.OAuth2, value string) {
	key := tokenKey(o)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept[key].value == value {
		delete(t.kept, key)
	}
}

// tokenFailure returns the reason why there is no token, in fixed texts.
func tokenFailure(err error) error {
	var refused *oauth2.RetrieveError
	var quoting *url.Error
	var failed *relay.PostError
	switch {
	case errors.As(err, &refused):
		code := ""
		if slices.Contains(tokenErrors, refused.ErrorCode) {
			code = " " + refused.ErrorCode
		}
		return noCredentials(fmt.Errorf(
			"%w: the token endpoint answered %d%s", errAuth, refused.Response.StatusCode, code,
		))
	case errors.As(err, &failed):
		return noCredentials(fmt.Errorf("%w: token endpoint: %w", errAuth, failed))
	case errors.As(err, &quoting) && quoting.Timeout():
		return noCredentials(fmt.Errorf(
			"%w: no answer of the token endpoint within %s", errAuth, fetchTimeout,
		))
	case errors.As(err, &quoting):
		return quoting.Err // an error of this machine, or a malformed URL
	default:
		return noCredentials(fmt.Errorf(
			"%w: no token in what the token endpoint answered: malformed, cut off, or over %d bytes",
			errAuth, maxAnswerBytes,
		))
	}
}

// isVisible reports whether s has only visible ASCII characters, which a header transmits
// unchanged. RFC 6750, section 2.1, allows tokens even fewer characters, but not everybody follows
// it.
func isVisible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
