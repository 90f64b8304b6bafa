package schema

import (
	"strconv"
	"unicode/utf8"
)

// jsonWriter lays documents out as Java's default pretty printer does, because
// Paimon's own files look that way:
//
//	{
//	  "a" : [ "x", "y" ],
//	  "b" : [ ],
//	  "c" : [ {
//	    "d" : 1
//	  } ]
//	}
//
// Objects indent, lists stay on their line.
type jsonWriter struct {
	buf     []byte
	depth   int
	count   []int // members written so far, one per open object or list
	compact bool  // no white space at all
}

func (w *jsonWriter) raw(s string) { w.buf = append(w.buf, s...) }

func (w *jsonWriter) newline() {
	if w.compact {
		return
	}
	w.buf = append(w.buf, '\n')
	for range w.depth {
		w.raw("  ")
	}
}

func (w *jsonWriter) space() {
	if !w.compact {
		w.raw(" ")
	}
}

func (w *jsonWriter) open(bracket string) {
	w.raw(bracket)
	w.count = append(w.count, 0)
}

// separate writes the comma before every member but the first.
func (w *jsonWriter) separate() (first bool) {
	n := &w.count[len(w.count)-1]
	*n++
	if *n > 1 {
		w.raw(",")
	}
	return *n == 1
}

func (w *jsonWriter) close() (empty bool) {
	last := len(w.count) - 1
	empty = w.count[last] == 0
	w.count = w.count[:last]
	return empty
}

func (w *jsonWriter) openObject() {
	w.open("{")
	w.depth++
}

func (w *jsonWriter) member(name string) {
	w.separate()
	w.newline()
	w.text(name)
	if w.compact {
		w.raw(":")
	} else {
		w.raw(" : ")
	}
}

func (w *jsonWriter) closeObject() {
	w.depth--
	if w.close() {
		w.space()
	} else {
		w.newline()
	}
	w.raw("}")
}

func (w *jsonWriter) openList() { w.open("[") }

func (w *jsonWriter) element() {
	w.separate()
	w.space()
}

func (w *jsonWriter) closeList() {
	w.close()
	w.space()
	w.raw("]")
}

func (w *jsonWriter) integer(n int64) { w.buf = strconv.AppendInt(w.buf, n, 10) }

func (w *jsonWriter) texts(list []string) {
	w.openList()
	for _, s := range list {
		w.element()
		w.text(s)
	}
	w.closeList()
}

// textMap writes an object of texts in alphabetical order.
func (w *jsonWriter) textMap(m map[string]string) {
	w.openObject()
	for _, key := range sortedKeys(m) {
		w.member(key)
		w.text(m[key])
	}
	w.closeObject()
}

const upperHex = "0123456789ABCDEF"

// text writes a string with Java's escapes: the short ones, \u00XX for other
// control characters, and nothing else.
func (w *jsonWriter) text(s string) {
	w.raw(`"`)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			w.buf = append(w.buf, '\\', byte(r))
		case r == '\b':
			w.raw(`\b`)
		case r == '\f':
			w.raw(`\f`)
		case r == '\n':
			w.raw(`\n`)
		case r == '\r':
			w.raw(`\r`)
		case r == '\t':
			w.raw(`\t`)
		case r < 0x20:
			w.buf = append(w.buf, '\\', 'u', '0', '0', upperHex[r>>4], upperHex[r&15])
		default:
			w.buf = utf8.AppendRune(w.buf, r) // a broken sequence becomes U+FFFD
		}
		i += n
	}
	w.raw(`"`)
}

func (w *jsonWriter) dataType(t Type) {
	if !t.Kind.Nested() {
		w.text(t.String())
		return
	}
	word := t.Kind.String()
	if !t.Nullable {
		word += " NOT NULL"
	}
	w.openObject()
	w.member("type")
	w.text(word)
	switch t.Kind {
	case Map:
		w.member("key")
		w.dataType(*t.Key)
		w.member("value")
		w.dataType(*t.Elem)
	case Row:
		w.member("fields")
		w.fields(t.Fields)
	default:
		w.member("element")
		w.dataType(*t.Elem)
		if t.Kind == Vector {
			w.member("length")
			w.integer(int64(t.Length))
		}
	}
	w.closeObject()
}

func (w *jsonWriter) fields(fields []Field) {
	w.openList()
	for _, f := range fields {
		w.element()
		w.openObject()
		if f.ID != NoID {
			w.member("id")
			w.integer(int64(f.ID))
		}
		w.member("name")
		w.text(f.Name)
		w.member("type")
		w.dataType(f.Type)
		if f.Description != "" {
			w.member("description")
			w.text(f.Description)
		}
		if f.Default != nil {
			w.member("defaultValue")
			w.text(*f.Default)
		}
		w.closeObject()
	}
	w.closeList()
}
