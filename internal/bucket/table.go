package bucket

import "math/bits"

// hashTable maps hashes to buckets by open addressing: six bytes a slot, at
// most three quarters of the slots in use.
type hashTable struct {
	keys    []int32
	buckets []int16 // -1: a free slot
	used    int
	shift   uint
}

const minSlots = 64

// reserve makes room for n more hashes.
func (t *hashTable) reserve(n int) {
	want := t.used + n
	if want*4 <= len(t.keys)*3 {
		return
	}
	slots := max(minSlots, 1<<bits.Len(uint(want*4/3)))
	old := *t
	t.keys, t.buckets, t.shift = make([]int32, slots), make([]int16, slots), uint(64-bits.Len(uint(slots-1)))
	for i := range t.buckets {
		t.buckets[i] = -1
	}
	for i, b := range old.buckets {
		if b >= 0 {
			at, _ := t.find(old.keys[i])
			t.keys[at], t.buckets[at] = old.keys[i], b
		}
	}
}

// find is the slot of a hash, or the free one where it belongs.
func (t *hashTable) find(hash int32) (at int, known bool) {
	if len(t.keys) == 0 {
		return 0, false
	}
	mask := len(t.keys) - 1
	// The hash itself is well mixed; the product keeps the keys of one bucket
	// of an equally sized table from meeting again here.
	at = int(uint64(uint32(hash)) * 0x9E3779B97F4A7C15 >> t.shift)
	for t.buckets[at] >= 0 {
		if t.keys[at] == hash {
			return at, true
		}
		at = (at + 1) & mask
	}
	return at, false
}

// put fills the slot that find returned, after reserve.
func (t *hashTable) put(at int, known bool, hash int32, bucket int16) {
	if !known {
		t.used++
	}
	t.keys[at], t.buckets[at] = hash, bucket
}
