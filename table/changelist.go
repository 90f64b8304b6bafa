package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// A snapshot tells in two manifest lists what its commit changed: the delta,
// files that came and went, and the changelog, files that hold how rows were
// before and after. Streams and incremental reads read files of such a list as
// they are: every stored row, with its kind, never merged.

// toldBy is the list that tells the changes of a snapshot, "" for none, under the
// options of the snapshot's own schema: the table may have begun, or ceased, to
// write changelogs since. waiting says that rows that wait for their bucket are
// told as well; where there are changelogs they are told later.
func toldBy(s *snapshot.Snapshot, then *schema.Options) (list string, waiting bool) {
	switch producer := then.ChangelogProducer; {
	case producer == "none" && s.CommitKind == snapshot.Append:
		return s.DeltaManifestList, true
	case producer == "none":
		return "", false
	case producer == "input" && s.CommitKind == snapshot.Append && s.ChangelogManifestList == "":
		return s.DeltaManifestList, false // of a writer that did not know of the producer yet
	}
	return s.ChangelogManifestList, false
}

// tellsAs refuses compactions of this table where another schema tells changes in
// another way: what rows they take out of level 0 nobody would tell.
func (t *Table) tellsAs(ctx context.Context, id int64) error {
	e := &fault.Error{Class: fault.ErrConflict, Hint: "open the table again"}
	then, err := t.schemas.options(ctx, id)
	switch {
	case errors.Is(err, fault.ErrInvalid), errors.Is(err, fault.ErrUnsupported): // which ends writers, too
		e.Err = err
	case err != nil || then.ChangelogProducer == t.options.ChangelogProducer:
		return err
	default:
		e.Detail = fmt.Sprintf("changelog-producer was altered from %s to %s since the table was opened, so the compaction does not tell what it must",
			t.options.ChangelogProducer, then.ChangelogProducer)
	}
	return e
}

// changeSplits are the files that a manifest list of the scan's snapshot adds, one split a
// bucket, in the order of partition and bucket. Files are in the order in which they were
// written, which is the order of the changes of a key. keep chooses among
// them, nil takes all; files that the filter excludes are left out. The scan's
// own reading of such splits yields their rows, deletes too if its system
// columns say so.
func (s *Scan) changeSplits(ctx context.Context, list string, keep func(*manifest.Entry) bool) ([]Split, error) {
	f := s.pruning(ctx)
	f.MinLevel = nil
	onKeys := f.File
	f.File = func(e *manifest.Entry) bool {
		return (onKeys == nil || onKeys(e)) && s.fileMayMatch(ctx, s.filter, &e.File)
	}
	files, err := s.listedFiles(ctx, list, f, func(e *manifest.Entry) bool {
		return e.Kind == manifest.Add && (s.keep == nil || s.keep(e)) && (keep == nil || keep(e))
	})
	if err != nil {
		return nil, err
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(files) {
		splits = append(splits, s.split(key, files[key]))
	}
	return splits, nil
}

// listedFiles are the files of chosen entries of a manifest list, by bucket, in
// the order of the list.
func (s *Scan) listedFiles(ctx context.Context, list string, f *manifest.Filter, keep func(*manifest.Entry) bool) (map[bucketKey][]manifest.DataFile, error) {
	files := make(map[bucketKey][]manifest.DataFile)
	for e, err := range s.table.manifest.ScanLists(ctx, f, list) {
		if isNotFound(err) && list == s.snapshot.ChangelogManifestList {
			err = &fault.Error{Class: fault.ErrNotFound, Snapshot: s.snapshot.ID, Err: err, Detail: "its changelog is not there: it goes when a snapshot has expired, and a tag brings back the rows alone",
				Hint: "begin with all rows of it, or with the changes behind it"}
		}
		if err != nil {
			return nil, err
		}
		if keep(e) {
			key := bucketKey{string(e.Partition), e.Bucket}
			files[key] = append(files[key], e.File)
		}
	}
	return files, nil
}
