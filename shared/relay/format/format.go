package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Version is the version of the documents. Readers must understand every earlier version, because a
// deployment meets old messages in flight and old records. They ignore members that they do not
// know.
//
// An older reader also meets documents of a newer writer: while functions are being updated, which
// CloudFormation does in no fixed order, and after a roll back. So a change within a version may
// only add members that an older reader can ignore without harm. Any other change takes the next
// version number: an older reader sets such a document aside instead of misunderstanding it. It
// also takes two releases: the first one reads the new version, the second one writes it.
const Version = 1

// ErrFormat means that a queue message or a record cannot be read. A retry does not help.
var ErrFormat = errors.New("relay: unreadable format")

// Appender is a document that writes its JSON itself, as Encode would write it by reflection. Such
// a document has no bytes that escapeNoncharacters must change.
type Appender interface{ AppendJSON(b []byte) []byte }

// encodedBytes is more than most documents have beside their body.
const encodedBytes = 1 << 10

// Encode returns the JSON of a document. It cannot fail: every field of the documents is a plain
// value.
func Encode(doc any) []byte {
	if a, ok := doc.(Appender); ok {
		return a.AppendJSON(make([]byte, 0, encodedBytes))
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return escapeNoncharacters(b)
}

// escapeNoncharacters escapes U+FFFE and U+FFFF, which queues refuse (see CheckText). Package json
// escapes all other such characters itself. These two occur only inside strings.
func escapeNoncharacters(b []byte) []byte {
	if !bytes.Contains(b, []byte("\xEF\xBF")) { // the first bytes of both, and of U+FFFD
		return b
	}
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`))
}

// ErrText means that a message is empty, or contains a character that queues refuse.
var ErrText = errors.New("relay: text that a queue does not accept")

// CheckText tells whether a queue accepts a message's body, by the rules of SQS: valid UTF-8, at
// least one character, and only characters of XML 1.0 (tab, newline, carriage return, and all from
// U+0020 on except U+FFFE and U+FFFF). Error: ErrText.
func CheckText(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: it is empty", ErrText)
	}
	for i := 0; i < len(body); {
		if b := body[i]; ' ' <= b && b < utf8.RuneSelf { // most characters
			i++
			continue
		}
		r, size := utf8.DecodeRune(body[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Errorf("%w: not UTF-8 at byte %d", ErrText, i)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return fmt.Errorf("%w: character %U at byte %d", ErrText, r, i)
		}
		i += size
	}
	return nil
}

// Decode reads a document whose version field is version. Error: ErrFormat.
func Decode(b []byte, doc any, version *int) error {
	if err := json.Unmarshal(b, doc); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return CheckVersion(*version)
}

// CheckVersion tells whether this build reads documents of a version. Error: ErrFormat.
func CheckVersion(v int) error {
	if v < 1 || v > Version {
		return fmt.Errorf(
			"%w: version %d, but this build reads only 1 to %d; use a newer build", ErrFormat, v,
			Version,
		)
	}
	return nil
}
