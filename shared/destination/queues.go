package destination

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

const (
	json10    = "application/x-amz-json-1.0"
	json11    = "application/x-amz-json-1.1"
	formQuery = "application/x-www-form-urlencoded; charset=utf-8"
	plainJSON = "application/json"
)

// post returns the POST of an operation of the JSON protocol.
func (d Destination) post(prefix, contentType, target string, body []byte) Request {
	return Request{
		Method: "POST", URL: "https://" + d.host(prefix) + "/", Body: body,
		Header: map[string]string{"content-type": contentType, "x-amz-target": target},
	}
}

// sendMessage is
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html The
// size of a message is that of its body and of the names, types and values of its attributes.
func sendMessage(d Destination, m Message, o Options) (Request, error) {
	content, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	attributes := m.attributes()
	body := text(content, attributes)
	size := len(body)
	encoded := newObject()
	for _, name := range sortedKeys(attributes) {
		value := attributes[name]
		size += len(name) + len("String") + len(value)
		encoded = encoded.raw(
			name, newObject().text("DataType", "String").text("StringValue", value).end(),
		)
	}
	if err := d.tooLarge(size, mebibyte); err != nil {
		return Request{}, err
	}
	out := newObject().
		text("QueueUrl", "https://"+d.host("sqs")+"/"+d.Account+"/"+d.Name).
		text("MessageBody", body).raw("MessageAttributes", encoded.end())
	if group := d.group(m); group != "" {
		out = out.text("MessageGroupId", group)
	}
	if d.IsFIFO() {
		out = out.text("MessageDeduplicationId", m.Once)
	}
	return d.post("sqs", json10, "AmazonSQS.SendMessage", out.end()), nil
}

// publish is https://docs.aws.amazon.com/sns/latest/api/API_Publish.html A topic takes 256 KiB, or
// up to 1 MiB if its attribute MaximumMessageSize says so.
func publish(d Destination, m Message, o Options) (Request, error) {
	content, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	attributes := m.attributes()
	body := text(content, attributes)
	form := url.Values{
		"Action": {"Publish"}, "Version": {"2010-03-31"}, "TopicArn": {d.ARN}, "Message": {body},
	}
	size := len(body)
	for i, name := range sortedKeys(attributes) {
		value := attributes[name]
		size += len(name) + len("String") + len(value)
		entry := "MessageAttributes.entry." + strconv.Itoa(i+1)
		form.Set(entry+".Name", name)
		form.Set(entry+".Value.DataType", "String")
		form.Set(entry+".Value.StringValue", value)
	}
	if err := d.tooLarge(size, mebibyte); err != nil {
		return Request{}, err
	}
	if group := d.group(m); group != "" {
		form.Set("MessageGroupId", group)
	}
	if d.IsFIFO() {
		form.Set("MessageDeduplicationId", m.Once)
	}
	return Request{
		Method: "POST", URL: "https://" + d.host("sns") + "/", Body: []byte(form.Encode()),
		Header: map[string]string{"content-type": formQuery},
	}, nil
}

// maxGroup is the longest name of a message group.
const maxGroup = 128

// group returns the message group; "": none. A FIFO queue needs one: it is the endpoint if the
// endpoint says nothing. A name that SQS would refuse is hashed.
func (d Destination) group(m Message) string {
	group := m.Texts["group"]
	if group == "" && d.IsFIFO() {
		group = m.Endpoint
	}
	refused := strings.ContainsFunc(group, func(r rune) bool { return r <= ' ' || r > '~' })
	if refused || len(group) > maxGroup {
		return hashed(group)
	}
	return group
}

// hashed stands for a name that a service would refuse.
func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// putEvents is https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html The
// size of an entry is that of its time (14 bytes), source, detail type and detail:
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
func putEvents(d Destination, m Message, o Options) (Request, error) {
	detail, err := d.content(m, o)
	switch {
	case err != nil:
		return Request{}, err
	case firstByte(detail) != '{':
		return Request{}, &UnfitError{Problem: "a bus takes a JSON object only; set envelope: json"}
	}
	detailType := limited(cmp.Or(m.Texts["detail_type"], m.Event.Type, "webhook"), 128)
	source := limited(cmp.Or(m.Texts["bus_source"], "relay."+m.Event.Source), 256)
	const timeSize = 14
	size := len(detail) + len(detailType) + len(source) + timeSize
	if err := d.tooLarge(size, mebibyte); err != nil {
		return Request{}, err
	}
	entry := newObject().text("EventBusName", d.ARN).text("Source", source).
		text("DetailType", detailType).text("Detail", string(detail)).
		raw("Time", strconv.AppendInt(nil, m.Event.Time.Unix(), 10)).end()
	body := newObject().raw("Entries", append(append([]byte{'['}, entry...), ']')).end()
	return d.post("events", json11, "AWSEvents.PutEvents", body), nil
}

func firstByte(text []byte) byte {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}

// limited cuts a text off after some bytes.
func limited(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// invoke is https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func invoke(d Destination, m Message, o Options) (Request, error) {
	payload, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	how, limit := "Event", mebibyte
	if o.Wait {
		how, limit = "RequestResponse", 6*mebibyte
	}
	if err := d.tooLarge(len(payload), limit); err != nil {
		return Request{}, err
	}
	// the ARN's version or alias is a part of the function's name in the path
	path := "/2015-03-31/functions/" + url.PathEscape(d.ARN) + "/invocations"
	return Request{
		Method: "POST", URL: "https://" + d.host("lambda") + path, Body: payload,
		Header: map[string]string{
			"content-type": plainJSON, "x-amz-invocation-type": how,
		},
	}, nil
}

func startAction(o Options) string {
	if o.Wait {
		return "states:StartSyncExecution"
	}
	return "states:StartExecution"
}

// startExecution is
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html and, to
// wait for the end of an express workflow,
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartSyncExecution.html A
// standard workflow refuses a name that it had in the last 90 days. So an event starts one
// execution, however often it is sent.
func startExecution(d Destination, m Message, o Options) (Request, error) {
	input, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	if err := d.tooLarge(len(input), 256<<10); err != nil {
		return Request{}, err
	}
	body := newObject().text("stateMachineArn", d.ARN).text("name", m.Once).
		text("input", string(input)).end()
	if o.Wait {
		return d.post("sync-states", json10, "AWSStepFunctions.StartSyncExecution", body), nil
	}
	return d.post("states", json10, "AWSStepFunctions.StartExecution", body), nil
}
