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

// provider is one entry of the table: how the provider's webhooks are verified, where their id and
// type are, and what a person needs to know to set it up.
type provider struct {
	name   string // in the configuration
	title  string // as the provider writes its name
	docs   string // the provider's own page on signatures
	secret string // what the provider calls the secret, and where it shows it; "": it has none
	scheme scheme

	ids    []Locator              // the first that is present is the delivery id
	allIDs bool                   // all of ids together are the delivery id
	idBy   func(r Request) string // the delivery id if ids give none; nil: none
	// the proof covers the id but not the event; a copy with another event is kept out only because
	// each id is accepted once
	onceBy bool
	// joined by "." up to the first that is absent; only the first may be a header
	types  []Locator
	orType Locator // the event type if types give none
	// the event type if no locator can name it and the others give none
	typeBy typeBy
	// where the body holds the document from which ids, types and filters read
	holder document.Holder

	beside []companion // headers beside the proof that the provider's own receivers expect

	settings []setting // what the provider needs beside secrets
	// which customers are accepted, if the provider has one key for all customers
	pin       pin
	needsURL  string // why it needs Config.URL; "": it does not
	handshake handshake
	reply     *Reply // the answer to an accepted webhook; nil: any 2xx
	examples  []string
	note      string // for the operator; what the other fields cannot say
}

// typeBy finds an event type that a locator cannot name.
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

// handshake describes how a provider checks the URL. The zero value is none. A responder returns
// nil for a request that is no handshake.
type handshake struct {
	about   string   // one line for the operator's documentation
	methods []string // beside POST
	// open answers without a proof. Anybody may send such a request, so open must not sign or hash
	// its content with a secret in a form that could pass as the signature of a body.
	open func(k *keys, r Request) (*Result, error)
	// proved answers a request whose proof was checked.
	proved func(ctx context.Context, k *keys, r Request) (*Result, error)
	learns bool                // open may return a secret to learn
	check  func(k *keys) error // checks the settings that the handshake needs; nil: none
}

// describedProvider is the provider whose scheme is described in the configuration.
const describedProvider = "hmac"

// lookUp finds a provider by its name or one of its aliases.
func lookUp(name string) (provider, bool) { return find(Canonical(name)) }

// find finds a provider by its own name.
func find(name string) (provider, bool) {
	i, ok := slices.BinarySearchFunc(providers, name, func(p provider, name string) int {
		return cmp.Compare(p.name, name)
	})
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

// explain adds to an error about the secrets the provider's word for them.
func (p provider) explain(err error) error {
	if p.secret == "" || !strings.Contains(err.Error(), "secrets") {
		return err
	}
	return fmt.Errorf("%w (at %s: %s)", err, p.title, p.secret)
}

// checkSettings checks that the configuration has what the provider needs, and nothing else.
func (p provider) checkSettings(c Config) error {
	var errs []error
	if p.needsURL != "" && c.URL == "" {
		errs = append(
			errs,
			wrong(
				"url", "missing; %s %s: give the URL exactly as you gave it to %[1]s", p.title,
				p.needsURL,
			),
		)
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

// Description describes a provider, for documentation and tests.
type Description struct {
	Name, Title string
	Docs        string // URL of the provider's page on signatures
	Secret      string // what the provider calls the secret, and where it shows it; "": it has none
	Proof       string // the scheme in one line
	Trust       Trust
	Signed      Signed
	// how far a signed timestamp may differ; 0: no time is signed; Unlimited: as old as MaxAge
	// allows
	Tolerance   time.Duration
	DeliveryIDs []Locator // the first that is present, or all of them together
	AllIDs      bool      // all of DeliveryIDs together
	EventType   []Locator // joined by "."
	OrEventType Locator   // used if EventType gives none; zero: none
	TypeBy      string    // where the event type is, if locators cannot say it; else ""
	NeedsURL    string    // why Config.URL is needed; "": it is not
	Settings    []SettingDescription
	Handshake   string   // "": none
	Learns      bool     // the handshake brings the secret, if the configuration has none
	Methods     []string // POST first
	Examples    []string // event types
	Note        string

	Aliases []string // other names that a configuration may use, sorted
	// headers that the provider sends beside the proof, in lower case; Sign writes them, Verify
	// ignores them
	Companions []string
}

// Signed tells which facts of a webhook its proof covers. An attacker with a copy can change the
// others. A fact that the webhook does not have is false too.
type Signed struct {
	ID, Type, Time, Body bool

	// the proof covers at most the time of sending: it is a token, and whoever has a copy can send
	// any webhook
	Nothing bool
}

func (p provider) signed() Signed {
	covers, types := p.scheme.covers(), p.types
	if p.orType != (Locator{}) {
		types = append(slices.Clone(types), p.orType)
	}
	typed := covers.hasAll(types) || len(types) == 0 && p.typeBy.read != nil && covers.body
	return Signed{
		ID: covers.hasAll(p.ids), Type: typed, Time: covers.time, Body: covers.body,
		Nothing: covers.nothing(),
	}
}

// SettingDescription is a value of Config.Settings.
type SettingDescription struct {
	Name, Label, Example string
	Optional             bool
}

// Describe returns the table's description of a provider. It returns false for an unknown one.
func Describe(name string) (Description, bool) {
	p, ok := lookUp(name)
	if !ok {
		return Description{}, false
	}
	d := Description{
		Name: p.name, Title: p.title, Docs: p.docs, Secret: p.secret, DeliveryIDs: p.ids,
		AllIDs: p.allIDs, EventType: p.types,
		OrEventType: p.orType, TypeBy: p.typeBy.about,
		NeedsURL: p.needsURL, Handshake: p.handshake.about,
		Methods: append([]string{"POST"}, p.handshake.methods...),
		Learns:  p.handshake.learns, Examples: p.examples, Note: p.note, Aliases: aliasesOf(p.name),
	}
	for _, c := range p.beside {
		d.Companions = append(d.Companions, c.header)
	}
	for _, s := range p.settings {
		d.Settings = append(
			d.Settings,
			SettingDescription{
				Name: s.name, Label: s.label, Example: s.example, Optional: s.optional,
			},
		)
	}
	if p.scheme == nil {
		return d, true // the scheme is in the configuration
	}
	d.Proof = p.scheme.describe()
	d.Trust = p.scheme.trust()
	d.Signed = p.signed()
	if t, ok := p.scheme.(interface{ window() time.Duration }); ok {
		d.Tolerance = t.window()
	}
	return d, true
}

// Example returns all that is needed to sign and verify a provider's webhooks without the provider:
// a configuration with made-up values, a secret in the provider's own form, made from 32 bytes of
// random, and the key for SignWith ("": the secret itself signs). The error comes from reading
// random, or says that the provider is unknown.
func Example(name string, random io.Reader) (cfg Config, secret, signing string, err error) {
	secret, signing, err = ExampleKey(name, random)
	if err != nil {
		return Config{}, "", "", err
	}
	p, _ := lookUp(name) // it is known
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
	if k, ok := p.scheme.(pinner); ok {
		settings, err := k.pin(signing)
		if err != nil {
			return Config{}, "", "", err
		}
		for name, value := range settings {
			cfg.Settings = withSetting(cfg.Settings, name, value)
		}
	}
	return cfg, secret, signing, nil
}

// ExampleKey returns the secret and the key of Example alone. It links nothing that makes
// certificates.
func ExampleKey(name string, random io.Reader) (secret, signing string, err error) {
	p, ok := lookUp(name)
	if !ok {
		return "", "", unknownProvider(name)
	}
	seed := make([]byte, 32)
	if _, err := io.ReadFull(random, seed); err != nil {
		return "", "", err
	}
	switch k := p.scheme.(type) {
	case unsigned:
		return "", "", nil
	case keyMaker:
		return k.makeKey(seed)
	}
	return hex.EncodeToString(seed), "", nil
}

// keyMaker is a scheme whose secrets have a special form.
type keyMaker interface {
	// makeKey makes a key from 32 random bytes. It returns the secret ("": the scheme has none),
	// and the key for SignWith if the secret is only the public half, or there is none.
	makeKey(seed []byte) (secret, signing string, err error)
}

// pinner is a scheme whose provider publishes its keys.
type pinner interface {
	// pin returns the settings that pin the public half of a key for SignWith, so that nothing is
	// fetched.
	pin(signing string) (map[string]string, error)
}

func withSetting(m map[string]string, name, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[name] = value
	return m
}

// The forms of the key in a secret.
const (
	keyText     = "" // its bytes
	keyHex      = "hex"
	keyBase64   = "base64"
	keyStandard = "whsec" // as Standard Webhooks writes it
)

// readKey returns the key in a secret.
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
		return nil, errors.New(
			"has white space before or after it, which is not part of the secret; copy the secret as the provider shows it",
		)
	}
	return []byte(secret), nil
}

// read returns the keys in the secrets. There must be at least one secret, and none may be empty.
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

// standardKey reads a secret in the form of Standard Webhooks: whsec_ and the key in base64. The
// prefix may be missing, as in the standard's own libraries, and the version v1 may come before it,
// as Supabase writes it. The key's length is the provider's choice, so the standard's limits are
// not enforced: Svix, where the standard comes from, shows a key of 18 bytes. A key shorter than
// leastKey was not copied completely.
func standardKey(secret string) ([]byte, error) {
	key, err := decodeKey(strings.TrimPrefix(strings.TrimPrefix(secret, "v1,"), "whsec_"))
	if err != nil {
		return nil, errors.New(
			"is not whsec_ followed by base64; copy the secret as the provider shows it",
		)
	}
	if n := len(key); n < leastKey {
		return nil, fmt.Errorf(
			"decodes to %d bytes; a key has at least %d: copy the secret as the provider shows it",
			n, leastKey,
		)
	}
	return key, nil
}

const leastKey = 16

// decodeKey reads base64 in either alphabet, with and without padding: vendors show keys in all of
// these forms, and their packages read all of them.
func decodeKey(text string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	return base64.RawStdEncoding.DecodeString(text)
}
