package deployed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/lab/emulator"
	"webhook-relay/shared/local/gateway"
	"webhook-relay/shared/relay"
)

const schedulerService = "scheduler.amazonaws.com"

// Host is a running stack. It is safe for concurrent use.
type Host struct {
	Outputs map[string]string // of the stack

	// Clients with an operator's rights. Their calls are not checked against a role.
	SQS     *awssqs.Client
	Tables  *signed.Client
	S3      *awss3.Client
	Secrets *emulator.SecretsManager
	States  *emulator.States

	assembly   string
	suffix     string // part of every name
	log        io.Writer
	services   map[string]*url.URL
	tables     *dynamodb.Client
	schedules  *emulator.Scheduler
	keys       *emulator.KMS
	invoked    *invocations
	sessions   *sessions
	account    *httptest.Server
	meter      *meter
	ingress    *httptest.Server
	routes     *http.ServeMux
	stack      *resolver
	roles      map[string]*role     // by ARN
	functions  map[string]*function // by name
	timeToLive map[string]string    // attribute, by table
	rules      []rule
	mappings   map[string]*mapping // by the queue's URL

	stop    context.CancelFunc
	polling sync.WaitGroup
}

// Start creates and starts the stack of the cloud assembly in a folder. The functions' logs go to
// log. Close the Host. Errors are ErrTemplate, or an emulator's. ctx limits only the start.
func Start(ctx context.Context, assembly string, log io.Writer) (*Host, error) {
	t, err := readTemplate(assembly)
	if err != nil {
		return nil, err
	}
	services, err := emulator.Run()
	if err != nil {
		return nil, err
	}
	h := &Host{
		assembly: assembly, suffix: "-" + strings.ToLower(rand.Text()), log: &locked{out: log},
		schedules: emulator.RunScheduler(), keys: emulator.RunKMS(),
		Secrets: emulator.RunSecretsManager(), States: emulator.RunStates(nil, map[string]bool{
			SentMachine: false, SentExpress: true,
		}), meter: newMeter(), routes: http.NewServeMux(),
		roles: map[string]*role{}, functions: map[string]*function{},
		timeToLive: map[string]string{}, mappings: map[string]*mapping{},
	}
	h.ingress = httptest.NewServer(h.routes)
	h.invoked = runInvocations(h.functionOf)
	h.stack = newResolver(t, h.provision(ctx))
	h.connect(services)
	polling, stop := context.WithCancel(context.Background())
	h.stop = stop
	if err := errors.Join(h.build(ctx, polling), h.makeDestinations(ctx)); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Config returns the configuration of an operator's client of a service, such as "sqs".
func (h *Host) Config(service string) aws.Config {
	return emulator.Config(h.services[service].String())
}

func (h *Host) connect(services emulator.Services) {
	h.SQS = awssqs.NewFromConfig(emulator.Config(services.SQS))
	h.tables = dynamodb.NewFromConfig(emulator.Config(services.DynamoDB))
	h.Tables = dynamo.Client(emulator.Config(services.DynamoDB))
	h.S3 = emulator.Buckets(emulator.Config(services.S3))
	h.services = map[string]*url.URL{}
	for name, address := range map[string]string{
		"sqs": services.SQS, "dynamodb": services.DynamoDB, "s3": services.S3, "kms": h.keys.URL,
		"scheduler":      h.schedules.URL,
		"secretsmanager": h.Secrets.URL, "lambda": h.invoked.URL, "states": h.States.URL,
	} {
		h.services[name], _ = url.Parse(address) // addresses of our own servers
	}
	h.sessions = runSessions(
		func(arn string) *role { return h.roles[arn] }, h.services["sqs"], h.meter,
	)
	h.account = h.runAccount()
	h.services["sts"], _ = url.Parse(h.sessions.sts.URL)
}

// build creates everything in the template, in the order of its dependencies, and starts to poll.
func (h *Host) build(ctx, polling context.Context) error {
	if err := h.stack.all(); err != nil {
		return err
	}
	outputs, err := h.stack.outputs()
	if err != nil {
		return err
	}
	h.Outputs = outputs
	for _, id := range h.stack.ofType("AWS::IAM::Role") {
		var p roleProperties
		if err := h.stack.properties(id, &p); err != nil {
			return err
		}
		made, err := newRole(nameOf(id), p)
		if err != nil {
			return err
		}
		made.arn = h.stack.made[id].attributes["Arn"]
		h.roles[made.arn] = made
	}
	for _, id := range h.stack.ofType("AWS::Lambda::Function") {
		if h.functions[h.stack.made[id].ref], err = h.newFunction(id); err != nil {
			return err
		}
	}
	staged, err := h.stages()
	if err != nil {
		return err
	}
	for _, id := range h.stack.ofType("AWS::ApiGatewayV2::Route") {
		if err := h.addRoute(id, staged); err != nil {
			return err
		}
	}
	for _, id := range h.stack.ofType("AWS::Events::Rule") {
		if err := h.addRule(id); err != nil {
			return err
		}
	}
	return h.poll(ctx, polling)
}

func (h *Host) poll(ctx, polling context.Context) error {
	for _, id := range h.stack.ofType("AWS::Lambda::EventSourceMapping") {
		m, err := h.newMapping(ctx, id)
		if err != nil {
			return err
		}
		h.mappings[m.url] = m
		m.start(polling)
	}
	return nil
}

// makeDestinations creates the queue and the bucket to which endpoints may send. Hosts of one
// process share them.
func (h *Host) makeDestinations(ctx context.Context) error {
	bucket := path.Base(strings.ReplaceAll(SentBucket, ":", "/"))
	if _, err := h.S3.CreateBucket(ctx, &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		return err
	}
	name := path.Base(strings.ReplaceAll(SentQueue, ":", "/"))
	_, err := h.SQS.CreateQueue(ctx, &awssqs.CreateQueueInput{
		QueueName: &name, Attributes: map[string]string{
			"FifoQueue": "true", "MaximumMessageSize": strconv.Itoa(256 << 10),
		},
	})
	return err
}

// checkAPI checks that the API is of a kind that the host plays.
func (h *Host) checkAPI(id string) error {
	var p struct {
		ProtocolType string

		Name any
	}
	if err := h.stack.properties(id, &p); err != nil {
		return err
	}
	if p.ProtocolType != "HTTP" {
		return fmt.Errorf("%w: %s speaks %q, which is not played", ErrTemplate, id, p.ProtocolType)
	}
	return nil
}

// stages returns the APIs that have a stage. The stage must deploy every route automatically and
// have no name in the path.
func (h *Host) stages() (map[string]bool, error) {
	staged := map[string]bool{}
	for _, id := range h.stack.ofType("AWS::ApiGatewayV2::Stage") {
		var p struct {
			APIID, StageName string
			AutoDeploy       bool
			RouteSettings    map[string]any

			AccessLogSettings, DefaultRouteSettings any
		}
		if err := h.stack.properties(id, &p); err != nil {
			return nil, err
		}
		if !p.AutoDeploy || p.StageName != "$default" {
			return nil, fmt.Errorf(
				"%w: stage %s does not deploy by itself, which is not played", ErrTemplate,
				p.StageName,
			)
		}
		for key := range p.RouteSettings {
			if !h.hasRoute(key) {
				return nil, fmt.Errorf(
					"%w: stage %s sets something of route %s, which there is not", ErrTemplate,
					p.StageName, key,
				)
			}
		}
		staged[p.APIID] = true
	}
	return staged, nil
}

func (h *Host) hasRoute(key string) bool {
	return slices.ContainsFunc(h.stack.ofType("AWS::ApiGatewayV2::Route"), func(id string) bool {
		return h.stack.Resources[id].Properties["RouteKey"] == key
	})
}

// addRoute serves a route of the HTTP API.
func (h *Host) addRoute(id string, staged map[string]bool) error {
	var route struct{ APIID, RouteKey, Target, AuthorizationType string }
	if err := h.stack.properties(id, &route); err != nil {
		return err
	}
	var integration struct{ APIID, IntegrationType, IntegrationURI, PayloadFormatVersion string }
	for _, i := range h.stack.ofType("AWS::ApiGatewayV2::Integration") {
		if route.Target == "integrations/"+h.stack.made[i].ref {
			if err := h.stack.properties(i, &integration); err != nil {
				return err
			}
		}
	}
	f := h.functionOf(integration.IntegrationURI)
	method, path, _ := strings.Cut(route.RouteKey, " ")
	source := arn("execute-api", route.APIID+"/$default/"+method+path)
	switch {
	case f == nil || integration.IntegrationType != "AWS_PROXY" ||
		integration.PayloadFormatVersion != "2.0":
		return fmt.Errorf("%w: route %s leads to %+v", ErrTemplate, route.RouteKey, integration)
	case !staged[route.APIID] || integration.APIID != route.APIID:
		return fmt.Errorf("%w: route %s is of API %s, its integration of %s, and one of them has no stage", ErrTemplate, route.RouteKey,
			route.APIID, integration.APIID)
	case route.AuthorizationType != "NONE":
		return fmt.Errorf(
			"%w: route %s wants authorization %s, which is not played", ErrTemplate, route.RouteKey,
			route.AuthorizationType,
		)
	case !h.permitted("apigateway.amazonaws.com", integration.IntegrationURI, source):
		return fmt.Errorf(
			"%w: no permission for %s to invoke %s", ErrTemplate, source,
			integration.IntegrationURI,
		)
	}
	served := gateway.New(f.serve)
	if prefix, all := strings.CutSuffix(path, "/{proxy+}"); all {
		path, served = prefix+"/{proxy...}", gateway.Proxy(prefix, f.serve)
	} else if !strings.Contains(path, "{") {
		served = gateway.Exact(path, f.serve)
	}
	h.routes.Handle(path, served)
	return nil
}

// permitted tells whether a permission allows a service to invoke a function for a source.
func (h *Host) permitted(service, functionARN, source string) bool {
	return slices.ContainsFunc(h.stack.ofType("AWS::Lambda::Permission"), func(id string) bool {
		var p struct{ Action, FunctionName, Principal, SourceARN string }
		return h.stack.properties(id, &p) == nil && p.Action == "lambda:InvokeFunction" &&
			p.Principal == service &&
			p.FunctionName == functionARN && like("", p.SourceARN, source)
	})
}

// functionOf returns the function with an ARN, nil if there is none.
func (h *Host) functionOf(arn string) *function {
	for name, f := range h.functions {
		if arn == functionARN(name) {
			return f
		}
	}
	return nil
}

// serve implements gateway.Lambda.
func (f *function) serve(
	ctx context.Context, e events.APIGatewayV2HTTPRequest,
) (answer events.APIGatewayV2HTTPResponse, err error) {
	// An invocation continues when its client is gone.
	payload, err := f.invoke(context.WithoutCancel(ctx), e)
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(payload, &answer)
}

// Close stops the stack: its pollers with the current invocations, its functions and its services.
// Data in the emulators stays until they end. A second call has no effect.
func (h *Host) Close() {
	h.stop()
	h.polling.Wait()
	h.ingress.Close()
	h.invoked.Close()
	for _, f := range h.functions {
		if f != nil {
			f.close()
		}
	}
	h.sessions.Close()
	h.account.Close()
	h.schedules.Close()
	h.keys.Close()
	h.Secrets.Close()
	h.States.Close()
}

// Queue returns the URL of the queue with the given name in the stack ("IngestDlq"), "" if there is
// none.
func (h *Host) Queue(name string) string {
	for _, id := range h.stack.ofType("AWS::SQS::Queue") {
		if nameOf(id) == name {
			return h.stack.made[id].ref
		}
	}
	return ""
}

// Instances returns how many instances of a function have been started. name is its name in the
// stack ("Deliver").
func (h *Host) Instances(name string) int {
	f := h.named(name)
	if f == nil {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started
}

// Kill ends the instances of a function ("Admin") in the midst of their invocations, and returns
// how many there were. It panics if there is no such function.
func (h *Host) Kill(name string) int { return h.named(name).kill() }

// InvokeAgain makes the asynchronous invocations again that have failed, as Lambda does after a
// minute and after two more. It returns how many there were.
func (h *Host) InvokeAgain() int { return h.invoked.again() }

// May tells whether the role of a function ("Deliver") allows something that the function did
// without the proxy: a signed request to an API. It counts as a call.
func (h *Host) May(name, action, resource string) bool {
	f := h.named(name)
	return f != nil && f.role.may(call{action: action, resource: resource})
}

// named returns the function of a name in the stack, nil if there is none.
func (h *Host) named(name string) *function {
	for _, f := range h.functions {
		if f.runtime.Name == name {
			return f
		}
	}
	return nil
}

// Denied lists the calls that a role does not allow, as "DeliverRole: sqs:SendMessage on arn:…".
// Names have no generated part.
func (h *Host) Denied() []string { return h.eachRole((*role).refused) }

// Unused lists the grants that were not needed, one action on one resource each, in the form of
// Denied.
func (h *Host) Unused() []string { return h.eachRole((*role).unused) }

func (h *Host) eachRole(list func(*role) []string) []string {
	var lines []string
	for _, r := range h.roles {
		for _, line := range list(r) {
			lines = append(lines, strings.ReplaceAll(line, h.suffix, ""))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// Stop stops Lambda from receiving from a queue ("Delivery") until resume is called, so that new
// messages arrive late. Current batches are not stopped. It panics if no function consumes the
// queue.
func (h *Host) Stop(queue string) (resume func()) { return h.mappings[h.Queue(queue)].stop() }

// Throttle lets the next batches of a queue reach no function, as if no concurrency were left.
// Their messages count as received, and are received again after the visibility timeout. It panics
// if no function consumes the queue.
func (h *Host) Throttle(queue string, batches int) {
	m := h.mappings[h.Queue(queue)]
	m.mu.Lock()
	defer m.mu.Unlock()
	m.throttled += batches
}

// PassVisibility ends the visibility timeout of the failed messages of a queue ("Ingest"), and
// returns how many there were. It panics if no function consumes the queue.
func (h *Host) PassVisibility(ctx context.Context, queue string) (int, error) {
	return h.mappings[h.Queue(queue)].passVisibility(ctx)
}

// PassTime makes every pending schedule due. EventBridge Scheduler sends the messages with the
// roles that the schedules name. For the functions, the time has not passed. So the time until
// which the message and its delivery's record wait is set to now. It returns the number of
// schedules.
func (h *Host) PassTime(ctx context.Context) (int, error) {
	pending := h.schedules.Pending()
	for _, p := range pending {
		due, err := h.schedules.Take(p.Group, p.Name)
		if err != nil {
			return 0, err
		}
		if err := h.fire(ctx, due); err != nil {
			return 0, fmt.Errorf("schedule %s: %w", p.Name, err)
		}
	}
	return len(pending), nil
}

func (h *Host) fire(ctx context.Context, due emulator.Schedule) error {
	var in awssqs.SendMessageInput
	if err := json.Unmarshal(due.Input, &in); err != nil {
		return err
	}
	role := h.roles[due.RoleARN]
	source := map[string]string{
		"aws:SourceAccount": account,
		"aws:SourceArn":     arn("scheduler", "schedule-group/"+due.Group),
	}
	if role == nil || !role.trusts(schedulerService, source) {
		return fmt.Errorf(
			"%w: role %s, which Scheduler cannot take on for %v", ErrTemplate, due.RoleARN, source,
		)
	}
	if c := (call{action: "sqs:SendMessage", resource: queueARN(*in.QueueUrl)}); !role.may(c) {
		return fmt.Errorf("role %s may not %s on %s", due.RoleARN, c.action, c.resource)
	}
	body, err := h.passTime(ctx, []byte(*in.MessageBody))
	if err != nil {
		return err
	}
	in.MessageBody = aws.String(string(body))
	_, err = h.SQS.SendMessage(ctx, &in)
	return err
}

// passTime makes a message, and the record of its delivery, due.
func (h *Host) passTime(ctx context.Context, body []byte) ([]byte, error) {
	var about struct {
		Endpoint string
		Event    struct {
			ID         string
			ReceivedAt time.Time
		}
	}
	var message map[string]json.RawMessage
	if err := errors.Join(
		json.Unmarshal(body, &about), json.Unmarshal(body, &message),
	); err != nil {
		return nil, err
	}
	ledger := dynamo.NewLedger(h.Tables, h.Outputs["LedgerTable"], nil)
	d, err := ledger.Delivery(ctx, relay.DeliveryKey{
		EventID: about.Event.ID, Endpoint: about.Endpoint, ReceivedAt: about.Event.ReceivedAt,
	})
	if err != nil {
		return nil, err
	}
	if d.Status == relay.Waiting {
		d.NextAt = time.Now()
		if err := ledger.SaveDelivery(ctx, d, d.Attempts); err != nil {
			return nil, err
		}
	}
	delete(message, "notBefore")
	return json.Marshal(message)
}

// Redrive moves the messages of one queue to another, like SQS's StartMessageMoveTask, and returns
// how many there were.
func (h *Host) Redrive(ctx context.Context, from, to string) (int, error) {
	for moved := 0; ; {
		batch, err := h.SQS.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
			QueueUrl: &from, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{
				sqstypes.MessageSystemAttributeNameAll,
			},
		})
		if err != nil || len(batch.Messages) == 0 {
			return moved, err
		}
		for _, m := range batch.Messages {
			in := &awssqs.SendMessageInput{
				QueueUrl: &to, MessageBody: m.Body, MessageAttributes: m.MessageAttributes,
			}
			if group, ok := m.Attributes[string(
				sqstypes.MessageSystemAttributeNameMessageGroupId,
			)]; ok {
				in.MessageGroupId = &group
			}
			_, sent := h.SQS.SendMessage(ctx, in)
			if sent == nil {
				_, sent = h.SQS.DeleteMessage(
					ctx,
					&awssqs.DeleteMessageInput{QueueUrl: &from, ReceiptHandle: m.ReceiptHandle},
				)
			}
			if err = errors.Join(err, sent); err != nil {
				return moved, err
			}
			moved++
		}
	}
}

// locked allows several processes to write to one writer.
type locked struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}
