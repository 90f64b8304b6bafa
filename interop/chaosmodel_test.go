//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// chaosKind is a kind of table that many processes work on at the same time,
// chosen so that its rows depend on which commits there are, not on their order.
type chaosKind struct {
	name     string
	shape    string // what its rows look like: flat, bag, sum or wide
	options  map[string]string
	lone     bool   // takes one writer at a time
	shared   bool   // writers share keys, by a sequence field
	deletes  bool   // writers delete keys of their own
	hides    bool   // shows rows once they are compacted
	producer string // of changelogs, "" for none
}

const chaosWriters = 4 // the last one is Java where Java takes part

var chaosKinds = []chaosKind{
	{name: "own keys", shape: "flat", deletes: true, options: map[string]string{"bucket": "2"}},
	{name: "shared keys", shape: "flat", shared: true, options: map[string]string{"bucket": "2", "sequence.field": "s"}},
	{name: "sums", shape: "sum", options: map[string]string{"bucket": "2", "merge-engine": "aggregation",
		"fields.n.aggregate-function": "max", "fields.v.aggregate-function": "sum"}},
	{name: "columns", shape: "wide", options: map[string]string{"bucket": "2", "merge-engine": "partial-update"}},
	{name: "vectors", shape: "flat", deletes: true, hides: true, options: map[string]string{"bucket": "1", "deletion-vectors.enabled": "true"}},
	{name: "lookup", shape: "flat", deletes: true, producer: "lookup", options: map[string]string{"bucket": "2"}},
	{name: "lookup of sums", shape: "sum", producer: "lookup", options: map[string]string{"bucket": "1", "merge-engine": "aggregation",
		"fields.n.aggregate-function": "max", "fields.v.aggregate-function": "sum"}},
	{name: "lookup of columns", shape: "wide", producer: "lookup", options: map[string]string{"bucket": "2", "merge-engine": "partial-update"}},
	{name: "lookup of vectors", shape: "flat", deletes: true, hides: true, producer: "lookup",
		options: map[string]string{"bucket": "1", "deletion-vectors.enabled": "true"}},
	{name: "compacted by others", shape: "flat", deletes: true, producer: "lookup", options: map[string]string{"bucket": "2", "write-only": "true"}},
	{name: "full compaction", shape: "flat", deletes: true, producer: "full-compaction", options: map[string]string{"bucket": "2"}},
	{name: "input", shape: "flat", deletes: true, producer: "input", options: map[string]string{"bucket": "2"}},
	{name: "dynamic", shape: "flat", deletes: true, lone: true, options: map[string]string{"bucket": "-1", "dynamic-bucket.target-row-num": "60"}},
	{name: "bag", shape: "bag", options: map[string]string{"bucket": "-1"}},
}

// looksUp tells that compactions look older rows up. Paimon's do not prove when
// they are committed that these were still the newest, so that two jobs of it,
// or it and this library, must not compact a bucket at the same time.
func (k *chaosKind) looksUp() bool { return k.hides || k.producer == "lookup" }

// definition is the table's schema as both sides read it.
func (k *chaosKind) definition(keep string) string {
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	columns := []column{{"id", "BIGINT NOT NULL"}}
	add := func(names ...string) {
		for _, n := range names {
			columns = append(columns, column{n, "BIGINT"})
		}
	}
	options := map[string]string{"num-sorted-run.compaction-trigger": "3", "compaction.min.file-num": "3",
		"snapshot.num-retained.min": "5", "snapshot.time-retained": keep}
	switch k.shape {
	case "sum":
		add("n", "v")
	case "wide":
		for w := range chaosWriters {
			g, c := fmt.Sprintf("g%d", w), fmt.Sprintf("c%d", w)
			add(g, c)
			options["fields."+g+".sequence-group"] = c
		}
	default:
		add("n", "s", "v")
	}
	for name, value := range k.options {
		options[name] = value
	}
	if k.producer != "" {
		options["changelog-producer"] = k.producer
	}
	keys := []string{"id"}
	if k.shape == "bag" {
		keys = []string{}
	}
	text, err := json.Marshal(map[string]any{"columns": columns, "primary-key": keys, "options": options})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// chaosRow is one row as it is written; the columns mean what the shape says.
type chaosRow struct {
	kind        string
	id, n, s, v int64
	w           int // of wide rows: whose columns are set
}

// chaosBeat is the key whose row tells how far a writer is.
const chaosBeat = 10_000_000

// batch is commit n of writer w. It is all that a writer needs to know.
func (k *chaosKind) batch(seed uint64, w int, n int64) []chaosRow {
	r := rand.New(rand.NewPCG(seed, uint64(w)<<40|uint64(n)))
	rows := []chaosRow{{"+I", chaosBeat + int64(w), n, n * 1000, r.Int64N(1000), w}}
	for j := range 1 + r.Int64N(14) {
		row := chaosRow{kind: "+I", id: int64(w+1)*1000 + r.Int64N(60), n: n, s: (n*100+j)*10 + int64(w), v: r.Int64N(1000), w: w}
		switch {
		case k.shape == "wide", k.shape == "sum" && r.IntN(2) == 0, k.shared && r.IntN(2) == 0:
			row.id = 500 + r.Int64N(40)
		case k.deletes && r.IntN(4) == 0:
			row.kind = "-D"
		}
		rows = append(rows, row)
	}
	return rows
}

// line is a row as JSON, with its kind if it has one.
func (k *chaosKind) line(r chaosRow) string {
	var b strings.Builder
	b.WriteByte('{')
	if r.kind != "" {
		fmt.Fprintf(&b, `"_kind":%q,`, r.kind)
	}
	switch k.shape {
	case "sum":
		fmt.Fprintf(&b, `"id":%d,"n":%d,"v":%d}`, r.id, r.n, r.v)
	case "wide":
		fmt.Fprintf(&b, `"id":%d,"g%d":%d,"c%d":%d}`, r.id, r.w, r.s, r.w, r.v)
	default:
		fmt.Fprintf(&b, `"id":%d,"n":%d,"s":%d,"v":%d}`, r.id, r.n, r.s, r.v)
	}
	return b.String()
}

func (k *chaosKind) batchLines(seed uint64, w int, n int64) (lines []string) {
	for _, r := range k.batch(seed, w, n) {
		lines = append(lines, k.line(r))
	}
	return lines
}

// chaosCell is a row of the table.
type chaosCell struct {
	n, s, v int64
	g, c    [chaosWriters]int64 // of wide rows; g is 0 where nothing is
}

// chaosState is the rows of a table that holds the commits of each writer up to one.
type chaosState struct {
	kind *chaosKind
	seed uint64
	at   [chaosWriters]int64
	rows map[int64]*chaosCell
	bag  map[string]int
}

func newChaosState(k *chaosKind, seed uint64) *chaosState {
	return &chaosState{kind: k, seed: seed, rows: map[int64]*chaosCell{}, bag: map[string]int{}}
}

// advance adds the commits of writer w up to one.
func (s *chaosState) advance(w int, to int64) {
	for ; s.at[w] < to; s.at[w]++ {
		for _, r := range s.kind.batch(s.seed, w, s.at[w]+1) {
			s.apply(r)
		}
	}
}

// apply is what the merge engine makes of one more row.
func (s *chaosState) apply(r chaosRow) {
	if s.kind.shape == "bag" {
		r.kind = ""
		s.bag[s.kind.line(r)]++
		return
	}
	now := s.rows[r.id]
	if r.kind == "-D" {
		delete(s.rows, r.id)
		return
	}
	if now == nil {
		now = &chaosCell{}
		s.rows[r.id] = now
	}
	switch s.kind.shape {
	case "sum":
		now.n, now.v = max(now.n, r.n), now.v+r.v
	case "wide":
		if r.s >= now.g[r.w] {
			now.g[r.w], now.c[r.w] = r.s, r.v
		}
	default:
		if !s.kind.shared || r.s >= now.s {
			now.n, now.s, now.v = r.n, r.s, r.v
		}
	}
}

// lines are the rows, sorted.
func (s *chaosState) lines() []string {
	var lines []string
	for line, n := range s.bag {
		for range n {
			lines = append(lines, line)
		}
	}
	for id, c := range s.rows {
		lines = append(lines, s.kind.cellLine(id, c))
	}
	slices.Sort(lines)
	return lines
}

// cellLine is a row of the table as both sides print it.
func (k *chaosKind) cellLine(id int64, c *chaosCell) string {
	if k.shape != "wide" {
		return k.line(chaosRow{id: id, n: c.n, s: c.s, v: c.v})
	}
	line := fmt.Sprintf(`{"id":%d`, id)
	for w := range chaosWriters {
		if c.g[w] == 0 {
			line += fmt.Sprintf(`,"g%d":null,"c%d":null`, w, w)
		} else {
			line += fmt.Sprintf(`,"g%d":%d,"c%d":%d`, w, c.g[w], w, c.c[w])
		}
	}
	return line + "}"
}

// commits is how many commits of each writer rows show.
func (k *chaosKind) commits(lines []string) (at [chaosWriters]int64, err error) {
	for _, line := range lines {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"id":%d`, chaosBeat/10)) {
			continue
		}
		var row map[string]*int64
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			return at, fmt.Errorf("%s: %w", line, err)
		}
		w := *row["id"] - chaosBeat
		n := row["n"]
		if k.shape == "wide" {
			if n = row[fmt.Sprintf("g%d", w)]; n != nil {
				*n /= 1000
			}
		}
		if n == nil || w < 0 || w >= chaosWriters {
			return at, fmt.Errorf("no writer writes such a row: %s", line)
		}
		at[w] = max(at[w], *n)
	}
	return at, nil
}

// differ tells how sorted lines differ from those that are wanted, "" if they do not.
func differ(want, got []string) string {
	count := map[string]int{}
	for _, l := range want {
		count[l]++
	}
	var more, less []string
	for _, l := range got {
		if count[l]--; count[l] < 0 {
			more = append(more, l)
		}
	}
	for _, l := range want {
		if count[l] > 0 {
			count[l]--
			less = append(less, l)
		}
	}
	if len(more)+len(less) == 0 {
		return ""
	}
	return some("the table", len(got), more) + some("the commits", len(want), less)
}
