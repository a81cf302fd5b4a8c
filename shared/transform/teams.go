package transform

// cardMarkdown is the markdown of Adaptive Cards. It has no mentions: those need an entity beside
// the text, which this preset never sends.
// https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features
var cardMarkdown = style{escape: escapeMarkdown("\\*_~`<>#[]()-"), size: inJSON}

// A message may have 28 KB. The parts below have at most 25,200 bytes in all, of which fields take
// 10 × (64 characters, of at most 4 bytes, + 400).
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
const (
	teamsText   = 16 << 10
	teamsTitle  = 1 << 10
	teamsFooter = 1 << 10
	teamsFields = 10
	teamsLabel  = 64
	teamsValue  = 400
)

var teams = preset{
	options: []option{
		{name: "text", required: true, means: "the message, in the markdown of Adaptive Cards"},
		{name: "title", means: "a heading"},
		{name: "fields", means: "a map of labels and short texts, shown as a table"},
		{name: "footer", means: "a small line at the end"},
		{name: "url", means: "where the button below the message leads to, http or https"},
	},
	build: func(b *builder) (node, string) {
		var body listNode
		if b.has("title") {
			body.elements = append(body.elements, textBlock(
				b.in(cardMarkdown, "title", teamsTitle, ""),
				member{name: "size", node: words("Large")},
				member{name: "weight", node: words("Bolder")},
			))
		}
		body.elements = append(
			body.elements, textBlock(b.in(cardMarkdown, "text", teamsText, "")),
		)
		var facts listNode
		for _, f := range b.labelled(cardMarkdown, teamsFields, teamsLabel, teamsValue) {
			facts.elements = append(facts.elements, objectNode{
				{name: "title", node: words(f.label)}, {name: "value", node: f.text},
			})
		}
		if facts.elements != nil {
			body.elements = append(body.elements, objectNode{
				{name: "type", node: words("FactSet")}, {name: "facts", node: facts},
			})
		}
		if b.has("footer") {
			body.elements = append(body.elements, textBlock(
				b.in(cardMarkdown, "footer", teamsFooter, ""),
				member{name: "size", node: words("Small")},
				member{name: "isSubtle", node: literal("true")},
			))
		}
		card := objectNode{
			{name: "$schema", node: words("http://adaptivecards.io/schemas/adaptive-card.json")},
			{name: "type", node: words("AdaptiveCard")}, {name: "version", node: words("1.4")},
			{name: "body", node: body},
		}
		if b.has("url") {
			card = append(card, member{name: "actions", optional: true, node: listNode{
				sparse: true, elements: []node{
					whole{
						begin: `{"type":"Action.OpenUrl","title":"Open","url":`,
						value: b.link("url"),
					},
				},
			}})
		}
		return objectNode{
			{name: "type", node: words("message")},
			{name: "attachments", node: listNode{elements: []node{objectNode{
				{name: "contentType", node: words("application/vnd.microsoft.card.adaptive")},
				{name: "contentUrl", node: literal("null")}, {name: "content", node: card},
			}}}},
		}, "application/json"
	},
}

func textBlock(text *textNode, looks ...member) node {
	return append(objectNode{
		{name: "type", node: words("TextBlock")}, {name: "text", node: text.or("–")},
		{name: "wrap", node: literal("true")},
	}, looks...)
}
