package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Version of the formats below. Readers keep understanding every earlier one, since a deployment meets messages in flight and items on
// record. They ignore members that they do not know, and an older reader meets what a newer writer wrote: while functions are being updated,
// which CloudFormation does in no order, and after a roll back. So within a version only that may be added which an older reader may ignore
// without harm. Any other change takes the next number, which an older reader puts aside and does not misunderstand, and takes two releases:
// one that reads it, then one that writes it.
const Version = 1

// ErrFormat: a queue message or a record cannot be read. Trying again does not help.
var ErrFormat = errors.New("relay: unreadable format")

// Encode cannot fail: every field of the documents is a plain value.
func Encode(doc any) []byte {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return escapeNoncharacters(b)
}

// escapeNoncharacters escapes U+FFFE and U+FFFF, which queues do not take (see CheckText). Of all such characters they alone are written by package json
// as they are; and they are within its strings.
func escapeNoncharacters(b []byte) []byte {
	if !bytes.Contains(b, []byte("\xEF\xBF")) { // how both begin, and U+FFFD
		return b
	}
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`))
}

// ErrText: a message is empty, or has a character that queues do not take.
var ErrText = errors.New("relay: not a text that queues take")

// CheckText tells whether a queue takes a message's body, as SQS does: UTF-8 of at least one character, all of them such as XML 1.0 has (tab, newline,
// carriage return, and from U+0020 on all but U+FFFE and U+FFFF). ErrText.
func CheckText(body []byte) error {
	if len(body) == 0 {
		return fmt.Errorf("%w: it is empty", ErrText)
	}
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return fmt.Errorf("%w: no UTF-8 at byte %d", ErrText, i)
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xFFFE, r == 0xFFFF:
			return fmt.Errorf("%w: %U at byte %d", ErrText, r, i)
		}
		i += size
	}
	return nil
}

// Decode reads a document whose version field is version; ErrFormat.
func Decode(b []byte, doc any, version *int) error {
	if err := json.Unmarshal(b, doc); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return CheckVersion(*version)
}

// CheckVersion tells whether this build reads documents of a version; ErrFormat.
func CheckVersion(v int) error {
	if v < 1 || v > Version {
		return fmt.Errorf("%w: version %d, this build reads 1 to %d", ErrFormat, v, Version)
	}
	return nil
}
