package table

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// ExpireOptions say which snapshots Expire takes away. The zero value says what
// the table's options do, however many there are.
type ExpireOptions struct {
	// RetainMin newest snapshots stay in any case. Default: snapshot.num-retained.min.
	RetainMin int
	// RetainMax is how many stay at most. Default: snapshot.num-retained.max.
	RetainMax int
	// OlderThan lets snapshots go that were committed before. Default:
	// snapshot.time-retained before now.
	OlderThan time.Time
	// Limit is how many snapshots, and how many changelogs, go at most, the
	// oldest first. Default: no limit.
	Limit int
	// DryRun changes nothing and reports what would go.
	DryRun bool
	// Each is told each file before it is deleted, one after the other. Default: nobody is.
	Each func(RemovedFile)
}

// ExpireReport is what expiry did, or would do. A file that another process
// deletes at the same time is counted by both.
type ExpireReport struct {
	Snapshots  int   // that went
	Changelogs int   // that went, of those that had outlived their snapshots
	Earliest   int64 // the oldest snapshot that stays, 0 without any
	Files      int   // data, changelog, index and metadata files, those of the snapshots too
	Bytes      int64 // of these
	// HeldBy is the consumer that kept a snapshot which would have gone, "" for none.
	HeldBy string
	// Left are the facts about metadata that could not be read. What only it
	// names was left where it is.
	Left []string
}

// Expire takes away old snapshots, and the files that nothing needs without them:
// no snapshot that stays, no tag, no branch, no changelog that is kept longer.
// Snapshots that a consumer has still to read stay. It is safe beside writers,
// readers, compactions and other expiries, and can be broken off at any time:
// files go before the metadata that names them, so the next expiry goes on
// where this one stopped. Memory is bounded by what one snapshot changed.
//
// A reader that has begun with an old snapshot may find that its files are gone.
// Errors: ErrInvalid for options that contradict each other, and what the store
// or metadata of what stays gives; what was done until then is in the report.
func (t *Table) Expire(ctx context.Context, o ExpireOptions) (ExpireReport, error) {
	e := t.newExpirer(o)
	err := e.run(ctx)
	return e.result(), t.wrap("expire", errors.Join(err, e.remover.close()))
}

// expirer is one run of expiry. It is for one goroutine.
type expirer struct {
	table      *Table
	chain      *snapshot.Chain
	snapshots  retained
	changelogs retained
	limit      int64
	dry        bool
	decoupled  bool              // changelogs outlive their snapshots
	spent      func() bool       // tells that the rest has to wait for another run
	told       int64             // snapshots before are expiring anyway, as others have said
	announced  int64             // and before this one, as this run has said
	neighbours []*snapshot.Chain // the other branches
	remover    *remover
	emptied    map[bucketKey]bool   // buckets that lost files
	telling    []*snapshot.Snapshot // changelogs that stay and are told by data files, where others have files of their own
	oldest     *snapshot.Snapshot   // that stays, for all we know
	report     ExpireReport
}

// retained is what of a chain stays.
type retained struct {
	schema.Retention
	cutoff int64 // epoch milliseconds: younger ones stay
}

func (t *Table) newExpirer(o ExpireOptions) *expirer {
	now := t.world.Clock()
	x := o.over(t.options.Expiry, now)
	e := &expirer{
		table: t, chain: t.chain, limit: math.MaxInt64, dry: o.DryRun, spent: func() bool { return false },
		decoupled: x.Decoupled(), snapshots: since(x.Snapshots, now), changelogs: since(x.ChangelogRetention(), now),
		remover: newRemover(t, o.DryRun, o.Each), emptied: map[bucketKey]bool{},
	}
	if o.Limit > 0 {
		e.limit = int64(o.Limit)
	}
	return e
}

// over puts what the caller says in the place of what the table says.
func (o *ExpireOptions) over(x schema.ExpiryOptions, now time.Time) schema.ExpiryOptions {
	s := &x.Snapshots
	switch {
	case o.RetainMin > 0 && o.RetainMax > 0:
		s.Min, s.Max = o.RetainMin, o.RetainMax
	case o.RetainMax > 0:
		s.Min, s.Max = min(s.Min, o.RetainMax), o.RetainMax
	case o.RetainMin > 0:
		s.Min, s.Max = o.RetainMin, max(s.Max, o.RetainMin)
	}
	if !o.OlderThan.IsZero() {
		s.Time = now.Sub(o.OlderThan)
	}
	return x
}

func since(r schema.Retention, now time.Time) retained {
	return retained{r, now.Add(-r.Time).UnixMilli()}
}

// run expires snapshots and then changelogs.
func (e *expirer) run(ctx context.Context) error {
	for _, r := range []retained{e.snapshots, e.changelogs} {
		if r.Min < 1 || r.Max < r.Min {
			return fault.Invalid("at least " + itoa(int64(r.Min)) + " and at most " + itoa(int64(r.Max)) + " snapshots or changelogs cannot be kept")
		}
	}
	latest, err := e.chain.Latest(ctx)
	if err != nil || latest == nil {
		return err
	}
	if e.oldest, err = e.chain.Earliest(ctx); err != nil || e.oldest == nil {
		return err
	}
	longLived, err := e.chain.LongLivedIDs(ctx)
	if err != nil {
		return err
	}
	if len(longLived) > 0 && !e.hasChangelogFiles() {
		e.decoupled = true // their rows lie in data files, which stay as long
	}
	next, err := e.consumer(ctx)
	if err != nil {
		return err
	}
	if err := e.expireSnapshots(ctx, latest.ID, next); err != nil || e.spent() {
		return err
	}
	if len(longLived) == 0 && !e.decoupled {
		return nil
	}
	return e.expireChangelogs(ctx, latest.ID, next)
}

// announce says which snapshots are about to go, before it looks who else needs
// their files: tags and branches that come later are taken back by who makes them.
func (e *expirer) announce(ctx context.Context, below int64) (err error) {
	if e.told, err = e.chain.ExpiringBelow(ctx); err != nil {
		return err
	}
	e.announced = 0
	if !e.dry && below > e.told {
		if err := e.chain.Expiring(ctx, below); err != nil {
			return err
		}
		e.announced = below
	}
	return e.lookAround(ctx)
}

// lookAround finds the other branches. A branch may be made of a tag that is
// deleted then, so look for branches after tags.
func (e *expirer) lookAround(ctx context.Context) (err error) {
	e.neighbours, err = e.table.otherBranches(ctx)
	return err
}

// begins says that the chain begins with a snapshot now, unless an expiry that
// others began has gone further.
func (e *expirer) begins(ctx context.Context, with *snapshot.Snapshot) error {
	e.oldest = with
	if e.dry {
		return nil
	}
	// Asked again, because an expiry that goes further may have begun meanwhile, and
	// has looked for tags. Between this and the next write it could still.
	below, err := e.chain.ExpiringBelow(ctx)
	if err != nil {
		return err
	}
	if e.announced > 0 && below == e.announced { // which is over
		below = e.told
	}
	if below > with.ID {
		return e.chain.Expiring(ctx, below)
	}
	e.chain.Began(ctx, false, with.ID)
	return nil
}

// hasChangelogFiles tells that changes are in files of their own. Without a
// producer they are the rows that snapshots added.
func (e *expirer) hasChangelogFiles() bool { return e.table.options.ChangelogProducer != "none" }

// ends is the range of ids that may expire: ids below low whatever their age,
// the others below end if they are old enough.
func (r *retained) ends(latest, earliest, next, limit int64) (low, end int64) {
	low = max(latest-int64(r.Max)+1, earliest)
	end = min(latest-int64(r.Min)+1, next)
	if limit < math.MaxInt64-earliest {
		end = min(end, earliest+limit)
	}
	return low, end
}

// consumer is the first snapshot that a consumer has still to read, the largest
// number when there is none.
func (e *expirer) consumer(ctx context.Context) (next int64, err error) {
	all, err := snapshot.NewConsumers(e.chain, e.table.world.Sleep).All(ctx)
	next = math.MaxInt64
	for _, c := range all {
		if c.Next < next {
			next, e.report.HeldBy = c.Next, c.ID
		}
	}
	return next, err
}

// leave notes metadata that could not be read.
func (e *expirer) leave(what string, err error) {
	e.report.Left = append(e.report.Left, what+": "+err.Error())
	e.table.world.Logger.Warn("expiry leaves files where they are", "table", e.table.name, "what", what, "error", err)
}

func (e *expirer) result() ExpireReport {
	r := e.report
	r.Files, r.Bytes = e.remover.files, e.remover.bytes
	if e.oldest != nil {
		r.Earliest = e.oldest.ID
	}
	return r
}
