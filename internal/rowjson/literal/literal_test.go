package literal_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

func TestNumbersFitByTheirExactValue(t *testing.T) {
	for _, c := range []struct {
		text string
		v    int64
		fit  literal.Fit
	}{
		{"0", 0, literal.Exact}, {"-0", 0, literal.Exact}, {"0.0e99", 0, literal.Exact},
		{"127", 127, literal.Exact}, {"+12.70e1", 127, literal.Exact}, {"1e2", 100, literal.Exact},
		{"128", 127, literal.TooLarge}, {"127.5", 127, literal.Between}, {"-128", -128, literal.Exact},
		{"-128.5", -128, literal.TooSmall}, {"-129", -128, literal.TooSmall}, {"3.5", 3, literal.Between},
		{"-3.5", -4, literal.Between}, {"0.001", 0, literal.Between}, {"-0.001", -1, literal.Between},
		{"1e1000000000000", 127, literal.TooLarge}, {"-1e99", -128, literal.TooSmall},
		{"1e-99999999999", 0, literal.Between}, {"-1e-9", -1, literal.Between},
		{"99999999999999999999", 127, literal.TooLarge}, {".5", 0, literal.Between}, {"5.", 5, literal.Exact},
	} {
		n, err := literal.ParseNumber(c.text)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		if v, fit := n.Int(-128, 127); v != c.v || fit != c.fit {
			t.Errorf("%s: %d %d, want %d %d", c.text, v, fit, c.v, c.fit)
		}
	}
	for _, text := range []string{"", "-", ".", "e1", "1e", "1e+", "1x", "0x1", "1_0", "NaN", " 1", "--1", "1.2.3"} {
		if _, err := literal.ParseNumber(text); err == nil {
			t.Errorf("%q was read as a number", text)
		}
	}
	for _, v := range []int64{math.MinInt64, math.MaxInt64, 0, -1} {
		if got, fit := literal.FromInt(v).Int(math.MinInt64, math.MaxInt64); got != v || fit != literal.Exact {
			t.Errorf("%d came back as %d %d", v, got, fit)
		}
	}
}

// TestDecimalsAgreeWithBigIntegers checks fits and rounding against arithmetic without limits.
func TestDecimalsAgreeWithBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		precision := 1 + r.IntN(38)
		scale := r.IntN(precision + 1)
		text := randomNumber(r)
		n, err := literal.ParseNumber(text)
		if err != nil {
			t.Fatal(text, err)
		}
		exact, _ := new(big.Rat).SetString(text)
		unscaled := new(big.Rat).Mul(exact, new(big.Rat).SetInt(pow(scale)))
		floor := new(big.Int).Div(unscaled.Num(), unscaled.Denom()) // Euclidean: the floor for a positive divisor
		limit := new(big.Int).Sub(pow(precision), big.NewInt(1))
		want, wantFit := floor, literal.Exact
		switch {
		case floor.Cmp(limit) > 0:
			want, wantFit = limit, literal.TooLarge
		case floor.Cmp(new(big.Int).Neg(limit)) < 0:
			want, wantFit = new(big.Int).Neg(limit), literal.TooSmall
		case !unscaled.IsInt():
			wantFit = literal.Between
		}
		got, fit := n.Decimal(precision, scale)
		if got.BigInt().Cmp(want) != 0 || fit != wantFit {
			t.Fatalf("%s as DECIMAL(%d, %d): %v %d, want %v %d", text, precision, scale, got.BigInt(), fit, want, wantFit)
		}
		half := new(big.Rat).SetFrac64(1, 2)
		rounded := new(big.Rat).Add(new(big.Rat).Abs(unscaled), half)
		want = new(big.Int).Div(rounded.Num(), rounded.Denom())
		fits := want.Cmp(limit) <= 0
		if exact.Sign() < 0 {
			want.Neg(want)
		}
		if got, ok := n.RoundDecimal(precision, scale); ok != fits || ok && got.BigInt().Cmp(want) != 0 {
			t.Fatalf("%s rounded to DECIMAL(%d, %d): %v %v, want %v %v", text, precision, scale, got.BigInt(), ok, want, fits)
		}
		if back, err := literal.ParseNumber(n.String()); err != nil || back != n {
			t.Fatalf("%s prints as %s, which reads as %v %v", text, n, back, err)
		}
	}
}

func randomNumber(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(2) == 0 {
		b.WriteByte('-')
	}
	b.WriteByte('0' + byte(r.IntN(10)))
	for range r.IntN(40) {
		b.WriteByte("0123456789005559"[r.IntN(16)])
	}
	if r.IntN(2) == 0 {
		b.WriteByte('.')
		for range 1 + r.IntN(30) {
			b.WriteByte("0123456789005559"[r.IntN(16)])
		}
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "e%d", r.IntN(60)-30)
	}
	return b.String()
}

func pow(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func TestDecimalsPrintInPlainDigits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		v := decimal128.New(int64(r.Uint64())>>r.IntN(64), r.Uint64()>>r.IntN(64))
		scale := r.IntN(39)
		got := string(literal.AppendDecimal(nil, v, scale))
		exact, ok := new(big.Rat).SetString(got)
		want := new(big.Rat).SetFrac(v.BigInt(), pow(scale))
		if !ok || exact.Cmp(want) != 0 || strings.ContainsAny(got, "eE+") {
			t.Fatalf("%v / 10^%d prints as %s", v.BigInt(), scale, got)
		}
		if _, fraction, _ := strings.Cut(got, "."); len(fraction) != scale {
			t.Fatalf("%s has not %d fraction digits", got, scale)
		}
	}
	if s := string(literal.AppendDecimal(nil, decimal128.New(math.MinInt64, 0), 0)); s != "-170141183460469231731687303715884105728" {
		t.Error(s)
	}
}

func TestCalendarAgreesWithTimePackage(t *testing.T) {
	for days := int64(-1_000_000); days < 4_000_000; days += 37 {
		want := time.Unix(days*86400, 0).UTC()
		y, m, d := literal.DateOf(days)
		if y != want.Year() || m != int(want.Month()) || d != want.Day() {
			t.Fatalf("day %d is %d-%d-%d, want %s", days, y, m, d, want)
		}
		if back := literal.DaysOf(y, m, d); back != days {
			t.Fatalf("day %d came back as %d", days, back)
		}
		text := string(literal.AppendDate(nil, days))
		if got, err := literal.ParseDate(text); err != nil || int64(got) != days {
			t.Fatalf("%s is day %d %v, want %d", text, got, err, days)
		}
	}
}

func TestSkippedAndRepeatedWallClocksResolveAsJavaDoes(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	apia, err := time.LoadLocation("Pacific/Apia") // left out the whole of 2011-12-30
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		text string
		loc  *time.Location
		want string
	}{
		{"2026-01-15 12:00:00", berlin, "2026-01-15T11:00:00"},
		{"2026-07-15 12:00:00", berlin, "2026-07-15T10:00:00"},
		{"2026-03-29 01:59:59", berlin, "2026-03-29T00:59:59"},
		{"2026-03-29 02:30:00", berlin, "2026-03-29T01:30:00"}, // skipped
		{"2026-03-29 03:00:00", berlin, "2026-03-29T01:00:00"},
		{"2026-10-25 02:30:00", berlin, "2026-10-25T00:30:00"}, // twice: the earlier
		{"2026-10-25 03:00:00", berlin, "2026-10-25T02:00:00"},
		{"2026-07-15 12:00:00Z", berlin, "2026-07-15T12:00:00"},
		{"2026-07-15T12:00:00+0530", berlin, "2026-07-15T06:30:00"},
		{"2026-07-15T12:00-08", berlin, "2026-07-15T20:00:00"},
		{"2011-12-30 12:00:00", apia, "2011-12-30T22:00:00"},
		{"2026-07-15", nil, "2026-07-15T00:00:00"},
	} {
		v, err := literal.Cast(c.text, schema.Type{Kind: schema.TimestampLTZ, Precision: 6}, c.loc)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		ts := v.(schema.TimestampValue)
		if got := string(literal.AppendTimestamp(nil, ts.Millis/1000, 0, 0)); got != c.want {
			t.Errorf("%s in %v is %s, want %s", c.text, c.loc, got, c.want)
		}
	}
}

func TestArrowUnitsRoundDownAndKnowTheirRange(t *testing.T) {
	v := schema.TimestampValue{Millis: -1, Nanos: 999_999} // one nanosecond before 1970
	for precision, want := range map[int]int64{0: -1, 3: -1, 6: -1, 9: -1} {
		got, fit := literal.ToUnits(v, precision)
		if got != want || (fit == literal.Exact) != (precision == 9) {
			t.Errorf("precision %d: %d %d", precision, got, fit)
		}
	}
	for _, units := range []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64} {
		for _, precision := range []int{6, 9} {
			v := literal.FromUnits(units, precision)
			if got, fit := literal.ToUnits(v, precision); got != units || fit != literal.Exact {
				t.Errorf("precision %d: %d came back as %d %d", precision, units, got, fit)
			}
		}
	}
	one := func(v schema.TimestampValue, d int64) schema.TimestampValue {
		n := int64(v.Nanos) + d
		return schema.TimestampValue{Millis: v.Millis + n/1e6 - b2i(n < 0), Nanos: int32((n + 1e6) % 1e6)}
	}
	if _, fit := literal.ToUnits(one(literal.FromUnits(math.MaxInt64, 9), 1), 9); fit != literal.TooLarge {
		t.Error(fit)
	}
	if _, fit := literal.ToUnits(one(literal.FromUnits(math.MinInt64, 9), -1), 9); fit != literal.TooSmall {
		t.Error(fit)
	}
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func TestCastAcceptsWhatTheTypeHoldsExactly(t *testing.T) {
	ts := func(p int) schema.Type { return schema.Type{Kind: schema.Timestamp, Precision: p, Nullable: true} }
	dec := schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2, Nullable: true}
	kind := func(k schema.Kind) schema.Type { return schema.Type{Kind: k, Nullable: true} }
	text := schema.Type{Kind: schema.VarChar, Length: 3, Nullable: true}
	for _, c := range []struct {
		text string
		typ  schema.Type
		want string // %v of the value, or the error after !
	}{
		{"-128", kind(schema.TinyInt), "-128"}, {"128", kind(schema.TinyInt), "!is out of range (-128 to 127)"},
		{"3.5", kind(schema.Int), "!is not a whole number"}, {"3.0", kind(schema.Int), "3"},
		{"9223372036854775808", kind(schema.BigInt), "!is out of range (-9223372036854775808 to 9223372036854775807)"},
		{"abc", kind(schema.BigInt), "!is not a number"}, {"", kind(schema.Int), "!is not a number"},
		{"123.4500", dec, "{12345 0}"}, {"123.456", dec, "!has more than 2 digits after the point"},
		{"1234", dec, "!has more than 3 digits before the point"}, {"-999.99", dec, "{18446744073709451617 -1}"},
		{"1e400", kind(schema.Double), "!is out of range"}, {"nan", kind(schema.Double), "NaN"},
		{"-Infinity", kind(schema.Float), "-Inf"}, {"3.5e38", kind(schema.Float), "!is out of range"}, {"0.1", kind(schema.Float), "0.1"},
		{"T", kind(schema.Boolean), "true"}, {"0", kind(schema.Boolean), "false"}, {"maybe", kind(schema.Boolean), "!is not true or false"},
		{"2024-02-29", kind(schema.Date), "19782"}, {"2023-02-29", kind(schema.Date), "!names a day that its month does not have"},
		{"2024-1-5", kind(schema.Date), "19727"}, {"2024-02-29 00:00:00", kind(schema.Date), "19782"},
		{"2024-02-29 00:00:01", kind(schema.Date), "!has a time of day, which a date cannot hold"},
		{"9999999-01-01", kind(schema.Date), "!is out of range for a date"}, {"today", kind(schema.Date), "!is not a date, write 2026-01-31"},
		{"10:11", kind(schema.Time), "36660000"}, {"10:11:12.3450", kind(schema.Time), "36672345"}, {"24:00:00", kind(schema.Time), "!is not a time, write 10:11:12.345"},
		{"10:11:12.3451", kind(schema.Time), "!has more than 3 digits after the second"},
		{"1970-01-01 00:00:01.234567", ts(6), "{1234 567000}"}, {"1970-01-01T00:00:01.2345", ts(3), "!has more than 3 digits after the second"},
		{"1969-12-31T23:59:59.999999999", ts(9), "{-1 999999}"}, {"1970-01-01T00:00:00Z", ts(3), "!has an offset, which only TIMESTAMP_LTZ can hold"},
		{"1970-01-01T", ts(3), "!is not a time, write 10:11:12.345"}, {"1970-01-01", ts(0), "{0 0}"},
		{"1970-01-01T00:00:00.", ts(3), "!is not a time, write 10:11:12.345"},
		{"äöü", text, "äöü"}, {"abcd", text, "!has more than 3 characters"}, {"\xff", text, "!is not valid UTF-8"},
		{"00fF", schema.Type{Kind: schema.VarBinary, Length: 2, Nullable: true}, "[0 255]"},
		{"000", schema.Type{Kind: schema.VarBinary, Length: 2, Nullable: true}, "!is not hex"},
		{"000102", schema.Type{Kind: schema.VarBinary, Length: 2, Nullable: true}, "!has more than 2 bytes"},
	} {
		v, err := literal.Cast(c.text, c.typ, time.UTC)
		got := fmt.Sprint(v)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != c.want {
			t.Errorf("%q as kind %d: %s, want %s", c.text, c.typ.Kind, got, c.want)
		}
	}
}

func TestDefaultsFollowPaimonsCast(t *testing.T) {
	typ := func(k schema.Kind, length, precision, scale int) schema.Type {
		return schema.Type{Kind: k, Nullable: true, Length: length, Precision: precision, Scale: scale}
	}
	for _, c := range []struct {
		text string
		typ  schema.Type
		want string
	}{
		{"'5'", typ(schema.Int, 0, 0, 0), "5"}, {"5.9", typ(schema.Int, 0, 0, 0), "5"}, {"'", typ(schema.VarChar, 9, 0, 0), "'"},
		{"''", typ(schema.VarChar, 9, 0, 0), ""}, {"abcd", typ(schema.VarChar, 2, 0, 0), "ab"}, {"é", typ(schema.Char, 3, 0, 0), "é  "},
		{"ab", typ(schema.Binary, 4, 0, 0), "[97 98 0 0]"}, {"abcd", typ(schema.VarBinary, 2, 0, 0), "[97 98]"},
		{"1.005", typ(schema.Decimal, 0, 10, 2), "{101 0}"}, {"99.995", typ(schema.Decimal, 0, 4, 2), "!has more than 2 digits before the point"},
		{"19782", typ(schema.Date, 0, 0, 0), "19782"}, {"1234", typ(schema.Timestamp, 0, 3, 0), "{1234 0}"},
		{"1970-01-01 00:00:01.23456", typ(schema.Timestamp, 0, 3, 0), "{1234 0}"}, {"Y", typ(schema.Boolean, 0, 0, 0), "true"},
		{"x", typ(schema.Char, schema.MaxLength, 0, 0), "!would be padded to more than a megabyte"},
	} {
		v, err := literal.CastDefault(c.text, c.typ, nil)
		got := fmt.Sprint(v)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != c.want {
			t.Errorf("%q as kind %d: %s, want %s", c.text, c.typ.Kind, got, c.want)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"1", "-1.5e10", "0.000", "1e999999999", "919E9999999999", "0.001e-9999999999", ".5", "00012"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := literal.ParseNumber(text)
		if err != nil {
			return
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil && v != 0 && (v < 0) != (n.Sign() < 0) {
			t.Errorf("%s has sign %d", text, n.Sign())
		}
		if back, err := literal.ParseNumber(n.String()); err != nil || back != n {
			t.Errorf("%q prints as %s, which reads as %v %v", text, n, back, err)
		}
		n.Int(math.MinInt64, math.MaxInt64)
		n.Decimal(38, 10)
		n.RoundDecimal(38, 38)
	})
}

func FuzzParseDateTime(f *testing.F) {
	for _, s := range []string{"2024-02-29", "2024-02-29T01:02:03.004Z", "-0001-01-01 00:00+08", "9999999-12-31 23:59:59.9999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dt, err := literal.ParseDateTime(text)
		if err != nil {
			return
		}
		v := dt.Wall()
		printed := string(literal.AppendTimestamp(nil, floor(v.Millis, 1000), int32(v.Millis-floor(v.Millis, 1000)*1000)*1e6+v.Nanos, 9))
		if back, err := literal.ParseDateTime(printed); err != nil || back.Wall() != v {
			t.Errorf("%q prints as %s, which reads as %v %v", text, printed, back.Wall(), err)
		}
		for p := range 10 {
			if u, fit := literal.ToUnits(v, p); fit == literal.Exact && literal.FromUnits(u, p) != v {
				t.Errorf("%v came back otherwise from precision %d", v, p)
			}
		}
	})
}

func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func ExampleCast() {
	v, err := literal.Cast("123.450", schema.Type{Kind: schema.Decimal, Precision: 9, Scale: 2}, nil)
	fmt.Println(string(literal.AppendDecimal(nil, v.(decimal128.Num), 2)), err)
	_, err = literal.Cast("300", schema.Type{Kind: schema.TinyInt}, nil)
	fmt.Println(err)
	// Output:
	// 123.45 <nil>
	// is out of range (-128 to 127)
}
