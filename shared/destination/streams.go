package destination

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// record returns data as the streams take it.
func record(data []byte) object {
	quoted := append(base64.StdEncoding.AppendEncode([]byte{'"'}, data), '"')
	return newObject().raw("Data", quoted)
}

// maxPartitionKey is the longest partition key, in characters.
const maxPartitionKey = 256

// putRecord is https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html A stream
// takes records of 1 MiB, or up to 10 MiB if its MaxRecordSize says so. The size is that of the
// data and the partition key. Without group, each event has its own partition key, so that they
// spread over the shards.
func putRecord(d Destination, m Message, o Options) (Request, error) {
	data, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	key := cmp.Or(m.Texts["group"], m.Event.ID)
	if utf8.RuneCountInString(key) > maxPartitionKey {
		key = hashed(key)
	}
	if err := d.tooLarge(len(data)+len(key), 10*mebibyte); err != nil {
		return Request{}, err
	}
	r := d.post("kinesis", json11, "Kinesis_20131202.PutRecord", record(data).
		text("StreamName", d.Name).text("StreamARN", d.ARN).text("PartitionKey", key).end())
	r.Plain = data
	return r, nil
}

// putDelivery is https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html
// Firehose writes records one after the other into one object, so each ends with a line break.
func putDelivery(d Destination, m Message, o Options) (Request, error) {
	data, err := d.content(m, o)
	if err != nil {
		return Request{}, err
	}
	if m.Shaped != nil || d.Envelope(o) == JSON {
		data = oneLine(data)
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data[:len(data):len(data)], '\n')
	}
	if err := d.tooLarge(len(data), 1000<<10); err != nil {
		return Request{}, err
	}
	r := d.post("firehose", json11, "Firehose_20150804.PutRecord", newObject().
		text("DeliveryStreamName", d.Name).raw("Record", record(data).end()).end())
	r.Plain = data
	return r, nil
}

// oneLine returns JSON without line breaks, and anything else as it is.
func oneLine(data []byte) []byte {
	if _, ok := document.Valid(data); !ok || !bytes.ContainsAny(data, "\r\n") {
		return data
	}
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		return data
	}
	return out.Bytes()
}

const (
	// logOverhead is what Logs adds to the size of each event.
	logOverhead = 26
	// logAge is how old a webhook is from which on its log event has the time of the attempt. Logs
	// rejects events that are older than the retention of the group, of which one day is the least.
	logAge = 20 * time.Hour
)

// putLogEvents is
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html The
// log stream is made when it is missing, by
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
func putLogEvents(d Destination, m Message, o Options) (Request, error) {
	content, err := d.content(m, o)
	switch {
	case err != nil:
		return Request{}, err
	case len(content) == 0 || !utf8.Valid(content):
		return Request{}, &UnfitError{
			Problem: "logs takes text only, and this is empty or not text; set envelope: json",
		}
	}
	if err := d.tooLarge(len(content)+logOverhead, mebibyte); err != nil {
		return Request{}, err
	}
	at := m.Event.Time
	if m.At.Sub(at) > logAge {
		at = m.At
	}
	names := newObject().text("logGroupName", d.Name).
		text("logStreamName", logStream(cmp.Or(m.Texts["stream"], m.Endpoint)))
	event := newObject().raw("timestamp", strconv.AppendInt(nil, at.UnixMilli(), 10)).
		text("message", string(content)).end()
	create := d.post("logs", json11, "Logs_20140328.CreateLogStream", bytes.Clone(names.end()))
	r := d.post("logs", json11, "Logs_20140328.PutLogEvents", names.
		raw("logEvents", append(append([]byte{'['}, event...), ']')).end())
	r.Prepare = &create
	return r, nil
}

// maxStream is the longest name of a log stream.
const maxStream = 512

// logStream replaces the characters that the name of a log stream cannot have.
func logStream(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == ':' || r == '*' || r < ' ' || r == 0x7F {
			return '_'
		}
		return r
	}, name)
	return limited(name, maxStream)
}
