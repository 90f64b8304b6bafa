package sketch

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/apache/datasketches-go/hll"
	"github.com/apache/datasketches-go/theta"
)

func hllOf(t testing.TB, lgK int, form hll.TgtHllType, from, to int64) HLL {
	t.Helper()
	s, err := hll.NewHllSketch(lgK, form)
	if err != nil {
		t.Fatal(err)
	}
	for v := from; v < to; v++ {
		if err := s.UpdateInt64(v); err != nil {
			t.Fatal(err)
		}
	}
	return HLL{s}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: estimates %.0f, want about %.0f", what, got, want)
	}
}

// Lists, sets and registers of every size and form, joined in both orders.
func TestUnionsOfHLLSketchesOfAllSizesSeeBothSides(t *testing.T) {
	forms := []hll.TgtHllType{hll.TgtHllTypeHll4, hll.TgtHllTypeHll6, hll.TgtHllTypeHll8}
	for _, lgA := range []int{10, 12, 14} {
		for _, lgB := range []int{11, 12} {
			for i, n := range []int64{0, 3, 60, 30000} {
				for j, m := range []int64{0, 5, 90, 40000} {
					a := hllOf(t, lgA, forms[i%3], 0, n)
					b := hllOf(t, lgB, forms[j%3], n/2, n/2+m)
					u, err := a.Union(b)
					what := fmt.Sprintf("%d values in 2^%d, %d in 2^%d", n, lgA, m, lgB)
					if err != nil {
						t.Errorf("%s: %v", what, err)
						continue
					}
					again := reread(t, u)
					got, err := again.Estimate()
					if err != nil {
						t.Fatal(err)
					}
					near(t, what, got, float64(max(n, n/2+m)), 0.1)
				}
			}
		}
	}
}

func reread(t *testing.T, s HLL) HLL {
	t.Helper()
	b, err := s.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadHLL(b)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// Four bits count from the smallest register, which may be near the largest there is.
func TestUnionsOfHLLSketchesOfLargeRegistersAreReadAgain(t *testing.T) {
	for v := byte(45); v <= maxRegister; v++ {
		b, err := hllOf(t, 8, hll.TgtHllTypeHll8, 0, 3000).sketch.ToUpdatableSlice()
		if err != nil {
			t.Fatal(err)
		}
		for i := range b[hllRegisters:] {
			b[hllRegisters+i] = v
		}
		b[len(b)-1] = maxRegister
		b[hllFlags] |= hllRecount
		s, err := ReadHLL(b)
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.Union(s)
		if err != nil {
			t.Fatal(err)
		}
		readable(t, reread(t, u))
	}
}

func TestHLLSketchesAreReadInUpdatableForm(t *testing.T) {
	for _, form := range []hll.TgtHllType{hll.TgtHllTypeHll4, hll.TgtHllTypeHll6, hll.TgtHllTypeHll8} {
		for _, n := range []int64{0, 1, 7, 8, 100, 384, 385, 200000} {
			s := hllOf(t, 12, form, 0, n)
			b, err := s.sketch.ToUpdatableSlice()
			if err != nil {
				t.Fatal(err)
			}
			again, err := ReadHLL(b)
			if err != nil {
				t.Fatalf("form %d of %d values: %v", form, n, err)
			}
			got, _ := again.Estimate()
			want, _ := s.Estimate()
			if got != want {
				t.Errorf("form %d of %d values: %v, was %v", form, n, got, want)
			}
		}
	}
}

func thetaOf(t testing.TB, from, to int64) *theta.CompactSketch {
	t.Helper()
	s, err := theta.NewQuickSelectUpdateSketch()
	if err != nil {
		t.Fatal(err)
	}
	for v := from; v < to; v++ {
		_ = s.UpdateInt64(v) // duplicates and values above theta are no failure
	}
	return s.Compact(true)
}

func TestUnionsOfThetaSketchesSeeBothSides(t *testing.T) {
	for _, n := range []int64{0, 1, 5, 4096, 50000} {
		for _, m := range []int64{0, 1, 2000, 60000} {
			u, err := NewTheta()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*theta.CompactSketch{thetaOf(t, 0, n), thetaOf(t, n/2, n/2+m)} {
				b, err := s.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if err := u.Add(b); err != nil {
					t.Fatal(err)
				}
			}
			b, err := u.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			u.Reset()
			if err := u.Add(b); err != nil {
				t.Fatal(err)
			}
			got, err := u.Estimate()
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprintf("%d and %d values", n, m), got, float64(max(n, n/2+m)), 0.1)
		}
	}
}

func TestCompressedThetaSketchesAreRead(t *testing.T) {
	for _, n := range []int64{2, 100, 50000} {
		s := thetaOf(t, 0, n)
		var b bytes.Buffer
		e := theta.NewEncoder(&b, true)
		if err := e.Encode(s); err != nil {
			t.Fatal(err)
		}
		u, _ := NewTheta()
		if err := u.Add(b.Bytes()); err != nil {
			t.Fatalf("%d values: %v", n, err)
		}
		plain, _ := s.MarshalBinary()
		v, _ := NewTheta()
		if err := v.Add(plain); err != nil {
			t.Fatal(err)
		}
		got, _ := u.Bytes()
		if want, _ := v.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%d values: another sketch", n)
		}
	}
}

// A sketch that was written while it could still grow: hashes in a table.
func TestUpdatableThetaSketchesAreRead(t *testing.T) {
	s := thetaOf(t, 0, 20)
	seed, _ := s.SeedHash()
	b := []byte{3 | 3<<6, 3, familyUpdatable, 12, 5, 0, byte(seed), byte(seed >> 8)}
	b = le.AppendUint32(b, s.NumRetained())
	b = le.AppendUint32(b, math.Float32bits(1))
	b = le.AppendUint64(b, theta.MaxTheta)
	for h := range s.All() {
		b = le.AppendUint64(b, h)
	}
	b = append(b, make([]byte, 8*12)...)
	u, _ := NewTheta()
	if err := u.Add(b); err != nil {
		t.Fatal(err)
	}
	if got, _ := u.Estimate(); got != 20 {
		t.Errorf("estimates %v", got)
	}
}

func TestSketchesOfAnotherSeedAreRefused(t *testing.T) {
	b, err := thetaOf(t, 0, 5).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	b[thetaSeed]++
	u, _ := NewTheta()
	if err := u.Add(b); err == nil {
		t.Error("hashes that cannot be compared")
	}
}

func FuzzHLL(f *testing.F) {
	for _, n := range []int64{0, 4, 50, 3000} {
		for lg := range 3 {
			s := hllOf(f, 8+lg, hll.TgtHllType(lg), 0, n)
			b, _ := s.Bytes()
			f.Add(b)
			b, _ = s.sketch.ToUpdatableSlice()
			f.Add(b)
		}
	}
	other := hllOf(f, 9, hll.TgtHllTypeHll8, 0, 2000)
	few := hllOf(f, 11, hll.TgtHllTypeHll4, 0, 20)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ReadHLL(b)
		if err != nil {
			return
		}
		for _, o := range []HLL{other, few, s} {
			if u, err := o.Union(s); err == nil {
				readable(t, u)
			}
			if u, err := s.Union(o); err == nil {
				readable(t, u)
			}
		}
	})
}

func readable(t *testing.T, s HLL) {
	b, err := s.Bytes()
	if err != nil {
		return
	}
	if _, err := ReadHLL(b); err != nil {
		t.Fatalf("wrote what cannot be read: %v", err)
	}
}

func FuzzTheta(f *testing.F) {
	for _, n := range []int64{0, 1, 3, 100, 9000} {
		s := thetaOf(f, 0, n)
		b, _ := s.MarshalBinary()
		f.Add(b)
		var packed bytes.Buffer
		e := theta.NewEncoder(&packed, true)
		if err := e.Encode(s); err != nil {
			f.Fatal(err)
		}
		f.Add(packed.Bytes())
	}
	few, _ := thetaOf(f, 0, 30).MarshalBinary()
	f.Fuzz(func(t *testing.T, b []byte) {
		u, _ := NewTheta()
		if err := u.Add(few); err != nil {
			t.Fatal(err)
		}
		if u.Add(b) != nil {
			return
		}
		out, err := u.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Add(out); err != nil {
			t.Fatalf("wrote what cannot be read: %v", err)
		}
	})
}

func ExampleHLL_Union() {
	a, err := NewHLL(1, 2, 3)
	if err != nil {
		panic(err)
	}
	b, err := NewHLL(3, 4)
	if err != nil {
		panic(err)
	}
	u, err := a.Union(b)
	if err != nil {
		panic(err)
	}
	n, err := u.Estimate()
	fmt.Printf("%.0f %v\n", n, err)
	// Output: 4 <nil>
}
