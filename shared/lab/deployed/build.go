package deployed

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Reachable is the only loopback address to which the functions of Synthesise's assembly may POST,
// on any port. A test's endpoints listen on it. The rest of the guard is as deployed.
const Reachable = "127.0.0.1"

var functionNames = []string{"receive", "fanout", "deliver", "sweep", "admin"}

// What endpoints of Synthesise's assembly may use: secrets whose names have this prefix, and one
// API of API Gateway.
const (
	SecretsPrefix = "deployed/"
	InvokedAPI    = "arn:aws:execute-api:" + region + ":" + account + ":api/stage/POST/hook"
)

// The destinations to which endpoints of Synthesise's assembly may send: a FIFO queue that takes
// 256 KiB, a standard and an express workflow, and a bucket.
const (
	SentBucket  = "arn:aws:s3:::sent"
	SentQueue   = "arn:aws:sqs:" + region + ":" + account + ":sent.fifo"
	SentMachine = "arn:aws:states:" + region + ":" + account + ":stateMachine:standard"
	SentExpress = "arn:aws:states:" + region + ":" + account + ":stateMachine:express"
)

// The triggers that Synthesise can add: a topic, which is played, a bus and a bucket. Tests put the
// messages of the latter into their queues.
const (
	TriggerTopic  = "arn:aws:sns:" + region + ":" + account + ":news"
	TriggerBus    = "arn:aws:events:" + region + ":" + account + ":event-bus/shop"
	TriggerBucket = "arn:aws:s3:::photos"
)

// Synthesise builds the functions for this machine, synthesises the template with them in dir, and
// returns the folder of the cloud assembly. root is the repository's root. It runs the go command
// and, for the CDK, Node. The first build takes a minute, later ones about ten seconds. A function
// differs from the deployed one in four things: the processor it is built for, the link-time
// variable of package egress that permits Reachable, all have HTTP/2, and admin has inlined code.
// triggers are those of the setting, such as news=ARN.
func Synthesise(
	ctx context.Context, root, dir string, triggers ...string,
) (assembly string, err error) {
	functions, assembly := filepath.Join(dir, "functions"), filepath.Join(dir, "cdk.out")
	programs := map[string]string{"jq": filepath.Join(functions, "deliver", "jq")}
	for _, name := range functionNames {
		programs[name] = filepath.Join(functions, name, "bootstrap")
	}
	for name, out := range programs {
		err := run(ctx, root, []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath",
			"-buildvcs=false", "-tags", "lambda.norpc",
			"-ldflags", "-s -w -X webhook-relay/shared/egress.letThrough="+
				Reachable, "-o", out, "./functions/"+name)
		if err != nil {
			return "", err
		}
	}
	if err := os.Link(programs["jq"], filepath.Join(functions, "admin", "jq")); err != nil {
		return "", err
	}
	cdkContext, err := json.Marshal(map[string]string{
		"functionsDir": functions, "secrets": SecretsPrefix, "invoke": InvokedAPI,
		"send": SentQueue + "," + SentMachine + "," + SentExpress + "," +
			SentBucket,
		"triggers": strings.Join(triggers, ","),
	})
	if err != nil {
		return "", err
	}
	return assembly, run(ctx, root, []string{
		"CDK_OUTDIR=" + assembly, "CDK_CONTEXT_JSON=" +
			string(cdkContext), "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=20",
	}, "go", "run", "./infra")
}

func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the go command
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("deployed: %s: %w\n%s", cmd, err, out)
	}
	return nil
}
