package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Services are the base URLs of the emulators in Node. They accept any region and any credentials.
// S3 needs path-style addressing.
type Services struct {
	SQS      string `json:"sqs"` // SNS too
	S3       string `json:"s3"`
	DynamoDB string `json:"dynamodb"`
	Kinesis  string `json:"kinesis"`
}

// Run returns the emulators of this process. All callers share them, so queues, buckets and tables
// need unique names. The first call takes about a second, or about ten seconds if the packages must
// be installed. The error says why they cannot run, for example that Node is missing. They end with
// this process.
func Run() (Services, error) {
	services, err := started()
	if err != nil {
		return services, fmt.Errorf("emulators of SQS, SNS, S3, DynamoDB and Kinesis: %w", err)
	}
	return services, nil
}

// Start is Run for a test. An error ends the test.
func Start(tb testing.TB) Services {
	tb.Helper()
	services, err := Run()
	if err != nil {
		tb.Fatal(err)
	}
	return services
}

var started = sync.OnceValues(start)

// patience is how long the process may take until it listens; 2 busy cores are slow.
const patience = time.Minute

func start() (Services, error) {
	var services Services
	infra, err := Packages()
	if err != nil {
		return services, err
	}
	cmd := exec.Command("node", "emulators/start.js") //nolint:noctx // lives as long as this process
	cmd.Dir = infra
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return services, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return services, err
	}
	if err := cmd.Start(); err != nil {
		return services, err
	}
	slow := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer slow.Stop()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &services)
	}
	if err != nil {
		_ = stdin.Close()
		return services,
			fmt.Errorf("emulators/start.js: %w, %w: %s", err, cmd.Wait(), complaints.Bytes())
	}
	// keeps its standard input open until this process ends; the emulators end with it
	go func() { _ = cmd.Wait() }()
	return services, nil
}

// Packages installs the packages of npm, if need be, and returns the folder that has them in
// node_modules.
func Packages() (string, error) {
	infra, err := infraDir()
	if err != nil {
		return "", err
	}
	return infra, install(infra)
}

// infraDir finds the folder that pins the packages. Tests run in the folder of their own package.
func infraDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "infra"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// install installs the packages, unless that was done since the lock file changed. Only one process
// at a time does it.
func install(infra string) error {
	for _, command := range []string{"node", "npm"} {
		if _, err := exec.LookPath(command); err != nil {
			return fmt.Errorf("they need Node.js 22 or newer (20 works), with npm: %w", err)
		}
	}
	manifest, err := os.Open(filepath.Join(infra, "package.json")) //nolint:gosec // a file of this repository
	if err != nil {
		return err
	}
	defer func() { _ = manifest.Close() }() // this also releases the lock
	if err := syscall.Flock(int(manifest.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", manifest.Name(), err)
	}
	if installed(infra) {
		return nil
	}
	npm := exec.Command("npm", "ci") //nolint:noctx // npm bounds its own waits
	npm.Dir = infra
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", infra, err, out)
	}
	return nil
}

// installed checks the file that npm writes last.
func installed(infra string) bool {
	record, err := os.Stat(filepath.Join(infra, "node_modules", ".package-lock.json"))
	if err != nil {
		return false
	}
	lock, err := os.Stat(filepath.Join(infra, "package-lock.json"))
	return err == nil && !record.ModTime().Before(lock.ModTime())
}

// Setenv sets the variables that Lambda sets, and then vars, until the end of the test.
func Setenv(t *testing.T, vars map[string]string) {
	t.Helper()
	all := map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "hidden", "AWS_SESSION_TOKEN": "token",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_DYNAMODB": "",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
	}
	for _, set := range []map[string]string{all, vars} {
		for name, value := range set {
			t.Setenv(name, value)
		}
	}
}
