package partition

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/schema"
)

// CastText is a value of a column as Paimon's cast to STRING prints it, "null"
// for null; loc is the session's time zone.
func CastText(f schema.Field, v any, loc *time.Location) (string, error) {
	if v == nil {
		return "null", nil
	}
	return (&Paths{loc: loc}).text(f, v)
}

// JavaText is a value of a column as Java prints the object that carries it:
// days for a DATE, milliseconds for a TIME, "2026-01-31T12:00" for a TIMESTAMP.
// Of bytes, where that would be an address in memory, it is the hex digits.
func JavaText(f schema.Field, v any) (string, error) {
	if v == nil {
		return "null", nil
	}
	if b, ok := v.([]byte); ok {
		return hex.EncodeToString(b), nil
	}
	return (&Paths{legacy: true}).text(f, v)
}

// RowText is the binary row of these columns as Paimon's cast of a ROW to
// STRING prints it: "{2026-01-31, null}".
func RowText(fields []schema.Field, row []byte, loc *time.Location) (string, error) {
	if len(fields) == 0 {
		return "{}", nil
	}
	types := make([]schema.Type, len(fields))
	for i, f := range fields {
		types[i] = f.Type
	}
	values, err := binaryrow.Decode(types, row)
	if err != nil {
		return "", err
	}
	texts := make([]string, len(fields))
	for i, f := range fields {
		if texts[i], err = CastText(f, values[i], loc); err != nil {
			return "", err
		}
	}
	return "{" + strings.Join(texts, ", ") + "}", nil
}
