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

// listing prints rows as an aligned table for people, or as JSON lines.
type listing struct {
	out    io.Writer
	json   bool
	header bool
	tab    *tabwriter.Writer
}

func (a *app) listing() *listing {
	return &listing{out: a.out, json: a.json, tab: tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)}
}

func (l *listing) row(cells ...cell) error {
	if l.json {
		return printJSON(l.out, cells)
	}
	if !l.header {
		l.header = true
		names := make([]string, len(cells))
		for i, c := range cells {
			names[i] = strings.ToUpper(strings.ReplaceAll(c.name, "_", " "))
		}
		fmt.Fprintln(l.tab, strings.Join(names, "\t"))
	}
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = cellText(c.value)
	}
	_, err := fmt.Fprintln(l.tab, strings.Join(texts, "\t"))
	return err
}

func (l *listing) flush() error { return l.tab.Flush() }

// printJSON prints cells as one JSON object in their order.
func printJSON(out io.Writer, cells []cell) error {
	var b bytes.Buffer
	for i, c := range cells {
		b.WriteByte("{,"[min(i, 1)])
		fmt.Fprintf(&b, "%q:", c.name)
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(jsonValue(c.value)); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the encoder's newline
	}
	b.WriteString("}\n")
	_, err := out.Write(b.Bytes())
	return err
}

func jsonValue(v any) any {
	if t, ok := v.(time.Time); ok {
		return t.Format("2006-01-02T15:04:05.000Z07:00")
	}
	return v
}

func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case time.Time:
		return v.Format("2006-01-02 15:04:05.000")
	case []string:
		if len(v) == 0 {
			return "-"
		}
		return strings.Join(v, "/")
	case string:
		if v == "" {
			return "-"
		}
		return v
	case *int64:
		if v == nil {
			return "-"
		}
		return fmt.Sprint(*v)
	}
	return fmt.Sprint(v)
}

// say prints one sentence about what was done, or the cells as JSON.
func (a *app) say(sentence string, cells ...cell) error {
	if a.json {
		return printJSON(a.out, cells)
	}
	_, err := fmt.Fprintln(a.out, sentence)
	return err
}
