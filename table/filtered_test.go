package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Filters on values read other columns late, or not, and change their way in
// between: rows never depend on it. The share of matches changes along the
// keys, so that both ways are taken.
func TestRowsDoNotDependOnHowAFilterIsRead(t *testing.T) {
	defer table.SetJudgeAfter(200)()
	defer table.SetMinRangeRows(300)()
	for _, options := range [][]string{nil, {"sequence.field=s"}, {"parquet.page.size=1024", "file.block-size=16 kb"}, {"ignore-delete=true"}} {
		st := store.NewMem()
		tab := create(t, st, `
columns: [{name: a, type: INT NOT NULL}, {name: b, type: STRING NOT NULL}, {name: s, type: INT}, {name: v, type: INT},
  {name: text, type: STRING}, {name: list, type: ARRAY<INT>}, {name: p, type: INT NOT NULL}]
partition-by: [p]
primary-key: [a, b, p]
options: {bucket: 1, write-only: true}
`, options...)
		r := rand.New(rand.NewPCG(3, uint64(len(options))))
		for run := range 4 {
			var rows []string
			for range 1500 {
				a, kind := r.IntN(400), "+I"
				if run > 0 && r.IntN(6) == 0 {
					kind = "-D"
				}
				v := fmt.Sprint(r.IntN(1000)) // few match v < 5 …
				if a/100%2 == 1 {
					v = fmt.Sprint(r.IntN(6)) // … but many here
				}
				if r.IntN(9) == 0 {
					v = "null"
				}
				if run == 3 {
					v = fmt.Sprint(5000 + r.IntN(9)) // statistics exclude this file
				}
				rows = append(rows, fmt.Sprintf(`{"_kind":%q,"a":%d,"b":%q,"s":%d,"v":%s,"text":"%d of %d","list":[%d,null],"p":%d}`,
					kind, a, fmt.Sprint(r.IntN(12)), r.IntN(9), v, a, run, a, r.IntN(2)))
			}
			load(t, tab, rows...)
		}
		wide := openWide(t, st)
		all := lines(t, wide, table.ScanOptions{})
		for where, match := range map[string]func(line string) bool{
			"v < 5":               func(l string) bool { v, ok := cell(l, "v"); return ok && v < 5 },
			"v IS NULL":           func(l string) bool { _, ok := cell(l, "v"); return !ok },
			"v > 5000 AND p = 1":  func(l string) bool { v, ok := cell(l, "v"); p, _ := cell(l, "p"); return ok && v > 5000 && p == 1 },
			"v = 777 OR a < 20":   func(l string) bool { v, ok := cell(l, "v"); a, _ := cell(l, "a"); return ok && v == 777 || a < 20 },
			"text LIKE '%1 of 0'": func(l string) bool { return strings.Contains(l, `1 of 0"`) },
		} {
			want := slices.DeleteFunc(slices.Clone(all), func(l string) bool { return !match(l) })
			for _, o := range []table.ScanOptions{{}, {BatchRows: 64}, {AnyOrder: true}} {
				o.Where = where
				if got := lines(t, wide, o); !slices.Equal(got, want) {
					t.Errorf("%v, %s, %+v: %d rows, want %d", options, where, o, len(got), len(want))
				}
			}
		}
	}
}

// cell is a number in a JSON row; false for null.
func cell(line, column string) (n int, ok bool) {
	_, rest, _ := strings.Cut(line, fmt.Sprintf("%q:", column))
	_, err := fmt.Sscan(strings.SplitN(rest, ",", 2)[0], &n)
	if err != nil {
		_, err = fmt.Sscanf(rest, "%d}", &n)
	}
	return n, err == nil
}
