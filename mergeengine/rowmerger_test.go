package mergeengine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// newMixed is an engine that does what column do of the newest version says,
// to the columns k, do, a and b.
func newMixed(t *schema.Table) (mergeengine.RowMerger, error) {
	const do, a, b = 1, 2, 3
	if t.Index("do") != do {
		return nil, errors.New("it needs a column do")
	}
	return func(v *mergeengine.Versions, row *mergeengine.Row) error {
		newest := v.Len() - 1
		col, at := v.Cell(do, newest)
		switch verb := col.(*array.String).Value(at); verb {
		case "oldest":
			row.Take(0)
		case "mix": // a of the oldest, b the sum of all
			row.TakeColumn(a, 0)
			sum := int64(0)
			for i := range v.Len() {
				n, at := v.Cell(b, i)
				sum += n.(*array.Int64).Value(at)
			}
			row.Build(b).(*array.Int64Builder).Append(sum)
		case "count adds":
			n := 0
			for i := range v.Len() {
				if v.Kind(i) == schema.Insert {
					n++
				}
			}
			row.Build(a).(*array.StringBuilder).Append(fmt.Sprint(n))
		case "drop":
			row.Delete()
		case "far":
			row.Take(v.Len())
		case "far column":
			row.TakeColumn(a, -1)
		case "build nothing":
			row.Build(a)
		case "fail":
			return errors.New("it fails")
		}
		return nil
	}, nil
}

const mixed = `
columns: [{name: k, type: INT NOT NULL}, {name: do, type: STRING}, {name: a, type: STRING}, {name: b, type: BIGINT}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: test.mixed}`

func TestARegisteredEngineChoosesAndBuildsRows(t *testing.T) {
	if err := register(); err != nil {
		t.Fatal(err)
	}
	verbs := []string{"newest", "oldest", "mix", "count adds", "drop", "drop", "mix"}
	for _, commits := range []int{1, 2, 3} { // merged in the buffer, in files, in both
		tab := made(t, mixed)
		var lines [3][]string
		for k, verb := range verbs {
			for i := range 3 {
				at := min(i, commits-1)
				lines[at] = append(lines[at], fmt.Sprintf(`{"k":%d,"do":"%s","a":"a%d","b":%d}`, k, verb, i, 10+i))
			}
		}
		for _, l := range lines[:commits] {
			if err := commit(t, tab, append(l, fmt.Sprintf(`{"k":%d,"do":"alone","a":"x","b":1}`, 100+len(l)))...); err != nil {
				t.Fatal(err)
			}
		}
		got := strings.Join(rows(t, tab), "\n")
		for _, want := range []string{
			`{"k":0,"do":"newest","a":"a2","b":12}`, `{"k":1,"do":"oldest","a":"a0","b":10}`,
			`{"k":2,"do":"mix","a":"a0","b":33}`, `{"k":6,"do":"mix","a":"a0","b":33}`, `"do":"alone","a":"x","b":1}`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%d commits: no %s in\n%s", commits, want, got)
			}
		}
		if commits == 1 && !strings.Contains(got, `{"k":3,"do":"count adds","a":"3","b":12}`) {
			t.Errorf("kinds:\n%s", got)
		}
		if strings.Contains(got, "drop") {
			t.Errorf("%d commits: deleted rows are there:\n%s", commits, got)
		}
	}
}

func TestDeletesAreForTheEngineToJudge(t *testing.T) {
	if err := register(); err != nil {
		t.Fatal(err)
	}
	tab := made(t, mixed)
	if err := commit(t, tab,
		`{"k":1,"do":"newest","a":"x","b":1}`, `{"_kind":"-D","k":1,"do":"newest","a":"y","b":2}`,
		`{"k":2,"do":"oldest","a":"x","b":1}`, `{"_kind":"-D","k":2,"do":"oldest","a":"y","b":2}`); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, `{"k":2,"do":"oldest","a":"x","b":1}`)
}

func TestFailuresOfAnEngineNameIt(t *testing.T) {
	if err := register(); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"far", "far column", "build nothing", "fail"} {
		tab := made(t, mixed)
		err := commit(t, tab, `{"k":1,"do":"","a":"x","b":1}`, `{"k":1,"do":"`+verb+`","a":"x","b":1}`)
		if !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), "test.mixed") {
			t.Errorf("%s: %v", verb, err)
		}
	}
	sc := defined(t, `{columns: [{name: k, type: INT NOT NULL}], primary-key: [k], options: {bucket: 1, merge-engine: test.mixed}}`)
	o, err := schema.ParseOptions(sc.Options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mergeengine.New(sc, o); !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), "column do") {
		t.Errorf("a table that it cannot take: %v", err)
	}
}

// What compaction stores is a version like any other, for scans and lookups.
func TestCompactionAndLookupsMergeByRegisteredNames(t *testing.T) {
	if err := register(); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]string{
		"function": "merge-engine: aggregation, fields.a.aggregate-function: test.first-letter, fields.b.aggregate-function: sum",
		"engine":   "merge-engine: test.mixed",
	} {
		tab := made(t, strings.Replace(mixed, "write-only: true, merge-engine: test.mixed", "num-sorted-run.compaction-trigger: 3, "+options, 1))
		for i := range 7 {
			if err := commit(t, tab, fmt.Sprintf(`{"k":1,"do":"mix","a":"%c","b":%d}`, 'c'+i%3, i), fmt.Sprintf(`{"k":%d,"do":"mix","a":"z","b":0}`, 10+i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, full := range []bool{false, true} {
			if got := rows(t, tab); len(got) != 8 || got[0] != `{"k":1,"do":"mix","a":"c","b":21}` {
				t.Errorf("%s, compacted %v: %q", name, full, got)
			}
			if got, err := tab.Get(ctx, 1); err != nil || len(got) != 1 || fmt.Sprintf("%v %v", got[0]["a"], got[0]["b"]) != "c 21" {
				t.Errorf("%s, compacted %v: looked up %v, %v", name, full, got, err)
			}
			if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
