package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Run prints the shell's script.
func (c *completionCommand) Run(app *kong.Kong, out io.Writer) error {
	nodes := completions(app.Model.Node, "")
	var text string
	switch c.Shell {
	case "bash":
		text = bashScript(nodes)
	case "zsh":
		text = "#compdef relay\n" + zshScript(nodes)
	default:
		text = fishScript(nodes)
	}
	_, err := io.WriteString(out, text)
	return err
}

// completion is what can follow a command.
type completion struct {
	path  string // "endpoints get"; "": relay itself
	words []word
	files bool // an argument is a file
}

type word struct{ text, help string }

// completions returns what can follow a command, and the commands below it.
func completions(n *kong.Node, path string) []completion {
	c := completion{path: path}
	var below []completion
	for _, child := range n.Children {
		if child.Hidden || child.Type != kong.CommandNode {
			continue
		}
		c.words = append(c.words, word{text: child.Name, help: child.Help})
		for _, alias := range child.Aliases {
			below = append(below, completions(child, strings.TrimSpace(path+" "+alias))...)
		}
		below = append(below, completions(child, strings.TrimSpace(path+" "+child.Name))...)
	}
	if n.DefaultCmd != nil {
		n = n.DefaultCmd
	}
	c.words = append(c.words, flagsOf(n)...)
	for _, arg := range n.Positional {
		c.files = c.files || arg.Name == "file"
		for _, choice := range arg.EnumSlice() {
			if arg.Enum != "" {
				c.words = append(c.words, word{text: choice, help: ""})
			}
		}
	}
	return append([]completion{c}, below...)
}

func flagsOf(n *kong.Node) (words []word) {
	for _, f := range n.Flags {
		if !f.Hidden {
			words = append(words, word{text: "--" + f.Name, help: f.Help})
		}
	}
	if !slices.ContainsFunc(words, func(w word) bool { return w.text == "--help" }) {
		words = append(words, word{text: "--help", help: "Show what the command does."})
	}
	return words
}

func (c completion) texts() string {
	var all []string
	for _, w := range c.words {
		all = append(all, w.text)
	}
	return strings.Join(all, " ")
}

// bashScript finds the longest command in the words so far, and offers what can follow it.
func bashScript(nodes []completion) string {
	var b strings.Builder
	b.WriteString(`_relay() {
  local word path="" candidates="" files=""
  local -i n
  COMPREPLY=()
  for ((n = 1; n < COMP_CWORD; n++)); do
    word="${COMP_WORDS[n]}"
    case " $(_relay_commands) " in *" ${path:+$path/}$word "*) path="${path:+$path/}$word" ;; esac
  done
  case "$path" in
`)
	for _, c := range nodes {
		fmt.Fprintf(&b, "    %q) candidates=%q", slashed(c.path), c.texts())
		if c.files {
			b.WriteString(" files=1")
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(`  esac
  COMPREPLY=($(compgen -W "$candidates" -- "${COMP_WORDS[COMP_CWORD]}"))
  if [[ -n "$files" ]]; then
    COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
  fi
}
_relay_commands() {
  echo "` + commandsOf(nodes) + `"
}
complete -o filenames -F _relay relay
`)
	return b.String()
}

func slashed(path string) string { return strings.ReplaceAll(path, " ", "/") }

func commandsOf(nodes []completion) string {
	var all []string
	for _, c := range nodes {
		if c.path != "" {
			all = append(all, slashed(c.path))
		}
	}
	return strings.Join(all, " ")
}

// zshScript does the same with zsh's words.
func zshScript(nodes []completion) string {
	var b strings.Builder
	b.WriteString(`_relay() {
  local word place="" commands=" ` + commandsOf(nodes) + ` "
  local -a candidates
  local -i n
  for ((n = 2; n < CURRENT; n++)); do
    word="${words[n]}"
    [[ "$commands" == *" ${place:+$place/}$word "* ]] && place="${place:+$place/}$word"
  done
  case "$place" in
`)
	for _, c := range nodes {
		fmt.Fprintf(&b, "    (%s) candidates=(", quoted(slashed(c.path)))
		for _, w := range c.words {
			b.WriteString(" " + quoted(strings.ReplaceAll(w.text, ":", `\:`)+":"+brief(w.help)))
		}
		b.WriteString(" )")
		if c.files {
			b.WriteString("; _files")
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(`  esac
  _describe 'relay' candidates
}
compdef _relay relay
`)
	return b.String()
}

// fishScript has a line for each word.
func fishScript(nodes []completion) string {
	var b strings.Builder
	b.WriteString(`function __relay_at
  set -l place ""
  set -l commands ` + commandsOf(nodes) + `
  for word in (commandline -opc)[2..]
    set -l next (string trim -l -c / "$place/$word")
    contains -- $next $commands; and set place $next
  end
  test "$place" = "$argv[1]"
end
complete -c relay -f
`)
	for _, c := range nodes {
		at := quoted("__relay_at " + `"` + slashed(c.path) + `"`)
		if c.files {
			fmt.Fprintf(&b, "complete -c relay -n %s -F\n", at)
		}
		for _, w := range c.words {
			what := "-a " + quoted(w.text)
			if long, is := strings.CutPrefix(w.text, "--"); is {
				what = "-l " + quoted(long)
			}
			fmt.Fprintf(&b, "complete -c relay -n %s %s -d %s\n", at, what, quoted(brief(w.help)))
		}
	}
	return b.String()
}

// brief returns the first sentence of a help text.
func brief(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// quoted returns a text as one word of a shell.
func quoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
