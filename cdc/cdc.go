// Package cdc reads change events, as Debezium and Canal write them in JSON,
// and turns them into rows of a table.
//
//	lines ─▶ Decoder ─▶ Event ──────────▶ Mapper ─▶ +I +U -D with typed values
//	         one table   op, key,     │    (a table)
//	         at a time   before,      └──▶ Infer ─▶ a table that can take them
//	                     after
//
// A Decoder knows the envelope: which table, which operation, which row before
// and after. It leaves the values as they were sent, with the type that the
// source declared where it declared one. A Mapper knows the table and converts
// value by value, exactly or not at all: what would be rounded, cut or wrapped
// is an error that names the column.
//
// What the sources themselves lose cannot be brought back:
//
//   - Debezium sends BIGINT UNSIGNED as a signed number unless
//     bigint.unsigned.handling.mode=precise, so 2^64-1 arrives as -1.
//   - Without schemas (schemas.enable=false) the table's types say how to read a
//     value, and MapperOptions say which modes the connector ran with. A decimal
//     is read with the column's scale, so a change of scale in the source goes
//     unseen. Bit strings stay in the connector's byte order, lowest byte first.
//   - Adding a column with a default, or renaming one, sends no rows.
//   - PostgreSQL sends a large value only when it changed, unless REPLICA
//     IDENTITY is FULL; see MapperOptions.Unavailable.
//   - TIME keeps milliseconds, whatever its precision: finer digits are cut.
//
// In a row that deletes, columns that are NOT NULL but were not sent hold zero
// values; only the key counts. A table with a sequence field needs the whole
// old row (REPLICA IDENTITY FULL), or a delete may look older than it is.
package cdc

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Op is what happened to a row, or to a table.
type Op byte

// The operations, by Debezium's letters.
const (
	Read     Op = 'r' // the row existed when the connector took its first snapshot
	Create   Op = 'c'
	Update   Op = 'u'
	Delete   Op = 'd'
	Truncate Op = 't' // all rows of the table are gone; the event has no row
)

// String is the operation in a word.
func (o Op) String() string {
	switch o {
	case Read:
		return "snapshot read"
	case Create:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Truncate:
		return "truncate"
	}
	return fmt.Sprintf("operation %q", byte(o))
}

// Event is one change of one row. Its memory is its own: keep it as long as needed.
type Event struct {
	Op       Op
	Table    string // database.table, or schema.table where the source has schemas
	Database string
	Position string // place in the source's log, for people
	Millis   int64  // when the source made the change, epoch milliseconds, 0 unknown
	Key      Row    // primary key; nil when the source table has none or did not say
	Before   Row    // nil when the source did not send it
	After    Row    // nil for Delete and Truncate
	Line     int    // where it was read, from 1
	Text     []byte // that line

	connector string // Debezium's name of the source's kind: "mysql"
}

// Row is a row as it was sent: some columns, in the source's order.
type Row []Cell

// Get finds a column.
func (r Row) Get(name string) (Cell, bool) {
	for i := range r {
		if r[i].Name == name {
			return r[i], true
		}
	}
	return Cell{}, false
}

// Cell is one value as it was sent.
type Cell struct {
	Name string
	raw  []byte
	src  *source
}

// JSON is the value as it stands in the event. Do not change it.
func (c Cell) JSON() []byte { return c.raw }

// Null reports whether the value is null.
func (c Cell) Null() bool { return isNull(c.raw) }

// Type is the column type that fits what the source declared, and false when
// the event carries no types.
func (c Cell) Type() (schema.Type, bool) {
	if !c.src.typed() {
		return schema.Type{}, false
	}
	return c.src.typ, true
}

// Counts says what a Decoder has met so far.
type Counts struct {
	Lines         int
	Rows          int // events with a row, of the chosen tables
	Truncates     int // of the chosen tables
	OtherTables   int // events of tables that were not chosen
	Tombstones    int // the empty records after deletes
	SchemaChanges int // DDL
	Transactions  int // begin and end markers
	Other         int // messages, heartbeats and statement texts
}

// Options choose what a Decoder hands out. The zero value takes a file of one table.
type Options struct {
	// Tables are the source tables to take: "shop.orders", or only "orders";
	// "shop.orders_*" takes all shards. Empty takes the one table there is, and
	// a file of several is an error that lists them.
	Tables []string
	// MaxLine is the longest line in bytes; 0 is 64 MiB. A longer one is an error of that line.
	MaxLine int
}

// Decoder reads events from lines of JSON. It belongs to one goroutine.
type Decoder struct {
	lines  *lineReader
	format format
	opts   Options
	counts Counts
	queue  []Event
	only   string // the first table seen, when none was chosen
	names  interner
	err    error // ends the reading
}

// format takes one line apart into events, already chosen ones or not.
type format interface {
	decode(d *Decoder, line []byte) ([]Event, error)
}

func newDecoder(r io.Reader, opts Options, f format) *Decoder {
	d := &Decoder{format: f, opts: opts}
	if opts.MaxLine <= 0 {
		d.opts.MaxLine = 64 << 20
	}
	d.lines = newLineReader(r, d.opts.MaxLine)
	for _, p := range opts.Tables {
		if _, err := path.Match(p, ""); err != nil {
			d.err = fault.Invalid("table pattern " + p + ": " + err.Error())
		}
	}
	return d
}

// Counts says what has been read so far.
func (d *Decoder) Counts() Counts { return d.counts }

// Next returns the next event of the chosen tables, and io.EOF after the last.
// A *LineError concerns one line only: reading may go on behind it. Any other
// error is final.
func (d *Decoder) Next() (Event, error) {
	for len(d.queue) == 0 {
		if d.err != nil {
			return Event{}, d.err
		}
		events, err := d.nextLine()
		if err != nil {
			return Event{}, err
		}
		for _, e := range events {
			if d.chosen(&e) {
				d.queue = append(d.queue, e)
			} else if d.err != nil {
				d.queue = nil
				return Event{}, d.err
			}
		}
	}
	e := d.queue[0]
	d.queue = d.queue[1:]
	if e.Op == Truncate {
		d.counts.Truncates++
	} else {
		d.counts.Rows++
	}
	return e, nil
}

// nextLine reads and decodes one line.
func (d *Decoder) nextLine() ([]Event, error) {
	line, n, err := d.lines.next()
	if err != nil {
		if _, one := err.(*LineError); !one {
			d.err = err
		}
		return nil, err
	}
	d.counts.Lines = n
	if len(line) == 0 {
		return nil, nil
	}
	events, err := d.format.decode(d, line)
	if err != nil {
		return nil, &LineError{Line: n, Text: line, Err: err}
	}
	for i := range events {
		events[i].Line, events[i].Text = n, line
	}
	return events, nil
}

// chosen applies Options.Tables, and sets d.err at the second table of a file
// from which none was chosen.
func (d *Decoder) chosen(e *Event) bool {
	if len(d.opts.Tables) > 0 {
		for _, p := range d.opts.Tables {
			if matches(p, e) {
				return true
			}
		}
		d.counts.OtherTables++
		return false
	}
	if d.only == "" {
		d.only = e.Table
	}
	if d.only != e.Table {
		d.err = d.severalTables(e.Table)
		return false
	}
	return true
}

func matches(pattern string, e *Event) bool {
	bare := e.Table[strings.LastIndexByte(e.Table, '.')+1:]
	for _, name := range [...]string{e.Table, bare, e.Database + "." + e.Table} {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// tableScanLines bounds how far the list of tables in an error looks ahead.
const tableScanLines = 100_000

// severalTables reads on, so that the error can name every table there is.
func (d *Decoder) severalTables(second string) error {
	found := map[string]bool{d.only: true, second: true}
	for range tableScanLines {
		events, err := d.nextLine()
		if err != nil && d.err != nil {
			break
		}
		for _, e := range events {
			found[e.Table] = true
		}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return &fault.Error{Class: fault.ErrInvalid, Op: "read events",
		Detail: "the input holds several tables: " + strings.Join(names, ", "),
		Hint:   "choose one by name, or the shards of one by a pattern such as " + d.only[:strings.LastIndexByte(d.only, '.')+1] + "orders_*"}
}
