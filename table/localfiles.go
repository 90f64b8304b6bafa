package table

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/tidelake/tidelake/internal/tempfile"
)

// localFiles copies data files and keeps the copies within their bounds of
// disk and memory: those used longest ago go first.
type localFiles struct {
	lookup *Lookup
	dir    string
	stop   context.CancelFunc
	ctx    context.Context // of copying in the background
	done   sync.WaitGroup
	queue  chan *lookupFile

	copying sync.Mutex // one file at a time
	mu      sync.Mutex
	started bool
	closed  bool
	kept    map[*lookupFile]*localFile
	disk    int64
	memory  int64
}

func newLocalFiles(l *Lookup) *localFiles {
	c := &localFiles{lookup: l, dir: l.options.Dir, queue: make(chan *lookupFile, 64), kept: make(map[*lookupFile]*localFile)}
	if c.dir == "" {
		c.dir = l.table.settings.TempDir
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	sweepTempFiles(c.dir)
	return c
}

// want asks for a copy in the background; when too many wait already, it does nothing.
func (c *localFiles) want(f *lookupFile) {
	if f.local.Load() != nil || !f.asked.CompareAndSwap(false, true) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if !c.started {
		c.started = true
		c.done.Go(c.work)
	}
	select {
	case c.queue <- f:
	default:
		f.asked.Store(false)
	}
}

func (c *localFiles) work() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case f := <-c.queue:
			if err := c.copy(c.ctx, f); err != nil && c.ctx.Err() == nil {
				c.lookup.table.world.Logger.Warn("a data file was not copied to the lookup cache", "file", f.meta.Name, "error", err)
			}
		}
	}
}

// copy makes a local file of a data file, unless there is one, or no room.
func (c *localFiles) copy(ctx context.Context, f *lookupFile) error {
	c.copying.Lock()
	defer c.copying.Unlock()
	if f.local.Load() != nil || f.meta.Size > c.lookup.options.DiskBytes {
		return nil
	}
	local, err := c.write(ctx, f)
	if err != nil {
		return err
	}
	local.users.Store(1)
	local.used.Store(c.now())
	c.mu.Lock()
	fits := !c.closed && local.disk <= c.lookup.options.DiskBytes && local.memory <= c.mostMemory()
	if fits {
		c.kept[f] = local
		c.disk += local.disk
		c.memory += local.memory
		f.local.Store(local)
		c.shrink(f)
	}
	c.mu.Unlock()
	if !fits {
		local.release()
		return nil
	}
	c.lookup.cache.reserve(local.memory)
	return nil
}

// mostMemory is what filters and first keys may take of the memory.
func (c *localFiles) mostMemory() int64 {
	return int64(float64(c.lookup.options.MemoryBytes) * c.lookup.table.options.Lookup.IndexRatio)
}

func (c *localFiles) now() int64 { return c.lookup.table.world.Clock().UnixNano() }

// shrink drops copies but for one, under c.mu: those that nobody has used for
// long, and more as long as all are too large together.
func (c *localFiles) shrink(but *lookupFile) {
	files := make([]*lookupFile, 0, len(c.kept))
	for f := range c.kept {
		if f != but {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b *lookupFile) int { return cmp.Compare(c.kept[a].used.Load(), c.kept[b].used.Load()) })
	oldest := c.now() - int64(c.lookup.table.options.Lookup.Retention)
	for _, f := range files {
		if c.kept[f].used.Load() >= oldest && c.disk <= c.lookup.options.DiskBytes && c.memory <= c.mostMemory() {
			return
		}
		c.remove(f)
	}
}

func (c *localFiles) remove(f *lookupFile) {
	local := c.kept[f]
	delete(c.kept, f)
	c.disk -= local.disk
	c.memory -= local.memory
	f.local.Store(nil)
	f.decode.Store(0)
	f.asked.Store(false)
	c.lookup.cache.reserve(-local.memory)
	local.release()
}

// drop deletes the copy of a file that no state has any more.
func (c *localFiles) drop(f *lookupFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[f] != nil {
		c.remove(f)
	}
}

func (c *localFiles) close() {
	c.stop()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.done.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.kept {
		c.remove(f)
	}
}

// create makes an empty local file.
func (c *localFiles) create() (*localFile, error) {
	file, err := tempfile.New(c.dir, tempPrefix)
	if err != nil {
		return nil, err
	}
	o := &c.lookup.table.options.Lookup
	return &localFile{file: file, codec: codec{o.Compression, o.ZstdLevel}}, nil
}
