package manifest

import (
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// Stats are the statistics of a list of columns (section 4.5). The zero value
// is the statistics of no columns.
type Stats struct {
	Min          []byte    `json:"min"`                    // body of the binary row of minima; a null column is unknown or all null
	Max          []byte    `json:"max"`                    // body of the binary row of maxima
	Arity        int       `json:"arity"`                  // columns of Min and Max; 0 = as many as NullCounts has
	NullCounts   []int64   `json:"nullCounts"`             // per column, -1 = unknown
	NoNullCounts bool      `json:"noNullCounts,omitempty"` // the file holds null in place of the counts
	Extra        []Unknown `json:"extra,omitempty"`
}

// arity is the number of columns covered.
func (s *Stats) arity() int {
	if s.Arity == 0 {
		return len(s.NullCounts)
	}
	return s.Arity
}

// ColumnFunc looks up the statistics of a column by name. ok is false when
// nothing is known. A nil min or max means unknown, unless nulls equals the
// number of rows; nulls is -1 when unknown.
type ColumnFunc = func(column string) (min, max any, nulls int64, ok bool)

// Column decodes the statistics of column i; fields are the columns that s
// covers, in order. ok is false when nothing is known, and also when the
// stored row cannot be read: statistics only ever help to skip.
func (s Stats) Column(fields []schema.Field, i int) (min, max any, nulls int64, ok bool) {
	if i < 0 || i >= len(fields) {
		return nil, nil, -1, false
	}
	return s.Columns(fields)(fields[i].Name)
}

// Columns gives the statistics by column name; fields are the columns that s
// covers, in order. The rows are decoded on the first call. The result is not
// safe for concurrent use.
func (s Stats) Columns(fields []schema.Field) ColumnFunc {
	var mins, maxs []any
	decoded := false
	return func(column string) (any, any, int64, bool) {
		i := indexOf(fields, column)
		if i < 0 || len(fields) != s.arity() {
			return nil, nil, -1, false
		}
		if !decoded {
			decoded = true
			types := typesOf(fields)
			var err error
			if mins, err = decodeRow(types, s.Min); err == nil {
				maxs, err = decodeRow(types, s.Max)
			}
			if err != nil {
				mins, maxs = nil, nil
			}
		}
		nulls := int64(-1)
		if i < len(s.NullCounts) {
			nulls = s.NullCounts[i]
		}
		if i >= len(mins) || i >= len(maxs) {
			return nil, nil, nulls, nulls >= 0
		}
		return mins[i], maxs[i], nulls, nulls >= 0 || mins[i] != nil || maxs[i] != nil
	}
}

func indexOf(fields []schema.Field, name string) int {
	for i := range fields {
		if fields[i].Name == name {
			return i
		}
	}
	return -1
}

// ValueColumns gives the file's value statistics by column name; fields are
// all columns of the schema the file was written with (DataFile.SchemaID),
// from which ValueStatsCols or WriteCols select.
func (f *DataFile) ValueColumns(fields []schema.Field) ColumnFunc {
	covered := fields
	switch {
	case f.HasValueStatsCols:
		covered = selectFields(fields, f.ValueStatsCols)
	case f.WriteCols != nil:
		covered = selectFields(fields, f.WriteCols)
	}
	return f.ValueStats.Columns(covered)
}

// selectFields picks columns by name; a name that is not there makes the
// result empty, which no statistics match.
func selectFields(fields []schema.Field, names []string) []schema.Field {
	out := make([]schema.Field, 0, len(names))
	for _, name := range names {
		i := indexOf(fields, name)
		if i < 0 {
			return nil
		}
		out = append(out, fields[i])
	}
	return out
}

// BuildStats stores column statistics under the mode of each column, for all
// columns: the form of key statistics and partition statistics.
func BuildStats(fields []schema.Field, cols []datafile.ColumnStats, mode func(i int) StatsMode) (Stats, error) {
	if len(fields) != len(cols) {
		return Stats{}, fault.Invalid(fmt.Sprintf("statistics of %d columns for %d columns", len(cols), len(fields)))
	}
	kept := make([]datafile.ColumnStats, len(cols))
	for i := range cols {
		kept[i] = mode(i).apply(fields[i].Type, cols[i])
	}
	return packStats(fields, kept)
}

// DenseValueStats is BuildStats that leaves out columns of which nothing is
// known (metadata.stats-dense-store). names lists the columns covered; has is
// false when that is all of them, as DataFile.HasValueStatsCols wants it.
func DenseValueStats(fields []schema.Field, cols []datafile.ColumnStats, mode func(i int) StatsMode) (s Stats, names []string, has bool, err error) {
	if len(fields) != len(cols) {
		return Stats{}, nil, false, fault.Invalid(fmt.Sprintf("statistics of %d columns for %d columns", len(cols), len(fields)))
	}
	var covered []schema.Field
	var kept []datafile.ColumnStats
	names = []string{}
	for i := range cols {
		c := mode(i).apply(fields[i].Type, cols[i])
		if c.Min == nil && c.Max == nil && c.Nulls < 0 {
			continue
		}
		covered, kept, names = append(covered, fields[i]), append(kept, c), append(names, fields[i].Name)
	}
	if s, err = packStats(covered, kept); err != nil {
		return Stats{}, nil, false, err
	}
	if len(covered) == len(fields) {
		return s, nil, false, nil
	}
	return s, names, true, nil
}

// packStats encodes the rows of minima and maxima.
func packStats(fields []schema.Field, cols []datafile.ColumnStats) (s Stats, err error) {
	types := typesOf(fields)
	mins, maxs := make([]any, len(cols)), make([]any, len(cols))
	s.Arity, s.NullCounts = len(cols), make([]int64, len(cols))
	for i, c := range cols {
		mins[i], maxs[i], s.NullCounts[i] = c.Min, c.Max, c.Nulls
	}
	if s.Min, err = encodeRow(types, mins); err != nil {
		return Stats{}, fmt.Errorf("statistics: %w", err)
	}
	if s.Max, err = encodeRow(types, maxs); err != nil {
		return Stats{}, fmt.Errorf("statistics: %w", err)
	}
	return s, nil
}
