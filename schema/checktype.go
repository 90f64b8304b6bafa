package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
)

// checkType reports parameters out of range, missing children and unusable
// member names in a type, all at once. Types that come from ParseType only fail
// here for their names; types built by hand may fail in every way.
func checkType(t Type, depth int) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fault.Invalid("type "+t.Kind.String()+": "+fmt.Sprintf(format, args...)))
	}
	if depth > MaxDepth {
		bad("nests deeper than %d", MaxDepth)
		return errors.Join(errs...)
	}
	switch t.Kind {
	case Char, VarChar, Binary, VarBinary:
		if t.Length < 1 || t.Length > MaxLength {
			bad("length %d, must be 1 to %d", t.Length, MaxLength)
		}
	case Decimal:
		if t.Precision < 1 || t.Precision > MaxDecimalPrecision {
			bad("precision %d, must be 1 to %d", t.Precision, MaxDecimalPrecision)
		} else if t.Scale < 0 || t.Scale > t.Precision {
			bad("scale %d, must be 0 to %d", t.Scale, t.Precision)
		}
	case Time, Timestamp, TimestampLTZ:
		if t.Precision < 0 || t.Precision > MaxTimePrecision {
			bad("precision %d, must be 0 to %d", t.Precision, MaxTimePrecision)
		}
	case Row:
		errs = append(errs, checkRow(t, depth))
	case Array, Multiset, Map, Vector:
		errs = append(errs, checkChildren(t, depth))
	case 0:
		bad("no kind")
	}
	return errors.Join(errs...)
}

func checkChildren(t Type, depth int) error {
	var errs []error
	check := func(what string, child *Type) {
		if child == nil {
			errs = append(errs, fault.Invalid("type "+t.Kind.String()+": no "+what+" type"))
			return
		}
		errs = append(errs, checkType(*child, depth+1))
	}
	if t.Kind == Map {
		check("key", t.Key)
		check("value", t.Elem)
	} else {
		check("element", t.Elem)
	}
	if t.Kind == Vector && t.Length < 1 {
		errs = append(errs, fault.Invalid("type VECTOR: length "+strconv.Itoa(t.Length)+", must be at least 1"))
	}
	return errors.Join(errs...)
}

func checkRow(t Type, depth int) error {
	if len(t.Fields) == 0 {
		return fault.Invalid("type ROW: no members")
	}
	var errs []error
	seen := map[string]bool{}
	for _, f := range t.Fields {
		if err := checkName("ROW member", f.Name); err != nil {
			errs = append(errs, err)
		} else if seen[f.Name] {
			errs = append(errs, fault.Invalid("type ROW: member "+strconv.Quote(f.Name)+" appears twice"))
		}
		seen[f.Name] = true
		if err := checkType(f.Type, depth+1); err != nil {
			errs = append(errs, fmt.Errorf("member %s: %w", strconv.Quote(f.Name), err))
		}
	}
	return errors.Join(errs...)
}

func checkName(what, name string) error {
	if strings.TrimSpace(name) == "" {
		return fault.Invalid(what + " without a name")
	}
	if !utf8.ValidString(name) {
		return fault.Invalid(what + " " + strconv.Quote(name) + ": the name is not UTF-8")
	}
	return nil
}

// refusedIn finds the first type within t that can neither be read nor written.
func refusedIn(t Type) (Type, bool) {
	if t.Kind.Refused() {
		return t, true
	}
	for _, child := range []*Type{t.Key, t.Elem} {
		if child != nil {
			if bad, found := refusedIn(*child); found {
				return bad, true
			}
		}
	}
	for _, f := range t.Fields {
		if bad, found := refusedIn(f.Type); found {
			return bad, true
		}
	}
	return Type{}, false
}

// refusedColumns names every column whose type is refused.
func refusedColumns(fields []Field) []error {
	var errs []error
	for _, f := range fields {
		if bad, found := refusedIn(f.Type); found {
			errs = append(errs, fmt.Errorf("column %s: %w", strconv.Quote(f.Name), refusedType(bad)))
		}
	}
	return errs
}
