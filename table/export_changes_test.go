package table

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/snapshot"
)

// StoredChanges yields what a snapshot changed: rows of its changelog where the
// table has a producer of changelogs, else those that its append added.
func StoredChanges(ctx context.Context, t *Table, id int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		s := &Scan{table: t, schema: t.schema}
		err := s.project()
		if err == nil {
			err = s.visibility()
		}
		if err == nil {
			s.snapshot, err = t.chain.Get(ctx, id)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		list := s.snapshot.ChangelogManifestList
		if t.options.ChangelogProducer == "none" && s.snapshot.CommitKind == snapshot.Append {
			list = s.snapshot.DeltaManifestList
		}
		if list == "" {
			return
		}
		s.with(systemColumns{snapshot: true, sequence: true, time: true, deletes: true})
		splits, err := s.changeSplits(ctx, list, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		for rec, err := range s.ReadSplits(ctx, splits) {
			if !yield(rec, err) {
				return
			}
		}
	}
}
