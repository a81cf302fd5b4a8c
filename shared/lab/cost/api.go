package cost

import (
	"fmt"
	"slices"
	"strings"
)

// Action is what a request to the API, or a job, used.
type Action struct {
	What  string `json:"what"`
	Times int    `json:"times"` // how often it was done; of a job: its deliveries
	Usage
}

// SentAgain is the action of a job that sends deliveries again, with their attempts.
const SentAgain = "a delivery sent again by a job, with its attempt"

// Renewal is the action of a listener that is renewed.
const Renewal = "a listener renewed"

const (
	// listenWaitSeconds is how long the command relay listen waits for a message in one call.
	listenWaitSeconds = 20
	// renewalMinutes is how often it is renewed.
	renewalMinutes = 50
)

// IdleListenerUSD returns what a listener to whom nothing comes costs in an hour: its long polls
// and its renewals, of which one is a.
func (a Action) IdleListenerUSD() float64 {
	return SQSRequest.Of(3600/listenWaitSeconds) + a.USD()*60/renewalMinutes
}

// writes are the operations of DynamoDB that are billed by write units.
var writes = []string{"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"}

// dynamo returns the calls of DynamoDB, and the read and write units.
func (a Action) dynamo() (calls, read, written float64) {
	for operation, c := range a.Calls {
		name, is := strings.CutPrefix(operation, "dynamodb:")
		if !is {
			continue
		}
		calls += float64(c.Calls)
		if slices.Contains(writes, name) {
			written += c.Units
		} else {
			read += c.Units
		}
	}
	return calls, read, written
}

// billedMs returns how long admin works for one time. It makes most calls of AWS one after the
// other.
func (a Action) billedMs() float64 {
	calls, _, _ := a.dynamo()
	f := a.Functions["Admin"]
	own := f.ProcessorMs * max(1, FullProcessorMiB/float64(max(1, f.MemoryMiB)))
	return (own + calls*WaitDynamoMs) / float64(a.Times)
}

// USD returns what one time costs.
func (a Action) USD() float64 {
	_, read, written := a.dynamo()
	usd := DynamoRead.Of(read) + DynamoWrite.Of(written) + a.sqs() +
		LambdaRequest.Of(a.invocations()) + LogsIngested.Of(a.LoggedBytes()) +
		S3Put.Of(a.units("s3:PUT")) + S3Get.Of(a.units("s3:GET"))
	admin := a.Functions["Admin"]
	usd += LambdaTime.Of(a.billedMs() / 1000 * float64(a.Times) * float64(admin.MemoryMiB) / 1024)
	if deliver := a.Functions["Deliver"]; deliver.Invocations > 0 {
		usd += LambdaTime.Of(float64(deliver.Invocations) * a.BilledMs("Deliver") / 1000 *
			float64(deliver.MemoryMiB) / 1024)
		usd += TransferOut.Of(float64(a.PostedBytes))
	}
	usd /= float64(a.Times)
	if a.What != SentAgain {
		usd += HTTPRequest.Of(1)
	}
	return usd
}

// API returns the generated tables of docs/cost.md about the API, by name.
func API(actions []Action) map[string]string {
	rows := [][]string{{
		"each", "calls of DynamoDB", "read units", "write units", "`admin`, ms",
		"USD for a million",
	}}
	for _, a := range actions {
		calls, read, written := a.dynamo()
		each := func(n float64) string { return fmt.Sprintf("%.1f", n/float64(a.Times)) }
		rows = append(rows, []string{
			a.What, each(calls), each(read), each(written), fmt.Sprintf("%.0f", a.billedMs()),
			fmt.Sprintf("%.2f", a.USD()*million),
		})
	}
	return map[string]string{"api": table(rows), "api-examples": examples(actions)}
}

// examples returns what a job of 10,000 deliveries, and a page that is open all day, cost.
func examples(actions []Action) string {
	const deliveries, every, month = 10_000, 5, 30 * 24 * 3600
	rows := [][]string{{"example", "USD"}}
	for _, a := range actions {
		switch {
		case a.What == SentAgain:
			rows = append(rows, []string{
				"a job that sends 10,000 deliveries again", fmt.Sprintf("%.2f", a.USD()*deliveries),
			})
		case a.What == Renewal:
			rows = append(rows, []string{
				"a listener to whom nothing comes, an hour",
				fmt.Sprintf("%.6f", a.IdleListenerUSD()),
			})
		case strings.HasPrefix(a.What, "a page of 50 "):
			rows = append(rows,
				[]string{
					a.What + " every 5 s, an hour", fmt.Sprintf("%.4f", a.USD()*3600/every),
				},
				[]string{
					a.What + " every 5 s, a month of days and nights",
					fmt.Sprintf("%.2f", a.USD()*month/every),
				})
		}
	}
	return table(rows)
}
