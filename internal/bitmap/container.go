package bitmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The kinds of containers, numbered as Java numbers them.
const (
	kindRuns  = 0
	kindBits  = 1
	kindArray = 2
)

const (
	maxArray   = 4096 // most values of an array
	fieldBytes = 65536 / 8
)

// container is one set of 16-bit numbers. The body is borrowed.
type container struct {
	key  uint64 // the upper bits of all its numbers: 16 or 48 of them
	kind byte
	card int // 1..65536
	body []byte
}

var (
	le       = binary.LittleEndian
	errShort = errors.New("the bytes end within the bitmap")
)

// cutContainer takes the body of c, of which kind and cardinality are set, off
// the front of b and checks that it is a set of that many numbers.
func cutContainer(c *container, b []byte) (rest []byte, err error) {
	size := 2 * c.card
	switch c.kind {
	case kindBits:
		size = fieldBytes
	case kindRuns:
		if len(b) < 2 {
			return nil, errShort
		}
		size = 2 + 4*int(le.Uint16(b))
	}
	if len(b) < size {
		return nil, errShort
	}
	c.body, rest = b[:size], b[size:]
	return rest, c.check()
}

func (c *container) check() error {
	count := 0
	switch c.kind {
	case kindArray:
		if c.card > maxArray {
			return fmt.Errorf("an array of %d values", c.card)
		}
		count = ascending(c.body)
	case kindBits:
		for b := c.body; len(b) > 0; b = b[8:] {
			count += bits.OnesCount64(le.Uint64(b))
		}
	case kindRuns:
		count = countRuns(c.body[2:])
	default:
		return fmt.Errorf("a container of kind %d", c.kind)
	}
	if count != c.card || c.card < 1 {
		return fmt.Errorf("a container said to hold %d values does not hold them in order", c.card)
	}
	return nil
}

// ascending counts the values if each is greater than the one before, else is -1.
func ascending(b []byte) int {
	last := -1
	for at := 0; at < len(b); at += 2 {
		v := int(le.Uint16(b[at:]))
		if v <= last {
			return -1
		}
		last = v
	}
	return len(b) / 2
}

// countRuns counts the values of runs if they are sorted and apart, else is -1.
func countRuns(b []byte) int {
	last, n := -2, 0
	for ; len(b) > 0; b = b[4:] {
		first, more := int(le.Uint16(b)), int(le.Uint16(b[2:]))
		if first <= last+1 || first+more > 0xffff {
			return -1
		}
		last, n = first+more, n+more+1
	}
	return n
}

// plain turns a field of few bits, which the portable form cannot tell from an
// array, into an array.
func (c *container) plain() {
	if c.kind != kindBits || c.card > maxArray {
		return
	}
	array := make([]byte, 0, 2*c.card)
	for at, b := 0, c.body; at < 65536; at += 64 {
		for w := le.Uint64(b[at/8:]); w != 0; w &= w - 1 {
			array = le.AppendUint16(array, uint16(at+bits.TrailingZeros64(w)))
		}
	}
	c.kind, c.body = kindArray, array
}
