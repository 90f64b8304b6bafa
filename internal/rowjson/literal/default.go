package literal

import (
	"errors"
	"strings"
	"time"

	"github.com/tidelake/tidelake/schema"
)

// maxPadded bounds what a default may grow to, whatever length its type declares.
const maxPadded = 1 << 20

// CastDefault turns the text of a column default into its metadata value, by
// the rules of Paimon's own cast from a string, which differ from Cast: one
// pair of single quotes around the text is dropped, a CHAR is padded with
// blanks and text too long is cut, BINARY holds the text's own bytes padded
// with zeros, a fraction of a whole number is dropped, decimals round half up,
// digits below the precision of a TIMESTAMP are dropped, and bare digits stand
// for a count of days, milliseconds or units. What Paimon would turn into null
// is an error here.
func CastDefault(text string, t schema.Type, loc *time.Location) (any, error) {
	if len(text) >= 2 && strings.HasPrefix(text, "'") && strings.HasSuffix(text, "'") {
		text = text[1 : len(text)-1]
	}
	if t.Length > maxPadded && (t.Kind == schema.Char || t.Kind == schema.Binary) {
		return nil, errors.New("would be padded to more than a megabyte")
	}
	digits := text != "" && skipDigits(text, 0) == len(text)
	switch t.Kind {
	case schema.Char, schema.VarChar:
		return fitText(text, t), nil
	case schema.Binary, schema.VarBinary:
		return fitBytes([]byte(text), t), nil
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		if whole, fraction, ok := strings.Cut(text, "."); ok && skipDigits(fraction, 0) == len(fraction) {
			text = whole
		}
	case schema.Decimal:
		n, err := ParseNumber(text)
		if err != nil {
			return nil, err
		}
		v, ok := n.RoundDecimal(t.Precision, t.Scale)
		if !ok {
			return nil, DecimalError(TooLarge, t.Precision, t.Scale)
		}
		return v, nil
	case schema.Date, schema.Time:
		if digits {
			return Cast(text, schema.Type{Kind: schema.Int}, nil)
		}
	case schema.Timestamp, schema.TimestampLTZ:
		return timestampDefault(text, t, digits, loc)
	}
	return Cast(text, t, loc)
}

func fitText(text string, t schema.Type) string {
	runes := []rune(text)
	switch {
	case len(runes) > t.Length:
		return string(runes[:t.Length])
	case t.Kind == schema.Char:
		return text + strings.Repeat(" ", t.Length-len(runes))
	}
	return text
}

func fitBytes(b []byte, t schema.Type) []byte {
	switch {
	case len(b) > t.Length:
		return b[:t.Length]
	case t.Kind == schema.Binary:
		return append(b, make([]byte, t.Length-len(b))...)
	}
	return b
}

func timestampDefault(text string, t schema.Type, digits bool, loc *time.Location) (any, error) {
	if digits && t.Kind == schema.Timestamp {
		if t.Precision%3 != 0 {
			return nil, errors.New("is a bare number, which needs precision 0, 3, 6 or 9; write a date and time")
		}
		units, err := ParseInteger(text, schema.BigInt)
		if err != nil {
			return nil, err
		}
		return FromUnits(units, t.Precision), nil
	}
	dt, err := ParseDateTime(text)
	switch {
	case err != nil:
		return nil, err
	case t.Kind == schema.TimestampLTZ:
		return Truncate(dt.Instant(loc), t.Precision), nil
	case dt.Zoned:
		return nil, errors.New("has an offset, which only TIMESTAMP_LTZ can hold")
	}
	return Truncate(dt.Wall(), t.Precision), nil
}
