package kms_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/kms"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/relay/catalog"
)

const (
	keyARN      = "arn:aws:kms:eu-central-1:000000000000:key/11111111-1111-1111-1111-111111111111"
	otherKeyARN = "arn:aws:kms:eu-central-1:000000000000:key/22222222-2222-2222-2222-222222222222"
)

func config(t *testing.T) aws.Config {
	t.Helper()
	return emulator.Config(emulator.NewKMS(t).URL)
}

func TestSealerConforms(t *testing.T) {
	t.Parallel()
	conformance.Sealer(t, func(t *testing.T) catalog.Sealer { return kms.New(config(t), keyARN) })
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	t.Parallel()
	c := config(t)
	sealed, err := kms.New(c, otherKeyARN).Seal(t.Context(), "source/github", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kms.New(c, keyARN).Open(
		t.Context(), "source/github", sealed,
	); signed.Code(err) != "IncorrectKeyException" {
		t.Errorf("Open of another key's secret: %v, want IncorrectKeyException", err)
	}
}

func TestTheLargestSecret(t *testing.T) {
	t.Parallel()
	sealer := kms.New(config(t), keyARN)
	if _, err := sealer.Seal(
		t.Context(), "endpoint/shipping", make([]byte, kms.MaxPlainBytes),
	); err != nil {
		t.Errorf("%d bytes: %v", kms.MaxPlainBytes, err)
	}
	_, err := sealer.Seal(t.Context(), "endpoint/shipping", make([]byte, kms.MaxPlainBytes+1))
	if !errors.Is(err, kms.ErrTooLarge) {
		t.Fatalf("%d bytes: %v, want ErrTooLarge", kms.MaxPlainBytes+1, err)
	}
	for _, fact := range []string{"endpoint/shipping", "4097", "4096"} {
		if !strings.Contains(err.Error(), fact) {
			t.Errorf("%q does not tell %s", err, fact)
		}
	}
}
