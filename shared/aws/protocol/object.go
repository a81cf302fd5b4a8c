package protocol

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// ChecksumHeader has an object's Checksum, in requests and in answers.
const ChecksumHeader = "x-amz-checksum-crc32"

// Checksum returns a body's CRC-32 as S3 wants it, checks it and keeps it. A bucket with a default
// retention (Object Lock) refuses an object without one.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func Checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(
		binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)),
	)
}

// EscapeKey encodes an object's key for the path of a URL, as the signature demands it:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func EscapeKey(key string) string {
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			strings.IndexByte("/-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
