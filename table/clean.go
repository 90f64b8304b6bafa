package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// CleanOptions say what Clean takes away. The zero value takes nothing away and
// tells what would go.
type CleanOptions struct {
	// OlderThan spares younger files: they may belong to a commit that is
	// still to come. Default: a day.
	OlderThan time.Duration
	// Delete really deletes. Default: only tell.
	Delete bool
	// Each is told each file, one after the other. Default: nobody is.
	Each func(RemovedFile)
}

// CleanReport is what Clean did, or would do.
type CleanReport struct {
	Files int
	Bytes int64
}

const (
	// cleanBatch is how many files are looked up at once.
	cleanBatch = 100_000
	// cleanTries is how often it begins again because there are other branches.
	cleanTries = 5
)

// Clean deletes files that nothing names: no snapshot, tag or kept changelog of
// any branch. Crashed writers and broken off expiries leave such files. It looks
// where files of Paimon tables lie and nowhere else, and never deletes a
// directory. When it cannot read everything that may name a file it deletes
// nothing and says what it could not read.
func (t *Table) Clean(ctx context.Context, o CleanOptions) (CleanReport, error) {
	c := &cleaner{table: t, remover: newRemover(t, !o.Delete, o.Each)}
	age := o.OlderThan
	if age == 0 {
		age = 24 * time.Hour
	}
	if age < 0 {
		return CleanReport{}, t.wrap("clean", fault.Invalid("files cannot be older than a negative time"))
	}
	c.before = t.world.Clock().Add(-age)
	err := errors.Join(c.run(ctx), c.remover.close())
	return CleanReport{c.remover.files, c.remover.bytes}, t.wrap("clean", err)
}

// cleaner is one run of Clean, for one goroutine.
type cleaner struct {
	table    *Table
	before   time.Time
	remover  *remover
	branches []*snapshot.Chain
	found    map[string][]victim // candidates by name, of which there may be several
	n        int
}

func (c *cleaner) run(ctx context.Context) error {
	for _, root := range c.table.options.ExternalPaths {
		if err := c.table.checkRoot(root, root, "declares"); err != nil {
			return err
		}
	}
	// What cannot be read has to show before the first file goes.
	if err := c.used(ctx, func(string) {}); err != nil {
		return err
	}
	c.found = map[string][]victim{}
	for _, dir := range []string{"manifest", "index", "statistics"} {
		if err := c.list(ctx, c.table.store, dir, "", nil); err != nil {
			return err
		}
	}
	if err := c.buckets(ctx, c.table.store, c.table.options.DataFilePathDirectory, "", len(c.table.schema.PartitionKeys)); err != nil {
		return err
	}
	if err := c.externals(ctx); err != nil {
		return err
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.temporaries(ctx)
}

func hasSchema(ctx context.Context, st store.Store, b *snapshot.Chain) (bool, error) {
	for info, err := range st.List(ctx, b.Root()+"schema") {
		if err != nil || strings.HasPrefix(info.Name, "schema-") {
			return err == nil, err
		}
	}
	return false, nil
}

// buckets lists the bucket directories below dir, which partitions are levels above.
func (c *cleaner) buckets(ctx context.Context, st store.Store, dir, url string, levels int) error {
	var below []string
	for info, err := range st.List(ctx, dir) {
		if err != nil {
			return err
		}
		if info.Dir && (levels > 0 && strings.Contains(info.Name, "=") || levels == 0 && strings.HasPrefix(info.Name, "bucket-")) {
			below = append(below, path.Join(dir, info.Name))
		}
	}
	for _, sub := range below {
		var err error
		if levels > 0 {
			err = c.buckets(ctx, st, sub, url, levels-1)
		} else {
			err = c.list(ctx, st, sub, url, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cleaner) externals(ctx context.Context) error {
	for _, root := range c.table.options.ExternalPaths {
		url := strings.TrimSuffix(root, "/") + "/"
		st, _, err := c.remover.external.open(ctx, url+"x") // any name opens the root
		if err != nil {
			return err
		}
		if err := c.buckets(ctx, st, "", url, len(c.table.schema.PartitionKeys)); err != nil {
			return err
		}
	}
	return nil
}

// temporaries finds what broken off commits left among snapshots and changelogs.
func (c *cleaner) temporaries(ctx context.Context) error {
	c.found, c.n = map[string][]victim{}, 0
	for _, b := range append(c.branches, c.table.chain) {
		for _, kind := range []string{"snapshot", "changelog"} {
			named := func(name string) bool {
				return strings.HasPrefix(name, kind+"-") || name == "LATEST" || name == "EARLIEST"
			}
			if err := c.list(ctx, c.table.store, b.Root()+kind, "", named); err != nil {
				return err
			}
		}
	}
	return c.flush(ctx)
}

// list notes the old files of a directory, but for those that spare names.
func (c *cleaner) list(ctx context.Context, st store.Store, dir, url string, spare func(string) bool) error {
	for info, err := range st.List(ctx, dir) {
		if err != nil {
			return err
		}
		if info.Dir || info.ModTime.IsZero() || !info.ModTime.Before(c.before) || spare != nil && spare(info.Name) {
			continue
		}
		key := path.Join(dir, info.Name)
		c.found[info.Name] = append(c.found[info.Name], victim{st, key, url + key, info.Size})
		if c.n++; c.n >= cleanBatch {
			if err := c.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush deletes what was noted and nothing names.
func (c *cleaner) flush(ctx context.Context) error {
	if len(c.found) == 0 {
		return nil
	}
	if err := c.used(ctx, func(name string) { delete(c.found, name) }); err != nil {
		return err
	}
	var victims []victim
	for files := range maps.Values(c.found) {
		victims = append(victims, files...)
	}
	slices.SortFunc(victims, func(a, b victim) int { return strings.Compare(a.shown, b.shown) })
	c.found, c.n = map[string][]victim{}, 0
	return c.remover.remove(ctx, victims)
}

// used tells the names of all files that something names. Branches that come
// meanwhile may have been made of a tag that is gone, so then it begins again.
func (c *cleaner) used(ctx context.Context, name func(string)) error {
	for range cleanTries {
		var err error
		if c.branches, err = c.table.otherBranches(ctx); err != nil {
			return err
		}
		if err := c.usedBy(ctx, append([]*snapshot.Chain{c.table.chain}, c.branches...), name); err != nil {
			return err
		}
		now, err := c.table.otherBranches(ctx)
		if err != nil {
			return err
		}
		if slices.EqualFunc(c.branches, now, func(a, b *snapshot.Chain) bool { return a.Branch() == b.Branch() }) {
			return nil
		}
	}
	return &fault.Error{Class: fault.ErrConflict, Detail: "branches come and go all the time, so nothing was deleted", Hint: "clean again"}
}

// usedBy tells what branches name. Each manifest is read once, and whatever it
// mentions counts.
func (c *cleaner) usedBy(ctx context.Context, branches []*snapshot.Chain, name func(string)) error {
	seen := map[string]bool{}
	for _, b := range branches {
		there, err := hasSchema(ctx, c.table.store, b)
		if err != nil {
			return err
		}
		if !there {
			return fault.Corrupt(b.Root()+"schema", "branch "+b.Branch()+" has no schema, so nobody knows what it needs", nil)
		}
		err = eachRoot(ctx, b, func(s *snapshot.Snapshot, kind rootKind, _ bool) error {
			err := c.namedBy(ctx, s, kind, seen, name)
			if kind != rootSnapshot || !isNotFound(err) {
				return err
			}
			if stays, again := b.Stays(ctx, s); stays || again != nil {
				return errors.Join(err, again)
			}
			return nil // all else that only it names is about to go, too
		})
		if err != nil {
			return &fault.Error{Err: fmt.Errorf("branch %s: %w", b.Branch(), err), Detail: "not everything that may name a file could be read, so nothing was deleted",
				Hint: "an expiry that was broken off is finished by the next one: expire first, then clean; Check tells what is lost"}
		}
	}
	for n := range seen {
		name(n)
	}
	return nil
}

// namedBy tells what a root names of lists and data, and adds the rest, and the
// manifests that were read, to what was seen.
func (c *cleaner) namedBy(ctx context.Context, s *snapshot.Snapshot, kind rootKind, seen map[string]bool, name func(string)) error {
	err := c.table.eachList(ctx, s, kind, func(list string, metas []manifest.Meta) error {
		name(list)
		for i := range metas {
			name(metas[i].Name)
		}
		metas = slices.DeleteFunc(metas, func(m manifest.Meta) bool { return seen[m.Name] })
		for f, err := range c.table.manifest.Scan(ctx, metas, nil) {
			if isNotFound(err) && kind == rootChangelog {
				return nil // the rest of a changelog whose data went with its snapshot
			}
			if err != nil {
				return err
			}
			name(f.File.Name)
			for _, extra := range f.File.ExtraFiles {
				name(extra)
			}
		}
		for i := range metas {
			seen[metas[i].Name] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.table.nameBeside(ctx, s, kind, seen)
}
