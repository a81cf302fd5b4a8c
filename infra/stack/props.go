package stack

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/caarlos0/env/v11"
)

// ErrProps: a prop or a context key is unknown, unreadable or out of its range.
var ErrProps = errors.New("stack: props")

// Props are the sizes and limits of a relay. A zero field means its default. Each can be given as CDK context under the name in
// its tag: cdk deploy -c stage=prod -c maxBodyBytes=1048576.
type Props struct {
	// Stage tells one relay of an account from another: the stack's name is webhook-relay-{stage}. [a-z][a-z0-9-]{0,31}.
	Stage string `context:"stage" default:"dev"`
	// FunctionsDir holds {name}/bootstrap for each function, built for Linux on arm64; relative to the working directory.
	FunctionsDir string `context:"functionsDir" default:"bin/lambda"`
	// AlarmTopicARN is the SNS topic that alarms, and their ends, are sent to. Empty: nobody is told.
	AlarmTopicARN string `context:"alarmTopicArn"`

	// RetentionDays is how long events and deliveries are kept, 1 to 3650. Within it a repeated webhook is recognised.
	RetentionDays int `context:"retentionDays" default:"30" min:"1" max:"3650"`
	// LogRetentionDays is how long logs are kept: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731, the periods up to
	// two years that CloudWatch Logs knows.
	LogRetentionDays int `context:"logRetentionDays" default:"30"`

	// MaxBodyBytes is the largest webhook accepted. A function's request is at most 6 MB (6,291,456 bytes), with the body in
	// base64 and up to 10 KiB of headers in it.
	MaxBodyBytes int `context:"maxBodyBytes" default:"4194304" min:"1" max:"4500000"`
	// InlineBodyBytes is the largest body that rides in messages and items, larger ones go to the bucket. SQS bills each 64 KiB of
	// a message; ten deliveries of 64 KiB, in base64 and with their headers, are what one batch of SQS holds.
	InlineBodyBytes int `context:"inlineBodyBytes" default:"16384" min:"1" max:"65536"`
	// CatalogCacheSeconds is how long a change of the configuration may take to be seen.
	CatalogCacheSeconds int `context:"catalogCacheSeconds" default:"30" min:"1" max:"3600"`

	// ThrottleRatePerSecond and ThrottleBurst bound the webhooks accepted from everybody together; above them partners get 429,
	// which some never repeat. The account's own limit (10,000/s, burst 5,000 unless raised) is shared by all its APIs.
	ThrottleRatePerSecond int `context:"throttleRatePerSecond" default:"1000" min:"1" max:"100000"`
	ThrottleBurst         int `context:"throttleBurst" default:"2000" min:"1" max:"100000"`

	// FanoutMaxConcurrency, DeliveryMaxConcurrency and RetryMaxConcurrency bound how many invocations a queue starts at once, 10
	// messages each. First attempts get the most, since every delivery has one; fair queues tell endpoints apart only where
	// more than about thirty messages are in flight.
	FanoutMaxConcurrency   int `context:"fanoutMaxConcurrency" default:"50" min:"2" max:"1000"`
	DeliveryMaxConcurrency int `context:"deliveryMaxConcurrency" default:"100" min:"2" max:"1000"`
	RetryMaxConcurrency    int `context:"retryMaxConcurrency" default:"30" min:"2" max:"1000"`
}

// ourKey is what a context key of ours looks like, misspelt or not. Those of the CDK have a colon, a slash or a hyphen.
var ourKey = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// PropsFromContext reads props from CDK context, where the command line gives strings and cdk.json numbers too. A key that looks
// like ours and is not is an error, as is a value that cannot be read; defaults are filled in. All errors wrap ErrProps.
func PropsFromContext(context map[string]any) (Props, error) {
	known := contextKeys()
	values := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(context)) {
		switch value := context[key].(type) {
		case string:
			values[key] = value
		case float64:
			values[key] = strconv.FormatFloat(value, 'f', -1, 64)
		default:
			if slices.Contains(known, key) {
				return Props{}, fmt.Errorf("%w: context %s is a %T, not a string or a number", ErrProps, key, value)
			}
		}
		if ourKey.MatchString(key) && !slices.Contains(known, key) {
			return Props{}, fmt.Errorf("%w: context has no key %s, only %s", ErrProps, key, strings.Join(known, ", "))
		}
	}
	return parse(Props{}, values)
}

// withDefaults returns p with its zero fields filled in, or what is wrong with it.
func (p Props) withDefaults() (Props, error) {
	p, err := parse(p, nil)
	if err != nil {
		return Props{}, err
	}
	return p, p.check()
}

func parse(p Props, values map[string]string) (Props, error) {
	err := env.ParseWithOptions(&p, env.Options{
		Environment: values, TagName: "context", DefaultValueTagName: "default", SetDefaultsForZeroValuesOnly: true,
	})
	if err != nil {
		return Props{}, fmt.Errorf("%w: %w", ErrProps, err)
	}
	return p, nil
}

func contextKeys() []string {
	t := reflect.TypeFor[Props]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("context")
	}
	return keys
}

var (
	stagePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	topicPattern = regexp.MustCompile(`^arn:[^:]+:sns:[^:]+:[0-9]{12}:[^:]+$`)
	// logRetentions are the periods that CloudWatch Logs knows, in days.
	logRetentions = map[int]awslogs.RetentionDays{
		1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS, 5: awslogs.RetentionDays_FIVE_DAYS,
		7: awslogs.RetentionDays_ONE_WEEK, 14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH,
		60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS, 120: awslogs.RetentionDays_FOUR_MONTHS,
		150: awslogs.RetentionDays_FIVE_MONTHS, 180: awslogs.RetentionDays_SIX_MONTHS, 365: awslogs.RetentionDays_ONE_YEAR,
		400: awslogs.RetentionDays_THIRTEEN_MONTHS, 545: awslogs.RetentionDays_EIGHTEEN_MONTHS, 731: awslogs.RetentionDays_TWO_YEARS,
	}
)

// check names everything that is wrong with p at once.
func (p Props) check() error {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%w: "+format, append([]any{ErrProps}, args...)...))
	}
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if tag.Get("max") == "" {
			continue
		}
		least, _ := strconv.ParseInt(tag.Get("min"), 10, 64)
		most, _ := strconv.ParseInt(tag.Get("max"), 10, 64)
		if n := v.Field(i).Int(); n < least || n > most {
			refuse("%s is %d, not %d to %d", tag.Get("context"), n, least, most)
		}
	}
	if !stagePattern.MatchString(p.Stage) {
		refuse("stage %q does not match %s", p.Stage, stagePattern)
	}
	if p.AlarmTopicARN != "" && !topicPattern.MatchString(p.AlarmTopicARN) {
		refuse("alarmTopicArn %q is not the ARN of an SNS topic", p.AlarmTopicARN)
	}
	if logRetentions[p.LogRetentionDays] == "" {
		refuse("logRetentionDays is %d, not one of %d", p.LogRetentionDays, slices.Sorted(maps.Keys(logRetentions)))
	}
	for _, name := range []string{receiveName, fanoutName, deliverName} {
		if bootstrap := filepath.Join(p.FunctionsDir, name, "bootstrap"); !isFile(bootstrap) {
			refuse("%s is missing: build the functions first (make build-lambda)", bootstrap)
		}
	}
	return errors.Join(wrong...)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
