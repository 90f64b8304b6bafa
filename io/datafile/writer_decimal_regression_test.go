package datafile

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/schema"
)

// Paimon in Java up to 1.4 skips row groups in which "wide = 7" holds when the
// column has a dictionary: rows would be missing there without an error.
func TestWideDecimalHasNoDictionaryThatJavaWouldMisread(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{field(1, "narrow", opt(decimal(18, 2))), field(2, "wide", opt(decimal(19, 2)))}
	b := array.NewRecordBuilder(mem, arrowSchema(fields))
	defer b.Release()
	for i := range int64(10000) {
		b.Field(0).(*array.Decimal128Builder).Append(decimal128.FromI64(i % 7))
		b.Field(1).(*array.Decimal128Builder).Append(decimal128.FromI64(i % 7))
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	yes := true
	for _, choice := range []*bool{nil, &yes} {
		data, _ := writeAll(t, fields, WriterOptions{Alloc: mem, Dictionary: func(string) *bool { return choice }}, rec)
		for i, want := range []bool{true, false} {
			c, err := openArrow(t, data).MetaData().RowGroup(0).ColumnChunk(i)
			if err != nil {
				t.Fatal(err)
			}
			if c.HasDictionaryPage() != want {
				t.Errorf("column %s: dictionary %v", fields[i].Name, !want)
			}
		}
	}
}
