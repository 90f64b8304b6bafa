package deletion

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
)

type javaVector struct {
	Name      string
	Positions json.RawMessage
	Length    int32  `json:"meta_length"`
	Record    string `json:"record_hex"`
}

func (j *javaVector) positions(t *testing.T) (out []int64) {
	t.Helper()
	var text string
	if json.Unmarshal(j.Positions, &text) != nil {
		if err := json.Unmarshal(j.Positions, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, last, _ := strings.Cut(text, "..")
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for ; from <= to; from++ {
		out = append(out, from)
	}
	return out
}

func javaVectors(t *testing.T) []javaVector {
	t.Helper()
	data, err := os.ReadFile("testdata/deletion_vector.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []javaVector }
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) < 6 {
		t.Fatal(len(file.Vectors), err)
	}
	return file.Vectors
}

func of(positions ...int64) *Vector {
	v := &Vector{}
	for _, p := range positions {
		v.Add(p)
	}
	return v
}

func TestRecordsAreThoseOfJava(t *testing.T) {
	for _, j := range javaVectors(t) {
		t.Run(j.Name, func(t *testing.T) {
			want, positions := mustHex(t, j.Record), j.positions(t)
			wide := strings.HasPrefix(j.Name, "dv64")
			got, length, err := Append([]byte{Version}, of(positions...), wide)
			if err != nil || length != j.Length || !bytes.Equal(got[1:], want) {
				t.Errorf("length %d, want %d, %v\n%x\n%x", length, j.Length, err, got[1:], want)
			}
			v, err := Decode("index-0", want, j.Length)
			if err != nil {
				t.Fatal(err)
			}
			if back := slices.Collect(v.Positions()); !slices.Equal(back, positions) {
				t.Errorf("%d positions came back of %d", len(back), len(positions))
			}
		})
	}
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Random sets of every container kind, beside a plain map.
func TestVectorIsASet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		span := int64(1) << (4 + r.IntN(30))
		v, want := &Vector{}, map[int64]bool{}
		for range r.IntN(6000) {
			p := r.Int64N(span)
			if r.IntN(5) == 0 {
				p += 5 << 32
			}
			for range 1 + r.IntN(2)*r.IntN(40) {
				if v.Add(p) == want[p] {
					t.Fatalf("Add(%d) tells that it was %v", p, !want[p])
				}
				want[p] = true
				p++
			}
		}
		checkSet(t, r, v, want)
		for _, wide := range []bool{false, true} {
			data, length, err := Append(nil, v, wide)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Decode("x", data, length)
			if err != nil {
				t.Fatal(err)
			}
			checkSet(t, r, back, want)
		}
	}
}

func checkSet(t *testing.T, r *rand.Rand, v *Vector, want map[int64]bool) {
	t.Helper()
	if v.Count() != int64(len(want)) {
		t.Fatalf("counts %d of %d", v.Count(), len(want))
	}
	last := int64(-1)
	for p := range v.Positions() {
		if !want[p] || !v.Has(p) || p <= last {
			t.Fatalf("position %d after %d", p, last)
		}
		last = p
	}
	if v.Max() != last {
		t.Fatalf("largest %d, want %d", v.Max(), last)
	}
	for range 20 {
		from, n := max(0, last-r.Int64N(10_000)), 1+r.IntN(9000)
		if r.IntN(3) == 0 {
			from = r.Int64N(1 << 20)
		}
		rows, all := v.Live(from, n)
		var live []int32
		for i := range n {
			if !want[from+int64(i)] {
				live = append(live, int32(i))
			}
		}
		if all != (len(live) == n) || !all && !slices.Equal(rows, live) {
			t.Fatalf("%d rows from %d: %d live, want %d", n, from, len(rows), len(live))
		}
	}
}

func TestOrLeavesTheOtherAsItIs(t *testing.T) {
	a, b := of(1, 5<<32), of(2, 5<<32, 9<<32)
	a.Or(b)
	if got := slices.Collect(a.Positions()); !slices.Equal(got, []int64{1, 2, 5 << 32, 9 << 32}) {
		t.Error(got)
	}
	a.Add(9<<32 + 1)
	if got := slices.Collect(b.Positions()); !slices.Equal(got, []int64{2, 5 << 32, 9 << 32}) {
		t.Error(got)
	}
}

func TestPositionsBeyond32BitsGetTheWideKind(t *testing.T) {
	for position, wide := range map[int64]bool{math.MaxInt32: false, math.MaxInt32 + 1: true, 1 << 40: true} {
		data, length, err := Append(nil, of(position), false)
		if err != nil || (int(length) == len(data)) != wide {
			t.Errorf("%d: length %d of %d, %v", position, length, len(data), err)
		}
	}
	if _, _, err := Append(nil, of(1<<61), false); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("a position whose high keys fill gigabytes: %v", err)
	}
}

func TestCheckKnowsTheFile(t *testing.T) {
	two, three := int64(2), int64(3)
	v := of(4, 9)
	for _, c := range []struct {
		rows        int64
		cardinality *int64
		fact        string
	}{{10, &two, ""}, {10, nil, ""}, {9, nil, "row 9 of 9"}, {10, &three, "marks 2 rows, the index manifest says 3"}} {
		err := v.Check("data-1", c.rows, c.cardinality)
		if (err == nil) != (c.fact == "") || err != nil && (!errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), c.fact)) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Every single wrong byte is found: by the checksum if by nothing else.
func TestDamageIsCorruption(t *testing.T) {
	for _, j := range javaVectors(t) {
		good := mustHex(t, j.Record)
		if len(good) > 200 {
			continue
		}
		for i := range good {
			bad := slices.Clone(good)
			bad[i] ^= 0x11
			if _, err := Decode("x", bad, j.Length); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("%s, byte %d: %v", j.Name, i, err)
			}
			if _, err := Decode("x", good[:i], j.Length); !errors.Is(err, fault.ErrCorrupt) {
				t.Errorf("%s, cut at %d: %v", j.Name, i, err)
			}
		}
		if _, err := Decode("x", good, j.Length+1); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s, another length: %v", j.Name, err)
		}
	}
}

// A few bytes must not ask for room by the gigabyte when they are written again.
func TestPositionsBeyondWhatFilesHoldAreCorrupt(t *testing.T) {
	data, length, err := Append(nil, of(1<<49), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode("x", data, length); !errors.Is(err, fault.ErrCorrupt) {
		t.Error(err)
	}
}

// FuzzDecode: bytes are corrupt, or a vector that comes back as it is. The
// checksum is set right, so that the parts behind it are reached.
func FuzzDecode(f *testing.F) {
	for _, positions := range [][]int64{nil, {1}, {0, 2, 5}, {7, 4294967299}, {70000, 1 << 20}} {
		for _, wide := range []bool{false, true} {
			data, _, err := Append(nil, of(positions...), wide)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data[4:len(data)-4], wide)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, wide bool) {
		rec, length := framed(body)
		if wide {
			length += frame
		}
		v, err := Decode("x", rec, length)
		if err != nil {
			if !errors.Is(err, fault.ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if v.Max() > 1<<40 {
			return // would be written with all the empty bitmaps before it
		}
		data, length, err := Append(nil, v, wide)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode("x", data, length)
		if err != nil || back.Count() != v.Count() || back.Max() != v.Max() {
			t.Fatalf("%v: %d positions of %d", err, back.Count(), v.Count())
		}
	})
}

// framed puts size and checksum around magic and bitmap.
func framed(body []byte) (rec []byte, length int32) {
	rec = binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	rec = append(rec, body...)
	return binary.BigEndian.AppendUint32(rec, crc32.ChecksumIEEE(body)), int32(len(body))
}
