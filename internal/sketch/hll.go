package sketch

import (
	"fmt"
	"slices"

	"github.com/apache/datasketches-go/hll"
)

// HLL is a HyperLogLog sketch.
type HLL struct{ sketch hll.HllSketch }

// ReadHLL reads a sketch in any of its forms; bytes after it do not count. The
// bytes are not kept.
func ReadHLL(b []byte) (HLL, error) {
	if err := checkHLL(b); err != nil {
		return HLL{}, err
	}
	s, err := hll.NewHllSketchFromSlice(slices.Clone(b), true)
	return HLL{s}, err
}

// Union is what both sketches saw. Its size is bounded by that of in, as when
// Paimon adds in to an accumulator s.
func (s HLL) Union(in HLL) (HLL, error) {
	s, in, err := sameSize(s, in)
	if err != nil {
		return HLL{}, err
	}
	u, err := hll.NewUnion(in.sketch.GetLgConfigK())
	if err != nil {
		return HLL{}, err
	}
	if err := u.UpdateSketch(in.sketch); err != nil {
		return HLL{}, err
	}
	if err := u.UpdateSketch(s.sketch); err != nil {
		return HLL{}, err
	}
	r, err := u.GetResult(hll.TgtHllTypeHll4)
	return HLL{r}, err
}

// sameSize folds the larger of two sketches with registers to the size of the
// smaller: the library joins only such.
func sameSize(acc, in HLL) (HLL, HLL, error) {
	if !acc.hasRegisters() {
		return acc, in, nil // single values fit a sketch of any size
	}
	a, i := acc.sketch.GetLgConfigK(), in.sketch.GetLgConfigK()
	var err error
	switch {
	case a > i:
		acc, err = acc.fold(i)
	case a < i && in.hasRegisters():
		in, err = in.fold(a)
	}
	return acc, in, err
}

func (s HLL) hasRegisters() bool { return s.sketch.GetCurMode() == modeRegisters }

// fold makes a sketch of fewer registers: those whose numbers agree in the
// lower bits become one, the largest of them.
func (s HLL) fold(lgK int) (HLL, error) {
	wide, err := s.sketch.CopyAs(hll.TgtHllTypeHll8) // a byte a register
	if err != nil {
		return HLL{}, err
	}
	b, err := wide.ToUpdatableSlice()
	if err != nil {
		return HLL{}, err
	}
	registers, mask := b[hllRegisters:], 1<<lgK-1
	for i, v := range registers[mask+1:] {
		registers[i&mask] = max(registers[i&mask], v)
	}
	b = b[:hllRegisters+mask+1]
	b[hllLgK] = byte(lgK)
	b[hllFlags] |= hllRecount // what depends on the registers is found again from them
	r, err := hll.NewHllSketchFromSlice(b, true)
	return HLL{r}, err
}

// Bytes is the sketch in its shortest form.
func (s HLL) Bytes() ([]byte, error) { return s.sketch.ToCompactSlice() }

// Estimate is about how many distinct values the sketch saw.
func (s HLL) Estimate() (float64, error) { return s.sketch.GetEstimate() }

// NewHLL is a sketch of the default size that saw the given numbers.
func NewHLL(values ...int64) (HLL, error) {
	s, err := hll.NewHllSketchWithDefault()
	if err != nil {
		return HLL{}, err
	}
	for _, v := range values {
		if err := s.UpdateInt64(v); err != nil {
			return HLL{}, err
		}
	}
	return HLL{s}, nil
}

// The bytes of a sketch: a preamble, then single values or registers.
const (
	hllLgK       = 3 // log2 of the number of registers
	hllLgArray   = 4 // log2 of the places for single values, or for registers too large for four bits
	hllFlags     = 5
	hllCount     = 6 // of single values in a list
	hllMin       = 6 // what four bits count from
	hllMode      = 7
	hllSetCount  = 8
	hllSetStart  = 12
	hllLarge     = 36 // how many registers are too large for four bits
	hllRegisters = 40

	hllCompact = 8  // no empty places
	hllRecount = 32 // the preamble does not know the registers

	maxListed   = 7
	maxRegister = 63
)

const (
	modeList = iota
	modeSet
	modeRegisters
)

// checkHLL refuses bytes on which the library would fail otherwise than by an error.
func checkHLL(b []byte) error {
	if len(b) < 8 {
		return errShort
	}
	if b[1] != 1 || b[2] != 7 {
		return fmt.Errorf("serial version %d of family %d is no HLL sketch", b[1], b[2])
	}
	if b[hllLgK] < 4 || b[hllLgK] > 21 || b[hllMode]>>2&3 == 3 {
		return fmt.Errorf("an HLL sketch of 2^%d registers in form %d", b[hllLgK], b[hllMode])
	}
	switch mode := b[hllMode] & 3; {
	case mode == modeList && b[0]&0x3f == 2:
		return checkList(b)
	case mode == modeSet && b[0]&0x3f == 3:
		return checkSet(b)
	case mode == modeRegisters && b[0]&0x3f == 10:
		return checkRegisters(b)
	default:
		return fmt.Errorf("an HLL sketch of mode %d with a preamble of %d words", mode, b[0]&0x3f)
	}
}

func checkList(b []byte) error {
	n := int(b[hllCount])
	if n > maxListed {
		return fmt.Errorf("a list of %d values", n)
	}
	return checkCoupons(b[8:], n, n)
}

func checkSet(b []byte) error {
	if len(b) < hllSetStart {
		return errShort
	}
	lgMost := int(b[hllLgK]) - 3
	n, places := int(le.Uint32(b[hllSetCount:])), 1<<max(lgMost, 0)
	if n > places*3/4 || lgMost < 5 {
		return fmt.Errorf("a set of %d values below 2^%d registers", n, b[hllLgK])
	}
	if b[hllFlags]&hllCompact != 0 {
		return checkCoupons(b[hllSetStart:], n, n)
	}
	lg := int(b[hllLgArray])
	if lg < 5 || lg > lgMost || n > 1<<lg*3/4 {
		return fmt.Errorf("a set of %d values in 2^%d places", n, lg)
	}
	return checkCoupons(b[hllSetStart:], 1<<lg, n)
}

// checkCoupons wants n single values in that many places of four bytes.
func checkCoupons(b []byte, places, n int) error {
	if len(b) < 4*places {
		return errShort
	}
	for i := range places {
		if c := le.Uint32(b[4*i:]); c>>26 > 0 {
			n--
		} else if c != 0 {
			return fmt.Errorf("the single value %#x", c)
		}
	}
	if n != 0 {
		return fmt.Errorf("%d values fewer than counted", n)
	}
	return nil
}

func checkRegisters(b []byte) error {
	if len(b) < hllRegisters {
		return errShort
	}
	k := 1 << b[hllLgK]
	size := [...]int{k / 2, k/4*3 + 1, k}[b[hllMode]>>2&3]
	if len(b) < hllRegisters+size {
		return errShort
	}
	registers := b[hllRegisters : hllRegisters+size]
	switch size {
	case k:
		for _, v := range registers {
			if v > maxRegister {
				return fmt.Errorf("a register of %d", v)
			}
		}
	case k / 2:
		return checkLarge(b, registers)
	}
	return nil
}

// checkLarge wants each register that does not fit in four bits in the list of such.
func checkLarge(b, registers []byte) error {
	const tooLarge = 15
	if b[hllMin] > maxRegister {
		return fmt.Errorf("registers from %d on", b[hllMin])
	}
	large := 0
	for i := range 2 * len(registers) {
		switch v := registers[i/2] >> (i % 2 * 4) & 15; {
		case v == tooLarge:
			large++
		case b[hllMin]+v > maxRegister:
			return fmt.Errorf("a register of %d over %d", v, b[hllMin])
		}
	}
	n := int(le.Uint32(b[hllLarge:]))
	if n != large {
		return fmt.Errorf("%d large registers of which %d are listed", large, n)
	}
	if n == 0 {
		return nil
	}
	places := n
	if b[hllFlags]&hllCompact == 0 {
		lg := b[hllLgArray]
		if lg >= b[hllLgK] || n > 1<<lg*3/4 {
			return fmt.Errorf("%d large registers in 2^%d places", n, lg)
		}
		places = 1 << lg
	}
	return checkCoupons(b[hllRegisters+len(registers):], places, n)
}
