package lsm

import (
	"math/bits"

	"github.com/tidelake/tidelake/internal/vector"
)

// block is how many items one step of a merge moves. Within a step indices
// need no check and the loop no condition.
const block = 16

// segment is a stretch of one batch that takes part in a round of merging.
type segment struct {
	slot     int
	pos, end int
}

func (s segment) len() int { return s.end - s.pos }

// pairMerger merges ordered segments two by two until one is left. tail
// decides between keys of equal words; without it they are equal. Equal keys
// keep the order of the segments.
//
// Unlike a loser tree, whose every step depends on an unpredictable branch
// for each level, a merge of two can be written without: the smaller head is
// selected by arithmetic. That the rows pass through memory once a level
// costs less, since a round fits in the cache.
type pairMerger struct {
	words func(slot int) []uint64
	tail  func(a, b vector.Ref) int
	segs  []segment
	a, b  []item
}

// run merges segs and returns the rows in order, valid until the next run.
func (p *pairMerger) run(segs []segment) []item {
	total := 0
	for _, s := range segs {
		total += s.len()
	}
	if cap(p.a) < total {
		p.a, p.b = make([]item, total+total/4), make([]item, total+total/4)
	}
	p.segs = segs
	p.merge(segs, total, p.a[:total], p.b[:total])
	return p.a[:total]
}

// merge leaves the merged segments in into, which like other has room for
// exactly their total of rows.
func (p *pairMerger) merge(segs []segment, total int, into, other []item) {
	if len(segs) == 1 {
		p.load(segs[0], into)
		return
	}
	left, half := split(segs, total)
	p.merge(segs[:left], half, other[:half], into[:half])
	p.merge(segs[left:], total-half, other[half:], into[half:])
	if p.tail == nil {
		mergeWords(into, other[:half], other[half:])
	} else {
		mergeKeys(into, other[:half], other[half:], p.tail)
	}
}

// split cuts segs in two parts of about the same number of rows, so that one
// large run among small ones is moved once only.
func split(segs []segment, total int) (left, rows int) {
	for left = 0; left < len(segs)-1; left++ {
		n := segs[left].len()
		if left > 0 && rows+n/2 >= total/2 {
			break
		}
		rows += n
	}
	return left, rows
}

func (p *pairMerger) load(s segment, into []item) {
	ref := vector.MakeRef(s.slot, s.pos)
	words := p.words(s.slot)[s.pos:s.end]
	for i, w := range words[:len(into)] {
		into[i] = item{w, ref + vector.Ref(i)}
	}
}

// mergeWords merges a and b into dst; a goes first where words are equal.
func mergeWords(dst, a, b []item) {
	for len(a) >= block && len(b) >= block {
		switch {
		case a[block-1].word <= b[0].word:
			n := block + stretch(a[block:], func(x *item) bool { return x.word <= b[0].word })
			copy(dst, a[:n])
			dst, a = dst[n:], a[n:]
		case b[block-1].word < a[0].word:
			n := block + stretch(b[block:], func(x *item) bool { return x.word < a[0].word })
			copy(dst, b[:n])
			dst, b = dst[n:], b[n:]
		default:
			q := mergeBlock((*[block]item)(dst), (*[block]item)(a), (*[block]item)(b))
			dst, a, b = dst[block:], a[block-q:], b[q:]
		}
	}
	if len(a)+len(b) > 2*block { // one of them has few left
		for len(a) > 0 && len(b) > 0 {
			n := stretch(a, func(x *item) bool { return x.word <= b[0].word })
			dst, a = dst[copy(dst, a[:n]):], a[n:]
			if len(a) > 0 {
				n = stretch(b, func(x *item) bool { return x.word < a[0].word })
				dst, b = dst[copy(dst, b[:n]):], b[n:]
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if x, y := a[i], b[j]; y.word < x.word {
			dst[i+j] = y
			j++
		} else {
			dst[i+j] = x
			i++
		}
	}
	copy(dst[i+j:], a[i:])
	copy(dst[len(a)+j:], b[j:])
}

// mergeBlock writes the first items of a and b and returns how many came
// from b. The borrow of a subtraction tells which head is smaller and becomes
// a mask that selects it.
func mergeBlock(dst, a, b *[block]item) int {
	p, q := uint64(0), uint64(0)
	for t := range dst {
		x, y := &a[p&(block-1)], &b[q&(block-1)]
		xw, yw := x.word, y.word
		_, less := bits.Sub64(yw, xw, 0)
		m := -less
		dst[t] = item{xw ^ (xw^yw)&m, x.ref ^ (x.ref^y.ref)&vector.Ref(m)}
		q += less
		p += 1 - less
	}
	return int(q)
}

// stretch counts the items from the start on for which in holds, looking
// ahead in growing steps. in holds up to some item and for none after it.
func stretch(s []item, in func(*item) bool) int {
	lo, hi := 0, 1
	for hi <= len(s) && in(&s[hi-1]) {
		lo, hi = hi, hi*2
	}
	hi = min(hi-1, len(s))
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if in(&s[mid]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// mergeKeys is mergeWords for keys that are longer than a word.
func mergeKeys(dst, a, b []item, tail func(a, b vector.Ref) int) {
	less := func(x, y *item) bool { // never for equal keys
		return x.word < y.word || x.word == y.word && tail(x.ref, y.ref) < 0
	}
	for len(a) >= block && len(b) >= block {
		switch {
		case !less(&b[0], &a[block-1]):
			n := block + stretch(a[block:], func(x *item) bool { return !less(&b[0], x) })
			copy(dst, a[:n])
			dst, a = dst[n:], a[n:]
		case less(&b[block-1], &a[0]):
			n := block + stretch(b[block:], func(x *item) bool { return less(x, &a[0]) })
			copy(dst, b[:n])
			dst, b = dst[n:], b[n:]
		default:
			q := mergeKeyBlock((*[block]item)(dst), (*[block]item)(a), (*[block]item)(b), tail)
			dst, a, b = dst[block:], a[block-q:], b[q:]
		}
	}
	if len(a)+len(b) > 2*block {
		for len(a) > 0 && len(b) > 0 {
			n := stretch(a, func(x *item) bool { return !less(&b[0], x) })
			dst, a = dst[copy(dst, a[:n]):], a[n:]
			if len(a) > 0 {
				n = stretch(b, func(x *item) bool { return less(x, &a[0]) })
				dst, b = dst[copy(dst, b[:n]):], b[n:]
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if less(&b[j], &a[i]) {
			dst[i+j] = b[j]
			j++
		} else {
			dst[i+j] = a[i]
			i++
		}
	}
	copy(dst[i+j:], a[i:])
	copy(dst[len(a)+j:], b[j:])
}

func mergeKeyBlock(dst, a, b *[block]item, tail func(a, b vector.Ref) int) int {
	p, q := uint64(0), uint64(0)
	for t := range dst {
		x, y := &a[p&(block-1)], &b[q&(block-1)]
		xw, yw := x.word, y.word
		_, less := bits.Sub64(yw, xw, 0)
		if xw == yw && tail(y.ref, x.ref) < 0 {
			less = 1
		}
		m := -less
		dst[t] = item{xw ^ (xw^yw)&m, x.ref ^ (x.ref^y.ref)&vector.Ref(m)}
		q += less
		p += 1 - less
	}
	return int(q)
}
