package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
)

// addSecretsKey makes the key that seals the catalog's secrets, unless the props name one. The key
// is kept when the stack is destroyed: the tables are kept too, and are useless without it.
func (r *relay) addSecretsKey() {
	if r.props.SecretsKeyARN != "" {
		r.secretsKey = awskms.Key_FromKeyArn(r.stack, new("SecretsKey"), &r.props.SecretsKeyARN)
		return
	}
	r.secretsKey = awskms.NewKey(r.stack, new("SecretsKey"), &awskms.KeyProps{
		Description: new("Encrypts the secrets of the webhook relay's sources and endpoints"),
		// for people to recognise the key; the relay does not use the alias
		Alias:             new("alias/" + *r.stack.StackName() + "-secrets"),
		EnableKeyRotation: new(true),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
	})
}
