package verify

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"webhook-relay/shared/document"
)

// sns is the scheme of Amazon SNS. The body is a JSON object whose members Signature,
// SignatureVersion and SigningCertURL prove some of the other members.
type sns struct{}

// The kinds of SNS messages.
const (
	snsNotification = "Notification"
	snsSubscribe    = "SubscriptionConfirmation"
	snsUnsubscribe  = "UnsubscribeConfirmation"
)

// settingTopics lists the topics whose messages a source accepts. It is needed because SNS signs
// messages of any AWS account's topics.
const settingTopics = "topic_arns"

// snsMembers returns the signed members in order, nil for a kind that SNS does not send. Only a
// Notification's Subject may be missing.
func snsMembers(kind string) []string {
	switch kind {
	case snsNotification:
		return []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case snsSubscribe, snsUnsubscribe:
		return []string{
			"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
		}
	}
	return nil
}

// snsAlgorithm returns the algorithm of a SignatureVersion.
func snsAlgorithm(version string) (algorithm, error) {
	switch version {
	case "1":
		return rsaSHA1, nil
	case "2":
		return rsaSHA256, nil
	}
	return algorithm{},
		fmt.Errorf("%w: SignatureVersion in the body is neither 1 nor 2", ErrMalformed)
}

func (sns) trust() Trust { return Verified }

// window is unlimited: SNS sends a message again unchanged, for as long as the topic's delivery
// policy says, and states no tolerance.
func (sns) window() time.Duration { return Unlimited }

func (sns) describe() string {
	return "body: RSA signature (version 1 or 2) of Message, MessageId, Subject, SubscribeURL, Timestamp, Token, TopicArn and Type"
}

// makeKey implements keyMaker.
func (sns) makeKey(seed []byte) (secret, signing string, err error) {
	return makePublished(rsaSHA256, seed)
}

// pin implements pinner.
func (sns) pin(signing string) (map[string]string, error) { return certificateOf(signing) }

func (s sns) prepare(k *keys) (proof, error) {
	if err := noSecrets(k); err != nil {
		return nil, err
	}
	p := &snsProof{topics: listed(k.settings[settingTopics]), fresh: k.freshness(Unlimited)}
	for _, topic := range p.topics {
		if parts := strings.SplitN(topic, ":", 6); len(parts) != 6 || parts[0] != "arn" ||
			parts[2] != "sns" {
			return nil, wrong(
				"settings."+settingTopics,
				"%q is not the ARN of a topic, such as arn:aws:sns:eu-west-1:123456789012:orders",
				topic,
			)
		}
	}
	var err error
	if p.certificates, err = newCertificates(
		k, "sns.amazonaws.com", "sns.amazonaws.com.cn",
	); err != nil {
		return nil, err
	}
	p.private, err = readPrivate(rsaSHA256, k.signing)
	return p, err
}

// listed returns the items of a comma-separated list.
func listed(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

type snsProof struct {
	sns
	topics       []string
	certificates *certificates
	private      crypto.Signer // nil: cannot sign
	fresh        freshness
}

func (p *snsProof) headers() []string { return nil }

func (p *snsProof) check(ctx context.Context, r Request) error {
	if strings.EqualFold(r.Header["x-amz-sns-rawdelivery"], "true") {
		return fmt.Errorf(
			"%w: raw message delivery has none; turn it off for the subscription", ErrMissing,
		)
	}
	m, err := parseSNS(r.Body)
	if err != nil {
		return err
	}
	// check this before anything is fetched for the message
	if !slices.Contains(p.topics, m["TopicArn"]) {
		return fmt.Errorf("%w: TopicArn is not in settings.%s", ErrMismatch, settingTopics)
	}
	text, err := m.signedText()
	if err != nil {
		return err
	}
	sentAt, err := readTime(timeRFC3339, "Timestamp in the body", m["Timestamp"])
	if err != nil {
		return err
	}
	algorithm, err := snsAlgorithm(m["SignatureVersion"])
	if err != nil {
		return err
	}
	signature, err := decode(base64Strict, m["Signature"])
	if err != nil {
		return fmt.Errorf("%w: Signature in the body is not base64", ErrMalformed)
	}
	if err := m.checkURL("SigningCertURL", true); err != nil {
		return err
	}
	key, err := p.certificates.key(ctx, m["SigningCertURL"], r.ReceivedAt)
	if err != nil {
		return err
	}
	if !algorithm.verified(key, algorithm.digest([]byte(text)), signature) {
		return fmt.Errorf("%w: Signature in the body", ErrMismatch)
	}
	return p.fresh.check(sentAt, r.ReceivedAt)
}

// snsMessage holds the members of a message that are strings.
type snsMessage map[string]string

// snsKnown are the members that this package reads.
var snsKnown = []string{"Message", "MessageId", "Signature", "SignatureVersion", "SigningCertURL",
	"Subject", "SubscribeURL", "Timestamp",
	"Token", "TopicArn", "Type"}

var snsPaths = sync.OnceValue(func() *document.Paths {
	paths := make([][]string, len(snsKnown))
	for i, name := range snsKnown {
		paths[i] = []string{name}
	}
	return document.NewStrictPaths(paths...)
})

// parseSNS reads a message. It refuses a member whose name is in another case than SNS writes it.
// JSON libraries differ in which member they use, so a receiver could read another value than the
// signed one.
func parseSNS(body []byte) (snsMessage, error) {
	if start := bytes.TrimSpace(body); len(start) == 0 || start[0] != '{' {
		return nil, fmt.Errorf(
			"%w: the body is not a message of SNS; raw message delivery has no signature, so turn it off",
			ErrMissing,
		)
	}
	if _, ok := document.Valid(body); ok && document.Value(body, "Signature") == "" {
		return nil, fmt.Errorf("%w: Signature in the body", ErrMissing)
	}
	found, err := strictly(snsPaths(), body)
	if err != nil {
		return nil, err
	}
	m := snsMessage{}
	for i, value := range found {
		if len(value) > 0 && value[0] == '"' {
			m[snsKnown[i]] = document.Scalar(value)
		}
	}
	return m, nil
}

// signedText returns the signed text: the name and the value of each member, each followed by a
// line end. A value with line ends could pass as several members. Only Message, which comes first,
// may have them.
func (m snsMessage) signedText() (string, error) {
	names := snsMembers(m["Type"])
	if names == nil {
		return "", fmt.Errorf("%w: Type in the body is not one that SNS sends", ErrMalformed)
	}
	var b strings.Builder
	for _, name := range names {
		value, ok := m[name]
		switch {
		case !ok && name == "Subject":
			continue
		case !ok:
			return "", fmt.Errorf("%w: %s in the body", ErrMissing, name)
		case name != "Message" && strings.ContainsFunc(value, unicode.IsControl):
			return "", fmt.Errorf("%w: %s in the body has a control character", ErrMalformed, name)
		}
		b.WriteString(name + "\n" + value + "\n")
	}
	return b.String(), nil
}

// checkURL accepts only a URL of SNS in the topic's region, so that no message can send our request
// elsewhere. The topic was checked against the settings before. The URL of a certificate must be a
// plain file; SubscribeURL has a query.
func (m snsMessage) checkURL(member string, certificate bool) error {
	u, err := url.Parse(m[member])
	if err == nil && u.Scheme == "https" && u.User == nil && u.Fragment == "" &&
		u.Host == snsHost(m["TopicArn"]) {
		name, isFile := strings.CutPrefix(
			strings.TrimSuffix(u.EscapedPath(), ".pem"), snsCertificate,
		)
		if !certificate || u.RawQuery == "" && !u.ForceQuery && isFile &&
			strings.HasSuffix(u.EscapedPath(), ".pem") && isName(name, hexDigits, 64) {
			return nil
		}
	}
	return fmt.Errorf(
		"%w: %s in the body is not a URL of SNS in the topic's region", ErrMalformed, member,
	)
}

// snsCertificate is the beginning of the path of SNS's certificates.
const snsCertificate = "/SimpleNotificationService-"

// snsHost returns SNS's host in the region of a topic.
func snsHost(topic string) string {
	parts := strings.Split(topic, ":") // prepare has checked its form
	host := "sns." + parts[3] + ".amazonaws.com"
	if parts[1] == "aws-cn" {
		host += ".cn"
	}
	return host
}

// sign rewrites the message with the time, the proof, and the first topic of the settings, unless
// the message's topic is in the settings.
func (p *snsProof) sign(r *Request, _ Webhook, at time.Time) (err error) {
	r.Header["content-type"] = "text/plain; charset=UTF-8" // as SNS sends it
	r.Body, err = rewrite(r.Body, func(object map[string]any) error {
		m := snsMessage{}
		for name, value := range object {
			m[name], _ = value.(string)
		}
		if !slices.Contains(p.topics, m["TopicArn"]) {
			m["TopicArn"] = p.topics[0]
		}
		m["Timestamp"] = at.UTC().Format("2006-01-02T15:04:05.000Z")
		text, err := m.signedText()
		if err != nil {
			return err
		}
		algorithm, err := snsAlgorithm(m["SignatureVersion"])
		if err != nil {
			return err
		}
		signature, err := algorithm.sign(p.private, []byte(text))
		object["TopicArn"], object["Timestamp"] = m["TopicArn"], m["Timestamp"]
		object["Signature"] = base64.StdEncoding.EncodeToString(signature)
		return err
	})
	return err
}

// confirmSNS answers a proved message that is no notification. It confirms a subscription to an
// accepted topic. It acknowledges the end of a subscription, and does not subscribe again.
func confirmSNS(ctx context.Context, k *keys, r Request) (*Result, error) {
	if strictValue(r.Body, "Type") == snsNotification {
		return nil, nil //nolint:nilnil // the usual case, which needs no second reading
	}
	m, err := parseSNS(r.Body)
	if err != nil {
		return nil, err
	}
	if m["Type"] == snsSubscribe {
		if err := m.checkURL("SubscribeURL", false); err != nil {
			return nil, err
		}
		if _, err := k.fetch(ctx, Fetch{URL: m["SubscribeURL"]}); err != nil {
			return nil, err
		}
	}
	return &Result{Reply: &Reply{Status: 200}}, nil
}
