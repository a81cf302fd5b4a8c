package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// ErrSignature means that a request is not signed as AWS demands it.
var ErrSignature = errors.New("emulator: wrong signature")

var authorization = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request, ` +
		`SignedHeaders=([^,]+), Signature=[0-9a-f]{64}$`,
)

// CheckSignature returns why a request, as its server sees it, is not signed with keys, or nil. The
// signature is in a header, or in the query of a presigned URL:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func CheckSignature(r *http.Request, body []byte, keys aws.Credentials) error {
	if r.URL.Query().Has(querySignature) {
		return checkPresigned(r, keys)
	}
	found := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if found == nil || err != nil {
		return fmt.Errorf("%w: the headers are not those of a signed request", ErrSignature)
	}
	region, service, names := found[1], found[2], found[3]
	again := &http.Request{Method: r.Method, URL: r.URL, Host: r.Host, Header: http.Header{}}
	for name := range strings.SplitSeq(names, ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if sum := sha256.Sum256(body); hash == "" || len(hash) == hex.EncodedLen(len(sum)) {
		hash = hex.EncodeToString(sum[:])
	}
	err = signerOf(service).SignHTTP(r.Context(), keys, again, hash, service, region, at)
	if err != nil {
		return err
	}
	if again.Header.Get("Authorization") != found[0] {
		return fmt.Errorf("%w: of %s %s for %s", ErrSignature, r.Method, r.URL.Path, service)
	}
	return nil
}

func signerOf(service string) *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
}

const querySignature = "X-Amz-Signature"

var scope = regexp.MustCompile(`^[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request$`)

// checkPresigned is CheckSignature for a presigned URL.
func checkPresigned(r *http.Request, keys aws.Credentials) error {
	query := r.URL.Query()
	found := scope.FindStringSubmatch(query.Get("X-Amz-Credential"))
	at, err := time.Parse("20060102T150405Z", query.Get("X-Amz-Date"))
	lasts, wrong := strconv.Atoi(query.Get("X-Amz-Expires"))
	if found == nil || err != nil || wrong != nil {
		return fmt.Errorf("%w: the query is not that of a presigned URL", ErrSignature)
	}
	if time.Since(at) > time.Duration(lasts)*time.Second {
		return fmt.Errorf("%w: the URL has expired", ErrSignature)
	}
	given := query.Get(querySignature)
	for _, name := range []string{
		querySignature, "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders",
		"X-Amz-Security-Token",
	} {
		query.Del(name)
	}
	bare := *r.URL
	bare.RawQuery = query.Encode()
	again := &http.Request{Method: r.Method, URL: &bare, Host: r.Host, Header: http.Header{}}
	signed, _, err := signerOf(found[2]).PresignHTTP(
		r.Context(), keys, again, "UNSIGNED-PAYLOAD", found[2], found[1], at,
	)
	if err != nil {
		return err
	}
	if !strings.Contains(signed, querySignature+"="+given) {
		return fmt.Errorf("%w: of the URL for %s", ErrSignature, r.URL.Path)
	}
	return nil
}
