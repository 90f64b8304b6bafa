package cdc

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// NewCanal reads Canal's flat JSON messages, one a line. A message of several
// rows becomes as many events. Types and primary key come from the message
// (mysqlType, pkNames); enum and set, which Canal sends as numbers, become
// their labels, and binary data, which it sends as ISO-8859-1 text, bytes.
//
// TRUNCATE becomes an event; other DDL and the texts of statements are passed
// over and counted. MySQL's TIMESTAMP is text in the zone of the Canal server:
// see MapperOptions.Zone.
func NewCanal(r io.Reader, opts Options) *Decoder { return newDecoder(r, opts, &canal{}) }

type canal struct{ tables cache[*record] }

// message is a flat message, cut into members.
type message struct {
	data, old, mysqlType, sqlType, pkNames []byte
	database, table, kind                  string
	ddl                                    bool
	millis                                 int64
	id                                     string
}

func (f *canal) decode(d *Decoder, line []byte) ([]Event, error) {
	if err := checkJSON(line); err != nil {
		return nil, err
	}
	if isNull(line) {
		d.counts.Tombstones++
		return nil, nil
	}
	if !isObject(line) {
		return nil, fault.Invalid("is " + kindName(line) + ", not a Canal message")
	}
	_, _, line, err := unwrap(line)
	if err != nil {
		return nil, err
	}
	if isNull(line) {
		d.counts.Tombstones++
		return nil, nil
	}
	m := cutMessage(line)
	e := Event{Table: m.database + "." + m.table, Database: m.database, Millis: m.millis, Position: m.id, connector: "mysql"}
	switch {
	case m.kind == "":
		return nil, fault.Invalid(`the message has no "type": it is not a flat message of Canal`)
	case m.kind == "TRUNCATE":
		e.Op = Truncate
		return []Event{e}, nil
	case m.ddl:
		d.counts.SchemaChanges++
		return nil, nil
	case m.kind == "INSERT":
		e.Op = Create
	case m.kind == "UPDATE":
		e.Op = Update
	case m.kind == "DELETE":
		e.Op = Delete
	case isNull(m.data):
		d.counts.Other++ // QUERY and other texts
		return nil, nil
	default:
		return nil, fault.Unsupported("Canal messages of type "+m.kind, "leave such messages out")
	}
	return f.events(d, e, &m)
}

func cutMessage(line []byte) message {
	var m message
	_ = eachMember(line, func(name, value []byte) error {
		switch string(name) {
		case `"data"`:
			m.data = value
		case `"old"`:
			m.old = value
		case `"mysqlType"`:
			m.mysqlType = value
		case `"sqlType"`:
			m.sqlType = value
		case `"pkNames"`:
			m.pkNames = value
		case `"database"`:
			m.database = text(value)
		case `"table"`:
			m.table = text(value)
		case `"type"`:
			m.kind = strings.ToUpper(text(value))
		case `"isDdl"`:
			m.ddl = string(value) == "true"
		case `"es"`:
			m.millis, _ = strconv.ParseInt(string(value), 10, 64)
		case `"id"`:
			m.id = "id " + string(value)
		}
		return nil
	})
	return m
}

// events makes one event of each row of a message.
func (f *canal) events(d *Decoder, e Event, m *message) ([]Event, error) {
	if !isArray(m.data) {
		return nil, fault.Invalid("data is " + kindName(m.data) + ", not an array of rows")
	}
	columns, err := f.tables.get(append(append([]byte(nil), m.mysqlType...), m.sqlType...), func() (*record, error) {
		return mysqlColumns(m.mysqlType, m.sqlType)
	})
	if err != nil {
		return nil, err
	}
	var keys []string
	if isArray(m.pkNames) {
		_ = eachElement(m.pkNames, func(name []byte) error {
			keys = append(keys, text(name))
			return nil
		})
	}
	var old [][]byte
	if isArray(m.old) {
		_ = eachElement(m.old, func(row []byte) error {
			old = append(old, row)
			return nil
		})
	}
	var events []Event
	err = eachElement(m.data, func(raw []byte) error {
		one := e
		row, err := cutCanalRow(d, raw, columns)
		if err != nil {
			return err
		}
		if row == nil {
			return fault.Invalid("data holds a row that is null")
		}
		if one.Op == Delete {
			one.Before = row
		} else {
			one.After = row
		}
		if i := len(events); one.Op == Update && i < len(old) {
			was, err := cutCanalRow(d, old[i], columns)
			if err != nil {
				return err
			}
			one.Before = overlay(row, was)
		}
		if one.Key, err = pickKey(row, keys); err != nil {
			return err
		}
		events = append(events, one)
		return nil
	})
	return events, err
}

func cutCanalRow(d *Decoder, raw []byte, columns *record) (Row, error) {
	row, err := cutRow(d, "a row", raw, nil)
	for i := range row {
		if row[i].src = columns.find(row[i].Name, i); row[i].src == nil {
			row[i].src = untypedText
		}
	}
	return row, err
}

// overlay is the row before an update, of which only changed columns are sent.
func overlay(row, was Row) Row {
	before := append(Row(nil), row...)
	for _, cell := range was {
		for i := range before {
			if before[i].Name == cell.Name {
				before[i] = cell
			}
		}
	}
	return before
}

func pickKey(row Row, names []string) (Row, error) {
	if len(names) == 0 {
		return nil, nil
	}
	key := make(Row, len(names))
	for i, name := range names {
		cell, ok := row.Get(name)
		if !ok {
			return nil, fault.Invalid(fmt.Sprintf("pkNames has %q, which the row does not", name))
		}
		key[i] = cell
	}
	return key, nil
}

// mysqlColumns reads the types of a message: MySQL's own where given, else JDBC's codes.
func mysqlColumns(mysqlType, sqlType []byte) (*record, error) {
	r := new(record)
	each := func(raw []byte, declare func(value []byte) *source) error {
		if !isObject(raw) {
			return nil
		}
		return eachMember(raw, func(quoted, value []byte) error {
			name, err := unquote(quoted)
			if err != nil {
				return err
			}
			if _, known := r.index[name]; !known {
				if s := declare(value); s != nil {
					r.add(name, s)
				}
			}
			return nil
		})
	}
	err := each(mysqlType, func(value []byte) *source { return mysqlSource(text(value)) })
	if err == nil {
		err = each(sqlType, func(value []byte) *source { return jdbc[string(value)] })
	}
	return r, err
}

// jdbc are the codes of java.sql.Types that leave no doubt about the type.
var jdbc = map[string]*source{
	"-6": canalColumn("jdbc TINYINT", scalar(schema.TinyInt)), "5": canalColumn("jdbc SMALLINT", scalar(schema.SmallInt)),
	"4": canalColumn("jdbc INTEGER", scalar(schema.Int)), "-5": canalColumn("jdbc BIGINT", scalar(schema.BigInt)),
	"7": canalColumn("jdbc REAL", scalar(schema.Float)), "8": canalColumn("jdbc DOUBLE", scalar(schema.Double)),
	"1": canalColumn("jdbc CHAR", stringType()), "12": canalColumn("jdbc VARCHAR", stringType()), "2005": canalColumn("jdbc CLOB", stringType()),
	"91": canalColumn("jdbc DATE", scalar(schema.Date)), "92": canalColumn("jdbc TIME", timed(schema.Time, 6)), "93": canalColumn("jdbc TIMESTAMP", timed(schema.Timestamp, 6)),
	"2004": {form: formLatin1, name: "jdbc BLOB", typ: bytesType()},
}

func canalColumn(name string, t schema.Type) *source {
	return &source{form: formText, name: name, typ: t}
}
