package datafile

import "github.com/tidelake/tidelake/internal/fault"

// RangeStats are the statistics of one column over Rows neighbouring rows.
type RangeStats struct {
	Rows int64
	ColumnStats
}

// Ranges returns what the file's indexes say of a top-level column that is
// read: statistics of every page in order, or of the whole row group where it
// has no page index. It decodes no data, and returns nothing for formats
// without statistics. Call it before the first Next.
func (r *Reader) Ranges(column string) (ranges []RangeStats, err error) {
	p, ok := r.src.(*parquetFile)
	if !ok {
		return nil, nil
	}
	err = guard(r.name, func() (err error) {
		ranges, err = p.ranges(column)
		return err
	})
	return ranges, err
}

func (p *parquetFile) ranges(column string) ([]RangeStats, error) {
	var out []RangeStats
	for i := range p.meta.groups {
		g := &p.meta.groups[i]
		for _, c := range p.cols {
			if c.field.Name != column || c.slot == nil || c.nested {
				continue
			}
			x, err := p.pageIndex(c, g)
			if err != nil {
				return nil, fault.Corrupt(p.name, "page index of column "+column, err)
			}
			if x == nil {
				s, _ := p.groupStats(g, column)
				out = append(out, RangeStats{g.rows, s})
				continue
			}
			for j, l := range x.pages {
				rows := x.rows - l.row
				if j+1 < len(x.pages) {
					rows = x.pages[j+1].row - l.row
				}
				out = append(out, RangeStats{rows, x.stats(l.row, rows)})
			}
		}
	}
	return out, nil
}
