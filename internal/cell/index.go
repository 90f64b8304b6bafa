package cell

// Index finds positions 0, 1, 2, … of a list that its user keeps, by hash: an
// open-addressed table of positions. The zero value is empty and ready.
type Index struct {
	slots  []int32 // position + 1, 0 for none
	hashes []uint64
}

// Len is the number of positions.
func (x *Index) Len() int { return len(x.hashes) }

// Reset forgets all positions and keeps the memory.
func (x *Index) Reset() { x.slots, x.hashes = x.slots[:0], x.hashes[:0] }

// Find returns the position of hash h for which same holds, or -1.
func (x *Index) Find(h uint64, same func(pos int) bool) int {
	if len(x.slots) == 0 {
		return -1
	}
	mask := uint64(len(x.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		pos := int(x.slots[at]) - 1
		if pos < 0 {
			return -1
		}
		if x.hashes[pos] == h && same(pos) {
			return pos
		}
	}
}

// Add gives the next position, Len, the hash h.
func (x *Index) Add(h uint64) {
	if 4*(len(x.hashes)+1) > 3*len(x.slots) {
		x.grow()
	}
	x.hashes = append(x.hashes, h)
	x.place(len(x.hashes) - 1)
}

func (x *Index) place(pos int) {
	mask := uint64(len(x.slots) - 1)
	at := x.hashes[pos] & mask
	for x.slots[at] != 0 {
		at = (at + 1) & mask
	}
	x.slots[at] = int32(pos) + 1
}

// grow doubles the table. A table that was large for an earlier use starts
// small again, so an Index costs what is put into it.
func (x *Index) grow() {
	n := max(16, 2*len(x.slots))
	if n <= cap(x.slots) {
		x.slots = x.slots[:n]
		clear(x.slots)
	} else {
		x.slots = make([]int32, n)
	}
	for pos := range x.hashes {
		x.place(pos)
	}
}
