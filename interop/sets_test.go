//go:build interop

package interop

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/sketch"
)

// sets asks Java for the serialised sets of one aggregate function.
type sets struct {
	t    *testing.T
	java *server
	kind string
}

func (s sets) ask(args ...string) string {
	s.t.Helper()
	lines, err := s.java.ask(append([]string{"set", "--kind", s.kind}, args...))
	if err != nil {
		s.t.Fatal(err)
	}
	return lines[0]
}

func (s sets) bytes(args ...string) []byte {
	s.t.Helper()
	var text string
	if err := json.Unmarshal([]byte(s.ask(args...)), &text); err != nil {
		s.t.Fatal(err)
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// random is a set that Java makes, and how it was asked to.
func (s sets) random(r *rand.Rand) ([]byte, string) {
	s.t.Helper()
	count := pick(r, 0, 1, 2, 7, 8, 30, 200, 400, 3000, 20000, 70000)
	args := []string{"--from", strconv.Itoa(r.IntN(2*count + 1)), "--count", strconv.Itoa(count)}
	switch s.kind {
	case "hll_sketch":
		args = append(args, "--lgk", pick(r, "4", "7", "8", "11", "12", "12", "12", "14"), "--form", pick(r, "HLL_4", "HLL_6", "HLL_8"))
	case "theta_sketch":
		args = append(args, "--lgk", pick(r, "5", "11", "12", "12", "12", "14"))
		if r.IntN(3) == 0 {
			args = append(args, "--unordered")
		}
	default:
		args = append(args, "--step", pick(r, "1", "1", "3", "40", "70000", "100000"))
		if s.kind == "rbm64" {
			args = append(args, "--step", pick(r, "1", "1", "3", "70000", "100000", "10000000000", "100000000000000"))
		}
	}
	if r.IntN(3) == 0 {
		args = append(args, "--updatable")
	}
	return s.bytes(args...), strings.Join(args, " ")
}

// each runs f on pairs of random sets of a kind.
func eachPair(t *testing.T, kind string, f func(s sets, a, b []byte)) {
	t.Parallel()
	s := sets{t, run.java.take(t), kind}
	for i := range max(3, run.tables/10) {
		r := rand.New(rand.NewPCG(run.seed, i))
		a, how := s.random(r)
		b, and := s.random(r)
		f(s, a, b)
		if t.Failed() {
			t.Fatalf("seed %d, pair %d: %s and %s", run.seed, i, how, and)
		}
	}
}

func join(a, b []byte) string { return hex.EncodeToString(a) + "," + hex.EncodeToString(b) }

func TestUnionsOfHLLSketchesAreJavas(t *testing.T) {
	eachPair(t, "hll_sketch", func(s sets, a, b []byte) {
		x, err := sketch.ReadHLL(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := sketch.ReadHLL(b)
		if err != nil {
			t.Fatal(err)
		}
		u, err := x.Union(y)
		if err != nil {
			t.Fatal(err)
		}
		got, err := u.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if want := s.bytes("--union", join(a, b)); !bytes.Equal(got, want) {
			t.Errorf("the union is\n%s, Java's\n%s", summary(got), summary(want))
		}
		estimate, err := u.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		s.near(got, estimate)
	})
}

// near compares an estimate with what Java makes of the bytes.
func (s sets) near(b []byte, estimate float64) {
	s.t.Helper()
	java, err := strconv.ParseFloat(s.ask("--read", hex.EncodeToString(b)), 64)
	if err != nil || math.Abs(java-estimate) > 1e-6*estimate {
		s.t.Errorf("Java estimates %v, Go %v (%v)", java, estimate, err)
	}
}

func summary(b []byte) string {
	return fmt.Sprintf("%d bytes % x", len(b), b[:min(len(b), 64)])
}

func TestUnionsOfThetaSketchesAreJavas(t *testing.T) {
	eachPair(t, "theta_sketch", func(s sets, a, b []byte) {
		u, err := sketch.NewTheta()
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{a, b} {
			if err := u.Add(in); err != nil {
				t.Fatal(err)
			}
		}
		got, err := u.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if want := s.bytes("--union", join(a, b)); !bytes.Equal(got, want) {
			t.Errorf("the union is\n%s, Java's\n%s", summary(got), summary(want))
		}
		estimate, err := u.Estimate()
		if err != nil {
			t.Fatal(err)
		}
		s.near(got, estimate)
	})
}

func TestUnionsOfBitmaps32AreJavas(t *testing.T) {
	eachPair(t, "rbm32", func(s sets, a, b []byte) {
		x, err := bitmap.Read32(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := bitmap.Read32(b)
		if err != nil {
			t.Fatal(err)
		}
		x.Or(y)
		got, err := bitmap.Write32(x)
		if err != nil {
			t.Fatal(err)
		}
		// Where runs and an array are of one size the libraries choose differently.
		theirs, err := bitmap.Read32(s.bytes("--union", join(a, b)))
		if err != nil || !theirs.Equals(x) {
			t.Errorf("Java's union: %v", err)
		}
		again, err := bitmap.Read32(s.bytes("--union", join(got, a)))
		if err != nil || !again.Equals(x) {
			t.Errorf("Java's union with ours: %v", err)
		}
	})
}

func TestUnionsOfBitmaps64AreJavas(t *testing.T) {
	eachPair(t, "rbm64", func(s sets, a, b []byte) {
		x, err := bitmap.Read64(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := bitmap.Read64(b)
		if err != nil {
			t.Fatal(err)
		}
		x.Or(y)
		got, err := bitmap.Write64(x)
		if err != nil {
			t.Fatal(err)
		}
		// Java numbers containers as they came, so the bytes differ: the values must not,
		// whether Java reads ours, or goes on with ours.
		var java []uint64
		if err := json.Unmarshal([]byte(s.ask("--read", hex.EncodeToString(got))), &java); err != nil {
			t.Fatal(err)
		}
		if want := x.ToArray(); !slices.Equal(java, want) {
			t.Errorf("Java reads %d values, want %d", len(java), len(want))
		}
		again, err := bitmap.Read64(s.bytes("--union", join(got, a)))
		if err != nil || !again.Equals(x) {
			t.Errorf("Java's union with ours: %v", err)
		}
		theirs, err := bitmap.Read64(s.bytes("--union", join(a, b)))
		if err != nil || !theirs.Equals(x) {
			t.Errorf("Java's union: %v", err)
		}
	})
}
