package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
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
	// spare is the order in which columns are left out of a table that is too wide for the
	// terminal: the highest first; 0: never.
	spare int
}

// columnGap is the space between two columns.
const columnGap = 2

// table prints rows below their titles. On a terminal, it leaves out columns and cuts the last one,
// so that no row is wider than the terminal.
func (i *invocation) table(columns []column, rows [][]cell) error {
	if len(rows) == 0 {
		return nil
	}
	all := make([][]cell, 0, len(rows)+1)
	titles := make([]cell, len(columns))
	for n, c := range columns {
		titles[n] = text(c.title)
	}
	all = append(append(all, titles), rows...)
	for _, row := range all {
		for n := range row {
			row[n].text = printable(row[n].text)
		}
	}
	if i.Width > 0 {
		all = i.fit(columns, all)
	}
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, columnGap, ' ', 0)
	for _, row := range all {
		for n, c := range row {
			if n > 0 {
				_, _ = w.Write([]byte("\t"))
			}
			_, _ = w.Write([]byte(i.paint(c)))
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

// paint returns a cell in its colour. Each cell gets one, so that all have the same width.
func (i *invocation) paint(c cell) string {
	if !i.colours() {
		return c.text
	}
	if c.colour == 0 {
		c.colour = plain
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[39m", c.colour, c.text)
}

// fit leaves columns out of a table until it is narrow enough, and cuts the last column.
func (i *invocation) fit(columns []column, rows [][]cell) [][]cell {
	const least = 8 // characters of the last column
	for {
		widths := widthsOf(rows)
		total := columnGap * (len(widths) - 1)
		for _, w := range widths {
			total += w
		}
		if total <= i.Width {
			return rows
		}
		if out := mostSpare(columns); out >= 0 {
			columns, rows = without(columns, out), withoutCells(rows, out)
			continue
		}
		last := len(widths) - 1
		if room := max(least, widths[last]-(total-i.Width)); room < widths[last] {
			for _, row := range rows {
				row[last].text = cut(row[last].text, room)
			}
		}
		return rows
	}
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

func withoutCells(rows [][]cell, at int) [][]cell {
	for n, row := range rows {
		rows[n] = without(row, at)
	}
	return rows
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
