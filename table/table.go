package table

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Settings are the plain values a caller may choose. The zero value is ready.
type Settings struct {
	// TimeZone is the session's: column defaults and filters without an
	// offset, LTZ partitions, and the creation time of files. Default UTC.
	TimeZone *time.Location
	// Parallel bounds the goroutines of one scan or one flush. Default GOMAXPROCS.
	Parallel int
	// AllowOutsideRoots lets data be read from external paths that the table
	// declares outside its warehouse. Default false: refused.
	AllowOutsideRoots bool
	// TempDir is where temporary files lie: spilled rows of writers, their index
	// of keys that move between partitions, runs that are too many to be merged at
	// once, and the local cache of lookups. They go when what made them is closed; what a
	// process that died has left is deleted by the next one that uses the
	// directory. Default os.TempDir.
	TempDir string
}

// Components are the outside world of a table, injected so that tests decide
// them. The zero value is the real world.
type Components struct {
	Clock  func() time.Time                           // default time.Now
	NewID  func() string                              // random file identity, default a UUID
	Sleep  func(context.Context, time.Duration) error // waits between commit attempts
	Rand   func() float64                             // 0..1, spreads those waits
	Logger *slog.Logger                               // default: discards
	Alloc  memory.Allocator                           // default: Go's heap
	// External opens the store of a declared external path. Default store.Open.
	External func(ctx context.Context, url string) (store.Store, error)
}

// Table is one open table: its newest schema when it was opened, and the ways
// to read and write it. It holds no connection beyond its Store and needs no
// Close. All methods may be called concurrently.
type Table struct {
	name     string
	store    store.Store
	branch   string // "" for the main one
	schema   *schema.Table
	options  *schema.Options
	engine   mergeengine.Engine // nil without a primary key
	settings Settings
	world    Components
	schemas  *schemaFiles
	chain    *snapshot.Chain
	paths    *partition.Paths
	parts    []schema.Type // of the partition columns
	manifest *manifest.IO
	expiry   *recordExpiry
}

// Open opens the table whose root directory st is. Name is "db.table", used in
// messages. It reads the newest schema file and refuses, by name, options that
// make reading impossible. Errors: ErrNotFound, ErrCorrupt, ErrUnsupported.
func Open(ctx context.Context, st store.Store, name string, settings Settings, world Components) (*Table, error) {
	return OpenBranch(ctx, st, "", name, settings, world)
}

// OpenBranch is Open for a branch of the table, which has schemas, snapshots,
// tags and consumers of its own. "" and snapshot.MainBranch are the main one.
func OpenBranch(ctx context.Context, st store.Store, branch, name string, settings Settings, world Components) (*Table, error) {
	t, err := open(ctx, st, branch, name, settings, world)
	if err != nil {
		return nil, t.wrap("open", err)
	}
	for _, w := range t.options.Warnings() {
		t.world.Logger.Warn(w, "table", name)
	}
	return t, nil
}

// open opens a branch without a word to the logger. The table names what an
// error was about.
func open(ctx context.Context, st store.Store, branch, name string, settings Settings, world Components) (*Table, error) {
	t := &Table{name: name, store: st, branch: ownBranch(branch), settings: settings.withDefaults(), world: world.withDefaults()}
	if err := snapshot.CheckBranchName(t.branch); err != nil {
		return t, err
	}
	t.schemas = newSchemaFiles(st, t.branch)
	sc, err := t.schemas.latest(ctx)
	if isNotFound(err) && t.branch != "" {
		err = noSuchBranch(ctx, st, t.branch, err)
	}
	if err != nil {
		return t, err
	}
	return t, t.bind(sc)
}

// bind derives everything that follows from the schema.
func (t *Table) bind(sc *schema.Table) error {
	options, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	if err := options.CheckRead(sc); err != nil {
		return err
	}
	if t.engine, err = engineOf(sc, options); err != nil {
		return err
	}
	t.schema, t.options = sc, options
	t.parts = typesOf(sc.PartitionFields())
	t.paths = partition.New(sc.PartitionFields(), options.PartitionDefaultName, options.PartitionLegacyName, t.settings.TimeZone)
	t.expiry = newRecordExpiry(sc, options, t.world.Clock)
	t.chain = snapshot.NewChain(t.store, t.branch)
	t.manifest = t.newManifestIO()
	return nil
}

// engineOf is the engine that merges rows of a table, nil without a primary key.
func engineOf(sc *schema.Table, o *schema.Options) (mergeengine.Engine, error) {
	if len(sc.PrimaryKeys) == 0 {
		return nil, nil
	}
	return mergeengine.New(sc, o)
}

func (t *Table) newManifestIO() *manifest.IO {
	return manifest.NewIO(t.store, "manifest", manifest.IOOptions{
		Compression: t.options.ManifestCompression,
		ZstdLevel:   t.options.ZstdLevel,
		TargetSize:  t.options.ManifestTargetSize,
		NewID:       t.world.NewID,
		Partition:   t.schema.PartitionFields(),
	})
}

// Name is the table's "db.table".
func (t *Table) Name() string { return t.name }

// Branch is the name of the branch that this is, snapshot.MainBranch for the main one.
func (t *Table) Branch() string { return t.chain.Branch() }

// Location is the URL, or the local path, of the table's root.
func (t *Table) Location() string { return t.store.URL() }

// Schema is the newest schema when the table was opened. It is shared: do not change it.
func (t *Table) Schema() *schema.Table { return t.schema }

// Options are the table's options, parsed. They are shared: do not change them.
func (t *Table) Options() *schema.Options { return t.options }

// Snapshots is the table's chain of snapshots.
func (t *Table) Snapshots() *snapshot.Chain { return t.chain }

func (s Settings) withDefaults() Settings {
	if s.TimeZone == nil {
		s.TimeZone = time.UTC
	}
	if s.Parallel <= 0 {
		s.Parallel = defaultParallel()
	}
	if s.TempDir == "" {
		s.TempDir = os.TempDir()
	}
	return s
}

func (c Components) withDefaults() Components {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = snapshot.Sleep
	}
	if c.NewID == nil {
		c.NewID = uuid.NewString
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.External == nil {
		c.External = store.Open
	}
	return c
}
