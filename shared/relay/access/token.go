package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"time"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/format"
)

// Role is what a token may do. Each role may do what the roles before it may. The set is closed.
type Role string

// The roles, from the lowest up.
const (
	Read    Role = "read"    // see everything but secrets
	Operate Role = "operate" // send again, pause, rotate, run jobs
	Admin   Role = "admin"   // change the configuration, tenants and tokens
)

// Roles are all roles, from the lowest up.
var Roles = []Role{Read, Operate, Admin}

// Includes reports whether the role r may do what the role other may.
func (r Role) Includes(other Role) bool { return r.rank() >= other.rank() && other.rank() > 0 }

// rank is 0 for what is no role.
func (r Role) rank() int {
	for i, role := range Roles {
		if r == role {
			return i + 1
		}
	}
	return 0
}

// Errors of tokens. The first three mean that a token is refused. Whoever presents it is told no
// more than that.
var (
	// cut off, mistyped, or something else
	ErrMalformed = errors.New("access: not a token")
	ErrUnknown   = errors.New("access: unknown token")        // of another relay, or revoked
	ErrExpired   = errors.New("access: expired token")        // its ExpiresAt is past
	ErrInvalid   = errors.New("access: token cannot be made") // of a wrong name, role or expiry
)

// Token is what is known of a token. Its text is not.
type Token struct {
	ID         string // tok_ and 20 characters
	Name       string // for people: 1 to 100 characters
	Role       Role
	Tenant     string // "": the operator's
	CreatedAt  time.Time
	CreatedBy  string
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // whole hours; zero: never used
}

const (
	tokenPrefix  = "rly_"
	idPrefix     = "tok_"
	idLength     = 20 // hexadecimal characters of the hash
	secretBytes  = 32
	secretLength = 43 // 62^43 > 2^256
	sumLength    = 6  // 62^6 > 2^32
	base62       = 62

	// MaxTokenName is the largest number of bytes of a token's name.
	MaxTokenName = 100
)

// tokenForm is the form of a token's text. The prefix and the checksum let programs that search
// repositories for secrets recognise it.
var tokenForm = pattern.Lazy(`^rly_(read|operate|admin)_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$`)

// newText returns a new token of a role: its text, to be shown once.
func newText(role Role) string {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	text := tokenPrefix + string(role) + "_" + digits(new(big.Int).SetBytes(secret), secretLength)
	return text + sumOf(text)
}

// sumOf returns the checksum of a token's text without it.
func sumOf(text string) string {
	return digits(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), sumLength)
}

// digits returns n in base 62, in a fixed width.
func digits(n *big.Int, width int) string {
	text := n.Text(base62)
	return strings.Repeat("0", width-len(text)) + text
}

// parse returns the hash of a token's text. Error: ErrMalformed.
func parse(text string) (hash string, err error) {
	if !tokenForm().MatchString(text) {
		return "", fmt.Errorf("%w: %d characters of another form", ErrMalformed, len(text))
	}
	body := text[:len(text)-sumLength]
	if sumOf(body) != text[len(body):] {
		return "", fmt.Errorf("%w: its checksum is wrong, so a character was changed", ErrMalformed)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), nil
}

// idOf returns the id of the token with a hash.
func idOf(hash string) string { return idPrefix + hash[:idLength] }

// check returns ErrInvalid for a token that cannot be made.
func (t Token) check(now time.Time) error {
	switch {
	case t.Role.rank() == 0:
		return fmt.Errorf("%w: role %q, want read, operate or admin", ErrInvalid, t.Role)
	case strings.TrimSpace(t.Name) == "" || len(t.Name) > MaxTokenName:
		return fmt.Errorf("%w: a name of %d bytes, want 1 to %d",
			ErrInvalid, len(t.Name), MaxTokenName)
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		return fmt.Errorf("%w: it would have expired at %s",
			ErrInvalid, t.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

// tokenDoc is the stored form of a token.
type tokenDoc struct {
	Version    int       `json:"v"`
	Name       string    `json:"name"`
	Role       Role      `json:"role"`
	Tenant     string    `json:"tenant,omitempty"`
	CreatedAt  time.Time `json:"createdAt"`
	CreatedBy  string    `json:"createdBy,omitempty"`
	ExpiresAt  time.Time `json:"expiresAt,omitzero"`
	LastUsedAt time.Time `json:"lastUsedAt,omitzero"`
}

func encodeToken(t Token) []byte {
	return format.Encode(tokenDoc{
		Version: format.Version, Name: t.Name, Role: t.Role, Tenant: t.Tenant,
		CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, ExpiresAt: t.ExpiresAt,
		LastUsedAt: t.LastUsedAt,
	})
}

func decodeToken(hash string, b []byte) (Token, error) {
	var d tokenDoc
	if err := format.Decode(b, &d, &d.Version); err != nil {
		return Token{}, err
	}
	return Token{
		ID: idOf(hash), Name: d.Name, Role: d.Role, Tenant: d.Tenant, CreatedAt: d.CreatedAt,
		CreatedBy: d.CreatedBy, ExpiresAt: d.ExpiresAt, LastUsedAt: d.LastUsedAt,
	}, nil
}
