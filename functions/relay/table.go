package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// colour is a colour of the terminal, which is dark or light.
type colour int

// The colours, as ANSI codes. All have two digits, so that they take the same width.
const (
	plain  colour = 39
	red    colour = 31
	green  colour = 32
	yellow colour = 33
)

// cell is a part of a table's row.
type cell struct {
	text   string
	colour colour
}

// text is a cell without a colour.
func text(s string) cell { return cell{text: s} }

// column is a column of a table.
type column struct {
	title string
	// A table that is too wide for the terminal first has times in a short form, then leaves out
	// columns, those with the highest spare first (0: never), and at last cuts texts: those of
	// columns with a least number of characters, and of the last column.
	time  bool
	spare int
	least int
}

// columnGap is the space between two columns.
const columnGap = 2

// table prints rows below their titles. On a terminal no row is wider than the terminal.
func (i *invocation) table(columns []column, rows [][]cell) error {
	if len(rows) == 0 {
		return nil
	}
	titles := make([]cell, len(columns))
	for n, c := range columns {
		titles[n] = text(c.title)
	}
	all := append([][]cell{titles}, rows...)
	for _, row := range all {
		for n := range row {
			row[n].text = printable(row[n].text)
		}
	}
	if i.Width > 0 {
		all = fit(columns, all, i.Width)
	}
	if i.colours() {
		paint(all)
	}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, columnGap, ' ', 0)
	for _, row := range all {
		for n, c := range row {
			if n > 0 {
				_, _ = w.Write([]byte("\t"))
			}
			_, _ = w.Write([]byte(c.text))
		}
		_, _ = w.Write([]byte("\n"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range bytes.Lines(out.Bytes()) {
		// the cells are safe: see printable
		if _, err := i.Out.Write(append(bytes.TrimRight(line, " \n"), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// paint colours the columns that have a coloured cell: each cell of them, so that all have the same
// width.
func paint(rows [][]cell) {
	for n := range rows[0] {
		if !slices.ContainsFunc(rows, func(row []cell) bool { return row[n].colour != 0 }) {
			continue
		}
		for _, row := range rows {
			row[n].text = fmt.Sprintf(
				"\x1b[%dm%s\x1b[%dm", cmp.Or(row[n].colour, plain), row[n].text, plain,
			)
		}
	}
}

// leastOfLast is how many characters of the last column are shown at least.
const leastOfLast = 8

// fit makes a table at most so wide, if it can.
func fit(columns []column, rows [][]cell, width int) [][]cell {
	over := func() int { return widthOf(rows) - width }
	if over() <= 0 {
		return rows
	}
	for n, c := range columns {
		for _, row := range rows[1:] {
			if c.time {
				row[n].text = shortTime(row[n].text, time.Now())
			}
		}
	}
	for over() > 0 {
		last := len(columns) - 1
		out, room := mostSpare(columns), widthsOf(rows)[last]-over()
		if out < 0 || columns[last].least > 0 && room >= columns[last].least {
			break
		}
		columns = without(columns, out)
		for n, row := range rows {
			rows[n] = without(row, out)
		}
	}
	last := len(columns) - 1
	columns = slices.Clone(columns)
	columns[last].least = cmp.Or(columns[last].least, leastOfLast)
	for n, c := range columns {
		widest := widthsOf(rows)[n]
		room := max(c.least, widest-over())
		for _, row := range rows {
			if c.least > 0 && room < widest {
				row[n].text = cut(row[n].text, room)
			}
		}
	}
	return rows
}

// shortTime returns the time of today, or the day and the minute of another day.
func shortTime(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return text
	case at.Format(time.DateOnly) == now.UTC().Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	}
	return at.Format("01-02 15:04")
}

func widthOf(rows [][]cell) int {
	widths := widthsOf(rows)
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

func widthsOf(rows [][]cell) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for n, c := range row {
			widths[n] = max(widths[n], utf8.RuneCountInString(c.text))
		}
	}
	return widths
}

// mostSpare returns the column to leave out first; -1: none may be.
func mostSpare(columns []column) int {
	found, most := -1, 0
	for n, c := range columns {
		if c.spare > most {
			found, most = n, c.spare
		}
	}
	return found
}

func without[T any](all []T, at int) []T {
	return append(append(make([]T, 0, len(all)), all[:at]...), all[at+1:]...)
}

// cut returns a text of at most n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// facts prints names and values, one pair a line.
func (i *invocation) facts(pairs ...string) {
	width := 0
	for n := 0; n < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			width = max(width, len(pairs[n]))
		}
	}
	for n := 0; n < len(pairs); n += 2 {
		if pairs[n+1] != "" {
			i.line("%s%s  %s", pairs[n], strings.Repeat(" ", width-len(pairs[n])), pairs[n+1])
		}
	}
}
