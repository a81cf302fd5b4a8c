package transform

import (
	"strings"
	"unicode/utf8"
)

// discordMarkdown is Discord's markdown. Every character that can begin markup, a mention or a link
// gets a backslash in values.
var discordMarkdown = style{escape: escapeMarkdown("\\*_~`|<>#[]()-@:"), size: inUTF16}

// escapeMarkdown puts a backslash before some characters.
func escapeMarkdown(special string) func([]byte, rune) []byte {
	return func(b []byte, r rune) []byte {
		if r < utf8.RuneSelf && strings.ContainsRune(special, r) {
			b = append(b, '\\')
		}
		return utf8.AppendRune(b, r)
	}
}

// Discord's limits, in characters. An embed has 6,000 in all, so that most parts get less than
// Discord would take of each alone: 256 + 2,800 + 200 + 10 × (64 + 200) = 5,896.
// https://docs.discord.com/developers/resources/message#embed-object-embed-limits
// https://docs.discord.com/developers/resources/webhook#execute-webhook
const (
	discordContent     = 2000
	discordUsername    = 80
	discordTitle       = 256
	discordDescription = 2800 // of 4,096
	discordFields      = 10   // of 25
	discordLabel       = 64   // of 256
	discordValue       = 200  // of 1,024
	discordFooter      = 200  // of 2,048
)

var discord = preset{
	options: []option{
		{name: "text", required: true, means: "the message, in Discord's markdown"},
		{name: "title", means: "the heading of a box below the message"},
		{name: "description", means: "the text of the box, in markdown"},
		{name: "fields", means: "a map of labels and short texts in the box"},
		{name: "footer", means: "a small line at the end of the box"},
		{name: "url", means: "where the heading links to, http or https"},
		{name: "username", means: "who the message is shown to be from"},
	},
	build: func(b *builder) (node, string) {
		object := objectNode{
			{name: "content", node: b.in(discordMarkdown, "text", discordContent, "").or("–")},
			{name: "username", node: b.in(plain, "username", discordUsername, ""), optional: true},
			// nobody is mentioned, whatever the texts say
			{name: "allowed_mentions", node: literal(`{"parse":[]}`)},
		}
		if embed := b.embed(); embed != nil {
			object = append(
				object, member{
					name: "embeds", node: listNode{elements: []node{embed}, sparse: true},
				},
			)
		}
		return object, "application/json"
	},
}

// embed returns the box below a message, nil if no option asks for one.
func (b *builder) embed() node {
	var embed objectNode
	if b.has("title") {
		title := b.in(discordMarkdown, "title", discordTitle, "")
		embed = append(embed, member{name: "title", node: title, optional: true},
			member{name: "url", node: b.link("url"), optional: true})
	} else if b.has("url") {
		refuse("url", "it is the link of the title, and there is no title")
	}
	if b.has("description") {
		text := b.in(discordMarkdown, "description", discordDescription, "")
		embed = append(embed, member{name: "description", node: text, optional: true})
	}
	var list listNode
	for _, f := range b.labelled(discordMarkdown, discordFields, discordLabel, discordValue) {
		list.elements = append(list.elements, objectNode{
			{name: "name", node: words(f.label)}, {name: "value", node: f.text},
			{name: "inline", node: literal("true")},
		})
	}
	if list.elements != nil {
		embed = append(embed, member{name: "fields", node: list})
	}
	if b.has("footer") {
		text := b.in(plain, "footer", discordFooter, "").or("–")
		embed = append(embed, member{name: "footer", node: objectNode{{name: "text", node: text}}})
	}
	if embed == nil {
		return nil
	}
	return embed
}
