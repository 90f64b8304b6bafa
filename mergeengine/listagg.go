package mergeengine

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// newListagg is the function listagg: texts with a delimiter between them, or
// with distinct those tokens that are not there yet.
func newListagg(f schema.Field, o schema.FieldOptions) (accumulator, error) {
	if f.Type.Kind != schema.VarChar || f.Type.Length != schema.MaxLength {
		return nil, fault.Invalid("the type is " + f.Type.String() + ", must be STRING")
	}
	return &listagg{column: f.Name, delimiter: []byte(o.Delimiter), distinct: o.Distinct}, nil
}

type listagg struct {
	column    string
	delimiter []byte
	distinct  bool

	null bool
	text []byte
	late []byte

	index   cell.Index // of tokens
	tokens  [][2]int   // where they begin and end in text
	indexed bool       // they are those of text
}

func (l *listagg) reset() {
	const kept = 1 << 20
	if cap(l.text) > kept {
		l.text, l.late, l.tokens, l.index = nil, nil, nil, cell.Index{}
	}
	l.null, l.text, l.indexed = true, l.text[:0], false
}

func (l *listagg) base(col arrow.Array, row int) error {
	l.reset()
	return l.add(col, row)
}

func (l *listagg) add(col arrow.Array, row int) error {
	if col.IsNull(row) {
		return nil
	}
	return l.join(cell.TextBytes(col.(*array.String), row))
}

func (l *listagg) join(in []byte) error {
	switch empty := l.null || len(l.text) == 0; {
	case empty:
		l.text = append(l.text[:0], in...)
	case len(in) == 0:
	case l.distinct:
		l.joinNew(in)
	default:
		l.text = append(append(l.text, l.delimiter...), in...)
	}
	l.null = false
	return nil
}

// joinNew appends the tokens that the text does not hold.
func (l *listagg) joinNew(in []byte) {
	if !l.indexed {
		l.index.Reset()
		l.tokens = l.tokens[:0]
		for from, to := range l.split(l.text) {
			l.token(from, to)
		}
		// Where a delimiter is longer or none, a text joined of tokens may split into others.
		l.indexed = len(l.delimiter) == 1
	}
	for from, to := range l.split(in) {
		token := in[from:to]
		if len(token) == 0 || l.has(token) {
			continue
		}
		l.text = append(l.text, l.delimiter...)
		at := len(l.text)
		l.text = append(l.text, token...)
		l.token(at, len(l.text))
	}
}

func (l *listagg) token(from, to int) {
	l.index.Add(cell.HashBytes(l.text[from:to]))
	l.tokens = append(l.tokens, [2]int{from, to})
}

func (l *listagg) has(token []byte) bool {
	return l.index.Find(cell.HashBytes(token), func(pos int) bool {
		return bytes.Equal(l.text[l.tokens[pos][0]:l.tokens[pos][1]], token)
	}) >= 0
}

// split yields where tokens begin and end. Without a delimiter a text is split
// at blanks, though joined without any, as Paimon does.
func (l *listagg) split(text []byte) func(yield func(from, to int) bool) {
	delimiter := l.delimiter
	if len(delimiter) == 0 {
		delimiter = []byte(" ")
	}
	return func(yield func(from, to int) bool) {
		from := 0
		for {
			n := bytes.Index(text[from:], delimiter)
			if n < 0 {
				yield(from, len(text))
				return
			}
			if !yield(from, from+n) {
				return
			}
			from += n + len(delimiter)
		}
	}
}

// addLate puts the late text first.
func (l *listagg) addLate(col arrow.Array, row int) error {
	if l.null || col.IsNull(row) {
		return l.add(col, row)
	}
	l.late = append(l.late[:0], l.text...)
	if err := l.base(col, row); err != nil {
		return err
	}
	return l.join(l.late)
}

func (l *listagg) retract(arrow.Array, int) error { return cannotRetract(l.column, "listagg") }

func (l *listagg) appendTo(b array.Builder) error {
	if l.null {
		b.AppendNull()
		return nil
	}
	return cell.AppendBytes(b.(*array.StringBuilder).BinaryBuilder, l.text)
}
