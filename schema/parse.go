package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
)

// ParseType reads a type from SQL text: "INT NOT NULL", "DECIMAL(10, 2)",
// "ARRAY<STRING>", "ROW<x INT, `y z` MAP<STRING, BIGINT NOT NULL> 'comment'>".
// Words may be in any case and the usual synonyms are known (INTEGER, NUMERIC,
// TIMESTAMP_LTZ, …); a type is nullable unless NOT NULL follows it. Members of
// a ROW come back with the id NoID. Errors name the position.
func ParseType(text string) (Type, error) {
	if !utf8.ValidString(text) {
		return Type{}, fault.Invalid("type text is not UTF-8")
	}
	p := typeParser{text: text}
	p.advance()
	t := p.parseType(1)
	if p.err == nil && p.tok.kind != tokenEnd {
		p.fail("unexpected %q after the type", p.tok.text)
	}
	if p.err != nil {
		return Type{}, p.err
	}
	return t, nil
}

// typeParser is a recursive descent over the tokens. The first error sticks and
// turns the rest into no-ops.
type typeParser struct {
	text string
	next int
	tok  token
	err  error
}

func (p *typeParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fault.Invalid(fmt.Sprintf("type %s at position %d: ", quoteShort(p.text), p.tok.pos+1) + fmt.Sprintf(format, args...))
		p.tok = token{kind: tokenEnd, pos: p.tok.pos}
		p.next = len(p.text)
	}
}

func quoteShort(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return strconv.Quote(s)
}

func (p *typeParser) advance() {
	p.tok, p.next = nextToken(p.text, p.next)
	if p.tok.kind == tokenBad {
		p.fail("the quote that opens here never closes")
	}
}

func (p *typeParser) isSymbol(s string) bool { return p.tok.kind == tokenSymbol && p.tok.text == s }

func (p *typeParser) isWord(w string) bool {
	return p.tok.kind == tokenWord && strings.EqualFold(p.tok.text, w)
}

func (p *typeParser) acceptSymbol(s string) bool {
	if !p.isSymbol(s) {
		return false
	}
	p.advance()
	return true
}

func (p *typeParser) acceptWord(w string) bool {
	if !p.isWord(w) {
		return false
	}
	p.advance()
	return true
}

func (p *typeParser) expectSymbol(s string) {
	if !p.acceptSymbol(s) {
		p.fail("%q expected", s)
	}
}

func (p *typeParser) expectWords(words ...string) {
	for _, w := range words {
		if !p.acceptWord(w) {
			p.fail("%s expected", w)
		}
	}
}

// parseType reads one type with its nullability and the postfix forms INT ARRAY and INT MULTISET.
func (p *typeParser) parseType(depth int) Type {
	t := p.parseBare(depth)
	t.Nullable = p.parseNullability()
	for ; p.err == nil; depth++ {
		kind := Kind(0)
		switch {
		case p.isWord("ARRAY"):
			kind = Array
		case p.isWord("MULTISET"):
			kind = Multiset
		default:
			return t
		}
		if depth >= MaxDepth {
			p.fail("types nest deeper than %d", MaxDepth)
			return t
		}
		p.advance()
		elem := t
		t = Type{Kind: kind, Elem: &elem}
		t.Nullable = p.parseNullability()
	}
	return t
}

func (p *typeParser) parseNullability() bool {
	if p.acceptWord("NOT") {
		p.expectWords("NULL")
		return false
	}
	p.acceptWord("NULL")
	return true
}

func (p *typeParser) parseBare(depth int) Type {
	if depth > MaxDepth {
		p.fail("types nest deeper than %d", MaxDepth)
		return Type{}
	}
	if p.tok.kind != tokenWord {
		p.fail("a type expected")
		return Type{}
	}
	word, at := strings.ToUpper(p.tok.text), p.tok
	p.advance()
	switch word {
	case "CHAR":
		return Type{Kind: Char, Length: p.length()}
	case "VARCHAR":
		return Type{Kind: VarChar, Length: p.length()}
	case "STRING":
		return Type{Kind: VarChar, Length: MaxLength}
	case "BINARY":
		return Type{Kind: Binary, Length: p.length()}
	case "VARBINARY":
		return Type{Kind: VarBinary, Length: p.length()}
	case "BYTES":
		return Type{Kind: VarBinary, Length: MaxLength}
	case "DECIMAL", "NUMERIC", "DEC":
		return p.decimal()
	case "INTEGER":
		return Type{Kind: Int}
	case "DOUBLE":
		p.acceptWord("PRECISION")
		return Type{Kind: Double}
	case "TIME":
		t := Type{Kind: Time, Precision: p.precision(0)}
		p.withoutTimeZone()
		return t
	case "TIMESTAMP":
		return p.timestamp()
	case "TIMESTAMP_LTZ":
		return Type{Kind: TimestampLTZ, Precision: p.precision(6)}
	case "ARRAY", "MULTISET", "MAP", "ROW", "VECTOR":
		return p.nested(word, depth)
	case "BOOLEAN":
		return Type{Kind: Boolean}
	case "TINYINT":
		return Type{Kind: TinyInt}
	case "SMALLINT":
		return Type{Kind: SmallInt}
	case "INT":
		return Type{Kind: Int}
	case "BIGINT":
		return Type{Kind: BigInt}
	case "FLOAT":
		return Type{Kind: Float}
	case "DATE":
		return Type{Kind: Date}
	case "VARIANT":
		return Type{Kind: Variant}
	case "BLOB":
		return Type{Kind: Blob}
	}
	p.tok = at
	p.fail("%q is no type%s", at.text, otherWord(word))
	return Type{}
}

// otherWord says which type another dialect, or a slip, may mean by a word.
func otherWord(word string) string {
	if name, ok := elsewhere[word]; ok {
		return ", write " + name
	}
	return suggestion(word, typeWords)
}

var (
	typeWords = []string{"CHAR", "VARCHAR", "STRING", "BINARY", "VARBINARY", "BYTES", "DECIMAL", "NUMERIC", "INTEGER", "DOUBLE", "TIME", "TIMESTAMP",
		"TIMESTAMP_LTZ", "ARRAY", "MULTISET", "MAP", "ROW", "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DATE"}
	elsewhere = map[string]string{"BYTE": "TINYINT", "SHORT": "SMALLINT", "LONG": "BIGINT", "REAL": "FLOAT", "BOOL": "BOOLEAN", "CHARACTER": "CHAR", "TEXT": "STRING",
		"DATETIME": "TIMESTAMP", "TIMESTAMP_NTZ": "TIMESTAMP", "STRUCT": "ROW<name TYPE, …>", "JSON": "STRING", "UUID": "STRING"}
)

func (p *typeParser) nested(word string, depth int) Type {
	if word == "ROW" {
		return Type{Kind: Row, Fields: p.rowFields(depth)}
	}
	p.expectSymbol("<")
	first := p.parseType(depth + 1)
	var t Type
	switch word {
	case "ARRAY":
		t = Type{Kind: Array, Elem: &first}
	case "MULTISET":
		t = Type{Kind: Multiset, Elem: &first}
	case "MAP":
		p.expectSymbol(",")
		value := p.parseType(depth + 1)
		t = Type{Kind: Map, Key: &first, Elem: &value}
	case "VECTOR":
		p.expectSymbol(",")
		t = Type{Kind: Vector, Elem: &first, Length: p.number("length of VECTOR", 1, MaxLength)}
	}
	p.expectSymbol(">")
	return t
}

// rowFields reads the members of a ROW, in angle brackets or in parentheses.
func (p *typeParser) rowFields(depth int) []Field {
	end := ">"
	if p.acceptSymbol("(") {
		end = ")"
	} else {
		p.expectSymbol("<")
	}
	fields := []Field{}
	for !p.acceptSymbol(end) {
		if len(fields) > 0 {
			p.expectSymbol(",")
		}
		if p.err != nil {
			return nil
		}
		fields = append(fields, p.rowField(depth))
	}
	return fields
}

func (p *typeParser) rowField(depth int) Field {
	f := Field{ID: NoID, Name: p.tok.text}
	if p.tok.kind != tokenWord && p.tok.kind != tokenName {
		p.fail("the name of a ROW member expected")
		return f
	}
	p.advance()
	f.Type = p.parseType(depth + 1)
	comment := p.acceptWord("COMMENT")
	if p.tok.kind == tokenString {
		f.Description = p.tok.text
		p.advance()
	} else if comment {
		p.fail("a quoted comment expected")
	}
	return f
}

func (p *typeParser) decimal() Type {
	t := Type{Kind: Decimal, Precision: 10}
	if p.acceptSymbol("(") {
		t.Precision = p.number("precision of DECIMAL", 1, MaxDecimalPrecision)
		if p.acceptSymbol(",") {
			t.Scale = p.number("scale of DECIMAL", 0, t.Precision)
		}
		p.expectSymbol(")")
	}
	return t
}

func (p *typeParser) timestamp() Type {
	t := Type{Kind: Timestamp, Precision: p.precision(6)}
	if p.acceptWord("WITH") {
		p.expectWords("LOCAL", "TIME", "ZONE")
		t.Kind = TimestampLTZ
	} else {
		p.withoutTimeZone()
	}
	return t
}

func (p *typeParser) withoutTimeZone() {
	if p.acceptWord("WITHOUT") {
		p.expectWords("TIME", "ZONE")
	}
}

func (p *typeParser) length() int {
	n := 1
	if p.acceptSymbol("(") {
		n = p.number("length", 1, MaxLength)
		p.expectSymbol(")")
	}
	return n
}

func (p *typeParser) precision(n int) int {
	if p.acceptSymbol("(") {
		n = p.number("precision", 0, MaxTimePrecision)
		p.expectSymbol(")")
	}
	return n
}

func (p *typeParser) number(what string, low, high int) int {
	if p.tok.kind != tokenNumber {
		p.fail("%s expected", what)
		return low
	}
	n, err := strconv.ParseInt(p.tok.text, 10, 32)
	if err != nil || int(n) < low || int(n) > high {
		p.fail("%s is %s, must be %d to %d", what, p.tok.text, low, high)
		return low
	}
	p.advance()
	return int(n)
}
