package table_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// step is one line of what Java Paimon was told to do.
type step struct {
	Op        string            `json:"op"`
	Rows      []json.RawMessage `json:"rows"`
	Partition json.RawMessage   `json:"partition"`
}

// inside is the partition of a step, as an object or as "column=value", nil for none.
func (s step) inside(t *testing.T) table.Row {
	t.Helper()
	var text string
	if json.Unmarshal(s.Partition, &text) == nil {
		name, value, _ := strings.Cut(text, "=")
		return table.Row{name: value}
	}
	var row table.Row
	dec := json.NewDecoder(bytes.NewReader(s.Partition))
	dec.UseNumber()
	if err := dec.Decode(&row); err != nil {
		t.Fatal(err)
	}
	for name, v := range row {
		if n, ok := v.(json.Number); ok {
			row[name], _ = n.Int64()
		}
	}
	if len(row) == 0 {
		return nil
	}
	return row
}

// apart are cases that our writer deliberately treats differently.
var apart = map[string]string{
	"bucket_double": "-0.0 and 0.0 are one key here, two in Java",
	"bucket_float":  "-0.0 and 0.0 are one key here, two in Java",

	"changelog_decoupled": "its first snapshots have expired: TestExpiryOfJavaReplayed",
	"changelog_first_row": "rows show once they are compacted: TestCompactionsOfJavaReplayed",

	"first_row":               "rows show once they are compacted: TestCompactionsOfJavaReplayed",
	"first_row_ignore_delete": "rows show once they are compacted: TestCompactionsOfJavaReplayed",
}

// stepsOf reads a case, nil when it does more than writing.
func stepsOf(t *testing.T, dir string) []step {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "steps.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []step
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var raw struct {
			Op     string
			Branch string
		}
		if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
			t.Fatal(err)
		}
		if raw.Branch != "" || !slices.Contains([]string{"create", "write", "overwrite", "drop-partition"}, raw.Op) {
			return nil
		}
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestOurFilesSayWhatJavasSay gives our writer the rows that real Paimon got,
// and compares rows, buckets, and the metadata of every file.
func TestOurFilesSayWhatJavasSay(t *testing.T) {
	dir := golden(t)
	cases, err := filepath.Glob(filepath.Join(dir, "cases", "*"))
	if err != nil {
		t.Fatal(err)
	}
	replayed, compared := 0, 0
	for _, c := range cases {
		steps := stepsOf(t, c)
		if steps == nil || apart[filepath.Base(c)] != "" {
			continue
		}
		t.Run(filepath.Base(c), func(t *testing.T) {
			n, err := replay(t, filepath.Join(dir, "warehouse", "fx.db", filepath.Base(c)), c, steps)
			if errors.Is(err, table.ErrUnsupported) {
				return // TestGoldenTables… holds the list
			}
			if err != nil {
				t.Fatal(err)
			}
			replayed++
			compared += n
		})
	}
	if replayed < 40 || compared < 150 {
		t.Errorf("%d cases replayed, %d files compared", replayed, compared)
	}
	t.Logf("%d cases replayed, %d files compared", replayed, compared)
}

func replay(t *testing.T, javaDir, dir string, steps []step) (compared int, err error) {
	local, err := store.NewLocal(javaDir)
	if err != nil {
		return 0, err
	}
	java, err := table.Open(ctx, local, "java", table.Settings{}, table.Components{})
	if err != nil {
		return 0, err
	}
	sc := *java.Schema()
	sc.Options = map[string]string{}
	for k, v := range java.Schema().Options {
		sc.Options[k] = v
	}
	sc.Options["write-only"] = "true"
	st := store.NewMem()
	if err := table.Create(ctx, st, &sc); err != nil {
		return 0, err
	}
	ours := reopen(t, st)
	w, err := ours.NewWriter(ctx, table.WriterOptions{User: "replay"})
	if err != nil {
		return 0, err
	}
	defer w.Close()
	javas := commitsOf(t, java)
	unseen := len(sc.PrimaryKeys) > 0 && ours.Options().DeletionVectors // rows that no compaction has moved up
	anew := false                                                       // Java numbers the rows of an overwrite from 0 again; ours go on, which orders them as well
	for i, s := range steps[1:] {
		anew = anew || s.Op == "overwrite"
		before, err := ours.Snapshots().LatestID(ctx)
		if err != nil {
			return 0, err
		}
		if err := act(t, ours, w, s, int64(i+1)); err != nil {
			return 0, fmt.Errorf("step %d: %w", i+1, err)
		}
		after, err := ours.Snapshots().LatestID(ctx)
		if err != nil || after == before {
			return 0, errors.Join(err, errors.New("no snapshot"))
		}
		if i >= len(javas) {
			t.Fatalf("Java made %d commits", len(javas))
		}
		if filepath.Base(dir) == "partition_string" { // more partitions than Java keeps writers for: it numbers spilled rows twice
			continue
		}
		compared += compareFiles(t, fmt.Sprintf("step %d", i+1), added(t, java, javas[i]), added(t, ours, after), anew)
		file := filepath.Join(dir, fmt.Sprintf("expected-snapshot-%d.jsonl", javas[i]))
		if exists(file) && !unseen {
			sameLines(t, file, lines(t, ours, table.ScanOptions{}))
		}
	}
	sound(t, ours)
	if unseen {
		expect(t, ours, table.ScanOptions{})
		return compared, nil
	}
	sameLines(t, filepath.Join(dir, "expected.jsonl"), lines(t, ours, table.ScanOptions{}))
	if file := filepath.Join(dir, "expected-buckets.jsonl"); exists(file) {
		sameLines(t, file, bucketLines(t, ours))
	}
	return compared, nil
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

// act does one step with our writer.
func act(t *testing.T, tab *table.Table, w *table.Writer, s step, id int64) error {
	rows := make([]string, len(s.Rows))
	for i, r := range s.Rows {
		rows[i] = plainNumbers(t, tab.Schema().Fields, r)
	}
	if err := write(t, w, tab, rows...); err != nil {
		return err
	}
	msgs, err := w.Prepare(ctx, id)
	if err != nil {
		return err
	}
	if s.Op == "write" {
		return w.Commit(ctx, id, msgs)
	}
	c, err := tab.NewCommitter(ctx, "replay")
	if err != nil {
		return err
	}
	if s.Op == "drop-partition" {
		return c.DropPartitions(ctx, id, s.inside(t))
	}
	return c.Overwrite(ctx, id, s.inside(t), msgs)
}

// plainNumbers turns numbers that a step holds as text into numbers, and
// leaves out columns that the table does not have.
func plainNumbers(t *testing.T, fields []schema.Field, row []byte) string {
	t.Helper()
	var cells map[string]json.RawMessage
	if err := json.Unmarshal(row, &cells); err != nil {
		t.Fatal(err)
	}
	for name := range cells { // the rows of one test fill tables of several formats, not all of which hold every type
		if !strings.HasPrefix(name, "_") && !slices.ContainsFunc(fields, func(f schema.Field) bool { return f.Name == name }) {
			delete(cells, name)
		}
	}
	for _, f := range fields {
		var text string
		if f.Type.Kind != schema.Float && f.Type.Kind != schema.Double && f.Type.Kind != schema.Int || json.Unmarshal(cells[f.Name], &text) != nil {
			continue
		}
		if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
			cells[f.Name] = json.RawMessage(text)
		}
	}
	out, err := json.Marshal(cells)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// commitsOf are the snapshots that are not compactions.
func commitsOf(t *testing.T, tab *table.Table) []int64 {
	var ids []int64
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if s.CommitKind != snapshot.Compact {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// added are the files that a snapshot added.
func added(t *testing.T, tab *table.Table, id int64) []table.FileInfo {
	old := map[string]bool{}
	var out []table.FileInfo
	for _, at := range []int64{id - 1, id} {
		if at == 0 {
			continue
		}
		for f, err := range tab.Files(ctx, at) {
			if err != nil {
				t.Fatal(err)
			}
			if at < id {
				old[f.Path] = true
			} else if !old[f.Path] {
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b table.FileInfo) int {
		return cmp.Or(slices.Compare(a.Partition, b.Partition), cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.MinSequence, b.MinSequence))
	})
	return out
}

// said is what a file's metadata says, but for names, sizes and times.
type said struct {
	Partition                []string
	Bucket, Level            int
	Rows, Schema, MinS, MaxS int64
	Deletes                  int64
	MinKey, MaxKey           []byte
	KeyStats, ValueStats     manifest.Stats
	Cols                     []string
	HasCols                  bool
	Source                   int8
}

func sayings(files []table.FileInfo, anew bool) []said {
	out := make([]said, len(files))
	for i, f := range files {
		out[i] = said{f.Partition, f.Bucket, f.Level, f.Rows, f.SchemaID, f.MinSequence, f.MaxSequence, -1, f.MinKey, f.MaxKey,
			f.KeyStats, f.ValueStats, f.ValueStatsCols, f.HasValueStatsCols, -1}
		if f.DeleteRows != nil {
			out[i].Deletes = *f.DeleteRows
		}
		if anew {
			out[i].MinS, out[i].MaxS = 0, f.MaxSequence-f.MinSequence
		}
		if f.Source != nil {
			out[i].Source = *f.Source
		}
	}
	return out
}

func compareFiles(t *testing.T, what string, java, ours []table.FileInfo, anew bool) int {
	t.Helper()
	if d := gocmp.Diff(sayings(java, anew), sayings(ours, anew)); d != "" {
		t.Errorf("%s (-Java +ours):\n%s", what, d)
	}
	return len(ours)
}

// bucketLines are the rows with the bucket they are in.
func bucketLines(t *testing.T, tab *table.Table) []string {
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, split := range splits {
		for _, row := range encoded(t, s, []table.Split{split}) {
			out = append(out, fmt.Sprintf(`{"_bucket":%d,%s`, split.Bucket, row[1:]))
		}
	}
	slices.Sort(out)
	return out
}
