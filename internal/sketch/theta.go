package sketch

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/datasketches-go/theta"
)

// Theta is a theta sketch, or a union of some.
type Theta struct{ union *theta.Union }

// NewTheta is the union of no sketches, with the 4,096 values and the seed that
// are the default of all libraries.
func NewTheta() (*Theta, error) {
	u, err := theta.NewUnion()
	return &Theta{u}, err
}

// Reset makes s the union of no sketches again.
func (s *Theta) Reset() { s.union.Reset() }

// Add joins a sketch in any of its forms; bytes after it do not count. The
// bytes are not kept.
func (s *Theta) Add(b []byte) error {
	b, err := compact(b)
	if err != nil {
		return err
	}
	in, err := theta.WrapCompactSketch(b, theta.DefaultSeed)
	if err != nil {
		return err
	}
	return s.union.Update(in)
}

// Bytes is the union as Java writes it: compact and in order.
func (s *Theta) Bytes() ([]byte, error) {
	r, err := s.union.OrderedResult()
	if err != nil {
		return nil, err
	}
	b, err := r.MarshalBinary()
	switch {
	case err != nil:
		return nil, err
	case r.IsEmpty():
		b[thetaSeed], b[thetaSeed+1] = 0, 0 // an empty sketch has no seed
	case b[0] == 1:
		b[thetaFlags] |= thetaSingle
	default:
		le.PutUint32(b[thetaSampling:], math.Float32bits(1)) // no value was left out from the start
	}
	return b, nil
}

// Estimate is about how many distinct values the sketches saw together.
func (s *Theta) Estimate() (float64, error) {
	r, err := s.union.OrderedResult()
	if err != nil {
		return 0, err
	}
	return r.Estimate(), nil
}

// The bytes of a theta sketch: one to three words of preamble, then hashes.
const (
	thetaVersion  = 1
	thetaFamily   = 2
	thetaLgArray  = 4 // log2 of the places of an updatable sketch
	thetaFlags    = 5
	thetaSeed     = 6
	thetaCount    = 8
	thetaSampling = 12
	thetaTheta    = 16
	thetaHashes   = 24

	thetaEmpty   = 4
	thetaOrdered = 16
	thetaSingle  = 32

	familyUpdatable = 2
	familyCompact   = 3

	// maxLgArray bounds a sketch that can still be written to a column.
	maxLgArray = 27
)

// compact checks a sketch and returns it in the compact form of version 3,
// with no copy if that is what it is.
func compact(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, errShort
	}
	switch v, f := b[thetaVersion], b[thetaFamily]; {
	case v == 3 && f == familyCompact:
		return b, checkCompact(b)
	case v == 3 && f == familyUpdatable:
		return fromUpdatable(b)
	case (v == 1 || v == 2 || v == 4) && f == familyCompact:
		return fromOther(b)
	default:
		return nil, fmt.Errorf("serial version %d of family %d is no theta sketch", v, f)
	}
}

func checkCompact(b []byte) error {
	limit, start, n := uint64(theta.MaxTheta), 16, 0
	switch words := b[0]; {
	case b[thetaFlags]&thetaEmpty != 0:
		return nil
	case words < 1 || words > 3:
		return fmt.Errorf("a theta sketch with a preamble of %d words", words)
	case len(b) < 16 || len(b) < 8*int(words):
		return errShort
	case words == 1:
		start, n = 8, 1
	case words == 2:
		n = int(le.Uint32(b[thetaCount:]))
	default:
		n, start, limit = int(le.Uint32(b[thetaCount:])), thetaHashes, le.Uint64(b[thetaTheta:])
	}
	if len(b) < start+8*n {
		return errShort
	}
	if limit == 0 || limit > theta.MaxTheta {
		return fmt.Errorf("a theta of %#x", limit)
	}
	return checkHashes(b[start:start+8*n], limit, b[thetaFlags]&thetaOrdered != 0)
}

func checkHashes(b []byte, limit uint64, ordered bool) error {
	last := uint64(0)
	for ; len(b) > 0; b = b[8:] {
		h := le.Uint64(b)
		if h == 0 || h >= limit || ordered && h <= last {
			return errors.New("hashes out of their order or range")
		}
		last = h
	}
	return nil
}

// fromUpdatable leaves out the empty places of a sketch that was written while
// it could still grow.
func fromUpdatable(b []byte) ([]byte, error) {
	if len(b) < thetaHashes {
		return nil, errShort
	}
	if b[thetaFlags]&thetaEmpty != 0 {
		return []byte{1, 3, familyCompact, 0, 0, 0x1e, 0, 0}, nil
	}
	lg := b[thetaLgArray]
	if lg > maxLgArray || len(b) < thetaHashes+8<<lg {
		return nil, errShort
	}
	out := append([]byte{3, 3, familyCompact, 0, 0, 0x0a}, b[thetaSeed:thetaHashes]...)
	limit, n := le.Uint64(b[thetaTheta:]), uint32(0)
	for at := thetaHashes; at < thetaHashes+8<<lg; at += 8 {
		if h := le.Uint64(b[at:]); h != 0 && h < limit {
			out = le.AppendUint64(out, h)
			n++
		}
	}
	le.PutUint32(out[thetaCount:], n)
	return out, checkCompact(out)
}

// fromOther reads versions from before 2016 and the compressed one.
func fromOther(b []byte) ([]byte, error) {
	switch b[thetaVersion] {
	case 1:
		if len(b) < thetaHashes {
			return nil, errShort
		}
	case 2:
		if b[0] > 3 || len(b) < 8*int(b[0]) {
			return nil, errShort
		}
	case 4:
		const bitsEach, countBytes = 3, 4
		if b[bitsEach] < 1 || b[bitsEach] > 63 || b[countBytes] > 4 {
			return nil, fmt.Errorf("a compressed theta sketch of %d bits a hash and a count of %d bytes", b[bitsEach], b[countBytes])
		}
	}
	s, err := theta.Decode(b, theta.DefaultSeed)
	if err != nil {
		return nil, err
	}
	out, err := s.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return out, checkCompact(out)
}
