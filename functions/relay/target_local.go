//go:build local

package main

import (
	"context"
	"errors"
)

// ErrLocalOnly means that the command was built with the tag local, as make run builds it. The tag
// leaves out the AWS SDK, which takes half of the time to build the command.
var ErrLocalOnly = errors.New("this build has no AWS SDK, so it cannot use --stack; " +
	"build the whole command with: go build -o bin/relay ./functions/relay")

func openDeployed(context.Context, string) (*target, error) { return nil, ErrLocalOnly }
