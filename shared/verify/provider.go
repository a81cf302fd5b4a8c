package verify

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// provider is one entry of the table: how its webhooks prove themselves, where they say what they are, and what a person who
// sets one up needs to know.
type provider struct {
	name   string // in the configuration
	title  string // as it writes itself
	docs   string // its own page on signatures
	secret string // what it calls the secret, and where it shows it; "" where it has none
	scheme scheme

	ids    []Locator              // the first that is there is the delivery id
	allIDs bool                   // all of ids make it together
	idBy   func(r Request) string // the delivery id where ids yield nothing; nil: none
	onceBy bool                   // the id is proved and the event is not: that each id is taken once is all that keeps a copy with another event out
	types  []Locator              // joined by "." up to the first that is not there; only the first may be a header
	orType Locator                // the event type where types yield nothing
	typeBy typeBy                 // the event type where no locator can name it, and the others yield nothing
	holder document.Holder        // where in the body the document is that ids, types and filters read

	beside []companion // what it sends beside the proof, and its own receivers want

	settings  []setting // what it needs beside secrets
	pin       pin       // whose webhooks are taken, where the provider's key is that of all its customers
	needsURL  string    // why it needs Config.URL; "" where it does not
	handshake handshake
	reply     *Reply // to an accepted webhook; nil: any 2xx
	examples  []string
	note      string // for the operator, beyond what can be told from the fields
}

// typeBy is how an event type is found where that takes more than a locator.
type typeBy struct {
	about string // where it is, for the operator's documentation
	read  func(r Request) string
}

// setting is a value that a provider's scheme or handshake needs beside the secrets.
type setting struct {
	name     string // in Config.Settings
	label    string // what the provider calls it, and where it shows it
	example  string
	optional bool
}

// handshake is how a provider asks whether a URL is ours. The zero value is none. Responders return nil for a request that is no
// handshake.
type handshake struct {
	about   string   // one line for the operator's documentation
	methods []string // beside POST
	// open answers without a proof. It must not sign or hash with a secret what the request says, in any form that could pass for a body's
	// signature: anybody may ask.
	open func(k *keys, r Request) (*Result, error)
	// proved answers a request whose proof was checked.
	proved func(ctx context.Context, k *keys, r Request) (*Result, error)
	learns bool                // open may bring the secret
	check  func(k *keys) error // of the settings that the handshake needs; nil: none
}

// describedProvider is the one whose scheme is in the configuration.
const describedProvider = "hmac"

// lookUp finds a provider by its name, or by another name of it.
func lookUp(name string) (provider, bool) { return find(Canonical(name)) }

// find finds a provider by its own name.
func find(name string) (provider, bool) {
	i, ok := slices.BinarySearchFunc(providers, name, func(p provider, name string) int { return cmp.Compare(p.name, name) })
	if !ok {
		return provider{}, false
	}
	return providers[i], true
}

// Providers returns the names of all providers, sorted.
func Providers() []string {
	names := make([]string, len(providers))
	for i, p := range providers {
		names[i] = p.name
	}
	return names
}

// explain adds to an error about the secrets what the provider calls them.
func (p provider) explain(err error) error {
	if p.secret == "" || !strings.Contains(err.Error(), "secrets") {
		return err
	}
	return fmt.Errorf("%w (at %s: %s)", err, p.title, p.secret)
}

// checkSettings holds what the configuration gives against what the provider needs.
func (p provider) checkSettings(c Config) error {
	var errs []error
	if p.needsURL != "" && c.URL == "" {
		errs = append(errs, wrong("url", "missing; %s %s: give the URL exactly as you gave it to %[1]s", p.title, p.needsURL))
	}
	if p.needsURL == "" && c.URL != "" {
		errs = append(errs, wrong("url", "is not used by %s; remove it", p.title))
	}
	for _, s := range p.settings {
		if !s.optional && strings.TrimSpace(c.Settings[s.name]) == "" {
			errs = append(errs, wrong("settings."+s.name, "missing; at %s: %s", p.title, s.label))
		}
	}
	for name := range c.Settings {
		if !slices.ContainsFunc(p.settings, func(s setting) bool { return s.name == name }) {
			errs = append(errs, wrong("settings."+name, "is unknown; %s", p.knownSettings()))
		}
	}
	return errors.Join(errs...)
}

func (p provider) knownSettings() string {
	if len(p.settings) == 0 {
		return "provider " + p.name + " has none"
	}
	names := make([]string, len(p.settings))
	for i, s := range p.settings {
		names[i] = s.name
	}
	return "provider " + p.name + " has " + strings.Join(names, ", ")
}

// Description is what the table says of a provider, for documentation and tests.
type Description struct {
	Name, Title string
	Docs        string // URL of the provider's page on signatures
	Secret      string // what the provider calls the secret, and where it shows it; "" where it has none
	Proof       string // the scheme in one line
	Trust       Trust
	Signed      Signed
	Tolerance   time.Duration // how far a signed timestamp may lie off; 0: none is signed; Unlimited: as old as MaxAge allows
	DeliveryIDs []Locator     // the first that is there, or all of them together
	AllIDs      bool          // all of DeliveryIDs together
	EventType   []Locator     // joined by "."
	OrEventType Locator       // where EventType yields nothing; zero: none
	TypeBy      string        // where the event type is, if it takes more than locators to say it; else ""
	NeedsURL    string        // why Config.URL is needed; "" where it is not
	Settings    []SettingDescription
	Handshake   string   // "" where there is none
	Learns      bool     // the handshake brings the secret, if the configuration has none
	Methods     []string // POST first
	Examples    []string // event types
	Note        string

	Aliases    []string // other names of it that a configuration may use, sorted
	Companions []string // headers that the provider sends beside the proof, in lower case: Sign writes them, Verify does not look at them
}

// Signed tells which facts about a webhook its proof covers. Whoever holds a copy can exchange the others. False also where there is no such fact.
type Signed struct {
	ID, Type, Time, Body bool

	Nothing bool // but, perhaps, when it was sent: the proof is a token, and whoever holds a copy can send anything with it
}

func (p provider) signed() Signed {
	covers, types := p.scheme.covers(), p.types
	if p.orType != (Locator{}) {
		types = append(slices.Clone(types), p.orType)
	}
	typed := covers.hasAll(types) || len(types) == 0 && p.typeBy.read != nil && covers.body
	return Signed{ID: covers.hasAll(p.ids), Type: typed, Time: covers.time, Body: covers.body, Nothing: covers.nothing()}
}

// SettingDescription is a value of Config.Settings.
type SettingDescription struct {
	Name, Label, Example string
	Optional             bool
}

// Describe returns what the table says of a provider; false for an unknown one.
func Describe(name string) (Description, bool) {
	p, ok := lookUp(name)
	if !ok {
		return Description{}, false
	}
	d := Description{
		Name: p.name, Title: p.title, Docs: p.docs, Secret: p.secret, DeliveryIDs: p.ids, AllIDs: p.allIDs, EventType: p.types,
		OrEventType: p.orType, TypeBy: p.typeBy.about,
		NeedsURL: p.needsURL, Handshake: p.handshake.about, Methods: append([]string{"POST"}, p.handshake.methods...),
		Learns: p.handshake.learns, Examples: p.examples, Note: p.note, Aliases: aliasesOf(p.name),
	}
	for _, c := range p.beside {
		d.Companions = append(d.Companions, c.header)
	}
	for _, s := range p.settings {
		d.Settings = append(d.Settings, SettingDescription{s.name, s.label, s.example, s.optional})
	}
	if p.scheme == nil {
		return d, true // it is in the configuration
	}
	d.Proof = p.scheme.describe()
	d.Trust = p.scheme.trust()
	d.Signed = p.signed()
	if t, ok := p.scheme.(interface{ window() time.Duration }); ok {
		d.Tolerance = t.window()
	}
	return d, true
}

// Example returns what is needed to sign and to verify a provider's webhooks without the provider: a configuration with made-up values,
// a secret made of 32 bytes of random, in the provider's own form, and the key for SignWith, "" where the secret itself signs. The error
// is that of reading random, or says that the provider is unknown.
func Example(name string, random io.Reader) (cfg Config, secret, signing string, err error) {
	p, ok := lookUp(name)
	if !ok {
		return Config{}, "", "", unknownProvider(name)
	}
	seed := make([]byte, 32)
	if _, err := io.ReadFull(random, seed); err != nil {
		return Config{}, "", "", err
	}
	name = p.name
	cfg = Config{Provider: name}
	if p.needsURL != "" {
		cfg.URL = "https://relay.example.com/in/" + name
	}
	for _, s := range p.settings {
		if !s.optional {
			cfg.Settings = withSetting(cfg.Settings, s.name, s.example)
		}
	}
	if name == describedProvider {
		cfg.HMAC = &HMAC{Header: "X-Signature"}
	}
	switch k := p.scheme.(type) {
	case unsigned:
	case keyMaker:
		var settings map[string]string
		if secret, signing, settings, err = k.makeKey(seed); err != nil {
			return Config{}, "", "", err
		}
		for name, value := range settings {
			cfg.Settings = withSetting(cfg.Settings, name, value)
		}
	default:
		secret = hex.EncodeToString(seed)
	}
	return cfg, secret, signing, nil
}

// keyMaker is a scheme whose secrets have a form of their own.
type keyMaker interface {
	// makeKey makes a key of 32 random bytes: the secret ("" where the scheme has none), what SignWith takes if the secret is but the public
	// half, and settings that go with it, such as a certificate.
	makeKey(seed []byte) (secret, signing string, settings map[string]string, err error)
}

func withSetting(m map[string]string, name, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[name] = value
	return m
}

// The forms in which a secret carries the key.
const (
	keyText     = "" // its bytes
	keyHex      = "hex"
	keyBase64   = "base64"
	keyStandard = "whsec" // as Standard Webhooks writes it
)

// readKey returns the key that a secret carries.
func readKey(form, secret string) ([]byte, error) {
	switch form {
	case keyHex:
		key, err := hex.DecodeString(secret)
		if err != nil {
			return nil, errors.New("is not hex; copy the secret as the provider shows it")
		}
		return key, nil
	case keyBase64:
		key, err := decodeKey(secret)
		if err != nil {
			return nil, errors.New("is not base64; copy the secret as the provider shows it")
		}
		return key, nil
	case keyStandard:
		return standardKey(secret)
	}
	if strings.TrimSpace(secret) != secret {
		return nil, errors.New("has white space before or after it, with which nothing is signed; copy the secret as the provider shows it")
	}
	return []byte(secret), nil
}

// read returns the keys that the secrets carry. At least one secret is there, and none is empty.
func (k *keys) read(form string) ([][]byte, error) {
	if err := checkSecrets(k.secrets); err != nil {
		return nil, err
	}
	raw := make([][]byte, len(k.secrets))
	for i, secret := range k.secrets {
		var err error
		if raw[i], err = readKey(form, secret); err != nil {
			return nil, wrong(fmt.Sprintf("secrets[%d]", i), "%v", err)
		}
		if err := checkLength(fmt.Sprintf("secrets[%d]", i), len(raw[i])); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// writeKey is the inverse of readKey.
func writeKey(form string, key []byte) string {
	switch form {
	case keyBase64:
		return base64.StdEncoding.EncodeToString(key)
	case keyStandard:
		return "whsec_" + base64.StdEncoding.EncodeToString(key)
	}
	return hex.EncodeToString(key)
}

// standardKey reads a secret as Standard Webhooks writes it: whsec_ and the key in base64. The prefix may be left out, as the
// standard's own libraries have it, and the version v1 may come before it, as Supabase writes it. The key is the provider's choice, and the standard's
// bounds are not held against it: Svix, where the standard comes from, shows one of 18 bytes. What is shorter than leastKey was not copied whole.
func standardKey(secret string) ([]byte, error) {
	key, err := decodeKey(strings.TrimPrefix(strings.TrimPrefix(secret, "v1,"), "whsec_"))
	if err != nil {
		return nil, errors.New("is not whsec_ followed by base64; copy the secret as the provider shows it")
	}
	if n := len(key); n < leastKey {
		return nil, fmt.Errorf("decodes to %d bytes; a key has %d at least: copy the secret as the provider shows it", n, leastKey)
	}
	return key, nil
}

const leastKey = 16

// decodeKey reads base64 in either alphabet, with and without its padding: vendors show keys in all of these, and their packages read them so.
func decodeKey(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}
