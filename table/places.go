package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/manifest"
)

// placeField is a column that says where a stored row lies: its file, by
// number, in the upper bits and its physical row in the lower ones. Rows of
// files that cannot match the filter lie nowhere.
var placeField = arrow.Field{Name: "_PLACE", Type: arrow.PrimitiveTypes.Int64}

const (
	placeBits = 40
	nowhere   = int64(-1)
)

// places numbers the files of a section.
type places struct {
	files  []manifest.DataFile
	number map[string]int64 // nowhere for files that only hide older versions
	always map[string]bool  // columns that are read even there: what merging looks at
}

// narrow takes from the columns of a file whose rows cannot match all but
// what merging needs. The others come out as nulls that nobody looks at.
func (p *places) narrow(file string, plans []columnPlan) {
	if p == nil || p.number[file] != nowhere {
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
		cells[i] = number<<placeBits | (first + int64(i))
		if number == nowhere {
			cells[i] = nowhere
		}
	}
	data := array.NewData(arrow.PrimitiveTypes.Int64, n, []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer data.Release()
	return array.NewInt64Data(data)
}
