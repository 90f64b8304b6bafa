package bitmap

import (
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	cookiePlain = 12346
	cookieRuns  = 12347
	// fewContainers is where a bitmap with runs begins to list offsets.
	fewContainers = 4
)

// Read32 reads a portable bitmap of 32-bit numbers; bytes after it do not
// count. The bitmap borrows b: it may be read, and joined to others, for as
// long as b stays as it is.
func Read32(b []byte) (*roaring.Bitmap, error) {
	if _, _, err := cutPortable(nil, 0, b); err != nil {
		return nil, err
	}
	bm := roaring.New()
	if _, err := bm.FromUnsafeBytes(b); err != nil {
		return nil, err
	}
	return bm, nil
}

// Write32 is the portable form of bm, with runs where they are shorter. It
// changes how bm holds its numbers, not which.
func Write32(bm *roaring.Bitmap) ([]byte, error) {
	bm.RunOptimize()
	return bm.ToBytes()
}

// cutPortable takes one portable bitmap off the front of b and appends its
// containers to list, their keys below the given upper bits.
func cutPortable(list []container, upper uint64, b []byte) ([]container, []byte, error) {
	n, runs, b, err := cutCookie(b)
	if err != nil {
		return nil, nil, err
	}
	heads := b
	if len(b) < 4*n {
		return nil, nil, errShort
	}
	b = b[4*n:]
	if runs == nil || n >= fewContainers { // offsets: what they say follows from the sizes
		if len(b) < 4*n {
			return nil, nil, errShort
		}
		b = b[4*n:]
	}
	for i := range n {
		c := container{key: upper | uint64(le.Uint16(heads[4*i:])), card: int(le.Uint16(heads[4*i+2:])) + 1, kind: kindArray}
		if runs != nil && runs[i/8]>>(i%8)&1 == 1 {
			c.kind = kindRuns
		} else if c.card > maxArray {
			c.kind = kindBits
		}
		if i > 0 && c.key <= list[len(list)-1].key {
			return nil, nil, errors.New("containers are out of order")
		}
		if b, err = cutContainer(&c, b); err != nil {
			return nil, nil, err
		}
		list = append(list, c)
	}
	return list, b, nil
}

// cutCookie reads the number of containers and which of them hold runs, nil if none can.
func cutCookie(b []byte) (n int, runs, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, nil, errShort
	}
	switch cookie := le.Uint32(b); {
	case cookie == cookiePlain && len(b) >= 8:
		if n := le.Uint32(b[4:]); n <= 1<<16 {
			return int(n), nil, b[8:], nil
		}
		return 0, nil, nil, errors.New("more containers than there are")
	case cookie&0xffff == cookieRuns:
		n = int(cookie>>16) + 1
		flags := 4 + (n+7)/8
		if len(b) < flags {
			return 0, nil, nil, errShort
		}
		return n, b[4:flags], b[flags:], nil
	case cookie == cookiePlain:
		return 0, nil, nil, errShort
	default:
		return 0, nil, nil, fmt.Errorf("it begins with %d, not with the number of a roaring bitmap", cookie)
	}
}

// appendPortable writes the containers, at most 65,536 and in order, as one
// portable bitmap of the lower 16 bits of their keys.
func appendPortable(dst []byte, list []container) []byte {
	start, hasRuns := len(dst), false
	for i := range list {
		list[i].plain()
		hasRuns = hasRuns || list[i].kind == kindRuns
	}
	if hasRuns {
		dst = le.AppendUint32(dst, cookieRuns|uint32(len(list)-1)<<16)
		flags := make([]byte, (len(list)+7)/8)
		for i, c := range list {
			if c.kind == kindRuns {
				flags[i/8] |= 1 << (i % 8)
			}
		}
		dst = append(dst, flags...)
	} else {
		dst = le.AppendUint32(le.AppendUint32(dst, cookiePlain), uint32(len(list)))
	}
	for _, c := range list {
		dst = le.AppendUint16(le.AppendUint16(dst, uint16(c.key)), uint16(c.card-1))
	}
	if !hasRuns || len(list) >= fewContainers {
		at := len(dst) - start + 4*len(list)
		for _, c := range list {
			dst = le.AppendUint32(dst, uint32(at))
			at += len(c.body)
		}
	}
	for _, c := range list {
		dst = append(dst, c.body...)
	}
	return dst
}
