package bucket_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"testing"

	"github.com/tidelake/tidelake/internal/binaryrow/rowtest"
	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

type vector struct {
	Types   []string       `json:"types"`
	Values  []any          `json:"values"`
	Default map[string]int `json:"default"`
	Mod     map[string]int `json:"mod"`
	Hive    map[string]int `json:"hive"`
}

func TestBucketsAreThoseOfJava(t *testing.T) {
	var file struct{ Vectors []vector }
	rowtest.Load(t, "testdata/bucket.json", &file)
	checked := 0
	for _, v := range file.Vectors {
		types := rowtest.Types(t, v.Types...)
		values := rowtest.Values(t, types, v.Values)
		for name, want := range map[string]map[string]int{bucket.Default: v.Default, bucket.Mod: v.Mod, bucket.Hive: v.Hive} {
			for text, b := range want {
				if name == bucket.Hive && types[0].Kind == schema.Timestamp {
					continue // Java refuses these types at the first value that is not null, New at once
				}
				n, _ := strconv.Atoi(text)
				f, err := bucket.New(name, n, types)
				if err != nil {
					t.Fatal(err)
				}
				one, err := f.Of(values)
				if err != nil || one != b {
					t.Errorf("%s of %v %v into %d: Of gives %d, want %d: %v", name, v.Types, v.Values, n, one, b, err)
				}
				batch, err := f.Assign([]int32{-7}, rowtest.Columns(t, types, [][]any{values, make([]any, len(types)), values}))
				if err != nil || len(batch) != 4 || batch[0] != -7 || int(batch[1]) != b || int(batch[3]) != b {
					t.Errorf("%s of %v %v into %d: Assign gives %v, want %d: %v", name, v.Types, v.Values, n, batch, b, err)
				}
				checked++
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d buckets checked", checked)
	}
}

func TestAssignAndOfAgreeOnEveryType(t *testing.T) {
	types := rowtest.Types(t, "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DATE", "TIME(3)", "STRING", "BYTES", "DECIMAL(10,2)", "DECIMAL(38,4)")
	rows := [][]any{
		rowtest.Values(t, types, []any{true, "-3", "300", "-70000", "99999999999", "-1.5", "NaN", "-1", "3000", "text", "0xff00", "-12.30", "123456789012345678901234567890.1200"}),
		rowtest.Values(t, types, []any{false, "3", "-300", "70000", "-99999999999", "NaN", "-0", "1", "1", "", "0x", "0.00", "-0.0001"}),
		make([]any, len(types)),
	}
	for _, name := range []string{bucket.Default, bucket.Hive} {
		f, err := bucket.New(name, 97, types)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Assign(nil, rowtest.Columns(t, types, rows))
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if want, err := f.Of(row); err != nil || int(got[i]) != want {
				t.Errorf("%s, row %d: Assign %d, Of %d: %v", name, i, got[i], want, err)
			}
		}
	}
}

// The expected hashes are those of Java's BigDecimal: 12.34 is 1234 * 31 + 2.
func TestHiveIgnoresTrailingZerosOfDecimals(t *testing.T) {
	for text, want := range map[string]int{"12.3400": 1234*31 + 2, "12.34": 1234*31 + 2, "-12.30": (-123*31 + 1) & math.MaxInt32, "100.00": 100 * 31, "0.00": 0} {
		types := rowtest.Types(t, "DECIMAL(20,4)")
		f, err := bucket.New(bucket.Hive, math.MaxInt32, types)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Of(rowtest.Values(t, types, []any{text})); err != nil || got != want%math.MaxInt32 {
			t.Errorf("%s: %d, want %d: %v", text, got, want, err)
		}
	}
}

func TestEveryBucketIsInRangeForAnyCount(t *testing.T) {
	types := []schema.Type{{Kind: schema.BigInt}}
	r := rand.New(rand.NewSource(1))
	rows := make([][]any, 2000)
	for i := range rows {
		rows[i] = []any{int64(r.Uint64())}
	}
	cols := rowtest.Columns(t, types, rows)
	for _, n := range []int{1, 2, 3, 7, 16, 1000, 65537, math.MaxInt32} {
		f, err := bucket.New("", n, types)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Assign(nil, cols)
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range got {
			if of, _ := f.Of(rows[i]); b < 0 || int(b) >= n || of != int(b) {
				t.Fatalf("n=%d row %d: %d and %d", n, i, b, of)
			}
		}
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	str, num := rowtest.Types(t, "STRING"), rowtest.Types(t, "INT")
	for name, make := range map[string]func() (*bucket.Function, error){
		"zero":     func() (*bucket.Function, error) { return bucket.New("", 0, num) },
		"name":     func() (*bucket.Function, error) { return bucket.New("other", 1, num) },
		"mod text": func() (*bucket.Function, error) { return bucket.New(bucket.Mod, 1, str) },
		"hive ts":  func() (*bucket.Function, error) { return bucket.New(bucket.Hive, 1, rowtest.Types(t, "TIMESTAMP(3)")) },
		"nested":   func() (*bucket.Function, error) { return bucket.New("", 1, rowtest.Types(t, "ARRAY<INT>")) },
	} {
		if _, err := make(); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := bucket.New("", 4, num)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Assign(nil, nil); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("no columns: %v", err)
	}
	if _, err := f.Assign(nil, rowtest.Columns(t, str, [][]any{{"x"}})); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("column of another type: %v", err)
	}
}

func Example() {
	f, err := bucket.New(bucket.Default, 4, []schema.Type{{Kind: schema.BigInt}})
	if err != nil {
		panic(err)
	}
	b, err := f.Of([]any{int64(1)})
	fmt.Println(b, err)
	// Output: 2 <nil>
}

func benchmark(b *testing.B, row func(i int) []any, texts ...string) {
	types := rowtest.Types(b, texts...)
	rows := make([][]any, 4096)
	for i := range rows {
		rows[i] = row(i)
	}
	cols := rowtest.Columns(b, types, rows)
	f, err := bucket.New("", 16, types)
	if err != nil {
		b.Fatal(err)
	}
	var dst []int32
	b.ReportAllocs()
	for b.Loop() {
		dst = must(f.Assign(dst[:0], cols))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4096, "ns/row")
}

func must(dst []int32, err error) []int32 {
	if err != nil {
		panic(err)
	}
	return dst
}

func BenchmarkBigint(b *testing.B) {
	benchmark(b, func(i int) []any { return []any{int64(i)} }, "BIGINT")
}

func BenchmarkBigintString(b *testing.B) {
	benchmark(b, func(i int) []any { return []any{int64(i), fmt.Sprint("customer-", i)} }, "BIGINT", "STRING")
}
