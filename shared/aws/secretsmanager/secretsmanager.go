package secretsmanager

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay/catalog"
)

// Store reads secrets. Make it with New; it is safe for concurrent use.
type Store struct {
	client func() *signed.Client
}

var _ catalog.SecretStore = Store{}

// New returns a Store. It makes no call.
func New(cfg aws.Config) Store {
	return Store{sync.OnceValue(func() *signed.Client {
		return signed.New(cfg, signed.Service{ID: "Secrets Manager", Name: "secretsmanager"})
	})}
}

// Secret implements catalog.SecretStore. It returns the secret's current version, which must be
// text. The error is catalog.ErrNotFound if there is no such secret, if it is marked for deletion,
// cannot be decrypted or has no text, or if the role may not read it. Any other error is the
// service's. Errors have nothing of the service's answer but its code.
func (s Store) Secret(ctx context.Context, name string) (string, error) {
	var out struct{ SecretString *string }
	// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
	err := s.client().JSON(
		ctx, signed.Call{Target: "secretsmanager.GetSecretValue", Version: "1.1"},
		struct{ SecretId string }{name}, &out, //nolint:revive,staticcheck // the service's name
	)
	code := signed.Code(err)
	switch {
	case err == nil && out.SecretString == nil:
		return "", fmt.Errorf(
			"secretsmanager: %s is binary; only text secrets can be read: %w", name,
			catalog.ErrNotFound,
		)
	case err == nil:
		return *out.SecretString, nil
	case notToBeHad[code]:
		return "", fmt.Errorf("secretsmanager: %s: %s: %w", name, code, catalog.ErrNotFound)
	default:
		return "", fmt.Errorf("secretsmanager: %s: %w", name, err)
	}
}

// notToBeHad are the codes of errors that last until somebody corrects the secret, its name or the
// role.
var notToBeHad = map[string]bool{
	"AccessDeniedException": true, "ResourceNotFoundException": true,
	"InvalidRequestException": true, "InvalidParameterException": true,
	"ValidationException": true, "DecryptionFailure": true,
}
