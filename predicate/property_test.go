package predicate_test

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// The reference below evaluates row by row, with all three truth values, NOT
// where it is written, and numbers of any length: nothing of the package.

type truth int

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// expr is a random expression: its text, and its value for a row.
type expr struct {
	text string
	eval func(row []any) truth
}

// testColumn makes values of a column, and literals to compare them with.
type testColumn struct {
	field schema.Field
	value func(r *rand.Rand) any
	// lit is a literal's text and how a value is ordered to it.
	lit func(r *rand.Rand) (string, func(v any) int)
}

func column(name string, t schema.Type, value func(*rand.Rand) any, lit func(*rand.Rand) (string, func(any) int)) testColumn {
	t.Nullable = true
	return testColumn{schema.Field{Name: name, Type: t}, value, lit}
}

// number is a literal near small integers, with a fraction now and then, or far out.
func number(r *rand.Rand) (string, *big.Rat) {
	text := strconv.Itoa(r.IntN(9) - 4)
	switch r.IntN(6) {
	case 0:
		text += "." + strconv.Itoa(r.IntN(100))
	case 1:
		text += ".50"
	case 2:
		text = []string{"1000", "-1000", "1e30", "-1e30", "127", "-128", "127.5", "1e-9", "9223372036854775807", "9223372036854775808", "1e400"}[r.IntN(11)]
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	if r.IntN(8) == 0 {
		text = "'" + text + "'"
	}
	return text, exact
}

func exactly(toRat func(any) *big.Rat) func(*rand.Rand) (string, func(any) int) {
	return func(r *rand.Rand) (string, func(any) int) {
		text, x := number(r)
		return text, func(v any) int { return toRat(v).Cmp(x) }
	}
}

func totalOrder(a, b float64) int {
	switch {
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	case math.IsNaN(b):
		return -1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func floating(bits int, to func(any) float64) func(*rand.Rand) (string, func(any) int) {
	return func(r *rand.Rand) (string, func(any) int) {
		if r.IntN(5) == 0 {
			text := []string{"NaN", "Infinity", "-Infinity"}[r.IntN(3)]
			x, _ := strconv.ParseFloat(text, 64)
			return "'" + text + "'", func(v any) int { return totalOrder(to(v), x) }
		}
		text, exact := number(r)
		x, err := strconv.ParseFloat(strings.Trim(text, "'"), bits)
		if err == nil {
			return text, func(v any) int { return totalOrder(to(v), x) }
		}
		return text, func(v any) int { // beyond the finite: never equal
			f := to(v)
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return totalOrder(f, 0)
			}
			return new(big.Rat).SetFloat64(f).Cmp(exact)
		}
	}
}

// instants have literals down to a tenth of a nanosecond; toNanos gives a value in tenths.
func instants(offset string, tenths func(v any) int64) func(*rand.Rand) (string, func(any) int) {
	return func(r *rand.Rand) (string, func(any) int) {
		at := time.Unix(int64(r.IntN(5)-2)*86400, 0).UTC()
		layout := "2006-01-02"
		extra := int64(0)
		var tail string
		if r.IntN(3) > 0 {
			at = at.Add([]time.Duration{0, 1, time.Microsecond, time.Millisecond, 12 * time.Hour, time.Second}[r.IntN(6)])
			layout = "2006-01-02 15:04:05.000000000"
			if r.IntN(4) == 0 {
				tail, extra = "5", 5
			}
			tail += offset
		}
		text := at.Format(layout) + tail
		x := at.UnixNano()*10 + extra
		if word := []string{"", "DATE ", "TIMESTAMP "}[r.IntN(3)]; word != "DATE " || layout == "2006-01-02" {
			text = word + "'" + text + "'"
		} else {
			text = "'" + text + "'"
		}
		return text, func(v any) int { return compareInts(tenths(v), x) }
	}
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func tenthsOf(v any) int64 {
	ts := v.(schema.TimestampValue)
	return (ts.Millis*1e6 + int64(ts.Nanos)) * 10
}

var words = []string{"", "a", "ab", "abc", "abd", "b", "ba", "é", "éa", "a%", "a_b", "'", "\U0010FFFF"}

func stamp(precision int) func(r *rand.Rand) any {
	return func(r *rand.Rand) any {
		v := schema.TimestampValue{Millis: int64(r.IntN(5)-2) * 86_400_000}
		v.Millis += []int64{0, 0, 1, 1000, 12 * 3_600_000}[r.IntN(5)]
		if precision > 3 {
			v.Nanos = int32(r.IntN(2)) * 1000
		}
		if precision > 6 {
			v.Nanos += int32(r.IntN(2))
		}
		if precision == 0 {
			v.Millis -= v.Millis % 1000
		}
		return v
	}
}

var columns = []testColumn{
	column("tiny", schema.Type{Kind: schema.TinyInt},
		func(r *rand.Rand) any { return []int8{-128, -1, 0, 1, 2, 3, 127}[r.IntN(7)] },
		exactly(func(v any) *big.Rat { return big.NewRat(int64(v.(int8)), 1) })),
	column("small", schema.Type{Kind: schema.SmallInt},
		func(r *rand.Rand) any { return int16(r.IntN(7) - 3) },
		exactly(func(v any) *big.Rat { return big.NewRat(int64(v.(int16)), 1) })),
	column("int", schema.Type{Kind: schema.Int},
		func(r *rand.Rand) any { return int32(r.IntN(7) - 3) },
		exactly(func(v any) *big.Rat { return big.NewRat(int64(v.(int32)), 1) })),
	column("big", schema.Type{Kind: schema.BigInt},
		func(r *rand.Rand) any { return []int64{math.MinInt64, -1, 0, 1, 3, math.MaxInt64}[r.IntN(6)] },
		exactly(func(v any) *big.Rat { return big.NewRat(v.(int64), 1) })),
	column("dec", schema.Type{Kind: schema.Decimal, Precision: 30, Scale: 2},
		func(r *rand.Rand) any {
			return []decimal128.Num{decimal128.FromI64(int64(r.IntN(900) - 450)), decimal128.FromI64(int64(r.IntN(9)-4) * 50), decimal128.GetMaxValue(30)}[r.IntN(3)]
		},
		exactly(func(v any) *big.Rat { return new(big.Rat).SetFrac(v.(decimal128.Num).BigInt(), big.NewInt(100)) })),
	column("single", schema.Type{Kind: schema.Float},
		func(r *rand.Rand) any {
			return []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1, 0.1, -2.5, math.MaxFloat32}[r.IntN(9)]
		},
		floating(32, func(v any) float64 { return float64(v.(float32)) })),
	column("double", schema.Type{Kind: schema.Double},
		func(r *rand.Rand) any {
			return []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1, 2.5, -3, math.MaxFloat64}[r.IntN(9)]
		},
		floating(64, func(v any) float64 { return v.(float64) })),
	column("flag", schema.Type{Kind: schema.Boolean},
		func(r *rand.Rand) any { return r.IntN(2) == 0 },
		func(r *rand.Rand) (string, func(any) int) {
			x := int64(r.IntN(2))
			order := func(v any) int {
				if v.(bool) {
					return compareInts(1, x)
				}
				return compareInts(0, x)
			}
			return []string{"FALSE", "true"}[x], order
		}),
	column("name", schema.Type{Kind: schema.VarChar, Length: schema.MaxLength},
		func(r *rand.Rand) any { return words[r.IntN(len(words))] },
		func(r *rand.Rand) (string, func(any) int) {
			x := words[r.IntN(len(words))]
			return "'" + strings.ReplaceAll(x, "'", "''") + "'", func(v any) int { return strings.Compare(v.(string), x) }
		}),
	column("raw", schema.Type{Kind: schema.VarBinary, Length: schema.MaxLength},
		func(r *rand.Rand) any { return [][]byte{{}, {0}, {0, 1}, {0xff}}[r.IntN(4)] },
		func(r *rand.Rand) (string, func(any) int) {
			x := [][]byte{{}, {0}, {0, 1}, {0xff}}[r.IntN(4)]
			return fmt.Sprintf("x'%X'", x), func(v any) int { return bytes.Compare(v.([]byte), x) }
		}),
	column("day", schema.Type{Kind: schema.Date},
		func(r *rand.Rand) any { return int32(r.IntN(5) - 2) },
		instants("", func(v any) int64 { return int64(v.(int32)) * 86400 * 1e10 })),
	column("clock", schema.Type{Kind: schema.Time, Precision: 3},
		func(r *rand.Rand) any { return []int32{0, 1, 60000, 86399999}[r.IntN(4)] },
		func(r *rand.Rand) (string, func(any) int) {
			x := []int64{0, 1e6, 60e9, 1, 86399999999999}[r.IntN(5)]
			text := time.Unix(0, x).UTC().Format("15:04:05.000000000")
			return []string{"", "TIME "}[r.IntN(2)] + "'" + text + "'", func(v any) int { return compareInts(int64(v.(int32))*1e6, x) }
		}),
	column("ts", schema.Type{Kind: schema.Timestamp, Precision: 3}, stamp(3), instants("", tenthsOf)),
	column("ts0", schema.Type{Kind: schema.Timestamp}, stamp(0), instants("", tenthsOf)),
	column("nano", schema.Type{Kind: schema.Timestamp, Precision: 9}, stamp(9), instants("", tenthsOf)),
	column("ltz", schema.Type{Kind: schema.TimestampLTZ, Precision: 6}, stamp(6), instants("+00:00", tenthsOf)),
}

var testOps = map[string]func(order int) bool{
	"=": func(o int) bool { return o == 0 }, "==": func(o int) bool { return o == 0 },
	"<>": func(o int) bool { return o != 0 }, "!=": func(o int) bool { return o != 0 },
	"<": func(o int) bool { return o < 0 }, "<=": func(o int) bool { return o <= 0 },
	">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
}

var (
	opNames = []string{"=", "==", "<>", "!=", "<", "<=", ">", ">="}
	flipped = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}
)

func known(i int, test func(v any) bool) func([]any) truth {
	return func(row []any) truth {
		if row[i] == nil {
			return unknown
		}
		return truthOf(test(row[i]))
	}
}

func randomLeaf(r *rand.Rand) expr {
	i := r.IntN(len(columns))
	c := columns[i]
	name := []string{"`" + c.field.Name + "`", `"` + c.field.Name + `"`}[r.IntN(2)]
	switch r.IntN(10) {
	case 0:
		return expr{name + " is null", func(row []any) truth { return truthOf(row[i] == nil) }}
	case 1:
		return expr{name + " IS NOT NULL", func(row []any) truth { return truthOf(row[i] != nil) }}
	case 2:
		return randomIn(r, i, name)
	case 3:
		low, orderLow := c.lit(r)
		high, orderHigh := c.lit(r)
		between := func(v any) bool { return orderLow(v) >= 0 && orderHigh(v) <= 0 }
		if r.IntN(2) == 0 {
			return expr{name + " NOT BETWEEN " + low + " AND " + high, known(i, func(v any) bool { return !between(v) })}
		}
		return expr{name + " between " + low + " and " + high, known(i, between)}
	case 4:
		return randomLike(r)
	case 5:
		switch r.IntN(6) {
		case 0:
			return expr{"TRUE", func([]any) truth { return yes }}
		case 1:
			return expr{"false", func([]any) truth { return no }}
		case 2:
			return expr{"NULL", func([]any) truth { return unknown }}
		case 3:
			return expr{name + " = NULL", func([]any) truth { return unknown }}
		}
		flag := slices.IndexFunc(columns, func(c testColumn) bool { return c.field.Name == "flag" })
		return expr{"flag", known(flag, func(v any) bool { return v.(bool) })}
	}
	op := opNames[r.IntN(len(opNames))]
	text, order := c.lit(r)
	holds := testOps[op]
	test := known(i, func(v any) bool { return holds(order(v)) })
	if r.IntN(5) == 0 {
		if f, ok := flipped[op]; ok {
			op = f
		}
		return expr{text + op + name, test}
	}
	return expr{name + op + text, test}
}

func randomIn(r *rand.Rand, i int, name string) expr {
	var texts []string
	var orders []func(any) int
	null := false
	for range 1 + r.IntN(4) {
		if r.IntN(6) == 0 {
			texts, null = append(texts, "null"), true
			continue
		}
		text, order := columns[i].lit(r)
		texts, orders = append(texts, text), append(orders, order)
	}
	in := func(row []any) truth {
		if row[i] == nil {
			return unknown
		}
		for _, order := range orders {
			if order(row[i]) == 0 {
				return yes
			}
		}
		if null {
			return unknown
		}
		return no
	}
	list := " IN (" + strings.Join(texts, ",") + ")"
	if r.IntN(2) == 0 {
		return expr{name + " NOT" + list, func(row []any) truth { return yes - in(row) }}
	}
	return expr{name + list, in}
}

// likeSlow matches by trying every length for each %.
func likeSlow(text, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	if pattern[0] == '%' {
		for i := range len(text) + 1 {
			if likeSlow(text[i:], pattern[1:]) {
				return true
			}
		}
		return false
	}
	return len(text) > 0 && (pattern[0] == '_' || pattern[0] == text[0]) && likeSlow(text[1:], pattern[1:])
}

func randomLike(r *rand.Rand) expr {
	i := slices.IndexFunc(columns, func(c testColumn) bool { return c.field.Name == "name" })
	var pattern []rune
	for range r.IntN(4) {
		pattern = append(pattern, []rune("ab%%_é")[r.IntN(6)])
	}
	text := "name LIKE '" + string(pattern) + "'"
	match := func(v any) bool { return likeSlow([]rune(v.(string)), pattern) }
	if r.IntN(3) == 0 {
		prefix := words[r.IntN(len(words))]
		text = "StartsWith ( name , '" + strings.ReplaceAll(prefix, "'", "''") + "')"
		match = func(v any) bool { return strings.HasPrefix(v.(string), prefix) }
	} else if r.IntN(2) == 0 {
		text = "name NOT LIKE '" + string(pattern) + "'"
		return expr{text, known(i, func(v any) bool { return !match(v) })}
	}
	return expr{text, known(i, match)}
}

func randomExpr(r *rand.Rand, depth int) expr {
	if depth == 0 || r.IntN(3) == 0 {
		return randomLeaf(r)
	}
	a := randomExpr(r, depth-1)
	switch r.IntN(3) {
	case 0:
		return expr{"NOT (" + a.text + ")", func(row []any) truth { return yes - a.eval(row) }}
	case 1:
		b := randomExpr(r, depth-1)
		return expr{"(" + a.text + ") AND (" + b.text + ")", func(row []any) truth { return min(a.eval(row), b.eval(row)) }}
	}
	b := randomExpr(r, depth-1)
	return expr{"(" + a.text + ") or (" + b.text + ")", func(row []any) truth { return max(a.eval(row), b.eval(row)) }}
}

func testFields() []schema.Field {
	fs := make([]schema.Field, len(columns))
	for i, c := range columns {
		fs[i] = c.field
		fs[i].ID = i
	}
	return fs
}

// randomRows makes rows, and the batch of them cut from a longer one, so that its offset is odd.
func randomRows(t testing.TB, r *rand.Rand, n int, alloc memory.Allocator) ([][]any, arrow.RecordBatch) {
	a, err := rowjson.NewAppender(testFields(), alloc)
	if err != nil {
		t.Fatal(err)
	}
	nulls := []int{0, 2, 5, 1 << 30}[r.IntN(4)] // all, half, some, none
	var rows [][]any
	for range n + 3 {
		row := make([]any, len(columns))
		for i, c := range columns {
			if nulls > 0 && r.IntN(nulls) > 0 {
				row[i] = c.value(r)
			}
		}
		if err := a.Append(schema.Insert, row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	rec, _ := a.Flush()
	defer rec.Release()
	return rows[3:], rec.NewSlice(3, int64(n+3))
}

func TestFilterAndPruningAgreeWithARowAtATimeReference(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	r := rand.New(rand.NewPCG(7, 11))
	pruned := 0
	for range 60 {
		rows, rec := randomRows(t, r, 1+r.IntN(150), alloc)
		for range 60 {
			e := randomExpr(r, 3)
			got, err := predicate.Parse(e.text, testFields(), time.UTC)
			if err != nil {
				t.Fatalf("%s: %v", e.text, err)
			}
			want := []int32{}
			for i, row := range rows {
				if e.eval(row) == yes {
					want = append(want, int32(i))
				}
			}
			checkFilter(t, e.text, got, rec, want)
			for i, row := range rows {
				if got.Match(valueOf(row)) != slices.Contains(want, int32(i)) {
					t.Fatalf("%s: row %v matches wrongly", e.text, row)
				}
			}
			checkForms(t, e.text, got, rec, want)
			pruned += checkPruning(t, r, e.text, got, rows, want)
		}
		rec.Release()
	}
	if pruned < 1000 {
		t.Errorf("only %d sets of rows were pruned: the statistics are hardly used", pruned)
	}
}

func checkFilter(t *testing.T, text string, e predicate.Expr, rec arrow.RecordBatch, want []int32) {
	t.Helper()
	got, err := e.Filter(rec)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s as %s:\n got %v\nwant %v\nof %v", text, e, got, want, rec)
	}
}

// checkForms: the same filter printed and read back, typed anew, and taken apart.
func checkForms(t *testing.T, text string, e predicate.Expr, rec arrow.RecordBatch, want []int32) {
	t.Helper()
	back, err := predicate.Parse(e.String(), testFields(), time.FixedZone("", 3600))
	if err != nil {
		t.Fatalf("%s prints as %s: %v", text, e, err)
	}
	if back.String() != e.String() {
		t.Fatalf("%s, then %s", e, back)
	}
	checkFilter(t, text, back, rec, want)
	bound, err := e.Bind(testFields())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	checkFilter(t, text, bound, rec, want)
	checkFilter(t, text, predicate.And(e.Split()...), rec, want)
	part, rest := e.OnlyFields(map[string]bool{"tiny": true, "name": true, "flag": true})
	checkFilter(t, text, predicate.And(part, rest), rec, want)
	for _, name := range part.Fields() {
		if name != "tiny" && name != "name" && name != "flag" {
			t.Fatalf("%s reads %s", part, name)
		}
	}
}

func valueOf(row []any) func(string) any {
	return func(name string) any {
		for i, c := range columns {
			if c.field.Name == name {
				return row[i]
			}
		}
		return nil
	}
}

// checkPruning: a set of rows that holds a match is never pruned, whatever of its statistics is known.
func checkPruning(t *testing.T, r *rand.Rand, text string, e predicate.Expr, rows [][]any, want []int32) (pruned int) {
	t.Helper()
	for range 8 {
		from := r.IntN(len(rows))
		to := min(len(rows), from+1+r.IntN(4))
		stats := statsOf(r, rows[from:to])
		count := int64(to - from)
		if r.IntN(6) == 0 {
			count = 0 // unknown
		}
		may := e.MayMatch(stats, count)
		if !may {
			pruned++
		}
		has := slices.ContainsFunc(want, func(i int32) bool { return int(i) >= from && int(i) < to })
		if has && !may {
			t.Fatalf("%s: rows %v are pruned", text, rows[from:to])
		}
	}
	return pruned
}

// statsOf collects statistics as writers do: exact, shortened, without NaN, or in parts unknown.
func statsOf(r *rand.Rand, rows [][]any) predicate.Stats {
	short, gaps, nan := r.IntN(2) == 0, r.IntN(3) == 0, r.IntN(2) == 0
	return func(name string) (low, high any, nulls int64, ok bool) {
		for _, row := range rows {
			v := valueOf(row)(name)
			if v == nil {
				nulls++
				continue
			}
			if f, ok := v.(float64); ok && math.IsNaN(f) && !nan {
				continue
			}
			if f, ok := v.(float32); ok && math.IsNaN(float64(f)) && !nan {
				continue
			}
			if low == nil || orderOf(v, low) < 0 {
				low = v
			}
			if high == nil || orderOf(v, high) > 0 {
				high = v
			}
		}
		if s, ok := low.(string); ok && short && len(s) > 1 {
			low, high = s[:1], "\U0010FFFF\U0010FFFF"
		}
		if gaps {
			switch r.IntN(4) {
			case 0:
				return nil, nil, 0, false
			case 1:
				low = nil
			case 2:
				high = nil
			case 3:
				nulls = -1
			}
		}
		return low, high, nulls, true
	}
}

func orderOf(a, b any) int {
	switch a := a.(type) {
	case bool:
		return compareInts(map[bool]int64{true: 1}[a], map[bool]int64{true: 1}[b.(bool)])
	case int8:
		return compareInts(int64(a), int64(b.(int8)))
	case int16:
		return compareInts(int64(a), int64(b.(int16)))
	case int32:
		return compareInts(int64(a), int64(b.(int32)))
	case int64:
		return compareInts(a, b.(int64))
	case float32:
		return totalOrder(float64(a), float64(b.(float32)))
	case float64:
		return totalOrder(a, b.(float64))
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case decimal128.Num:
		return a.BigInt().Cmp(b.(decimal128.Num).BigInt())
	case schema.TimestampValue:
		return compareInts(tenthsOf(a), tenthsOf(b))
	}
	panic(fmt.Sprintf("%T", a))
}
