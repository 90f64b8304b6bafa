package cdc

import (
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// mysqlSource is the column that a MySQL type such as "decimal(10,2) unsigned"
// or "enum('a','b')" declares. A type without an equal here is text.
func mysqlSource(declared string) *source {
	word, args, rest := splitType(declared)
	unsigned := strings.Contains(rest, "unsigned")
	arg := func(i, otherwise int) int {
		if i < len(args) {
			if n, err := strconv.Atoi(strings.TrimSpace(args[i])); err == nil && n >= 0 && n <= schema.MaxLength {
				return n
			}
		}
		return otherwise
	}
	if pair, ok := mysqlIntegers[word]; ok {
		t := pair[0]
		if unsigned {
			t = pair[1]
		}
		return canalColumn(declared, t)
	}
	s := canalColumn(declared, stringType())
	switch word {
	case "bool", "boolean":
		s.typ = scalar(schema.Boolean)
	case "float":
		s.typ = scalar(schema.Float)
	case "double", "real":
		s.typ = scalar(schema.Double)
	case "decimal", "numeric", "dec", "fixed":
		s.typ = decimalType(arg(0, 10), arg(1, 0))
	case "date":
		s.typ = scalar(schema.Date)
	case "time":
		s.typ = timed(schema.Time, min(arg(0, 0), 6))
	case "datetime":
		s.typ = timed(schema.Timestamp, min(arg(0, 0), 6))
	case "timestamp":
		s.typ = timed(schema.TimestampLTZ, min(arg(0, 0), 6))
	case "bit":
		if n := arg(0, 1); n == 1 {
			s.typ = scalar(schema.Boolean)
		} else {
			s.form, s.width, s.typ = formBitText, (min(n, 64)+7)/8, bytesType()
		}
	case "binary":
		s.form, s.width, s.typ = formLatin1, min(arg(0, 1), 255), bytesType()
	case "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		s.form, s.typ = formLatin1, bytesType()
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		s.form, s.typ = formPoint, bytesType()
	case "enum":
		s.form, s.labels = formEnum, args
	case "set":
		s.form, s.labels = formSet, args
	}
	return s
}

// mysqlIntegers maps each integer type to its signed and unsigned column type.
var mysqlIntegers = map[string][2]schema.Type{
	"tinyint":   {scalar(schema.TinyInt), scalar(schema.SmallInt)},
	"smallint":  {scalar(schema.SmallInt), scalar(schema.Int)},
	"mediumint": {scalar(schema.Int), scalar(schema.Int)},
	"int":       {scalar(schema.Int), scalar(schema.BigInt)},
	"integer":   {scalar(schema.Int), scalar(schema.BigInt)},
	"bigint":    {scalar(schema.BigInt), decimalType(20, 0)},
	"year":      {scalar(schema.Int), scalar(schema.Int)},
}

// splitType parts word(args) rest, and takes quotes off the args.
func splitType(declared string) (word string, args []string, rest string) {
	open := strings.IndexByte(declared, '(')
	if open < 0 {
		word, rest, _ = strings.Cut(strings.ToLower(strings.TrimSpace(declared)), " ")
		return word, nil, rest
	}
	word = strings.ToLower(strings.TrimSpace(declared[:open]))
	var arg strings.Builder
	quoted := false
	for i := open + 1; i < len(declared); i++ {
		c := declared[i]
		switch {
		case c == '\'' && quoted && i+1 < len(declared) && declared[i+1] == '\'':
			arg.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case c == ',' && !quoted:
			args = append(args, arg.String())
			arg.Reset()
		case c == ')' && !quoted:
			return word, append(args, arg.String()), strings.ToLower(declared[i+1:])
		default:
			arg.WriteByte(c)
		}
	}
	return word, append(args, arg.String()), ""
}
