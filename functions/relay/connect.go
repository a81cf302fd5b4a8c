package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/admin/client"
	"webhook-relay/shared/local/sqlite"
	"webhook-relay/shared/relay/access"
)

// relayFlags select the relay that a command works with, and the form of its output.
type relayFlags struct {
	URL     string `help:"Address of the relay. Also from RELAY_URL." name:"url" placeholder:"URL" group:"relay" xor:"relay"`
	Token   string `help:"Token of the API. Rather set RELAY_TOKEN, or use a profile: other users of this machine can see flags." placeholder:"TOKEN" group:"relay"`
	Profile string `help:"Use the address and token of this profile, see relay login. Also from RELAY_PROFILE. Default: the profile named default, if there is one." placeholder:"NAME" group:"relay" xor:"relay"`
	Data    string `help:"Work with the local relay in this directory, also if it is not running. Default, without a profile: .relay." placeholder:"DIR" group:"relay" xor:"relay"`
	Stack   string `help:"Find the address of the relay by the name of its CloudFormation stack, with your AWS credentials." placeholder:"NAME" group:"relay" xor:"relay"`
	Tenant  string `help:"Whose things. Default: those of the token, or of the operator." placeholder:"ID" group:"relay"`
	JSON    bool   `help:"Print JSON, one document a line." name:"json" group:"relay"`
}

// AfterApply notes the form of the output before the command runs, and for its errors.
func (f relayFlags) AfterApply(inv *invocation) error { //nolint:unparam // the form of kong
	inv.json = f.JSON
	return nil
}

// defaultDir is the directory of the local relay.
const defaultDir = ".relay"

// connection is a relay that a command works with. It must be closed.
type connection struct {
	*client.Client

	local bool // it is called in this process
	// console is the address of the relay's console.
	console string
	// signIn returns the path of a link that opens a page of the console, signed in; nil: the
	// person signs in there.
	signIn func(ctx context.Context, page string) (string, error)
	// resume starts the work on jobs whose worker has died; nil: the relay does it.
	resume func(context.Context) error
	close  func() error
}

// calls runs f with the relay that the flags name.
func (f relayFlags) calls(
	ctx context.Context, inv *invocation, do func(*connection) error,
) (err error) {
	return f.with(ctx, inv, do, false)
}

// with is calls. If create is set, a local relay that does not exist is created.
func (f relayFlags) with(
	ctx context.Context, inv *invocation, do func(*connection) error, create bool,
) (err error) {
	c, err := f.connect(ctx, inv, create)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return do(c)
}

func (f relayFlags) connect(
	ctx context.Context, inv *invocation, create bool,
) (*connection, error) {
	token := cmp.Or(f.Token, inv.env("RELAY_TOKEN"))
	switch dir := f.localDir(inv); {
	case dir != "":
		return f.local(inv, dir, create)
	case f.Stack != "":
		return f.ofStack(ctx, inv)
	case f.URL != "":
		return f.remote(f.URL, token, f.Tenant)
	case f.Profile != "":
		return f.profile(inv, f.Profile)
	case inv.env("RELAY_URL") != "":
		return f.remote(inv.env("RELAY_URL"), token, f.Tenant)
	}
	return f.profile(inv, cmp.Or(inv.env("RELAY_PROFILE"), defaultProfile))
}

// localDir returns the directory of the local relay that the flags name; "": they name another.
func (f relayFlags) localDir(inv *invocation) string {
	if f.Data != "" {
		return f.Data
	}
	for _, other := range []string{
		f.Stack, f.URL, f.Profile, inv.env("RELAY_URL"), inv.env("RELAY_PROFILE"),
	} {
		if other != "" {
			return ""
		}
	}
	if _, err := loadProfile(inv, defaultProfile); !errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return defaultDir
}

// remote connects to a relay by its address.
func (f relayFlags) remote(url, token, tenant string) (*connection, error) {
	if token == "" {
		return nil, usage(
			"a token is needed: set RELAY_TOKEN, or keep one in a profile (relay login); relay tokens create makes one",
		)
	}
	c, err := client.New(client.Config{
		URL: url, Token: token, Tenant: tenant, HTTP: &http.Client{Timeout: apiTimeout},
	})
	if err != nil {
		return nil, err
	}
	return &connection{
		Client: c, console: strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/v1"),
		close: func() error { return nil },
	}, nil
}

// apiTimeout is longer than API Gateway lets an answer take.
const apiTimeout = 40 * time.Second

// profile connects to the relay of a profile.
func (f relayFlags) profile(inv *invocation, name string) (*connection, error) {
	p, err := loadProfile(inv, name)
	if err != nil {
		return nil, err
	}
	return f.remote(p.URL, cmp.Or(f.Token, p.Token), cmp.Or(f.Tenant, p.Tenant))
}

// ofStack connects to the relay of a stack, with a token from the environment or from a profile.
func (f relayFlags) ofStack(ctx context.Context, inv *invocation) (*connection, error) {
	url, err := addressOfStack(ctx, f.Stack)
	if err != nil {
		return nil, fmt.Errorf("stack %s: %w", f.Stack, err)
	}
	token := cmp.Or(f.Token, inv.env("RELAY_TOKEN"))
	if token == "" {
		token = tokenFor(inv, url)
	}
	if token == "" {
		return nil, usageError{fmt.Errorf(
			"there is no token for the stack %s: make one and keep it in a profile with relay login --stack %[1]s",
			f.Stack,
		)}
	}
	return f.remote(url, token, f.Tenant)
}

// localConsole is where a local relay listens that has never run.
const localConsole = "http://127.0.0.1:8080"

// local opens the relay in a directory, and calls its API in this process.
func (f relayFlags) local(
	inv *invocation, dir string, create bool,
) (*connection, error) {
	dir = inv.path(dir)
	if !create && !sqlite.Exists(dir) {
		return nil, fmt.Errorf(
			"%w in %s; create one with relay local or relay apply, or name another with --data, --url or --profile",
			ErrNoRelay, dir,
		)
	}
	l, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	api, err := l.api(0)
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	return &connection{
		Client:  client.InProcess(api, inv.operator(), f.Tenant),
		console: l.address(context.Background()),
		signIn: func(ctx context.Context, page string) (string, error) {
			return l.signIn(ctx, api, inv.operator().Name, page)
		},
		resume: l.resumeJobs, close: l.close, local: true,
	}, nil
}

// operator is who runs a command on this machine, as the audit log shows it. Whoever can read the
// relay's files may do all.
func (i *invocation) operator() admin.Principal {
	name := cmp.Or(i.env("USER"), i.env("USERNAME"), "operator")
	return admin.Principal{
		Who: access.Who{Kind: "command", ID: name, Name: name}, Role: access.Admin,
	}
}

// credentialed connects to a relay whose tables this process reaches: a local one, or a stack with
// AWS credentials. It needs no token, so it can make the first one.
func (f relayFlags) credentialed(
	ctx context.Context, inv *invocation, do func(*connection) error,
) (err error) {
	if f.Stack == "" {
		return f.with(ctx, inv, do, true)
	}
	api, url, err := apiOfStack(ctx, f.Stack)
	if err != nil {
		return fmt.Errorf("stack %s: %w", f.Stack, err)
	}
	return do(&connection{
		Client: client.InProcess(api, inv.operator(), f.Tenant), console: url,
	})
}
