package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/manifest"
)

// place is where a row is stored: the number of its file among some files in
// the upper bits, its physical row in the lower ones.
type place int64

const (
	placeBits = 40
	nowhere   = place(-1)
)

func placeIn(file int, row int64) place { return place(file)<<placeBits | place(row) }

// file is negative for nowhere.
func (p place) file() int { return int(p >> placeBits) }

func (p place) row() int64 { return int64(p & (1<<placeBits - 1)) }

// placeField is a column of the places of rows. Rows of files that cannot match
// the filter lie nowhere.
var placeField = arrow.Field{Name: "_PLACE", Type: arrow.PrimitiveTypes.Int64}

// places numbers the files of a section.
type places struct {
	files  []manifest.DataFile
	number map[string]int  // -1 for files that only hide older versions
	always map[string]bool // columns that are read even there: what merging looks at
}

// narrow takes from the columns of a file whose rows cannot match all but
// what merging needs. The others come out as nulls that nobody looks at.
func (p *places) narrow(file string, plans []columnPlan) {
	if p == nil || p.number[file] >= 0 {
		return
	}
	for i := range plans {
		plans[i].have = plans[i].have && p.always[plans[i].want.Name]
	}
}

// column is the places of n rows of a file, the first of them first.
func (p *places) column(file string, first int64, n int, mem memory.Allocator) arrow.Array {
	buf := memory.NewResizableBuffer(mem)
	defer buf.Release()
	buf.Resize(8 * n)
	cells := arrow.Int64Traits.CastFromBytes(buf.Bytes())
	number := p.number[file]
	for i := range cells {
		cells[i] = int64(nowhere)
		if number >= 0 {
			cells[i] = int64(placeIn(number, first+int64(i)))
		}
	}
	data := array.NewData(arrow.PrimitiveTypes.Int64, n, []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer data.Release()
	return array.NewInt64Data(data)
}
