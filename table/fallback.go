package table

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Batch reads of a table whose option scan.fallback-branch names a branch take
// from there what partitions the table lacks. With scan.primary-branch the
// branch has the say, and the table helps out. A partition is of one of the two:
//
//	                           dt=1   dt=2   dt=3
//	table                       ●      ●                  ● read, ○ not read
//	branch (fallback)           ○             ●
//
// The branches agree on the columns, and on nothing else: each is read by its
// own key, buckets and merge engine. Streams, differences, lookups and whatever
// writes see the table's own branch alone.

// sharedBranch is the other branch that batch reads look at, "" for none, and
// whether it comes first. option is the one that names it.
func sharedBranch(o *schema.Options) (option, branch string, first bool) {
	if o.FallbackBranch != "" {
		return "scan.fallback-branch", o.FallbackBranch, false
	}
	return "scan.primary-branch", o.PrimaryBranch, o.PrimaryBranch != ""
}

// addBranch lets the scan read another branch besides, if an option says so. A
// tag is a state of its own branch alone.
func (s *Scan) addBranch(ctx context.Context) error {
	option, name, first := sharedBranch(s.table.options)
	if name == "" || ownBranch(name) == s.table.branch || s.options.Tag != "" {
		return nil
	}
	t := s.table
	other, err := open(ctx, t.store, name, t.mainName()+branchSuffix(name), t.settings, t.world)
	if err != nil {
		return &fault.Error{Detail: option + " = " + name, Err: err, Hint: "reset " + option + " to read without that branch"}
	}
	o := &Scan{scanned: scanned{table: other, schema: other.schema}, options: s.options, told: s.options.travels() == 0}
	if err = o.travelAlong(ctx, s.snapshot); err == nil {
		err = o.resolve(ctx)
	}
	if err == nil {
		err = o.visibility()
	}
	if err != nil {
		return &fault.Error{Detail: "branch " + name, Err: err}
	}
	if err := s.agree(o); err != nil {
		return err
	}
	s.other, s.otherFirst = &o.scanned, first
	return nil
}

// travelAlong sets which snapshot the scan of a branch reads beside that of
// another one. Snapshot ids mean nothing across branches, so it is the newest
// by that time; of a branch that began later it is the first, as in Paimon.
func (s *Scan) travelAlong(ctx context.Context, with *snapshot.Snapshot) error {
	o := &s.options
	if o.travels() == 0 {
		return nil
	}
	chain := s.table.chain
	newest, err := chain.Latest(ctx)
	if err != nil || newest == nil {
		o.Snapshot, o.AsOf, o.Watermark = 0, time.Time{}, nil
		return err
	}
	if o.Snapshot == 0 {
		return nil
	}
	at, err := chain.AtOrBefore(ctx, with.TimeMillis)
	if o.Snapshot = 1; at != nil {
		o.Snapshot = at.ID
	}
	return err
}

// agree refuses another branch whose rows have other columns. Paimon compares
// the types; columns of other names or ids it reads as something else.
func (s *Scan) agree(o *Scan) error {
	ours, theirs := s.schema.Fields, o.schema.Fields
	same := func(equal func(a, b schema.Field) bool) bool { return slices.EqualFunc(ours, theirs, equal) }
	if !same(func(a, b schema.Field) bool { return a.Type.EqualIgnoringNullability(b.Type) }) {
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("branches %s and %s have columns of other types", s.table.Branch(), o.table.Branch()),
			Hint: "alter one until both have the same columns, in one order"}
	}
	if !same(func(a, b schema.Field) bool { return a.Name == b.Name && a.ID == b.ID }) || !slices.Equal(s.schema.PartitionKeys, o.schema.PartitionKeys) {
		return fault.Unsupported(fmt.Sprintf("reading branches %s and %s together, whose columns have other names, ids or partitions", s.table.Branch(), o.table.Branch()),
			"rename columns alike in both, or begin the branch anew")
	}
	loose := *s.schema
	loose.Fields = slices.Clone(ours)
	for i := range loose.Fields { // a null of either branch must have a place
		loose.Fields[i].Type.Nullable = ours[i].Type.Nullable || theirs[i].Type.Nullable
	}
	s.schema = &loose
	return nil
}

// branches are the states that the scan reads, the table's own first.
func (s *Scan) branches() []*scanned {
	if s.other == nil {
		return []*scanned{&s.scanned}
	}
	return []*scanned{&s.scanned, s.other}
}

// ofOther is the part of the scan that reads the other branch.
func (s *Scan) ofOther() *Scan {
	o := *s
	o.scanned, o.other = *s.other, nil
	return &o
}

// ranked are the scans of each branch alone, the one that has the say first.
func (s *Scan) ranked() [2]*Scan {
	own := *s
	own.other = nil
	if s.otherFirst {
		return [2]*Scan{s.ofOther(), &own}
	}
	return [2]*Scan{&own, s.ofOther()}
}

// planBoth is Plan of two branches.
func (s *Scan) planBoth(ctx context.Context) ([]Split, error) {
	both := s.ranked()
	splits, err := both[0].Plan(ctx)
	if err != nil {
		return nil, err
	}
	if both[1].without, err = both[0].partitions(ctx); err != nil {
		return nil, both[0].table.wrap("plan", both[0].whyMissing(ctx, err))
	}
	more, err := both[1].Plan(ctx)
	if err != nil {
		return nil, err
	}
	splits = append(splits, more...)
	slices.SortStableFunc(splits, func(a, b Split) int { return binaryrow.Compare(s.table.parts, a.Partition, b.Partition) })
	return splits, nil
}

// partitions are those with a file that the scan sees, whatever is in it: the
// filter leaves out partitions only. It holds a number a partition.
func (s *Scan) partitions(ctx context.Context) (map[string]bool, error) {
	f := s.limited(s.pruning(ctx))
	f.File = nil // rows that do not match are there all the same
	real := 0
	f.MinBucket = &real
	sums, err := s.fileSums(ctx, f, partitionOf)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(sums))
	for key, sum := range sums {
		if sum.files > 0 {
			there[key.partition] = true
		}
	}
	return there, nil
}

func partitionOf(e *manifest.Entry) bucketKey { return bucketKey{partition: string(e.Partition)} }

// checkShared refuses a schema that names another branch that is not there,
// which reads would miss.
func checkShared(ctx context.Context, st store.Store, sc *schema.Table) error {
	o, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	option, name, _ := sharedBranch(o)
	if name == "" {
		return nil
	}
	if err := snapshot.CheckBranchName(ownBranch(name)); err != nil {
		return err
	}
	ids, err := newSchemaFiles(st, ownBranch(name)).ids(ctx)
	if err == nil && len(ids) == 0 {
		err = &fault.Error{Class: fault.ErrInvalid, Detail: option + " = " + name + " names a branch that is not there", Hint: "create the branch first"}
	}
	return err
}

// notShared refuses to take away a branch that reads of this one need.
func (t *Table) notShared(name string) error {
	option, shared, _ := sharedBranch(t.options)
	if shared == "" || name != shared {
		return nil
	}
	return &fault.Error{Class: fault.ErrInvalid, Detail: "branch " + name + " is the " + option + " of " + t.name, Hint: "reset " + option + " first"}
}
