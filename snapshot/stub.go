package snapshot

import (
	"context"
	"iter"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

type Chain struct{}

func NewChain(st store.Store, branch string) *Chain                              { panic("todo") }
func (c *Chain) Latest(ctx context.Context) (*Snapshot, error)                   { panic("todo") } // nil: none
func (c *Chain) LatestID(ctx context.Context) (int64, error)                     { panic("todo") } // 0: none
func (c *Chain) Earliest(ctx context.Context) (*Snapshot, error)                 { panic("todo") } // nil: none
func (c *Chain) Get(ctx context.Context, id int64) (*Snapshot, error)            { panic("todo") }
func (c *Chain) Exists(ctx context.Context, id int64) (bool, error)              { panic("todo") }
func (c *Chain) All(ctx context.Context) iter.Seq2[*Snapshot, error]             { panic("todo") } // ascending
func (c *Chain) AtOrBefore(ctx context.Context, millis int64) (*Snapshot, error) { panic("todo") } // nil: none

// Config of a Committer: settings and components.
type Config struct {
	Store          store.Store // the table's root
	Branch         string      // "" or "main"
	Manifest       *manifest.IO
	Schema         *schema.Table
	Options        *schema.Options
	User           string
	Clock          func() time.Time
	Rand           func() float64
	Sleep          func(context.Context, time.Duration) error
	LatestSchemaID func(context.Context) (int64, error) // default: probes schema files
}

type Changes struct {
	Identifier           int64
	Watermark            *int64
	Properties           map[string]string
	AppendFiles          []manifest.Entry
	AppendChangelog      []manifest.Entry
	AppendIndex          []manifest.IndexEntry
	CompactFiles         []manifest.Entry
	CompactChangelog     []manifest.Entry
	CompactIndex         []manifest.IndexEntry
	IgnoreEmpty          bool
	CheckAppendConflicts bool
}

type OverwriteRequest struct {
	Identifier  int64
	Watermark   *int64
	Properties  map[string]string
	Files       []manifest.Entry
	Index       []manifest.IndexEntry
	Dynamic     bool                        // replace the partitions of Files only
	Match       func(partition []byte) bool // static: partitions to replace; nil: the whole table
	Description string                      // of Match, for messages
}

type Committer struct{}

func NewCommitter(cfg Config) (*Committer, error)                            { panic("todo") }
func (c *Committer) Commit(ctx context.Context, ch Changes) ([]int64, error) { panic("todo") }
func (c *Committer) FilterCommitted(ctx context.Context, identifiers []int64) ([]int64, error) {
	panic("todo")
}
func (c *Committer) Overwrite(ctx context.Context, r OverwriteRequest) ([]int64, error) {
	panic("todo")
}
func (c *Committer) Truncate(ctx context.Context, identifier int64) ([]int64, error) { panic("todo") }
func (c *Committer) DropPartitions(ctx context.Context, identifier int64, match func([]byte) bool, description string) ([]int64, error) {
	panic("todo")
}
