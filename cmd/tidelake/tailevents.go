package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// eventPrinter prints changes as Debezium's events without schemas: rows of a
// full start are read (r), a row before an update and the one after it are one
// event (u), a row that only the table's newest state tells apart from a new
// one is an update without the row before.
type eventPrinter struct {
	source string // its members that are the same for all
	key    []int  // columns
	before []byte // a row before an update that waits for the one after it
	beKey  []byte // its key
}

func newEventPrinter(t *table.Table, fields []schema.Field) (*eventPrinter, error) {
	p := &eventPrinter{}
	for _, f := range fields {
		if nestedBinary(f.Type, false) {
			return nil, usage("--format debezium-json has no form for the binary values within column %s: leave it out of --select", f.Name)
		}
	}
	for _, name := range t.Schema().PrimaryKeys {
		at := slices.IndexFunc(fields, func(f schema.Field) bool { return f.Name == name })
		if at < 0 {
			return nil, usage("--format debezium-json needs the primary key: select %s too", name)
		}
		p.key = append(p.key, at)
	}
	db, name, _ := strings.Cut(t.Name(), ".")
	for _, m := range [][2]string{{"connector", "tidelake"}, {"db", db}, {"table", name}} {
		text, err := json.Marshal(m[1])
		if err != nil {
			return nil, err
		}
		p.source += `"` + m[0] + `":` + string(text) + `,`
	}
	return p, nil
}

// nestedBinary tells that a type holds binary values within another.
func nestedBinary(t schema.Type, within bool) bool {
	if t.Kind == schema.Binary || t.Kind == schema.VarBinary {
		return within
	}
	for _, inner := range []*schema.Type{t.Key, t.Elem} {
		if inner != nil && nestedBinary(*inner, true) {
			return true
		}
	}
	return slices.ContainsFunc(t.Fields, func(f schema.Field) bool { return nestedBinary(f.Type, true) })
}

// row appends the event of a row, or keeps it until the next one.
func (p *eventPrinter) row(dst []byte, enc *rowjson.Encoder, c *table.Changes, kind schema.RowKind, row int) []byte {
	text := enc.AppendRow(nil, row)
	var key []byte
	for _, at := range p.key {
		key, _ = enc.AppendText(key, at, row)
		key = append(key, 0)
	}
	if p.before != nil && kind == schema.UpdateAfter && bytes.Equal(key, p.beKey) {
		dst = p.event(dst, c, "u", p.before, text)
		p.before = nil
		return dst
	}
	dst = p.end(dst, c)
	switch {
	case kind == schema.UpdateBefore:
		p.before, p.beKey = text, key
	case kind == schema.Delete:
		dst = p.event(dst, c, "d", text, nil)
	case c.Full:
		dst = p.event(dst, c, "r", nil, text)
	case kind == schema.UpdateAfter:
		dst = p.event(dst, c, "u", nil, text)
	default:
		dst = p.event(dst, c, "c", nil, text)
	}
	return dst
}

// end appends what waits for a row that does not come: the row is gone.
func (p *eventPrinter) end(dst []byte, c *table.Changes) []byte {
	if p.before != nil {
		dst = p.event(dst, c, "d", p.before, nil)
		p.before = nil
	}
	return dst
}

func (p *eventPrinter) event(dst []byte, c *table.Changes, op string, before, after []byte) []byte {
	put := func(name string, text []byte) {
		dst = append(dst, name...)
		if text == nil {
			text = []byte("null")
		}
		dst = append(dst, text...)
	}
	put(`{"before":`, before)
	put(`,"after":`, after)
	dst = append(dst, `,"op":"`+op+`","ts_ms":`...)
	dst = strconv.AppendInt(dst, c.Snapshot.TimeMillis, 10)
	dst = append(dst, `,"source":{`+p.source+`"snapshot_id":`...)
	return append(strconv.AppendInt(dst, c.Snapshot.ID, 10), "}}\n"...)
}
