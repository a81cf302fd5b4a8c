//go:build local

package main

import (
	"context"
	"errors"
	"net/http"
)

// ErrLocalOnly means that the command was built with the tag local, as make run builds it. The tag
// leaves out the AWS SDK, which takes half of the time to build the command.
var ErrLocalOnly = errors.New("this build has no AWS SDK, so it cannot use --stack; " +
	"build the whole command with: go build -o bin/relay ./functions/relay")

func addressOfStack(context.Context, string) (string, error) { return "", ErrLocalOnly }

func apiOfStack(context.Context, string) (http.Handler, string, error) {
	return nil, "", ErrLocalOnly
}

func (*doctor) checkStack(
	context.Context, string,
) ([]func(context.Context) ([]finding, error), error) {
	return nil, ErrLocalOnly
}
