package egress_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Frames and codes of HTTP/2: RFC 9113, sections 6 and 7.
const (
	frameData, frameHeaders, frameReset, frameSettings   = 0, 1, 3, 4
	framePush, framePing, frameGoAway, frameContinuation = 5, 6, 7, 9
	endStream, endHeaders, ack                           = 1, 4, 1
	maxStreams, initialWindow                            = 3, 4
	codeProtocol, codeInternal, codeRefused              = 1, 2, 7
	// an index into the static table of RFC 7541
	status200 byte = 0x88
)

// frame returns a frame's bytes.
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return append(binary.BigEndian.AppendUint32(append(head, flags), stream), payload...)
}

func reset(stream, code uint32) []byte {
	return frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code)...)
}

func goAway(last, code uint32) []byte {
	return frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(
		binary.BigEndian.AppendUint32(nil, last), code,
	)...)
}

func setting(name uint16, value uint32) []byte {
	return frame(frameSettings, 0, 0, binary.BigEndian.AppendUint32(
		binary.BigEndian.AppendUint16(nil, name), value,
	)...)
}

// peer2 is a server's end of an HTTP/2 connection that can do everything a server should not do.
type peer2 struct {
	net.Conn
	requests *atomic.Int32
}

func (p peer2) send(frames ...[]byte) {
	for _, f := range frames {
		_, _ = p.Write(f)
	}
}

// flood sends frames until the client has closed the connection or has long given up. Not every
// client closes such a connection before it is idle.
func (p peer2) flood(frames ...[]byte) {
	var chunk []byte
	for len(chunk) < 16<<10 {
		for _, f := range frames {
			chunk = append(chunk, f...)
		}
	}
	go untilGone(p) // a client that cannot write does not read
	_ = p.SetWriteDeadline(time.Now().Add(slow))
	for {
		if _, err := p.Write(chunk); err != nil {
			return
		}
	}
}

// serve2 speaks HTTP/2 over TLS on a connection. It sends hello after the preface, acknowledges
// settings, and passes each request's stream to answer once the headers are complete. It returns
// when the client has closed the connection or answer returns false.
func serve2(
	conn net.Conn, certificate tls.Certificate, requests *atomic.Int32, hello []byte,
	answer func(p peer2, stream uint32) bool,
) {
	secure := tls.Server(
		conn, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}},
	)
	preface := make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	if _, err := io.ReadFull(secure, preface); err != nil {
		return
	}
	p := peer2{secure, requests}
	p.send(hello)
	for {
		kind, flags, stream, err := p.read()
		switch {
		case err != nil:
			return
		case kind == frameSettings && flags&ack == 0:
			p.send(frame(frameSettings, ack, 0))
		case kind == frameHeaders:
			requests.Add(1)
			if !answer(p, stream) {
				return
			}
		}
	}
}

// read reads a frame and discards its payload.
func (p peer2) read() (kind, flags byte, stream uint32, err error) {
	var head [9]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return 0, 0, 0, err
	}
	_, err = io.CopyN(io.Discard, p, int64(binary.BigEndian.Uint32(head[:])>>8))
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]), err
}
