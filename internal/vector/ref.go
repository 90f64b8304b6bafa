package vector

// Ref names a row: its source in the upper half, its row number within the
// source in the lower half. Adding one gives the next row of the same source.
type Ref uint64

// MakeRef names row of source.
func MakeRef(source, row int) Ref { return Ref(uint64(source)<<32 | uint64(uint32(row))) }

// Source is the number under which the row's batch was set.
func (r Ref) Source() int { return int(r >> 32) }

// Row is the row number within the source.
func (r Ref) Row() int { return int(uint32(r)) }

// span is a stretch of consecutive rows of one source.
type span struct {
	first Ref
	n     int
}

// minSpan is the mean length of spans from which copying them whole beats
// copying cell by cell.
const minSpan = 6

// Selection is a list of rows to gather, examined once for all columns. It
// borrows the refs it was made of.
type Selection struct {
	refs  []Ref
	spans []span // nil when the refs jump around too much
}

// Select examines refs.
func Select(refs []Ref) Selection {
	s := Selection{refs: refs}
	if len(refs) == 0 {
		return s
	}
	breaks := 1
	for i := 1; i < len(refs); i++ {
		if refs[i] != refs[i-1]+1 {
			breaks++
		}
	}
	if breaks*minSpan > len(refs) && breaks > 1 {
		return s
	}
	s.spans = make([]span, 0, breaks)
	first := 0
	for i := 1; i <= len(refs); i++ {
		if i == len(refs) || refs[i] != refs[i-1]+1 {
			s.spans = append(s.spans, span{refs[first], i - first})
			first = i
		}
	}
	return s
}

// Len is the number of rows.
func (s Selection) Len() int { return len(s.refs) }
