package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssecretsmanager "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"webhook-relay/shared/relay/catalog"
)

// Store reads secrets. Make it with New; it is safe for concurrent use.
type Store struct {
	client func() *awssecretsmanager.Client
}

var _ catalog.SecretStore = Store{}

// New returns a Store. It makes no call.
func New(cfg aws.Config) Store {
	return Store{sync.OnceValue(func() *awssecretsmanager.Client {
		return awssecretsmanager.NewFromConfig(cfg)
	})}
}

// Secret implements catalog.SecretStore. It returns the secret's current version, which must be
// text. The error is catalog.ErrNotFound if there is no such secret, if it is marked for deletion,
// cannot be decrypted or has no text, or if the role may not read it. Any other error is the
// service's.
func (s Store) Secret(ctx context.Context, name string) (string, error) {
	out, err := s.client().GetSecretValue(
		ctx, &awssecretsmanager.GetSecretValueInput{SecretId: &name},
	)
	var refused smithy.APIError
	switch {
	case err == nil && out.SecretString == nil:
		return "", fmt.Errorf(
			"secretsmanager: %s is binary; only text secrets can be read: %w", name,
			catalog.ErrNotFound,
		)
	case err == nil:
		return *out.SecretString, nil
	case errors.As(err, &refused) && notToBeHad[refused.ErrorCode()]:
		return "", fmt.Errorf(
			"secretsmanager: %s: %s: %w", name, refused.ErrorCode(), catalog.ErrNotFound,
		)
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
