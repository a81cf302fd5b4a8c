package main

import (
	"errors"
	"net/http"
	"strings"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/relay/catalog"
)

// The exit statuses of the command.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitNotAllowed  = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitUnreachable = 6
	exitPartly      = 7
	exitInterrupted = 130 // as shells have it for a command that Ctrl-C ended
)

var (
	// ErrInterrupted is returned when a command was stopped before it was done.
	ErrInterrupted = errors.New("interrupted")
	// ErrUsage is returned for a command line that cannot be used.
	ErrUsage = errors.New("usage")
	// ErrPartly is returned when a part of the work was done and another was not.
	ErrPartly = errors.New("partly done")
	// ErrNoRelay is returned when the directory has no local relay.
	ErrNoRelay = errors.New("no relay")
)

// usageError is an ErrUsage with a text of its own.
type usageError struct{ error }

func (usageError) Is(target error) bool { return target == ErrUsage }

func (e usageError) Unwrap() error { return e.error }

func usage(text string) error { return usageError{errors.New(text)} }

// exit is an exit status.
type exit struct {
	code    int
	name    string // of the problem in the output of --json, unless it has one
	meaning string
	fits    func(error) bool
}

// exits says what each exit status means. The first that fits an error is taken.
var exits = []exit{
	{code: 0, name: "", meaning: "done", fits: func(err error) bool { return err == nil }},
	{
		code: exitInterrupted, name: "interrupted", meaning: "ended by Ctrl-C",
		fits: isAny(ErrInterrupted),
	},
	{
		code: exitPartly, name: "partly-done", meaning: "a part was done, another failed",
		fits: isAny(ErrPartly),
	},
	{
		code: exitUsage, name: "usage",
		meaning: "the command line is wrong, or something needs `--yes`",
		fits: func(err error) bool {
			return errors.Is(err, ErrUsage) || errors.Is(err, client.ErrURL) || wrongParameter(err)
		},
	},
	{
		code: exitNotAllowed, name: "not-allowed",
		meaning: "no valid token, or its role does not allow it",
		fits:    hasStatus(http.StatusUnauthorized, http.StatusForbidden),
	},
	{
		code: exitNotFound, name: "not-found", meaning: "there is no such thing",
		fits: func(err error) bool {
			return errors.Is(err, catalog.ErrNotFound) ||
				hasStatus(http.StatusNotFound, http.StatusGone)(err)
		},
	},
	{
		code: exitConflict, name: "conflict",
		meaning: "not possible now: something else has changed it, manages it or needs it",
		fits: hasStatus(
			http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired,
		),
	},
	{
		code: exitUnreachable, name: "unreachable",
		meaning: "there is no relay, or it does not answer",
		fits: func(err error) bool {
			return errors.Is(err, client.ErrUnreachable) || errors.Is(err, ErrNoRelay) ||
				hasStatus(
					http.StatusTooManyRequests, http.StatusBadGateway,
					http.StatusServiceUnavailable, http.StatusGatewayTimeout,
				)(err)
		},
	},
	{code: exitFailed, name: "failed", meaning: "anything else has failed", fits: func(error) bool {
		return true
	}},
}

func isAny(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func hasStatus(statuses ...int) func(error) bool {
	return func(err error) bool {
		var p *admin.Problem
		if !errors.As(err, &p) {
			return false
		}
		for _, status := range statuses {
			if p.Status == status {
				return true
			}
		}
		return false
	}
}

// wrongParameter tells whether the API refuses a parameter, which is a flag here.
func wrongParameter(err error) bool {
	var p *admin.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity {
		return false
	}
	for _, e := range p.Errors {
		if strings.HasPrefix(e.Pointer, "/query") {
			return true
		}
	}
	return false
}

// exitOf returns the exit status for an error, and the name of its kind.
func exitOf(err error) (code int, name string) {
	for _, e := range exits {
		if e.fits(err) {
			return e.code, e.name
		}
	}
	return exitFailed, "failed" // never: the last one fits everything
}

// commandProblem is the problem of an error that no answer of the API brought.
type commandProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// problemOf returns an error as a problem, which --json prints.
func problemOf(err error) any {
	var p *admin.Problem
	if errors.As(err, &p) {
		return p
	}
	_, name := exitOf(err)
	return commandProblem{
		Type: commandURN + name, Title: strings.ReplaceAll(name, "-", " "), Detail: err.Error(),
	}
}

// commandURN is in front of the names of the command's own problems.
const commandURN = "urn:webhook-relay:command:"

// textOf returns an error for people. What is wrong with parts of a request has a line each.
func textOf(err error) string {
	var p *admin.Problem
	if !errors.As(err, &p) {
		return err.Error()
	}
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if len(p.Errors) > 0 {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n  " + printable(strings.TrimPrefix(e.Pointer, "/body")+"  "+e.Detail)
	}
	if before, _, found := strings.Cut(err.Error(), p.Error()); found && before != "" {
		text = before + text
	}
	return asFlags.Replace(text)
}

// asFlags turns the parameters of the API, where a problem names them, into flags.
var asFlags = strings.NewReplacer(
	"?adopt=true", "--adopt", "?empty=true&remove=true", "--empty", "?remove=true", "--yes",
)
