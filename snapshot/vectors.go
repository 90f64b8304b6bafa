package snapshot

import (
	"context"

	"github.com/tidelake/tidelake/manifest"
)

// vectors tells whether files and deletion vectors are checked in pairs: in
// append tables without buckets, where anybody may delete rows of any file.
func (c *Committer) vectors() bool { return c.unaware && c.cfg.Options.DeletionVectors }

// vectorCase is newCase with the deletion vector of every file attached, where
// that matters. Deleting a file, or a vector, then needs exactly the pair that
// the writer has seen.
func (c *Committer) vectorCase(ctx context.Context, p *pending, live, delta []manifest.Entry, index []manifest.IndexEntry) (*conflictCase, error) {
	k := c.newCase(p, live, delta)
	if c.unaware && !c.cfg.Options.DeletionVectors {
		return k, nil
	}
	current, err := c.indexFiles(ctx, p.base)
	if err != nil {
		return nil, err
	}
	if !c.unaware {
		if p.replace != nil { // takes all vectors away, as they are now
			return k, nil
		}
		return k, k.bucketVectors(current, index)
	}
	if err := k.attachCurrent(current); err != nil {
		return nil, err
	}
	return k, k.attachChanges(index)
}

// attachCurrent gives every live file its vector.
func (k *conflictCase) attachCurrent(index []manifest.IndexEntry) error {
	holder := map[string]string{}
	for i := range index {
		for _, r := range index[i].Ranges {
			if before, twice := holder[r.File]; twice {
				return k.c.conflictError(k.at, "data file "+r.File+" has vectors in "+before+" and "+index[i].Name, "run check", nil)
			}
			holder[r.File] = index[i].Name
		}
	}
	for i := range k.live {
		k.live[i].vector = holder[k.live[i].File.Name]
	}
	return nil
}

// vectorChange is one index file that comes or goes with a data file's vector.
type vectorChange struct {
	kind  manifest.Kind
	index string
}

// attachChanges gives every changed file its vector, and turns a change of the
// vector alone into the same change of the pair.
func (k *conflictCase) attachChanges(index []manifest.IndexEntry) error {
	var order []string
	changes := map[string][]vectorChange{}
	for i := range index {
		for _, r := range index[i].Ranges {
			if changes[r.File] == nil {
				order = append(order, r.File)
			}
			changes[r.File] = append(changes[r.File], vectorChange{index[i].Kind, index[i].Name})
		}
	}
	for i := range k.delta {
		f := &k.delta[i]
		own := changes[f.File.Name]
		if len(own) > 1 {
			return k.refuse(*f, "the commit changes the file and more than one vector of it", "commit one vector for each file")
		}
		if len(own) == 1 {
			f.vector = own[0].index
		}
		delete(changes, f.File.Name)
	}
	return k.pairChanges(order, changes)
}

// pairChanges handles the vectors of files that stay: the old pair goes, the
// new one comes. A file that gets its first vector was without one before.
func (k *conflictCase) pairChanges(order []string, changes map[string][]vectorChange) error {
	live := map[string]*manifest.Entry{}
	for _, f := range k.live {
		live[f.File.Name] = f.Entry
	}
	for _, name := range order {
		own := changes[name]
		if own == nil {
			continue
		}
		e := live[name]
		if e == nil {
			return k.c.conflictError(k.at, "a deletion vector changes for data file "+name+", which is not in the table",
				"plan again from the newest snapshot", nil)
		}
		for _, c := range own {
			k.delta = append(k.delta, fact{Entry: e, kind: c.kind, vector: c.index})
		}
		if len(own) == 1 && own[0].kind == manifest.Add {
			k.delta = append(k.delta, fact{Entry: e, kind: manifest.Delete})
		}
	}
	return nil
}
