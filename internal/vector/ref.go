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

// NullRef stands for a cell that is null, whatever the sources hold. Only
// [SelectNulls] understands it.
const NullRef Ref = 1<<64 - 1

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
	valid []byte // bit i is zero where cell i is null whatever refs[i] says; nil for none
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

// SelectNulls examines refs of which some are [NullRef]. It overwrites those
// with any other ref of the list, so that gathering need not look out for them.
func SelectNulls(refs []Ref) Selection {
	other, nulls := NullRef, false
	for _, r := range refs {
		if r == NullRef {
			nulls = true
		} else {
			other = r
		}
		if nulls && other != NullRef {
			break
		}
	}
	if !nulls {
		return Select(refs)
	}
	s := Selection{refs: refs, valid: make([]byte, (len(refs)+7)/8)}
	for i, r := range refs {
		if r == NullRef {
			refs[i] = other
		} else {
			s.valid[i>>3] |= 1 << (i & 7)
			other = r
		}
	}
	return s
}

// allNull says that no ref means a row of a source.
func (s Selection) allNull() bool {
	return s.valid != nil && len(s.refs) > 0 && s.refs[0] == NullRef
}

func (s Selection) isNull(i int) bool { return s.valid != nil && s.valid[i>>3]>>(i&7)&1 == 0 }

// Len is the number of rows.
func (s Selection) Len() int { return len(s.refs) }
