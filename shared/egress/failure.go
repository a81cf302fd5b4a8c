package egress

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"

	"webhook-relay/shared/relay"
)

// told is an error with a text of ours.
type told struct {
	text  string
	cause error
}

func (e told) Error() string { return e.text }
func (e told) Unwrap() error { return e.cause }

// handshakeError is an error of the TLS handshake. Most such errors have no type of their own, so
// they are marked where they arise.
type handshakeError struct{ cause error }

func (e handshakeError) Error() string { return "TLS handshake: " + e.cause.Error() }
func (e handshakeError) Unwrap() error { return e.cause }

// blocked returns the error of a request that was not sent.
func blocked(err error) error { return &relay.PostError{Outcome: relay.Blocked, Err: err} }

// explain returns how the attempt ended. It looks at the types in err's chain, never at texts.
func explain(err error) error {
	if isOurs(err) {
		return fmt.Errorf("egress: %w", err)
	}
	var (
		dns       *net.DNSError
		network   net.Error
		handshake handshakeError
		operation *net.OpError
	)
	switch {
	case errors.Is(err, ErrGuard):
		return blocked(err)
	case errors.As(err, &dns):
		return &relay.PostError{Outcome: relay.DNSFailed, Err: dns}
	case errors.As(err, &network) && network.Timeout():
		return &relay.PostError{Outcome: relay.TimedOut, Err: err}
	case errors.As(err, &handshake):
		return &relay.PostError{
			Outcome: relay.TLSFailed, Err: told{text: printable(handshake.Error()), cause: err},
		}
	case errors.As(err, &operation) && isAlert(operation):
		return &relay.PostError{
			Outcome: relay.TLSFailed,
			Err:     told{text: printable("TLS: " + operation.Error()), cause: err},
		}
	case errors.As(err, &operation) && operation.Op == "dial":
		return &relay.PostError{Outcome: relay.Unreachable, Err: err}
	default:
		return &relay.PostError{Outcome: relay.Broken, Err: told{text: brokenText(err), cause: err}}
	}
}

// isAlert reports whether a TLS alert ended the connection. In TLS 1.3 a server checks the client's
// certificate, or its absence, only after the handshake, so its alert comes instead of an answer.
// crypto/tls uses these operations for alerts only.
func isAlert(operation *net.OpError) bool {
	return operation.Op == "remote error" || operation.Op == "local error"
}

// isOurs reports whether this machine could not open another connection.
func isOurs(err error) bool {
	for _, exhausted := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	} {
		if errors.Is(err, exhausted) {
			return true
		}
	}
	return false
}

// brokenText returns one of a few fixed texts, because net/http's errors quote malformed answers.
func brokenText(err error) string {
	switch {
	case errors.Is(err, errTurnedAway):
		return "the endpoint turned the request away, and again when it was sent anew"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset before an answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "connection closed before an answer"
	default:
		return fmt.Sprintf(
			"no answer in HTTP: connection lost, malformed, or headers over %d bytes",
			maxHeaderBytes,
		)
	}
}

// printable removes unprintable characters from a text that may quote a certificate, and limits its
// length.
func printable(text string) string {
	const most = 300
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
