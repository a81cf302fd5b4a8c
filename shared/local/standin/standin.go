package standin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/relay"
)

const (
	// Most is how many messages are kept for each endpoint.
	Most = 100
	// maxBytes is the size of a file above which its oldest messages are dropped, also if there are
	// fewer than Most.
	maxBytes = 16 << 20
)

// Message is what a destination got.
type Message struct {
	At       time.Time `json:"at"`
	Endpoint string    `json:"endpoint"`
	ARN      string    `json:"arn"`
	EventID  string    `json:"eventId"`
	Attempt  int       `json:"attempt"`
	// Request is the body of the request in the service's form, as text; "": it is compressed.
	Request string `json:"request,omitempty"`
	// Content is what was sent, as text, if Request has it encoded or compressed.
	Content string `json:"content,omitempty"`
	Key     string `json:"key,omitempty"` // of the object, in S3
}

// Poster keeps what is sent to destinations, and passes every other request on. It is safe for
// concurrent use.
type Poster struct {
	dir  string
	next relay.Poster
	mu   sync.Mutex
}

var _ relay.Poster = (*Poster)(nil)

// New returns a Poster that keeps its files in a folder of dir.
func New(dir string, next relay.Poster) *Poster { return &Poster{dir: dir, next: next} }

// Post implements relay.Poster.
func (p *Poster) Post(ctx context.Context, post relay.Post) (relay.Reply, error) {
	if post.To == nil {
		return p.next.Post(ctx, post)
	}
	m := Message{
		At: time.Now().UTC().Truncate(time.Millisecond), Endpoint: post.To.Message.Endpoint,
		ARN: post.To.ARN, EventID: post.To.Message.Event.ID, Attempt: post.To.Message.Attempt,
		Request: text(post.Body), Content: text(post.To.Request.Plain), Key: post.To.Request.Key,
	}
	if m.Content != "" && !utf8.Valid(post.Body) {
		m.Request = ""
	}
	if err := p.keep(m); err != nil {
		return relay.Reply{}, fmt.Errorf("standin: %w", err)
	}
	return relay.Reply{
		StatusCode: 200, Result: &destination.Result{Verdict: destination.Accepted},
	}, nil
}

// text returns b as text that JSON can hold.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// file returns the file of an endpoint. The slash of a qualified name is no part of a file's name.
func file(dir, endpoint string) string {
	return filepath.Join(dir, "sent", strings.ReplaceAll(endpoint, "/", "+")+".jsonl")
}

// keep adds a message to its endpoint's file, and drops the oldest ones beyond Most. The file is
// replaced as a whole, so that a reader never sees half of it.
func (p *Poster) keep(m Message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	name := file(p.dir, m.Endpoint)
	lines, err := read(name)
	if err != nil {
		return err
	}
	lines = append(lines, line)
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		if size += len(lines[i]); len(lines)-i > Most || size > maxBytes && i < len(lines)-1 {
			lines = lines[i+1:]
			break
		}
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	text := append(bytes.Join(lines, []byte("\n")), '\n')
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func read(name string) ([][]byte, error) {
	text, err := os.ReadFile(name) //nolint:gosec // in the relay's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")), nil
}

// Sent returns what an endpoint's destination got, the oldest first; none: it got nothing.
func Sent(dir, endpoint string) ([]Message, error) {
	lines, err := read(file(dir, endpoint))
	if err != nil {
		return nil, fmt.Errorf("standin: %w", err)
	}
	var all []Message
	for _, line := range lines {
		var m Message
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("standin: %s: %w", file(dir, endpoint), err)
		}
		all = append(all, m)
	}
	return all, nil
}
