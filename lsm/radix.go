package lsm

import (
	"math/bits"

	"github.com/tidelake/tidelake/internal/vector"
)

const (
	smallSort  = 32      // up to here insertion beats counting
	wideSort   = 1 << 13 // from here eleven bits a pass beat eight
	maxBuckets = 1 << 11
)

// radixSort orders items by word, stably, least significant digit first. Bits
// that all words share cost nothing: the digits are cut from the bits between
// the lowest and the highest that differ. scratch is as long as items.
func radixSort(items, scratch []item) {
	if len(items) <= smallSort {
		insertionSort(items)
		return
	}
	vary, sorted := spread(items)
	if sorted {
		return
	}
	width := 8
	if len(items) >= wideSort {
		width = 11
	}
	low, high := bits.TrailingZeros64(vary), 64-bits.LeadingZeros64(vary)
	passes := (high - low + width - 1) / width
	width = (high - low + passes - 1) / passes // even digits
	from, to := items, scratch[:len(items)]
	for shift := low; shift < high; shift += width {
		if vary>>shift&(1<<width-1) == 0 {
			continue
		}
		scatter(from, to, uint(shift), uint64(1)<<width-1)
		from, to = to, from
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}

// spread finds the bits in which words differ and whether they are in order.
func spread(items []item) (vary uint64, sorted bool) {
	first, prev, sorted := items[0].word, items[0].word, true
	for _, it := range items {
		vary |= it.word ^ first
		sorted = sorted && prev <= it.word
		prev = it.word
	}
	return vary, sorted
}

// scatter is one counting pass.
func scatter(from, to []item, shift uint, mask uint64) {
	var next [maxBuckets]uint32
	mask &= maxBuckets - 1
	for i := range from {
		next[from[i].word>>(shift&63)&mask&(maxBuckets-1)]++
	}
	sum := uint32(0)
	for d := range next[:mask+1] {
		n := next[d]
		next[d] = sum
		sum += n
	}
	for _, it := range from {
		d := it.word >> (shift & 63) & mask & (maxBuckets - 1)
		to[next[d]] = it
		next[d]++
	}
}

func insertionSort(items []item) {
	for i := 1; i < len(items); i++ {
		it := items[i]
		j := i
		for ; j > 0 && items[j-1].word > it.word; j-- {
			items[j] = items[j-1]
		}
		items[j] = it
	}
}

// bytesSorter orders items by keys of any length, stably, most significant
// word first: a stretch of equal words is sorted by the next word, after what
// the keys of the stretch have in common.
type bytesSorter struct {
	key func(vector.Ref) []byte
}

// sort orders items whose keys agree in the first depth bytes.
func (s *bytesSorter) sort(items, scratch []item, depth int) {
	if len(items) <= smallSort {
		s.insertion(items, depth)
		return
	}
	skip := depth + s.common(items, depth)
	for i := range items {
		items[i].word = vector.Word(s.key(items[i].ref), skip)
	}
	radixSort(items, scratch)
	for start := 0; start < len(items); {
		end := start + 1
		for end < len(items) && items[end].word == items[start].word {
			end++
		}
		if end-start > 1 {
			s.ties(items[start:end], scratch[start:end], skip)
		}
		start = end
	}
}

func (s *bytesSorter) common(items []item, depth int) int {
	first := s.key(items[0].ref)[depth:]
	n := len(first)
	for _, it := range items[1:] {
		if n == 0 {
			break
		}
		n = vector.Common(first, s.key(it.ref)[depth:], n)
	}
	return n
}

// ties orders keys of equal words. A word hides whether zeros were part of
// the key, so keys that end within the word come first, by length; those of
// one length are equal. The others go on with the next word.
func (s *bytesSorter) ties(items, scratch []item, skip int) {
	if len(items) <= smallSort {
		s.insertion(items, skip)
		return
	}
	end := skip + 8
	ended := 0
	for _, it := range items {
		if len(s.key(it.ref)) < end {
			ended++
		}
	}
	if ended > 0 {
		for i := range items {
			items[i].word = uint64(min(len(s.key(items[i].ref)), end))
		}
		radixSort(items, scratch)
	}
	if rest := items[ended:]; len(rest) > 1 {
		s.sort(rest, scratch[ended:], end)
	}
}

func (s *bytesSorter) insertion(items []item, depth int) {
	for i := 1; i < len(items); i++ {
		it := items[i]
		key := s.key(it.ref)
		j := i
		for ; j > 0 && compareFrom(s.key(items[j-1].ref), key, depth) > 0; j-- {
			items[j] = items[j-1]
		}
		items[j] = it
	}
}
