package snapshot

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// Config says what a Committer commits to and as whom.
type Config struct {
	Store    store.Store     // the table's root
	Branch   string          // "" or MainBranch for the main branch
	Manifest *manifest.IO    // over the same store; shared by all branches
	Schema   *schema.Table   // keys, partitions and bucket mode
	Options  *schema.Options // of that schema
	User     string          // the commit user, never empty

	// NewUser says that no snapshot of User can exist yet, because its name
	// was just made up. It saves looking for them through the whole chain.
	NewUser bool
	// Sequential makes the requests of a commit one after the other, for tests
	// that count them. Default: those that do not depend on each other run at once.
	Sequential bool

	Clock func() time.Time                           // default time.Now
	Rand  func() float64                             // 0 to 1, spreads waits; default random
	Sleep func(context.Context, time.Duration) error // waits between attempts; default really waits
	// LatestSchemaID gives the id of the branch's newest schema. It is asked
	// once per attempt and must not list. Default: starts at Schema.ID and
	// probes for the next ids, which is one request when there is none.
	LatestSchemaID func(context.Context) (int64, error)
	// Compacts is an error where compactions made under Schema do not fit the
	// schema of an id, which is the newest: they are refused then. Default: all do.
	Compacts func(ctx context.Context, schemaID int64) error
	// Prove proves that there is the table still. It is asked where the chain is
	// empty, which that of a table that was dropped is too. Default: nobody asks.
	Prove func(context.Context) error
	// Expired tells whether a partition has outlived the table's retention. It
	// only makes the message of a conflict clearer. Default: none has.
	Expired func(partition []byte) bool
}

// Committer makes the chain longer, as one commit user. It remembers the
// snapshot it made or saw last and what that lists, so that a small commit on
// a quiet table costs at most seven requests and no listing:
//
//	write   manifest, delta list, base list       at once with
//	probe   the next schema id
//	read    the base again: it must be what it was
//	create  the next snapshot, only if absent
//	write   the hint LATEST
//
// That the next id is free is what the create itself proves. A committer that
// met others on its last commit looks for newer snapshots first.
//
// It is safe for concurrent use; commits take turns. Several Committers, in
// one or many processes, may work on one table.
type Committer struct {
	cfg     Config
	chain   *Chain
	keys    []schema.Type // of the trimmed primary key; nil without one
	unaware bool          // append table without buckets
	wait    backoff

	mu    sync.Mutex
	base  *base // newest snapshot known, nil: look
	had   int64 // the newest that there was at some time
	met   bool  // others committed during or before our last commit
	mine  ours
	safe  *int64 // strict mode: snapshots up to here are accepted
	tally statisticsTally
	stats Stats
}

// Stats counts what a Committer went through.
type Stats struct {
	Commits   int64 // snapshots created
	Replays   int64 // groups that were in the chain already
	Attempts  int64 // attempts, failed ones included
	Lost      int64 // attempts that found their id taken
	Stale     int64 // attempts whose base had changed or expired
	Uncertain int64 // creates whose answer was lost
	Conflicts int64 // commits refused by a conflict rule
}

// NewCommitter checks the configuration. It makes no request.
func NewCommitter(cfg Config) (*Committer, error) {
	switch {
	case cfg.Store == nil || cfg.Manifest == nil || cfg.Schema == nil || cfg.Options == nil:
		return nil, fault.Invalid("committer without store, manifests, schema or options")
	case cfg.User == "":
		return nil, fault.Invalid("the commit user is empty")
	case cfg.Options.RowTracking:
		return nil, fault.Unsupported("committing to a table with row-tracking.enabled", "commit with Java Paimon")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Sleep == nil {
		cfg.Sleep = Sleep
	}
	if cfg.LatestSchemaID == nil {
		cfg.LatestSchemaID = newSchemaProbe(cfg.Store, cfg.Branch, cfg.Schema.ID).latest
	}
	c := &Committer{
		cfg:     cfg,
		chain:   NewChain(cfg.Store, cfg.Branch),
		unaware: cfg.Schema.BucketMode() == schema.BucketUnaware,
		wait:    backoff{min: cfg.Options.CommitMinRetryWait, max: cfg.Options.CommitMaxRetryWait, rand: cfg.Rand},
		safe:    cfg.Options.StrictModeLastSafeSnapshot,
	}
	for _, f := range cfg.Schema.KeyFields() {
		c.keys = append(c.keys, f.Type)
	}
	return c, nil
}

// Stats reads the counters.
func (c *Committer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Newest is the newest snapshot that the committer knows, nil for none. It
// makes no request, and what it returns is shared: do not change it.
func (c *Committer) Newest() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		return nil
	}
	return c.base.snapshot
}

// Commit publishes changes as up to two snapshots and returns their ids. A
// group whose (user, identifier, kind) is in the chain already is not
// committed again and has no id in the result.
//
// Errors: fault.ErrConflict when a rule forbids the commit (plan anew from the
// newest snapshot), or when others kept winning the race (commit again);
// fault.ErrUncertain when the store did not say what happened: the same call,
// repeated under the same user by any process, settles it. When the second
// group fails, the id of the first is returned beside the error.
func (c *Committer) Commit(ctx context.Context, ch Changes) ([]int64, error) {
	var groups []*group
	if first := c.appendGroup(&ch); !ch.CompactOnly && (!first.empty() || !c.ignoreEmpty(ch.IgnoreEmpty)) {
		groups = append(groups, first)
	}
	second := compactGroup(ch.Identifier, ch.Watermark, ch.Properties, ch.CompactFiles, ch.CompactChangelog, ch.CompactIndex)
	if second.compactBase = ch.CompactBase; !second.empty() {
		groups = append(groups, second)
	}
	return c.commitAll(ctx, groups)
}

func (c *Committer) commitAll(ctx context.Context, groups []*group) ([]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []int64
	for _, g := range groups {
		id, err := c.commit(ctx, g)
		if err != nil {
			return ids, err
		}
		if id > 0 {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Truncate removes every row.
func (c *Committer) Truncate(ctx context.Context, identifier int64) ([]int64, error) {
	return c.Overwrite(ctx, OverwriteRequest{Identifier: identifier, Description: "the whole table"})
}

// DropPartitions removes the rows of the partitions that match chooses.
func (c *Committer) DropPartitions(ctx context.Context, identifier int64, match func(partition []byte) bool, description string) ([]int64, error) {
	if match == nil {
		return nil, fault.Invalid("no partitions to drop were given")
	}
	return c.Overwrite(ctx, OverwriteRequest{Identifier: identifier, Match: match, Description: description})
}
