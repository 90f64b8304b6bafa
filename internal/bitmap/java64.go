package bitmap

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

// Read64 reads what Java's Roaring64Bitmap writes; bytes after it do not
// count. The bitmap owns its memory.
func Read64(b []byte) (*roaring64.Bitmap, error) {
	list, err := readJava(b)
	if err != nil {
		return nil, err
	}
	bm := roaring64.New()
	if _, err := bm.ReadFrom(bytes.NewReader(appendPortable64(nil, list))); err != nil {
		return nil, err
	}
	return bm, nil
}

// Write64 is bm as Java's Roaring64Bitmap writes itself, with runs where they
// are shorter. It changes how bm holds its numbers, not which.
func Write64(bm *roaring64.Bitmap) ([]byte, error) {
	bm.RunOptimize()
	b, err := bm.ToBytes()
	if err != nil {
		return nil, err
	}
	list, err := readPortable64(b)
	if err != nil {
		return nil, err
	}
	return appendJava(nil, list), nil
}

// appendPortable64 writes containers with keys of 48 bits as Go's library has
// them: the number of bitmaps, then each with its upper 32 bits before it.
func appendPortable64(dst []byte, list []container) []byte {
	count := len(dst)
	dst = le.AppendUint64(dst, 0)
	for n := uint64(1); len(list) > 0; n++ {
		upper, end := list[0].key>>16, 1
		for end < len(list) && list[end].key>>16 == upper {
			end++
		}
		dst = appendPortable(le.AppendUint32(dst, uint32(upper)), list[:end])
		le.PutUint64(dst[count:], n)
		list = list[end:]
	}
	return dst
}

func readPortable64(b []byte) (list []container, err error) {
	n := le.Uint64(b)
	for b = b[8:]; n > 0; n-- {
		upper := uint64(le.Uint32(b)) << 16
		if list, b, err = cutPortable(list, upper, b[4:]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// readJava returns the containers in the order of their keys: first comes the
// tree, whose leaves number them, then all containers.
func readJava(b []byte) ([]container, error) {
	if len(b) == 0 {
		return nil, errShort
	}
	switch tag := b[0]; {
	case tag == 0:
		return nil, nil
	case tag != 1:
		return nil, fmt.Errorf("it begins with %d, not with 0 or 1", tag)
	}
	if len(b) < 9 { // the number of leaves counts them once more
		return nil, errShort
	}
	t := tree{b: b[9:]}
	if err := t.walk(0); err != nil {
		return nil, err
	}
	stored, err := cutContainers(t.b)
	if err != nil {
		return nil, err
	}
	list := make([]container, 0, len(t.leaves))
	for i, l := range t.leaves {
		at, found := slices.BinarySearchFunc(stored, l.number, func(p place, n uint64) int { return cmp.Compare(p.number, n) })
		if !found || stored[at].card == 0 {
			return nil, fmt.Errorf("container %d is missing or used twice", l.number)
		}
		if i > 0 && l.key <= t.leaves[i-1].key {
			return nil, errors.New("keys are out of order")
		}
		c := stored[at].container
		c.key, stored[at].card = l.key, 0
		list = append(list, c)
	}
	return list, nil
}

// place is a container under its number: the block above, the place in it below.
type place struct {
	number uint64
	container
}

// cutContainers reads the blocks of containers. Places may be empty.
func cutContainers(b []byte) (stored []place, err error) {
	if len(b) < 4 {
		return nil, errShort
	}
	blocks := uint64(le.Uint32(b))
	b = b[4:]
	for block := range blocks {
		if len(b) < 5 {
			return nil, errShort
		}
		size := uint64(le.Uint32(b[1:]))
		b = b[5:]
		for at := range size {
			p := place{number: block<<32 | at}
			if b, err = cutPlace(&p.container, b); err != nil {
				return nil, err
			}
			if p.card > 0 {
				stored = append(stored, p)
			}
		}
	}
	return stored, nil
}

// cutPlace reads one container, or none: then its cardinality stays 0.
func cutPlace(c *container, b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] == 0:
		return b[1:], nil
	case len(b) < 6:
		return nil, errShort
	case b[0] != 1:
		return nil, fmt.Errorf("a container marked %d", b[0])
	}
	c.kind = b[1]
	if card := le.Uint32(b[2:]); card <= 1<<16 {
		c.card = int(card)
		return cutContainer(c, b[6:])
	}
	return nil, errors.New("a container of more than 65,536 values")
}

// appendJava writes containers in the order of their keys, numbered so.
func appendJava(dst []byte, list []container) []byte {
	if len(list) == 0 {
		return append(dst, 0)
	}
	dst = le.AppendUint64(append(dst, 1), uint64(len(list)))
	dst = appendTree(dst, list, 0, 0)
	dst = le.AppendUint32(dst, 1)                               // one block
	dst = le.AppendUint32(append(dst, 0xfe), uint32(len(list))) // with places at the end not cut off
	dst = slices.Grow(dst, 6*len(list))
	for _, c := range list {
		dst = le.AppendUint32(append(dst, 1, c.kind), uint32(c.card))
		dst = append(dst, c.body...)
	}
	dst = le.AppendUint64(dst, uint64(len(list)))
	return le.AppendUint32(le.AppendUint32(dst, 0), uint32(len(list)-1)) // block and place of the last
}
