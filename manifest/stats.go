package manifest

import "github.com/tidelake/tidelake/schema"

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

// ColumnFunc looks up the statistics of a column by name. ok is false when
// nothing is known. A nil min or max means unknown, unless nulls equals the
// number of rows; nulls is -1 when unknown.
type ColumnFunc = func(column string) (min, max any, nulls int64, ok bool)

// Column decodes the statistics of column i of the given columns.
func (s Stats) Column(fields []schema.Field, i int) (min, max any, nulls int64, ok bool) {
	panic("todo")
}

// Columns gives the statistics by column name; fields are the columns that s covers, in order.
func (s Stats) Columns(fields []schema.Field) ColumnFunc { panic("todo") }

// ValueColumns gives the file's value statistics by column name; fields are
// all columns of the schema the file was written with.
func (f *DataFile) ValueColumns(fields []schema.Field) ColumnFunc { panic("todo") }
