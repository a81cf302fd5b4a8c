package verify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// hook0 is the scheme of Hook0, which Coinbase's Developer Platform uses to send. One header holds
// the time and one or two signatures: v0 over the time and the body, and v1 also over the names and
// values of some headers. If both are present, v1 counts.
type hook0 struct{}

const hook0Header = "x-hook0-signature"

// The layouts of the two signatures. The entry h holds the names of the signed headers, separated
// by spaces.
var (
	hook0V0 = layout{separator: ",", equals: "=", signature: "v0", timestamp: "t"}
	hook0V1 = layout{separator: ",", equals: "=", signature: "v1", timestamp: "t"}
	hook0H  = layout{separator: ",", equals: "=", signature: "h"}
)

func (hook0) trust() Trust          { return Verified }
func (hook0) window() time.Duration { return DefaultTolerance }

func (hook0) describe() string {
	return "header " + hook0Header +
		": t=<time>,v0=hex of HMAC-SHA256 over {timestamp}.{body}; or h=<names>,v1=hex of that over {timestamp}.{names}.{values}.{body}"
}

func (hook0) prepare(k *keys) (proof, error) {
	raw, err := k.read(keyText)
	return &hook0Proof{
		macs: newMacs(sha256.New, lowerHex{}, raw), fresh: k.freshness(DefaultTolerance),
	}, err
}

type hook0Proof struct {
	macs  *macs
	fresh freshness
}

func (*hook0Proof) headers() []string { return []string{hook0Header} }

func (p *hook0Proof) check(_ context.Context, r Request) error {
	value := r.Header[hook0Header]
	if value == "" {
		return fmt.Errorf("%w: header %s", ErrMissing, hook0Header)
	}
	timestamp, signatures, names, err := readHook0(value)
	if err != nil {
		return err
	}
	at, err := readTime(timeSeconds, "header "+hook0Header, timestamp)
	if err != nil {
		return err
	}
	head := timestamp + "."
	if names != "" {
		values, err := hook0Values(r.Header, names)
		if err != nil {
			return err
		}
		head += names + "." + values + "."
	}
	signed := asTextAndBody(head, r.Body)
	if err := p.macs.checkAll("header "+hook0Header, signatures[0], signed); err != nil {
		return err
	}
	return p.fresh.check(at, r.ReceivedAt)
}

// readHook0 returns the content of the header. names is "" if v0 counts.
func readHook0(value string) (timestamp string, signatures []string, names string, err error) {
	var room, more [4]string
	if timestamp, signatures, err = hook0V1.read(hook0Header, value, room[:0]); err != nil {
		return "", nil, "", err
	}
	if len(signatures) == 0 {
		timestamp, signatures, err = hook0V0.read(hook0Header, value, room[:0])
		if err == nil && len(signatures) != 1 {
			err = malformed(hook0Header, "a list with one v0 or one v1")
		}
		return timestamp, signatures, "", err
	}
	_, lists, err := hook0H.read(hook0Header, value, more[:0])
	if err == nil && (len(signatures) != 1 || len(lists) != 1 || lists[0] == "") {
		err = malformed(hook0Header, "a list with one h and one v1")
	}
	if err != nil {
		return "", nil, "", err
	}
	return timestamp, signatures, lists[0], nil
}

// hook0Values returns the signed values of headers. A value with a dot is refused: it would not be
// clear where it ends and the next value or the body begins.
func hook0Values(h Header, names string) (string, error) {
	var values []string
	for name := range strings.SplitSeq(names, " ") {
		value, err := single(h, strings.ToLower(name))
		if err != nil {
			return "", err
		}
		if strings.Contains(value, ".") {
			return "", malformed(name, "a value without a dot")
		}
		values = append(values, value)
	}
	return strings.Join(values, "."), nil
}

func (p *hook0Proof) sign(r *Request, _ Webhook, at time.Time) error {
	timestamp := writeTime(timeSeconds, at)
	signed := asTextAndBody(timestamp+".", r.Body)
	r.Header[hook0Header] = hook0V0.write(timestamp, p.macs.signAll(signed))
	return nil
}
