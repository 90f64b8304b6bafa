package manifest

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// StatsMode says how much of a column's statistics is stored (section 4.5).
// The zero value stores nothing.
type StatsMode struct {
	counts bool // store null counts
	bounds bool // store least and greatest values
	length int  // cut strings to this many code points, 0 = whole
}

// The modes without a parameter.
var (
	StatsNone   = StatsMode{}
	StatsCounts = StatsMode{counts: true}
	StatsFull   = StatsMode{counts: true, bounds: true}
)

// StatsTruncate stores strings cut to n code points, n > 0.
func StatsTruncate(n int) StatsMode { return StatsMode{counts: true, bounds: true, length: n} }

// systemMode is the mode of key and system columns, whatever is configured.
var systemMode = StatsTruncate(128)

// String is the mode as an option's value.
func (m StatsMode) String() string {
	switch {
	case m.length > 0:
		return "truncate(" + strconv.Itoa(m.length) + ")"
	case m.bounds:
		return "full"
	case m.counts:
		return "counts"
	}
	return "none"
}

// ParseStatsMode reads none, counts, full or truncate(n), in any case.
func ParseStatsMode(text string) (StatsMode, error) {
	switch lower := strings.ToLower(text); lower {
	case "none":
		return StatsNone, nil
	case "counts":
		return StatsCounts, nil
	case "full":
		return StatsFull, nil
	default:
		if inner, ok := strings.CutPrefix(lower, "truncate("); ok {
			if inner, ok = strings.CutSuffix(inner, ")"); ok {
				if n, err := strconv.ParseUint(inner, 10, 31); err == nil && n > 0 {
					return StatsTruncate(int(n)), nil
				}
			}
		}
	}
	return StatsMode{}, fault.Invalid("statistics mode " + strconv.Quote(text) + ": want none, counts, full or truncate(n) with n > 0")
}

// StatsModes resolves the mode of each column of a file. byField holds the
// values of fields.<column>.stats-mode and wins; system and key columns keep
// 128 code points, and so do the columns named in thinKeys (the primary key
// under data-file.thin-mode); of the rest, the first keepFirst
// (metadata.stats-keep-first-n-columns, negative = all) have mode, the value
// of metadata.stats-mode or of its override for the file's level or kind.
func StatsModes(names []string, mode string, byField map[string]string, keepFirst int, thinKeys []string) ([]StatsMode, error) {
	common, err := ParseStatsMode(mode)
	if err != nil {
		return nil, err
	}
	thin := make(map[string]bool, len(thinKeys))
	for _, k := range thinKeys {
		thin[k] = true
	}
	out := make([]StatsMode, len(names))
	for i, counted := 0, 0; i < len(names); i++ {
		own, ok := byField[names[i]]
		switch {
		case ok:
			if out[i], err = ParseStatsMode(own); err != nil {
				return nil, err
			}
		case isSystem(names[i]) || thin[names[i]]:
			out[i] = systemMode
			continue
		case keepFirst < 0 || counted < keepFirst:
			out[i] = common
		}
		counted++
	}
	return out, nil
}

// AvroStatsModes are the modes of all columns of an Avro file, where Paimon
// counts key and system columns like any other. Errors are ErrInvalid.
func AvroStatsModes(names []string, mode string, byField map[string]string, keepFirst int) ([]StatsMode, error) {
	common, err := ParseStatsMode(mode)
	out := make([]StatsMode, len(names))
	for i, name := range names {
		own, ok := byField[name]
		switch {
		case err != nil:
			return nil, err
		case ok:
			out[i], err = ParseStatsMode(own)
		case keepFirst < 0 || i < keepFirst:
			out[i] = common
		}
	}
	return out, err
}

func isSystem(name string) bool {
	switch name {
	case schema.SequenceName, schema.ValueKindName, "_LEVEL", "rowkind", "_ROW_ID":
		return true
	}
	return strings.HasPrefix(name, schema.KeyPrefix)
}

// apply reduces the statistics of a column to what the mode stores.
func (m StatsMode) apply(t schema.Type, c datafile.ColumnStats) datafile.ColumnStats {
	if !m.counts {
		return datafile.ColumnStats{Nulls: -1}
	}
	if c.Nulls < 0 {
		c.Nulls = -1
	}
	if !m.bounds || !hasBounds(t) {
		return datafile.ColumnStats{Nulls: c.Nulls}
	}
	if m.length == 0 || t.Kind != schema.Char && t.Kind != schema.VarChar {
		return c
	}
	if s, ok := c.Min.(string); ok {
		c.Min = s[:prefix(s, m.length)]
	}
	if s, ok := c.Max.(string); ok {
		upper, ok := upperBound(s, m.length)
		if !ok {
			return datafile.ColumnStats{Nulls: c.Nulls}
		}
		c.Max = upper
	}
	return c
}

// prefix is the number of bytes of the first n code points.
func prefix(s string, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

// upperBound is a string of at most n code points that is not less than s: s
// itself when it is that short, else its prefix with the last code point that
// can grow made one larger. Surrogates are stepped over, as they have no
// encoding. ok is false when nothing can grow.
func upperBound(s string, n int) (bound string, ok bool) {
	cut := prefix(s, n)
	if cut == len(s) {
		return s, true
	}
	for cut > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:cut])
		cut -= size
		if r == utf8.RuneError && size == 1 { // not a code point
			continue
		}
		switch {
		case r == utf8.MaxRune:
			continue
		case r == 0xD7FF:
			r = 0xE000
		default:
			r++
		}
		return s[:cut] + string(r), true
	}
	return "", false
}
