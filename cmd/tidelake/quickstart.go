package main

import (
	"bytes"
	"context"
	_ "embed" // the sample
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/table"
)

// What Debezium sent of one table, and the table as MySQL held it afterwards.
var (
	//go:embed quickstart/events.jsonl
	sampleChanges []byte
	//go:embed quickstart/final.json
	sampleFinal []byte
)

func quickstartCommand(a *app) *cobra.Command {
	events := false
	cmd := &cobra.Command{Use: "quickstart", Short: "Replay real change events into a table and look around in it", Args: cobra.NoArgs,
		Long: `Replay change events, which Debezium captured from a MySQL server, into a new
primary-key table of the warehouse, and show what can be done with it. It may
be run again: each run makes a table of its own.`,
		Example: `  tidelake quickstart
  tidelake quickstart --events | tidelake write shop.copy - --format debezium-json --create`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if events {
				_, err := a.out.Write(sampleChanges)
				return err
			}
			return a.quickstart(cmd.Context())
		}}
	cmd.Flags().BoolVar(&events, "events", false, "print the change events and do nothing else")
	return cmd
}

func (a *app) quickstart(ctx context.Context) error {
	if a.world.Logger == nil {
		a.world.Logger = slog.New(slog.DiscardHandler) // the tour says what matters
	}
	return a.with(ctx, func(c *catalog.Catalog) error {
		q := tour{app: a, out: &failingOnce{w: a.out}}
		if err := q.replay(ctx, c); err != nil {
			return err
		}
		if a.json {
			return q.summary(ctx)
		}
		return errors.Join(q.show(ctx), q.out.err)
	})
}

// tour is one run of the quickstart.
type tour struct {
	*app
	out    *failingOnce
	table  *table.Table
	stages []stage
}

// stage is events of one kind that become one commit.
type stage struct {
	op     cdc.Op
	events []cdc.Event
}

var stageNames = map[cdc.Op]string{cdc.Read: "snapshot read", cdc.Create: "insert", cdc.Update: "update", cdc.Delete: "delete"}

// replay makes the table as the events describe it and commits stage by stage.
func (q *tour) replay(ctx context.Context, c *catalog.Catalog) error {
	events, err := sampleEventsOf(bytes.NewReader(sampleChanges))
	if err != nil {
		return err
	}
	for _, e := range events {
		if n := len(q.stages); n == 0 || q.stages[n-1].op != e.Op {
			q.stages = append(q.stages, stage{op: e.Op})
		}
		last := &q.stages[len(q.stages)-1]
		last.events = append(last.events, e)
	}
	if err := q.create(ctx, c, events); err != nil {
		return err
	}
	w, err := q.table.NewWriter(ctx, table.WriterOptions{User: "quickstart"})
	if err != nil {
		return err
	}
	for _, s := range q.stages {
		if err := q.commit(ctx, w, s.events); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

func sampleEventsOf(r io.Reader) ([]cdc.Event, error) {
	var events []cdc.Event
	for d := cdc.NewDebezium(r, cdc.Options{}); ; {
		e, err := d.Next()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}

// create makes the table under the first name that is free.
func (q *tour) create(ctx context.Context, c *catalog.Catalog, events []cdc.Event) error {
	def, _, err := cdc.Infer(events)
	if err != nil {
		return err
	}
	def.Comment = "order lines of a shop, replayed by tidelake quickstart"
	def.Options = map[string]string{"bucket": "1"}
	if err := c.CreateDatabase(ctx, "shop"); err != nil && !errors.Is(err, table.ErrExists) {
		return err
	}
	for n := 1; ; n++ {
		id := catalog.Identifier{Database: "shop", Table: "order_lines"}
		if n > 1 {
			id.Table = fmt.Sprintf("order_lines_%d", n)
		}
		q.table, err = c.CreateTable(ctx, id, def)
		if !errors.Is(err, table.ErrExists) {
			return err
		}
	}
}

func (q *tour) commit(ctx context.Context, w *table.Writer, events []cdc.Event) error {
	m, err := cdc.NewMapper(q.table.Schema(), cdc.MapperOptions{})
	if err != nil {
		return err
	}
	for i := range events {
		changes, err := m.Rows(&events[i])
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := w.WriteValues(ctx, c.Kind, c.Values); err != nil {
				return err
			}
		}
	}
	return w.CommitNext(ctx)
}

// summary is the tour for machines.
func (q *tour) summary(ctx context.Context) error {
	same, err := q.sameAsSource(ctx)
	if err != nil {
		return err
	}
	return printJSON(q.app.out, []cell{{"table", q.table.Name()}, {"snapshots", len(q.stages)}, {"equals_source", same}})
}

// show prints the tour.
func (q *tour) show(ctx context.Context) error {
	sc := q.table.Schema()
	q.say("Debezium captured these changes of %s from a MySQL server. They are now a table in\n%s, one commit for each kind of change:\n\n",
		q.stages[0].events[0].Table, q.place(q.table.Name()))
	if err := q.showSnapshots(ctx); err != nil {
		return err
	}
	q.say("\nIts rows now, merged by primary key (%s):\n\n", strings.Join(sc.PrimaryKeys, ", "))
	if err := q.showRows(ctx, table.ScanOptions{}); err != nil {
		return err
	}
	same, err := q.sameAsSource(ctx)
	if err != nil {
		return err
	}
	if same {
		q.say("\nMySQL held the same rows in the end: compared, equal.\n")
	} else {
		q.say("\nMySQL held other rows in the end: this is a fault of this program, please report it.\n")
	}
	if err := q.travel(ctx); err != nil {
		return err
	}
	q.goOn()
	if !same {
		return errors.New("the table differs from what MySQL held")
	}
	return nil
}

func (q *tour) showSnapshots(ctx context.Context) error {
	l := q.listing()
	l.json, l.tab = false, newTab(q.out)
	n := 0
	for s, err := range q.table.Snapshots().All(ctx) {
		if err != nil {
			return err
		}
		st := q.stages[n]
		if err := l.row(cell{"snapshot", s.ID}, cell{"time", when(s.TimeMillis)}, cell{"changes", count(len(st.events), stageNames[st.op])}); err != nil {
			return err
		}
		n++
	}
	return l.flush()
}

func (q *tour) showRows(ctx context.Context, o table.ScanOptions) error {
	s, err := q.table.Scan(ctx, o)
	if err != nil {
		return err
	}
	return printRows(ctx, q.out, s, "table")
}

// travel shows rows before and after their update.
func (q *tour) travel(ctx context.Context) error {
	for i, s := range q.stages {
		if s.op != cdc.Update || i == 0 {
			continue
		}
		key := s.events[0].Key[0]
		where := fmt.Sprintf("%s = %s", key.Name, key.JSON())
		q.say("\nTime travel: where %s, before and after snapshot %d\n\n", where, i+1)
		for at := int64(i); at <= int64(i)+1; at++ {
			if err := q.showRows(ctx, table.ScanOptions{Where: where, Snapshot: at}); err != nil {
				return err
			}
			q.say("\n")
		}
		return nil
	}
	return nil
}

// goOn prints commands that work as they stand.
func (q *tour) goOn() {
	run, name := runName(), q.table.Name()
	if q.warehouse != defaultWarehouse() {
		run += " --warehouse " + shellWord(q.warehouse)
	}
	q.say("Go on:\n")
	for _, args := range []string{
		"read " + name + ` --where "qty >= 10" --select sku,qty,price --format table`,
		"read " + name + " --snapshot 1 --format csv",
		"snapshots " + name,
		"files " + name,
		"check " + name,
		"table drop " + name,
		"--help",
	} {
		q.say("  %s %s\n", run, args)
	}
}

// runName is how this program was started, as far as a user would type it.
func runName() string {
	exe, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	if strings.Contains(exe, string(filepath.Separator)+"go-build") { // go run
		if data, err := os.ReadFile("go.mod"); err == nil && bytes.Contains(data, []byte("module github.com/tidelake/tidelake\n")) {
			return "go run ./cmd/tidelake"
		}
		return "go run github.com/tidelake/tidelake/cmd/tidelake@latest"
	}
	if found, err := exec.LookPath(filepath.Base(exe)); err == nil && sameFile(found, exe) {
		return filepath.Base(exe)
	}
	return os.Args[0]
}

// place is where a table lies, for people.
func (q *tour) place(name string) string {
	db, tb, _ := strings.Cut(name, ".")
	root, _, _ := strings.Cut(q.warehouse, "?") // parameters of a bucket
	return strings.TrimSuffix(root, "/") + "/" + db + ".db/" + tb
}

// shellWord quotes a word for a shell, if it has to be.
func shellWord(word string) string {
	if strings.ContainsAny(word, " \t?&*$;|<>()[]{}!#~'\"\\`") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// sameAsSource compares the table with the rows that MySQL held in the end.
func (q *tour) sameAsSource(ctx context.Context) (bool, error) {
	s, err := q.table.Scan(ctx, table.ScanOptions{})
	if err != nil {
		return false, err
	}
	var ours bytes.Buffer
	if err := printRows(ctx, &ours, s, "jsonl"); err != nil {
		return false, err
	}
	return sameRows(ours.Bytes(), sampleFinal)
}

// sameRows compares lines of JSON objects: numbers by their text, rows in any order.
func sameRows(a, b []byte) (bool, error) {
	x, errX := rowTexts(a)
	y, errY := rowTexts(b)
	return slices.Equal(x, y), errors.Join(errX, errY)
}

func rowTexts(lines []byte) ([]string, error) {
	var out []string
	for dec := json.NewDecoder(bytes.NewReader(lines)); ; {
		dec.UseNumber()
		var row map[string]any
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out, nil
		} else if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(row)) {
			fmt.Fprintf(&b, "%q: %q ", name, fmt.Sprint(row[name]))
		}
		out = append(out, b.String())
	}
}

// say prints to the tour's output.
func (q *tour) say(format string, args ...any) { fmt.Fprintf(q.out, format, args...) }

// failingOnce remembers the first error of a writer, so that a tour need not look after each line.
type failingOnce struct {
	w   io.Writer
	err error
}

func (f *failingOnce) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}
