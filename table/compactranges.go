package table

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/lsm"
)

// inRanges rewrites a section: as a whole into out, or, when it is large and
// no other compaction waits for the room, in ranges of keys beside each other,
// each into files of its own.
func (c *compaction) inRanges(ctx context.Context, r *unitReader, out *unitOutput, section []lsm.SortedRun,
	rewrite func(ctx context.Context, out *unitOutput, within *keyRange) error) error {
	if len(section) == 1 {
		return rewrite(ctx, out, nil)
	}
	bytes, held := int64(0), int64(1)
	runs := make([]rankedRun, len(section))
	for i, files := range section {
		bytes += sizeOf(files)
		held += heldBy(files, r.rowSize, r.files.NumFields())
		runs[i] = r.ranked(files)
	}
	// Each range reads all runs: pages of theirs are in memory once for each.
	fit := c.table.options.Spill.MergeBytes / held
	more := moreRoom(int(min(fit, bytes/max(1, out.files.target))) - 1)
	defer giveBack(more)
	if more == 0 {
		return rewrite(ctx, out, nil)
	}
	ranges, err := r.split.keyRanges(ctx, runs, more+1)
	if err != nil {
		return err
	}
	defer releaseRanges(ranges)
	if len(ranges) == 1 {
		return rewrite(ctx, out, nil)
	}
	if err := out.roll(); err != nil {
		return err
	}
	r.beside = len(ranges)
	defer func() { r.beside = 1 }()
	parts := make([]*unitOutput, len(ranges))
	group, ctx := errgroup.WithContext(ctx)
	for i := range ranges {
		parts[i] = out.another(c.table.world.NewID(), len(ranges))
		group.Go(func() error { return errors.Join(rewrite(ctx, parts[i], &ranges[i]), parts[i].roll()) })
	}
	err = group.Wait()
	for i := range parts {
		out.join(parts[i])
		err = errors.Join(err, parts[i].discard())
	}
	return err
}

// moreRoom takes up to n further places of compactions that nobody needs now.
func moreRoom(n int) (taken int) {
	for taken < n {
		select {
		case compactions <- struct{}{}:
			taken++
		default:
			return taken
		}
	}
	return taken
}

func giveBack(n int) {
	for range n {
		<-compactions
	}
}
