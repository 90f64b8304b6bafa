package table

import (
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// keyZones cut a file whose keys rise into ranges of rows, with bounds of the
// keys of each:
//
//	zone     0        1        2
//	keys     a ─── f  f ─── k  l ─── z
//	lower    a        f        k            no key lies below …
//	upper    f        k        z            … or above
//
// Both lists rise, whatever the statistics that they were made from leave
// open, so the zones that may hold a key are neighbours and found by search.
type keyZones struct {
	from         []int64 // first row of each zone, and the number of rows
	lower, upper *keyList
}

// mostZoneRows bounds a zone where the file does not say where its pages are.
const mostZoneRows = 1 << 16

// newKeyZones makes the bounds from statistics of the key columns, which
// useful picks, and from the first and last key of the file. Bounds of text
// may be wider than the text, and leave NaN out.
func newKeyZones(s *keySpace, meta *manifest.DataFile, stats []datafile.Zone) (*keyZones, error) {
	least, err := s.decode(meta.MinKey)
	if err != nil {
		return nil, err
	}
	greatest, err := s.decode(meta.MaxKey)
	if err != nil {
		return nil, err
	}
	stats = splitZones(stats)
	n := len(stats)
	z := &keyZones{}
	lower, upper := make([][]any, n), make([][]any, n)
	for i := range stats {
		z.from = append(z.from, stats[i].From)
		if b := s.zoneLower(&stats[i]); b != nil && s.compare(b, least) > 0 {
			least = b
		}
		lower[i] = least
	}
	z.from = append(z.from, meta.Rows)
	for i := n - 1; i >= 0; i-- {
		if i+1 < n && s.beginsAtLower(&stats[i+1]) && s.compare(lower[i+1], greatest) < 0 {
			greatest = lower[i+1]
		}
		if b := s.zoneUpper(&stats[i]); b != nil && s.compare(b, greatest) < 0 {
			greatest = b
		}
		upper[i] = greatest
	}
	if z.lower, err = s.fromValues(lower); err != nil {
		return nil, err
	}
	z.upper, err = s.fromValues(upper)
	return z, err
}

// splitZones cuts zones that are too long to be read at once.
func splitZones(zones []datafile.Zone) []datafile.Zone {
	var out []datafile.Zone
	for _, z := range zones {
		for ; z.To-z.From > mostZoneRows; z.From += mostZoneRows {
			part := z
			part.To = z.From + mostZoneRows
			part.Own, z.Own = make([]bool, len(z.Own)), make([]bool, len(z.Own))
			out = append(out, part)
		}
		out = append(out, z)
	}
	return out
}

// zoneLower is a key that no key of a zone is less than, nil when unknown:
// where every column is at least something, so is the whole.
func (s *keySpace) zoneLower(z *datafile.Zone) []any {
	key := make([]any, len(s.fields))
	for i := range key {
		if i >= len(z.Columns) || z.Columns[i].Min == nil {
			return nil
		}
		key[i] = z.Columns[i].Min
	}
	return key
}

func (s *keySpace) zoneUpper(z *datafile.Zone) []any {
	key := make([]any, len(s.fields))
	for i := range key {
		if i >= len(z.Columns) || z.Columns[i].Max == nil || s.floating(i) {
			return nil
		}
		key[i] = z.Columns[i].Max
	}
	return key
}

func (s *keySpace) floating(i int) bool {
	return s.types[i].Kind == schema.Float || s.types[i].Kind == schema.Double
}

// beginsAtLower tells that the lower bound of a zone is its first key: all
// columns but the last have one value there, and the last is not text, of
// which writers record the beginning only.
func (s *keySpace) beginsAtLower(z *datafile.Zone) bool {
	last := len(s.types) - 1
	if s.zoneLower(z) == nil || !z.Own[last] {
		return false
	}
	for i := range last {
		c := &z.Columns[i]
		if s.floating(i) || c.Max == nil || schema.Compare(s.types[i], c.Min, c.Max) != 0 {
			return false
		}
	}
	switch s.types[last].Kind {
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		return false
	}
	return true
}

// len is the number of zones.
func (z *keyZones) len() int { return len(z.from) - 1 }

// of finds the zones, from up to and with to, that may hold a key; from is
// greater than to when there is none.
func (z *keyZones) of(s *keySpace, keys *keyList, i int) (from, to int) {
	from = s.layout.Search(&z.upper.Keys, 0, z.len(), &keys.Keys, i)
	if from == z.len() {
		return from, from - 1
	}
	to = s.layout.Search(&z.lower.Keys, from, z.len(), &keys.Keys, i)
	// lower bounds that equal the key belong to it
	for to < z.len() && s.layout.Compare(&z.lower.Keys, to, &keys.Keys, i) == 0 {
		to++
	}
	return from, to - 1
}
