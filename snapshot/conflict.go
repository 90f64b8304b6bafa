package snapshot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// A fact is an entry as the conflict rules see it. In append tables with
// deletion vectors a file and its vector change together, so there vector, the
// name of the index file that holds it, is part of the file's identity.
type fact struct {
	*manifest.Entry
	kind   manifest.Kind
	vector string
}

type factID struct {
	manifest.Identity
	vector string
}

func (f fact) id() factID { return factID{f.Identity(), f.vector} }

// conflictCase is what the rules judge: the live files of the base in the
// changed partitions, and the changes.
type conflictCase struct {
	c           *Committer
	at          *base
	kind        Kind
	live, delta []fact
	merged      []fact // live files after the changes, once folded
}

func (c *Committer) newCase(p *pending, live, delta []manifest.Entry) *conflictCase {
	return &conflictCase{c: c, at: p.base, kind: p.kind, live: facts(live), delta: facts(delta)}
}

func facts(entries []manifest.Entry) []fact {
	out := make([]fact, len(entries))
	for i := range entries {
		out[i] = fact{Entry: &entries[i], kind: entries[i].Kind}
	}
	return out
}

// conflict applies the rules of section 2.5 in order and returns the first
// violation.
func (k *conflictCase) conflict() error {
	for _, rule := range []func(*conflictCase) error{
		bucketCountKept,
		addedOnce,
		deletesHitLiveFiles,
		keysApart,
		rowIDsAgree,
	} {
		if err := rule(k); err != nil {
			return err
		}
	}
	return nil
}

// bucketCountKept: only an overwrite may change how many buckets a partition
// has. Files of other bucket modes carry no count.
func bucketCountKept(k *conflictCase) error {
	if k.kind == Overwrite {
		return nil
	}
	counts := map[string]int{}
	for _, list := range [][]fact{k.live, k.delta} {
		for _, f := range list {
			if f.TotalBuckets <= 0 {
				continue
			}
			before, known := counts[string(f.Partition)]
			if known && before != f.TotalBuckets {
				return k.refuse(f, fmt.Sprintf("partition %s has %d buckets, the file was written for %d",
					k.c.partitionText(f.Partition), before, f.TotalBuckets), "overwrite the partition to change its number of buckets")
			}
			counts[string(f.Partition)] = f.TotalBuckets
		}
	}
	return nil
}

// addedOnce: the changes neither add a file twice nor delete and add the same
// file, because whoever folds them would lose it.
func addedOnce(k *conflictCase) error {
	_, twice := fold(k.delta)
	if twice != nil {
		return k.refuse(*twice, "the commit adds the file twice, or deletes and adds it", "commit each file once")
	}
	return nil
}

// deletesHitLiveFiles: what is deleted must be there, or somebody else has
// deleted it, and what is added must not.
func deletesHitLiveFiles(k *conflictCase) error {
	merged, twice := fold(k.live, k.delta)
	if twice != nil {
		return k.refuse(*twice, "the file is in the table already", "commit each file once")
	}
	missed := slices.IndexFunc(merged, func(f fact) bool { return f.kind == manifest.Delete })
	if missed < 0 {
		k.merged = merged
		return nil
	}
	if k.allExpired(merged) {
		return k.refuse(merged[missed], "its partition "+k.c.partitionText(merged[missed].Partition)+" has expired",
			"leave out rows of expired partitions before writing")
	}
	detail := "the file to delete is gone: another commit has deleted it"
	if k.c.vectors() {
		detail = "the file to delete, or its deletion vector, has been changed by another commit"
	}
	return k.refuse(merged[missed], detail, "plan again from the newest snapshot; of two compactors of one bucket one will lose")
}

func (k *conflictCase) allExpired(merged []fact) bool {
	if k.c.cfg.Expired == nil {
		return false
	}
	for _, f := range merged {
		if f.kind == manifest.Delete && !k.c.cfg.Expired(f.Partition) {
			return false
		}
	}
	return true
}

// keysApart: in a table with a primary key the files of one level above 0
// hold keys apart from each other.
func keysApart(k *conflictCase) error {
	if len(k.c.keys) == 0 {
		return nil
	}
	type place struct {
		partition     string
		bucket, level int
	}
	levels := map[place][]int{}
	entries := make([]manifest.Entry, len(k.merged))
	for i, f := range k.merged {
		if entries[i] = *f.Entry; f.File.Level >= 1 {
			p := place{string(f.Partition), f.Bucket, f.File.Level}
			levels[p] = append(levels[p], i)
		}
	}
	for p, at := range levels {
		if two := k.c.overlapping(entries, at); two != nil {
			return k.refuse(k.merged[two[1]], fmt.Sprintf("its keys overlap those of %s in bucket %d, level %d",
				entries[two[0]].File.Name, p.bucket, p.level), "plan the compaction again from the newest snapshot")
		}
	}
	return nil
}

// rowIDsAgree: in a table with data evolution, the data files that a compaction
// leaves for overlapping rows are slices of exactly the same rows.
func rowIDsAgree(k *conflictCase) error {
	if !k.c.cfg.Options.DataEvolution || k.kind != Compact {
		return nil
	}
	var rows []fact
	for _, f := range k.merged {
		if f.File.FirstRowID != nil {
			rows = append(rows, f)
		}
	}
	slices.SortStableFunc(rows, func(a, b fact) int { return cmp.Compare(*a.File.FirstRowID, *b.File.FirstRowID) })
	var first *fact // first data file of the group of overlapping ranges
	end := int64(-1)
	for i, f := range rows {
		if *f.File.FirstRowID > end {
			first = nil
		}
		end = max(end, *f.File.FirstRowID+f.File.Rows-1)
		switch {
		case strings.HasSuffix(f.File.Name, ".blob"):
		case first == nil:
			first = &rows[i]
		case *first.File.FirstRowID != *f.File.FirstRowID || first.File.Rows != f.File.Rows:
			return k.refuse(f, "its row ids overlap those of "+first.File.Name+" without being the same", "plan again from the newest snapshot")
		}
	}
	return nil
}

// fold applies facts in order. An ADD of what is there, or was deleted without
// having been there, ends it.
func fold(lists ...[]fact) (left []fact, twice *fact) {
	n := 0
	for _, l := range lists {
		n += len(l)
	}
	at := make(map[factID]int, n)
	all := make([]fact, 0, n)
	gone := make([]bool, 0, n)
	for _, l := range lists {
		for _, f := range l {
			id := f.id()
			i, there := at[id]
			switch {
			case there && f.kind == manifest.Add:
				return nil, &f
			case there && all[i].kind == manifest.Add:
				gone[i] = true
				delete(at, id)
			case !there:
				at[id] = len(all)
				all, gone = append(all, f), append(gone, false)
			}
		}
	}
	left = all[:0]
	for i, f := range all {
		if !gone[i] {
			left = append(left, f)
		}
	}
	return left, nil
}

func (k *conflictCase) refuse(f fact, detail, hint string) error {
	err := k.c.conflictError(k.at, detail, hint, nil)
	err.File = f.File.Name
	return err
}

// conflictError is a violation, with both sides named.
func (c *Committer) conflictError(b *base, detail, hint string, cause error) *fault.Error {
	if b.snapshot != nil {
		detail += fmt.Sprintf(" (the newest snapshot is by user %s, this commit by %s)", b.snapshot.CommitUser, c.cfg.User)
	}
	return &fault.Error{Class: fault.ErrConflict, Op: "commit", Snapshot: b.id(), Detail: detail, Hint: hint, Err: cause}
}
