package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// placeOf is the partition and the key of a row as a JSON line.
func placeOf(sc *schema.Table, line string) (string, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		return "", err
	}
	var place []string
	for _, name := range slices.Concat(sc.PartitionKeys, sc.PrimaryKeys) {
		place = append(place, string(row[name]))
	}
	return strings.Join(place, "|"), nil
}

// wholeRows are the rows of a snapshot on all levels, by place.
func wholeRows(tab *table.Table, id int64) (map[string]string, error) {
	rows := map[string]string{}
	enc, err := rowjson.NewEncoder(tab.Schema().Fields)
	if err != nil {
		return nil, err
	}
	for rec, err := range table.RowsAbove(ctx, tab, id, 0) {
		if err == nil {
			err = enc.Bind(rec)
		}
		if err != nil {
			return nil, err
		}
		for r := range int(rec.NumRows()) {
			line := string(enc.AppendRow(nil, r))
			place, err := placeOf(tab.Schema(), line)
			if err != nil {
				return nil, err
			}
			rows[place] = line
		}
	}
	return rows, nil
}

// applied puts a change into rows, and says what does not fit.
func applied(sc *schema.Table, rows map[string]string, kind schema.RowKind, line string) error {
	place, err := placeOf(sc, line)
	if err != nil {
		return err
	}
	old, there := rows[place]
	switch {
	case kind == schema.Insert && !there, kind == schema.UpdateAfter && old == updating:
		rows[place] = line
	case kind == schema.UpdateBefore && old == line:
		rows[place] = updating
	case kind == schema.Delete && old == line:
		delete(rows, place)
	default:
		return fmt.Errorf("%s of %s does not fit %q", kind, line, old)
	}
	return nil
}

// updating stands for a row between its -U and its +U.
const updating = "-U"

// fits proves that the full changelog of a stream fits the table, snapshot by
// snapshot, from rows on. pause draws after how many rows another stream goes
// on from a token; 0 is never.
func fits(tab *table.Table, o table.StreamOptions, rows map[string]string, pause func() int64) error {
	enc, err := rowjson.NewEncoder(tab.Schema().Fields)
	if err != nil {
		return err
	}
	as, err := schema.ArrowSchema(tab.Schema().Fields)
	if err != nil {
		return err
	}
	for {
		o.Limit = pause()
		s, err := tab.Stream(ctx, o)
		if err != nil {
			return err
		}
		for c, err := range s.Snapshots(ctx) {
			if err != nil {
				return err
			}
			for rec, err := range c.Batches() {
				if err != nil {
					return err
				}
				if err := applyBatch(tab.Schema(), rows, rec, as, enc); err != nil {
					return fmt.Errorf("snapshot %d: %w", c.Snapshot.ID, err)
				}
			}
			if s.NextSnapshot() <= c.Snapshot.ID {
				continue // the limit was there first
			}
			want, err := wholeRows(tab, c.Snapshot.ID)
			if err != nil {
				return err
			}
			if d := cmp.Diff(want, rows); d != "" {
				return fmt.Errorf("snapshot %d (-table +told):\n%s", c.Snapshot.ID, d)
			}
		}
		if s.NextSnapshot() > o.UntilSnapshot {
			return nil
		}
		o.Mode, o.Snapshot, o.Token = "", 0, s.Token()
	}
}

// applyBatch puts the changes of a batch into rows.
func applyBatch(sc *schema.Table, rows map[string]string, rec arrow.RecordBatch, as *arrow.Schema, enc *rowjson.Encoder) error {
	values := array.NewRecordBatch(as, rec.Columns()[2:], rec.NumRows())
	defer values.Release()
	if err := enc.Bind(values); err != nil {
		return err
	}
	kinds := rec.Column(0).(*array.Int8)
	for r := range int(rec.NumRows()) {
		if err := applied(sc, rows, schema.RowKind(kinds.Value(r)), string(enc.AppendRow(nil, r))); err != nil {
			return err
		}
	}
	return nil
}

func never() int64 { return 0 }

// TestAFullChangelogFitsTheTablesOfJava goes through all tables of real Paimon
// that have no changelog of their own, with all engines and kinds of buckets.
func TestAFullChangelogFitsTheTablesOfJava(t *testing.T) {
	_, c := goldenCatalog(t)
	names, err := c.Tables(ctx, "fx")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, name := range names {
		tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
		if _, cannot := refused[name]; cannot || err != nil || len(tab.Schema().PrimaryKeys) == 0 {
			continue
		}
		first, err := tab.Snapshots().Earliest(ctx)
		if err != nil || first == nil {
			continue
		}
		last, err := tab.Snapshots().LatestID(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o := table.StreamOptions{FullChangelog: true, Snapshot: first.ID, UntilSnapshot: last, Overwrites: table.DeliverOverwrites}
		if first.ID > 1 {
			o.Mode = table.FromSnapshotFull
		}
		err = fits(tab, o, map[string]string{}, never)
		if errors.Is(err, table.ErrInvalid) || errors.Is(err, table.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		told++
	}
	if told < 85 {
		t.Errorf("%d tables were told", told)
	}
}
