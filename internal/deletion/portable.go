package deletion

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The portable format of Roaring bitmaps: a head that names for each container
// the high 16 bits of its values and their number, then the containers, which
// are sorted values, a bit set, or runs.
const (
	cookieNoRuns = 12346
	cookieRuns   = 12347
	noOffsets    = 4    // with runs, so few containers come without offsets
	maxArray     = 4096 // values up to which a container is an array
	bitSetBytes  = 8192
)

var errShort = errors.New("ends within a bitmap")

// checkPortable proves that b begins with a bitmap in the portable format
// whose values rise, and returns its length. The library that reads it takes
// such things on trust.
func checkPortable(b []byte) (int, error) {
	count, runs, n, err := portableHead(b)
	if err != nil {
		return 0, err
	}
	if len(b)-n < 4*count {
		return 0, errShort
	}
	head := b[n : n+4*count]
	n += len(head)
	if runs == nil || count >= noOffsets {
		n += 4 * count
	}
	last := -1
	for i := range count {
		key, values := int(binary.LittleEndian.Uint16(head[4*i:])), int(binary.LittleEndian.Uint16(head[4*i+2:]))+1
		if key <= last {
			return 0, fmt.Errorf("container %d after %d", key, last)
		}
		last = key
		if n > len(b) {
			return 0, errShort
		}
		size, err := container(b[n:], values, runs != nil && runs[i/8]&(1<<(i%8)) != 0)
		if err != nil {
			return 0, err
		}
		n += size
	}
	if n > len(b) {
		return 0, errShort
	}
	return n, nil
}

// portableHead reads the number of containers and which of them are runs.
func portableHead(b []byte) (count int, runs []byte, n int, err error) {
	if len(b) < 4 {
		return 0, nil, 0, errShort
	}
	cookie := binary.LittleEndian.Uint32(b)
	switch {
	case cookie&0xffff == cookieRuns:
		count = int(cookie>>16) + 1
		if n = 4 + (count+7)/8; len(b) < n {
			return 0, nil, 0, errShort
		}
		return count, b[4:n], n, nil
	case cookie == cookieNoRuns && len(b) >= 8:
		c := binary.LittleEndian.Uint32(b[4:])
		if c > 1<<16 {
			return 0, nil, 0, fmt.Errorf("a bitmap of %d containers", c)
		}
		return int(c), nil, 8, nil
	case cookie == cookieNoRuns:
		return 0, nil, 0, errShort
	}
	return 0, nil, 0, fmt.Errorf("unknown cookie %d of a bitmap", cookie)
}

// container checks one and returns its length.
func container(b []byte, values int, runs bool) (int, error) {
	size := 2 * values
	switch {
	case runs && len(b) < 2:
		return 0, errShort
	case runs:
		size = 2 + 4*int(binary.LittleEndian.Uint16(b))
	case values > maxArray:
		size = bitSetBytes
	}
	if len(b) < size {
		return 0, errShort
	}
	have, ok := 0, true
	switch b = b[:size]; {
	case runs:
		have, ok = runValues(b[2:])
	case values > maxArray:
		for i := 0; i < size; i += 8 {
			have += bits.OnesCount64(binary.LittleEndian.Uint64(b[i:]))
		}
	default:
		have, ok = values, rises(b)
	}
	if !ok {
		return 0, errors.New("values of a container out of order")
	}
	if have != values {
		return 0, fmt.Errorf("a container of %d values says %d", have, values)
	}
	return size, nil
}

func runValues(b []byte) (n int, ok bool) {
	next := 0
	for ; len(b) > 0; b = b[4:] {
		from, more := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if from < next || from+more > 0xffff {
			return 0, false
		}
		n, next = n+more+1, from+more+1
	}
	return n, true
}

func rises(b []byte) bool {
	last := -1
	for ; len(b) > 0; b = b[2:] {
		v := int(binary.LittleEndian.Uint16(b))
		if v <= last {
			return false
		}
		last = v
	}
	return true
}
