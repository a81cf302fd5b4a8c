package destination

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"webhook-relay/shared/aws/protocol"
	"webhook-relay/shared/pattern"
)

const (
	bucketScheme = "s3://"
	maxBucket    = 63 // characters of a bucket's name
)

var (
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
	bucketForm = pattern.Lazy(`^[a-z0-9][a-z0-9.-]+[a-z0-9]$`)
	// namesEvent finds an expression with the event's id or a value of it.
	namesEvent = pattern.Lazy(`\{[^{}]*\b(id|data|headers)\b[^{}]*\}`)
)

// parseBucket reads the address of an object in S3, without its scheme.
func parseBucket(address string) (Destination, error) {
	bucket, key, _ := strings.Cut(address, "/")
	switch {
	case len(bucket) > maxBucket, !bucketForm().MatchString(bucket):
		return Destination{}, fmt.Errorf(
			"is not of the form %s, with 3 to 63 of a-z, 0-9, - and . as the bucket", S3.Form(),
		)
	case key == "" || strings.HasSuffix(key, "/"):
		return Destination{}, errors.New(
			"names no object; write a key behind the bucket, such as {source}/{date}/{id}.json",
		)
	case hasGap(key):
		return Destination{}, errors.New("has an empty segment, . or .. in its key")
	case !namesEvent().MatchString(strings.NewReplacer("{{", "", "}}", "").Replace(key)):
		return Destination{}, errors.New(
			"gives every webhook the same key, so that each replaces the one before; put {id} " +
				"into the key, or a value such as {data.order.id}",
		)
	}
	return Destination{
		Kind: S3, ARN: "arn:aws:s3:::" + bucket, Partition: "aws", Name: bucket, Key: key,
	}, nil
}

func hasGap(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if isGap(segment) {
			return true
		}
	}
	return false
}

func isGap(segment string) bool { return segment == "" || segment == "." || segment == ".." }

// keyText is the name of the text that is an object's key.
const keyText = "url"

// escapeSegment writes a character of a value so that the value stays within its segment of a key.
func escapeSegment(b []byte, r rune) []byte {
	if r == '/' || r < ' ' || r == 0x7F {
		r = '_'
	}
	return append(b, string(r)...)
}

// maxKey is the longest key of an object, in bytes:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
const maxKey = 1024

// objectKey returns the key of a message's object. A segment that a value leaves empty is _.
func (m Message) objectKey() (string, error) {
	segments := strings.Split(m.Texts[keyText], "/")
	for i, segment := range segments {
		if isGap(segment) {
			segments[i] = "_"
		}
	}
	key := strings.Join(segments, "/")
	if len(key) > maxKey {
		return "", &UnfitError{Problem: fmt.Sprintf(
			"the object's key has %d bytes, and S3 takes at most %d", len(key), maxKey,
		)}
	}
	return key, nil
}

// maxMetadata is the longest value of an object's metadata that is sent. S3 refuses an object with
// more than 2 KB of metadata in all.
const maxMetadata = 512

// putObject is https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html The bucket is in
// the path and not in the host's name: a certificate for *.s3.REGION.amazonaws.com does not hold
// for a bucket with a dot in its name.
func putObject(d Destination, m Message, o Options) (Request, error) {
	content, contentType, err := d.Content(m, o)
	if err != nil {
		return Request{}, err
	}
	key, err := m.objectKey()
	if err != nil {
		return Request{}, err
	}
	r := Request{
		Method: "PUT", URL: "https://" + d.host("s3") + "/" + d.Name + "/" + protocol.EscapeKey(key),
		Body: content, Header: map[string]string{}, Key: key,
	}
	for name, value := range m.attributes() {
		if isHeaderText(value) && len(value) <= maxMetadata {
			r.Header["x-amz-meta-"+name] = value
		}
	}
	delete(r.Header, "x-amz-meta-"+attributeContent)
	encoding := ""
	if m.Shaped == nil && d.Envelope(o) == Raw {
		encoding = m.Event.Header["content-encoding"]
	}
	if strings.HasSuffix(key, ".gz") {
		r.Plain, r.Body = content, zipped(content)
		encoding = strings.TrimPrefix(encoding+", gzip", ", ")
	}
	for name, value := range map[string]string{
		"content-type": contentType, "content-encoding": encoding,
		protocol.ChecksumHeader: protocol.Checksum(r.Body),
	} {
		if value != "" && isHeaderText(value) {
			r.Header[name] = value
		}
	}
	return r, nil
}

// isHeaderText tells whether S3 stores a header's value as it is.
func isHeaderText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// zippers are kept: a new one allocates a megabyte.
var zippers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

// zipped returns content in the form of gzip. The same content has the same form each time.
func zipped(content []byte) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(content)/2))
	w, _ := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(out)
	_, _ = w.Write(content) // writing to memory cannot fail
	_ = w.Close()
	return out.Bytes()
}
