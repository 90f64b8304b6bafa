package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// cell is one named value of a listing.
type cell struct {
	name  string
	value any
}

// clock is the wall clock of a writer, in whatever zone that had.
type clock time.Time

// listing prints rows as an aligned table for people, or as JSON lines.
type listing struct {
	out    io.Writer
	json   bool
	loc    *time.Location
	header bool
	tab    *tabwriter.Writer
}

func (a *app) listing() *listing {
	return &listing{out: a.out, json: a.json, loc: a.loc, tab: newTab(a.out)}
}

func newTab(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

func (l *listing) row(cells ...cell) error {
	if l.json {
		return printJSON(l.out, cells)
	}
	texts := make([]string, len(cells))
	if !l.header {
		l.header = true
		for i, c := range cells {
			texts[i] = strings.ToUpper(strings.ReplaceAll(c.name, "_", " "))
		}
		if err := l.line(texts); err != nil {
			return err
		}
	}
	for i, c := range cells {
		texts[i] = l.text(c.value)
	}
	return l.line(texts)
}

func (l *listing) line(texts []string) error {
	_, err := fmt.Fprintln(l.tab, strings.Join(texts, "\t"))
	return err
}

func (l *listing) flush() error { return l.tab.Flush() }

// text is a value for people; times are in the session's zone.
func (l *listing) text(v any) string {
	const layout = "2006-01-02 15:04:05.000"
	switch v := v.(type) {
	case nil:
		return "-"
	case time.Time:
		return v.In(l.loc).Format(layout)
	case clock:
		return time.Time(v).Format(layout)
	case []string:
		return dash(strings.Join(v, ", "))
	case string:
		return dash(v)
	case *int64:
		if v == nil {
			return "-"
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprint(v)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return oneLine(text)
}

// oneLine keeps a text from breaking a listing.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// printJSON prints cells as one JSON object in their order.
func printJSON(out io.Writer, cells []cell) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, c := range cells {
		b.WriteByte("{,"[min(i, 1)])
		for _, v := range []any{c.name, jsonValue(c.value)} {
			if err := enc.Encode(v); err != nil {
				return err
			}
			b.Bytes()[b.Len()-1] = ':' // instead of the encoder's newline
		}
		b.Truncate(b.Len() - 1)
	}
	b.WriteString("}\n")
	_, err := out.Write(b.Bytes())
	return err
}

func jsonValue(v any) any {
	const layout = "2006-01-02T15:04:05.000"
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(layout + "Z")
	case clock:
		return time.Time(v).Format(layout)
	case []string:
		if v == nil {
			return []string{}
		}
	}
	return v
}

// say prints one sentence about what was done, or the cells as JSON.
func (a *app) say(sentence string, cells ...cell) error {
	if a.json {
		return printJSON(a.out, cells)
	}
	_, err := fmt.Fprintln(a.out, sentence)
	return err
}

// note prints a line for people beside the output.
func (a *app) note(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); a.said.isNews(line) {
		fmt.Fprintln(a.err, "tidelake: note:", line)
	}
}

// count is a number and its noun: "1 row", "2 rows".
func count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
