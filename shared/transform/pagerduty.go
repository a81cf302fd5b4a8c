package transform

// PagerDuty's limits. An event may have 512 KB.
// https://developer.pagerduty.com/docs/events-api-v2-overview
// https://developer.pagerduty.com/docs/send-alert-event
const (
	pagerDutySummary = 1024 // characters
	pagerDutyKey     = 255  // characters of dedup_key
	pagerDutyText    = 255  // ours
	pagerDutyDetails = 400 << 10
)

var pagerduty = preset{
	options: []option{
		{name: "summary", required: true, means: "what has happened"},
		{name: "routing_key", means: "the integration's key"},
		{name: "action", means: "trigger (the default), acknowledge or resolve"},
		{name: "dedup_key", means: "events with the same key belong to one alert"},
		{name: "severity", means: "critical, error (the default), warning or info"},
		{name: "source", means: "what is affected; {source} by default"},
		{name: "timestamp", means: "when it happened; {time} by default"},
		{name: "component", means: "the part that is affected"},
		{name: "group", means: "the group that it belongs to"},
		{name: "class", means: "the kind of event; {type} by default"},
		{name: "details", means: "any JSON; {data} by default"},
		{name: "url", means: "a link, http or https"},
	},
	build: func(b *builder) (node, string) {
		short := func(name, fallback string) node {
			return b.in(plain, name, pagerDutyText, fallback)
		}
		details := bounded{node: b.any("details", "{data}"), bytes: pagerDutyDetails}
		action := b.choice("action", "trigger", "", "trigger", "acknowledge", "resolve")
		severity := b.choice("severity", "error", "error", "critical", "error", "warning", "info")
		alert := objectNode{
			{name: "routing_key", node: short("routing_key", ""), optional: true},
			{name: "event_action", node: action},
			{name: "dedup_key", node: b.in(plain, "dedup_key", pagerDutyKey, ""), optional: true},
			{name: "payload", node: objectNode{
				{name: "summary", node: b.in(plain, "summary", pagerDutySummary, "").or("–")},
				{name: "source", node: b.in(plain, "source", pagerDutyText, "{source}").or("–")},
				{name: "severity", node: severity},
				{name: "timestamp", node: short("timestamp", "{time}"), optional: true},
				{name: "component", node: short("component", ""), optional: true},
				{name: "group", node: short("group", ""), optional: true},
				{name: "class", node: short("class", "{type}"), optional: true},
				{name: "custom_details", node: details, optional: true},
			}},
		}
		if b.has("url") {
			alert = append(alert, member{name: "links", optional: true, node: listNode{
				sparse: true, elements: []node{whole{begin: `{"href":`, value: b.link("url")}},
			}})
		}
		return alert, "application/json"
	},
}
