package transform

import "unicode/utf8"

// mrkdwn is Slack's markup. A value keeps its characters: &, < and > are escaped, which begin
// mentions and links. https://docs.slack.dev/messaging/formatting-message-text#escaping
var mrkdwn = style{escape: escapeHTML, size: inUTF16}

func escapeHTML(b []byte, r rune) []byte {
	switch r {
	case '&':
		return append(b, "&amp;"...)
	case '<':
		return append(b, "&lt;"...)
	case '>':
		return append(b, "&gt;"...)
	}
	return utf8.AppendRune(b, r)
}

var plain = style{size: inUTF16}

// Slack's limits, in characters. https://docs.slack.dev/reference/block-kit/blocks
const (
	slackText   = 3000 // of a section
	slackHeader = 150  // of a header
	slackField  = 2000 // of a field, with its label
	slackFields = 10   // in one section
	slackNotice = 4000 // of the text that stands for the blocks in a notification
	slackLabel  = 100  // ours, of a field's label
	slackFooter = 2000 // of a text in a context block
)

var slack = preset{
	options: []option{
		{name: "text", required: true, means: "the message, in Slack's mrkdwn"},
		{name: "title", means: "a heading, without markup"},
		{name: "fields", means: "a map of labels and short texts, shown in two columns"},
		{name: "footer", means: "a small line at the end, in mrkdwn"},
		{name: "channel", means: "the channel's id, for chat.postMessage"},
	},
	build: func(b *builder) (node, string) {
		section := func(text node) node {
			return objectNode{
				{name: "type", node: words("section")}, {name: "text", node: verbatim(text)},
			}
		}
		blocks := listNode{sparse: true}
		if b.has("title") {
			blocks.elements = append(blocks.elements, objectNode{
				{name: "type", node: words("header")},
				{name: "text", node: objectNode{
					{name: "type", node: words("plain_text")},
					{name: "text", node: b.in(mrkdwn, "title", slackHeader, "").or("–")},
				}},
			})
		}
		blocks.elements = append(
			blocks.elements, section(b.in(mrkdwn, "text", slackText, "").or("–")),
		)
		if fields := b.labelled(mrkdwn, slackFields, slackLabel, slackField); fields != nil {
			var list listNode
			for _, f := range fields {
				f.text.pieces = append([]piece{{literal: "*" + f.label + "*\n"}}, f.text.pieces...)
				list.elements = append(list.elements, verbatim(f.text))
			}
			blocks.elements = append(blocks.elements, objectNode{
				{name: "type", node: words("section")}, {name: "fields", node: list},
			})
		}
		if b.has("footer") {
			footer := b.in(mrkdwn, "footer", slackFooter, "").or("–")
			blocks.elements = append(blocks.elements, objectNode{
				{name: "type", node: words("context")},
				{name: "elements", node: listNode{elements: []node{verbatim(footer)}}},
			})
		}
		notice := "text"
		if b.has("title") {
			notice = "title"
		}
		return objectNode{
			{name: "channel", node: b.in(plain, "channel", slackLabel, ""), optional: true},
			{name: "text", node: b.in(mrkdwn, notice, slackNotice, "").or("–")},
			{name: "blocks", node: blocks},
			{name: "unfurl_links", node: literal("false")},
			{name: "unfurl_media", node: literal("false")},
		}, "application/json; charset=utf-8"
	},
}

// verbatim is a text object in which Slack links nothing by itself.
func verbatim(text node) node {
	return objectNode{
		{name: "type", node: words("mrkdwn")}, {name: "text", node: text},
		{name: "verbatim", node: literal("true")},
	}
}
