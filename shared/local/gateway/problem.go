package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

var details = map[int]string{
	http.StatusBadRequest: "The request is not well-formed HTTP, or broke off.",
	http.StatusNotFound:   "There is nothing at this path. Sources are at /in/{source} or /in/{tenant}/{source}, without a slash at the end.",
	http.StatusRequestEntityTooLarge: fmt.Sprintf(
		"The body is larger than the %d bytes that API Gateway takes.", MaxBodyBytes,
	),
	http.StatusRequestHeaderFieldsTooLarge: fmt.Sprintf(
		"The request line and headers are larger than the %d bytes that API Gateway takes.",
		MaxHeaderBytes,
	),
	http.StatusInternalServerError: "The relay failed. Send the webhook again later.",
	http.StatusNotImplemented:      "The transfer encoding is not supported.",
}

const problemType = "application/problem+json"

// document returns problem details for a status.
func document(status int) []byte {
	b, _ := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{http.StatusText(status), status, details[status]}) // strings and a number: cannot fail
	return b
}

// problem answers a request that does not reach the function, or for which the function fails.
func problem(w http.ResponseWriter, status int) {
	w.Header().Set("content-type", problemType)
	w.Header().Set("cache-control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(document(status)) // the partner may have closed the connection
}

// Listener wraps l for a server whose handler is New's. If net/http cannot read a request, it
// answers by itself, in plain text. The wrapper turns such an answer into problem details, and
// closes the connection in a way that lets the sender read them.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if tcp, ok := accepted.(*net.TCPConn); ok {
		return &conn{TCPConn: tcp}, nil
	}
	return accepted, err
}

// conn is a connection that net/http writes to.
type conn struct {
	*net.TCPConn
	refused atomic.Bool // net/http has answered by itself
}

// refusalMark follows the status line in net/http's own answers. It never does in a handler's
// answers, because those have a date.
var refusalMark = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write writes a handler's answer unchanged, and net/http's own answer as problem details.
func (c *conn) Write(b []byte) (int, error) {
	line, _, own := bytes.Cut(b[:min(len(b), 512)], refusalMark)
	var status int
	if !own || bytes.IndexByte(line, '\r') >= 0 {
		return c.TCPConn.Write(b)
	}
	if _, err := fmt.Sscanf(string(line), "HTTP/1.1 %d", &status); err != nil {
		return c.TCPConn.Write(b)
	}
	c.refused.Store(true)
	body := document(status)
	answer := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), problemType, len(body), body)
	if _, err := c.TCPConn.Write([]byte(answer)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// lingerTime and lingerBytes limit how much is read of what a refused sender still sends. If a
// connection is closed with unread bytes, it is reset, and the sender may lose the answer.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 4 << 20
)

// Close closes the connection. After a refusal it first gives the sender time to read the answer.
func (c *conn) Close() error {
	if c.refused.Load() {
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
	}
	return c.TCPConn.Close()
}
