package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"webhook-relay/shared/admin/client"
)

// screenView shows a list on the terminal.
type screenView struct {
	*listening

	program *tea.Program
}

// newScreen returns the list.
func newScreen(l *listening) *screenView {
	v := &screenView{listening: l}
	v.program = tea.NewProgram(
		&screen{listening: l}, tea.WithInput(l.inv.In), tea.WithOutput(l.inv.Out),
		tea.WithoutSignalHandler(),
	)
	return v
}

// noted and ended are messages to the screen, beside events.
type (
	noted string
	ended struct{ error }
)

func (v *screenView) note(format string, args ...any) {
	v.program.Send(noted(printable(fmt.Sprintf(format, args...))))
}

func (v *screenView) show(h heard) { v.program.Send(h) }

// run shows the list while the work goes on. The terminal is as it was when it returns, also after
// a panic.
func (v *screenView) run(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		err := work(ctx)
		result <- err
		v.program.Send(ended{err})
	}()
	stop := context.AfterFunc(ctx, v.program.Quit)
	defer stop()
	_, err := v.program.Run()
	cancel()
	if failed := <-result; !errors.Is(failed, context.Canceled) {
		err = errors.Join(err, failed)
	}
	if err == nil {
		err = errListened // the person has ended it
	}
	return err
}

// screenMax is how many events the list holds.
const screenMax = 1000

// screen is the state of the list.
type screen struct {
	*listening

	width, height int
	rows          []heard // the newest first
	chosen        string  // key of an event; "": the newest
	notes         []string
	details       bool
	scroll        int
	filter        string
	typing        bool // the filter
}

// Init implements tea.Model.
func (*screen) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (s *screen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
	case noted:
		s.notes = append(s.notes, string(m))
	case heard:
		s.put(m)
	case ended:
		return s, tea.Quit
	case tea.KeyPressMsg:
		return s, s.press(m)
	}
	return s, nil
}

func keyOf(h heard) string { return h.ID + h.Again }

// put adds an event, or replaces it after a further attempt.
func (s *screen) put(h heard) {
	for i, r := range s.rows {
		if keyOf(r) == keyOf(h) {
			s.rows[i] = h
			return
		}
	}
	s.rows = append([]heard{h}, s.rows[:min(len(s.rows), screenMax-1)]...)
}

// press does what a key stands for.
func (s *screen) press(m tea.KeyPressMsg) tea.Cmd {
	key := m.String()
	switch {
	case key == "ctrl+c":
		return tea.Quit
	case s.typing:
		s.typeFilter(m)
		return nil
	case s.details:
		return s.pressInDetails(key)
	}
	switch key {
	case "q":
		return tea.Quit
	case "up", "k":
		s.move(-1)
	case "down", "j":
		s.move(1)
	case "pgup":
		s.move(-s.room())
	case "pgdown", "space":
		s.move(s.room())
	case "home", "g":
		s.chosen = ""
	case "enter", "d":
		s.details, s.scroll = len(s.shown()) > 0, 0
	case "/":
		s.typing = true
	case "esc":
		s.filter = ""
	case "p":
		s.paused.Store(!s.paused.Load())
	}
	return s.act(key)
}

func (s *screen) pressInDetails(key string) tea.Cmd {
	switch key {
	case "esc", "q", "enter", "d", "backspace":
		s.details = false
	case "up", "k":
		s.scroll--
	case "down", "j":
		s.scroll++
	case "pgup":
		s.scroll -= s.room()
	case "pgdown", "space":
		s.scroll += s.room()
	}
	return s.act(key)
}

// act does what concerns the chosen event.
func (s *screen) act(key string) tea.Cmd {
	h, is := s.current()
	switch {
	case !is:
		return nil
	case key == "r":
		return func() tea.Msg { return s.resend(context.Background(), h) }
	case key == "o" && s.inv.Browser != nil:
		return func() tea.Msg {
			address := s.api.console + client.Path("console", "events", h.ID)
			if err := s.inv.Browser(address); err != nil {
				return noted(fmt.Sprintf("no browser opens %s: %v", address, err))
			}
			return noted("opened " + address)
		}
	}
	return nil
}

func (s *screen) typeFilter(m tea.KeyPressMsg) {
	switch key := m.String(); key {
	case "enter":
		s.typing = false
	case "esc":
		s.typing, s.filter = false, ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(s.filter)
		s.filter = s.filter[:len(s.filter)-size]
	default:
		s.filter += m.Text
	}
}

// shown returns the events that the filter lets through.
func (s *screen) shown() []heard {
	if s.filter == "" {
		return s.rows
	}
	var found []heard
	for _, h := range s.rows {
		text := strings.Join([]string{
			h.ID, h.Source, h.Type, h.outcome(s.forward != nil), string(h.Content),
		}, "\n")
		if strings.Contains(strings.ToLower(text), strings.ToLower(s.filter)) {
			found = append(found, h)
		}
	}
	return found
}

// at returns the index of the chosen event.
func (s *screen) at(rows []heard) int {
	return max(0, slices.IndexFunc(rows, func(h heard) bool { return keyOf(h) == s.chosen }))
}

func (s *screen) current() (heard, bool) {
	rows := s.shown()
	if len(rows) == 0 {
		return heard{}, false
	}
	return rows[s.at(rows)], true
}

// move chooses another event. The newest is chosen as long as nobody chooses another.
func (s *screen) move(by int) {
	rows := s.shown()
	if len(rows) == 0 {
		return
	}
	at := min(max(0, s.at(rows)+by), len(rows)-1)
	if s.chosen = keyOf(rows[at]); at == 0 {
		s.chosen = ""
	}
}

// The lines above and below what is scrolled.
const (
	headLines = 3
	footLines = 2
)

// room returns how many lines are scrolled.
func (s *screen) room() int { return max(1, s.height-headLines-footLines) }

// Styles. The colours are those of the terminal's own palette, which is dark or light.
var (
	faint   = lipgloss.NewStyle().Faint(true)
	bold    = lipgloss.NewStyle().Bold(true)
	chosen  = lipgloss.NewStyle().Reverse(true)
	colours = map[colour]lipgloss.Style{
		red:    lipgloss.NewStyle().Foreground(lipgloss.Red),
		green:  lipgloss.NewStyle().Foreground(lipgloss.Green),
		yellow: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	}
)

// View implements tea.Model.
func (s *screen) View() tea.View {
	var lines []string
	if s.width > 0 {
		lines = slices.Concat(s.head(), s.middle(), s.foot())
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen, v.WindowTitle = true, "relay listen"
	return v
}

func (s *screen) head() []string {
	target := "shown only"
	if s.forward != nil {
		target = "to " + s.forward.target.String() + ", " + s.forward.signedBy
	}
	return []string{
		bold.Render(cut(printable("relay listen  "+s.what()+"  "+s.listener.ID), s.width)),
		faint.Render(cut(printable(target), s.width)), "",
	}
}

func (s *screen) foot() []string {
	keys := "↑↓ choose  enter details  r again  o console  / filter  p pause  q end"
	note := ""
	if len(s.notes) > 0 {
		note = s.notes[len(s.notes)-1]
	}
	switch {
	case s.details:
		keys = "↑↓ scroll  r again  o console  esc back"
	case s.typing:
		keys, note = "enter keep  esc end", "filter: "+s.filter+"▏"
	case s.paused.Load():
		note = "paused: what comes is kept in the queue; p goes on"
	case s.filter != "":
		note = "filter: " + s.filter + " (esc ends it)"
	}
	return []string{cut(printable(note), s.width), faint.Render(cut(keys, s.width))}
}

// middle returns the lines that are scrolled, with empty ones to fill the screen.
func (s *screen) middle() []string {
	lines := s.list()
	if h, is := s.current(); s.details && is {
		lines = s.story(h)
		s.scroll = min(max(0, s.scroll), max(0, len(lines)-s.room()))
		lines = lines[s.scroll:]
	}
	lines = lines[:min(len(lines), s.room())]
	return append(lines, make([]string, s.room()-len(lines))...)
}

var screenColumns = []column{
	{title: "TIME"}, {title: "SOURCE", spare: 1}, {title: "TYPE", least: 12},
	{title: "EVENT", spare: 2}, {title: "RESULT"},
}

// list returns a line for each event around the chosen one.
func (s *screen) list() []string {
	rows := s.shown()
	if len(rows) == 0 {
		if s.filter != "" {
			return []string{faint.Render("nothing matches")}
		}
		return []string{faint.Render("nothing yet")}
	}
	at := s.at(rows)
	from := max(0, min(at-(s.room()-2)/2, len(rows)-(s.room()-1)))
	rows = rows[from:min(len(rows), from+max(1, s.room()-1))]
	table := [][]cell{make([]cell, len(screenColumns))}
	for i, c := range screenColumns {
		table[0][i] = text(c.title)
	}
	for _, h := range rows {
		table = append(table, s.row(h))
	}
	table = fit(slices.Clone(screenColumns), table, s.width-1)
	widths := widthsOf(table)
	var lines []string
	for n, row := range table {
		line := ""
		for i, c := range row {
			padded := c.text + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
			style, coloured := colours[c.colour]
			if coloured && n-1 != at-from {
				padded = style.Render(padded)
			}
			if i > 0 {
				line += strings.Repeat(" ", columnGap)
			}
			line += padded
		}
		switch {
		case n == 0:
			line = faint.Render(line)
		case n-1 == at-from:
			line = chosen.Render(line)
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *screen) row(h heard) []cell {
	outcome := cell{text: h.outcome(s.forward != nil), colour: green}
	if h.Failed {
		outcome = cell{text: outcome.text + h.next(s.flags.Pause), colour: red}
		if h.Status == 0 {
			outcome.colour = yellow
		}
	}
	row := []cell{
		text(h.At.Format(time.TimeOnly)), text(h.Source), text(typeOf(h.Type)), text(h.ID), outcome,
	}
	for i := range row {
		row[i].text = printable(row[i].text)
	}
	return row
}

// story returns the lines of the details of an event. Control characters are shown as escapes.
func (s *screen) story(h heard) []string {
	facts := []string{
		bold.Render(printable(h.ID)),
		fmt.Sprintf("%s from %s, %s, accepted %s", printable(typeOf(h.Type)), printable(h.Source),
			h.Trust, when(h.ReceivedAt)),
		fmt.Sprintf("attempt %d at %s: %s", h.Attempts, h.At.Format(time.TimeOnly),
			printable(h.outcome(s.forward != nil)+h.next(s.flags.Pause))),
		"", faint.Render("headers"),
	}
	for _, name := range slices.Sorted(maps.Keys(h.Header)) {
		facts = append(facts, printable(name+": "+h.Header[name]))
	}
	facts = append(facts, "", faint.Render(fmt.Sprintf("body, %d bytes", len(h.Content))))
	facts = append(facts, block(h.Content)...)
	if len(h.Response) > 0 {
		facts = append(facts, "", faint.Render("answer"))
		facts = append(facts, block(h.Response)...)
	}
	var lines []string
	for _, line := range facts {
		lines = append(lines, strings.Split(lipgloss.Wrap(line, s.width-1, ""), "\n")...)
	}
	return lines
}

// maxBlock is how many bytes of a text are shown.
const maxBlock = 64 << 10

// block returns the lines of a foreign text.
func block(b []byte) []string {
	more := len(b) - maxBlock
	b = appendPrintable(nil, b[:min(len(b), maxBlock)], "\n")
	lines := strings.Split(string(b), "\n")
	if more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d bytes more", more))
	}
	return lines
}
