package cdc

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

// NewDebezium reads Debezium's JSON, one record a line. A line is a record's
// value; or an object with its topic, key and value, as kcat and files of
// captured topics have it. Value and key may carry their schemas
// ({"schema", "payload"}) or not. Only with keys is the primary key known.
//
// Snapshot reads, creates, updates, deletes and truncates become events.
// Tombstones, schema changes, transaction markers, messages and heartbeats are
// passed over and counted.
func NewDebezium(r io.Reader, opts Options) *Decoder { return newDecoder(r, opts, &debezium{}) }

type debezium struct {
	envelopes cache[envelope]
	keys      cache[*record]
}

// envelope is what a value's schema says of its rows.
type envelope struct{ before, after *record }

// change is the payload of a record's value, cut into members.
type change struct {
	op, before, after, source                []byte
	ddl, changes, status, id, message, stamp []byte
}

func (f *debezium) decode(d *Decoder, line []byte) ([]Event, error) {
	if err := checkJSON(line); err != nil {
		return nil, err
	}
	topic, key, value, err := unwrap(line)
	if err != nil {
		return nil, err
	}
	schemaText, payload := splitSchema(value)
	if isNull(payload) {
		d.counts.Tombstones++
		return nil, nil
	}
	if !isObject(payload) {
		return nil, fault.Invalid("the record's value is " + kindName(payload) + ", not a change event")
	}
	var c change
	if err := c.cut(payload); err != nil {
		return nil, err
	}
	if c.skipped(&d.counts) {
		return nil, nil
	}
	e, err := c.event(topic)
	if err != nil {
		return nil, err
	}
	if err := f.rows(d, &e, &c, schemaText, key); err != nil {
		return nil, err
	}
	return []Event{e}, checkRows(&e)
}

// unwrap finds key and value in a line. Either may be JSON in a string.
func unwrap(line []byte) (topic string, key, value []byte, err error) {
	if !isObject(line) {
		return "", nil, line, nil
	}
	var v, p, op []byte
	_ = eachMember(line, func(name, member []byte) error {
		switch string(name) {
		case `"topic"`:
			topic = text(member)
		case `"key"`:
			key = member
		case `"value"`:
			v = member
		case `"payload"`:
			p = member
		case `"op"`:
			op = member
		}
		return nil
	})
	switch {
	case op != nil:
		return "", nil, line, nil
	case v != nil:
		value = v
	case topic != "":
		value = p
	default:
		return "", nil, line, nil
	}
	if opened, err := inner(key); err == nil {
		key = opened // else it is plain text, which names no columns
	}
	value, err = inner(value)
	return topic, key, value, err
}

// inner opens JSON that was put in a string.
func inner(raw []byte) ([]byte, error) {
	if !isString(raw) {
		return raw, nil
	}
	s, err := unquote(raw)
	if err != nil {
		return nil, err
	}
	if s == "" {
		return nil, nil
	}
	opened := bytes.TrimSpace([]byte(s))
	return opened, checkJSON(opened)
}

// splitSchema parts {"schema", "payload"}; anything else is all payload.
func splitSchema(raw []byte) (schemaText, payload []byte) {
	if !isObject(raw) {
		return nil, raw
	}
	var s, p []byte
	others := false
	_ = eachMember(raw, func(name, member []byte) error {
		switch string(name) {
		case `"schema"`:
			s = member
		case `"payload"`:
			p = member
		default:
			others = true
		}
		return nil
	})
	switch {
	case others || p == nil:
		return nil, raw
	case isNull(s):
		return nil, p
	}
	return s, p
}

func (c *change) cut(payload []byte) error {
	return eachMember(payload, func(name, value []byte) error {
		switch string(name) {
		case `"op"`:
			c.op = value
		case `"before"`:
			c.before = value
		case `"after"`:
			c.after = value
		case `"source"`:
			c.source = value
		case `"ddl"`:
			c.ddl = value
		case `"tableChanges"`:
			c.changes = value
		case `"status"`:
			c.status = value
		case `"id"`:
			c.id = value
		case `"message"`:
			c.message = value
		case `"ts_ms"`:
			c.stamp = value
		}
		return nil
	})
}

// skipped counts the records that change no row.
func (c *change) skipped(n *Counts) bool {
	switch {
	case c.op != nil:
		if text(c.op) != "m" {
			return false
		}
		n.Other++
	case c.ddl != nil || c.changes != nil:
		n.SchemaChanges++
	case c.status != nil && c.id != nil:
		n.Transactions++
	case c.stamp != nil && c.before == nil && c.after == nil && c.source == nil:
		n.Other++ // a heartbeat
	default:
		return false
	}
	return true
}

// event reads the operation and the source.
func (c *change) event(topic string) (Event, error) {
	var e Event
	op := text(c.op)
	switch op {
	case "r", "c", "u", "d", "t":
		e.Op = Op(op[0])
	case "":
		return e, fault.Invalid(`the record has no "op": it is not a Debezium change event (unwrapped records are not; leave out the transform that unwraps them)`)
	default:
		return e, fault.Unsupported(fmt.Sprintf("Debezium operation %q", op), "leave such records out")
	}
	var connector, schemaName, table, file, pos, lsn, scn string
	if isObject(c.source) {
		_ = eachMember(c.source, func(name, value []byte) error {
			switch string(name) {
			case `"connector"`:
				connector = text(value)
			case `"db"`:
				e.Database = text(value)
			case `"schema"`:
				schemaName = text(value)
			case `"table"`:
				table = text(value)
			case `"collection"`:
				table = text(value)
			case `"ts_ms"`:
				e.Millis, _ = strconv.ParseInt(string(value), 10, 64)
			case `"file"`:
				file = text(value)
			case `"pos"`:
				pos = string(value)
			case `"lsn"`:
				lsn = string(value)
			case `"scn"`:
				scn = text(value)
			}
			return nil
		})
	}
	if connector == "mongodb" {
		return e, fault.Unsupported("Debezium's connector for MongoDB", "use a relational source")
	}
	switch {
	case table == "" && topic == "":
		return e, fault.Invalid("the record names no table: it has neither source.table nor a topic")
	case table == "":
		e.Table = topic
	case schemaName != "":
		e.Table = schemaName + "." + table
	case e.Database != "":
		e.Table = e.Database + "." + table
	default:
		e.Table = table
	}
	switch {
	case file != "":
		e.Position = file + ":" + pos
	case lsn != "" && lsn != "null":
		e.Position = "lsn " + lsn
	case scn != "":
		e.Position = "scn " + scn
	}
	e.connector = connector
	return e, nil
}

// rows cuts key, before and after into cells.
func (f *debezium) rows(d *Decoder, e *Event, c *change, schemaText, key []byte) error {
	var env envelope
	var err error
	if schemaText != nil {
		if env, err = f.envelopes.get(schemaText, func() (envelope, error) { return parseEnvelope(schemaText) }); err != nil {
			return err
		}
	}
	if e.Before, err = cutRow(d, "before", c.before, env.before); err != nil {
		return err
	}
	if e.After, err = cutRow(d, "after", c.after, env.after); err != nil {
		return err
	}
	keySchema, keyPayload := splitSchema(key)
	var keyRecord *record
	if keySchema != nil {
		if keyRecord, err = f.keys.get(keySchema, func() (*record, error) { return parseKey(keySchema) }); err != nil {
			return err
		}
	}
	if !isObject(keyPayload) {
		return nil // null, or the plain text that a transform made of the key
	}
	e.Key, err = cutRow(d, "key", keyPayload, keyRecord)
	return err
}

func parseEnvelope(schemaText []byte) (envelope, error) {
	var env envelope
	s, err := parseConnectSchema(schemaText)
	if err != nil {
		return env, err
	}
	for name, dst := range map[string]**record{"before": &env.before, "after": &env.after} {
		row := s.member(name)
		if row == nil {
			continue
		}
		if *dst, err = row.record(); err != nil {
			return env, err
		}
	}
	return env, nil
}

func parseKey(schemaText []byte) (*record, error) {
	s, err := parseConnectSchema(schemaText)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return s.record()
}

// cutRow makes cells of an object; null and nothing are no row.
func cutRow(d *Decoder, what string, raw []byte, r *record) (Row, error) {
	if isNull(raw) {
		return nil, nil
	}
	if !isObject(raw) {
		return nil, fault.Invalid(what + " is " + kindName(raw) + ", not an object")
	}
	row := make(Row, 0, rowSize(r))
	err := eachMember(raw, func(quoted, value []byte) error {
		name, err := d.names.name(quoted)
		if err != nil {
			return err
		}
		src := untypedJSON
		if r != nil {
			if src = r.find(name, len(row)); src == nil {
				return fault.Invalid(fmt.Sprintf("%s has a column %q that its schema does not declare", what, name))
			}
		}
		row = append(row, Cell{Name: name, raw: value, src: src})
		return nil
	})
	return row, err
}

func rowSize(r *record) int {
	if r == nil {
		return 16
	}
	return len(r.names)
}

// checkRows refuses events that lack the row their operation is about.
func checkRows(e *Event) error {
	switch {
	case e.Op == Truncate:
		e.Before, e.After = nil, nil
	case e.Op == Delete:
		e.After = nil
		if e.Before == nil && e.Key == nil {
			return fault.Invalid("a delete with neither key nor row: nothing tells what it deletes")
		}
	case e.After == nil:
		return fault.Invalid("an event of " + e.Op.String() + ` without "after"`)
	}
	return nil
}
