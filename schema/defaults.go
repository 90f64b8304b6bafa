package schema

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// checkDefault checks that a column's default text reads as a value of its type.
// It looks at the form only; calendar and time zone are left to the cast that
// applies the default.
func checkDefault(f Field) error {
	text, given := f.DefaultText()
	if !given {
		return nil
	}
	if f.Type.Kind.Nested() || f.Type.Kind.Refused() {
		return fault.Invalid("a column of type " + f.Type.Kind.String() + " takes no default")
	}
	if !defaultFits(f.Type, text) {
		return fault.Invalid("default " + strconv.Quote(text) + " is no value of type " + f.Type.String())
	}
	return nil
}

var (
	dateForm      = regexp.MustCompile(`^-?\d{1,6}(-\d{1,2}(-\d{1,2})?)?([ T].*)?$`)
	timeForm      = regexp.MustCompile(`^\d{1,2}(:\d{1,2}(:\d{1,2}(\.\d{0,9})?)?)?$`)
	timestampForm = regexp.MustCompile(`^-?\d{1,6}-\d{1,2}-\d{1,2}([ T]\d{1,2}(:\d{1,2}(:\d{1,2}(\.\d{0,9})?)?)?( ?(Z|[+-]\d{1,2}(:?\d{2})?))?)?$`)
	decimalForm   = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)
)

func defaultFits(t Type, text string) bool {
	trimmed := strings.TrimSpace(text)
	switch t.Kind {
	case Boolean:
		switch strings.ToLower(trimmed) {
		case "t", "true", "y", "yes", "1", "f", "false", "n", "no", "0":
			return true
		}
		return false
	case TinyInt:
		return isInteger(trimmed, 8)
	case SmallInt:
		return isInteger(trimmed, 16)
	case Int:
		return isInteger(trimmed, 32)
	case BigInt:
		return isInteger(trimmed, 64)
	case Float:
		_, err := strconv.ParseFloat(trimmed, 32)
		return err == nil
	case Double:
		_, err := strconv.ParseFloat(trimmed, 64)
		return err == nil
	case Decimal:
		return fitsDecimal(trimmed, t)
	case Date:
		return dateForm.MatchString(trimmed)
	case Time:
		return timeForm.MatchString(trimmed)
	case Timestamp, TimestampLTZ:
		return timestampForm.MatchString(trimmed)
	}
	return true
}

func isInteger(text string, bits int) bool {
	_, err := strconv.ParseInt(text, 10, bits)
	return err == nil
}

// fitsDecimal checks that the integer part fits; digits behind the scale are
// rounded by the cast.
func fitsDecimal(text string, t Type) bool {
	if !decimalForm.MatchString(text) {
		return false
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return false
	}
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Precision-t.Scale)), nil)
	return value.Abs(value).Cmp(new(big.Rat).SetInt(limit)) < 0
}
