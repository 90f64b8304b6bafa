package manifest

import (
	"fmt"
	"iter"

	"github.com/tidelake/tidelake/internal/fault"
)

// Folder applies entries in order (section 4.3): an ADD brings a file to
// life, a DELETE ends it, and a DELETE of a file that was not seen is kept,
// because its ADD is in an earlier manifest. It is not safe for concurrent use.
type Folder struct {
	at         map[Identity]int
	entries    []Entry
	gone       []bool
	left       int
	partitions map[string]string // one string per distinct partition
}

// NewFolder returns a Folder with room for n entries.
func NewFolder(n int) *Folder {
	return &Folder{at: make(map[Identity]int, n), entries: make([]Entry, 0, n), gone: make([]bool, 0, n), partitions: map[string]string{}}
}

// Apply takes the next entry. A second ADD of a file that is there is an error.
func (f *Folder) Apply(e *Entry) error {
	p, ok := f.partitions[string(e.Partition)]
	if !ok {
		p = string(e.Partition)
		f.partitions[p] = p
	}
	id := e.identity(p)
	i, there := f.at[id]
	switch {
	case there && e.Kind == Add:
		return fault.Corrupt(e.File.Name, fmt.Sprintf("file is added to bucket %d, level %d, but it is there already (%s)", e.Bucket, e.File.Level, f.entries[i].Kind), nil)
	case there:
		f.gone[i] = true
		f.entries[i] = Entry{}
		delete(f.at, id)
		f.left--
	default:
		f.at[id] = len(f.entries)
		f.entries = append(f.entries, *e)
		f.gone = append(f.gone, false)
		f.left++
	}
	return nil
}

// Entries are the ADDs and unmatched DELETEs that are left, in order of arrival.
func (f *Folder) Entries() []Entry {
	out := make([]Entry, 0, f.left)
	for i := range f.entries {
		if !f.gone[i] {
			out = append(out, f.entries[i])
		}
	}
	return out
}

// Fold applies entries in order. live are the ADDs that remain, deletes the
// DELETEs whose ADD was not seen: none may remain after a full scan.
func Fold(entries iter.Seq2[*Entry, error]) (live, deletes []Entry, err error) {
	f := NewFolder(0)
	for e, err := range entries {
		if err != nil {
			return nil, nil, err
		}
		if err := f.Apply(e); err != nil {
			return nil, nil, err
		}
	}
	for _, e := range f.Entries() {
		if e.Kind == Add {
			live = append(live, e)
		} else {
			deletes = append(deletes, e)
		}
	}
	return live, deletes, nil
}

// deletions is a set of deleted files. The zero value is empty.
type deletions struct {
	ids   map[Identity]bool
	names map[string]bool // so that most files are told by a glance at their name
}

func (d *deletions) add(e *Entry) {
	if d.ids == nil {
		d.ids, d.names = map[Identity]bool{}, map[string]bool{}
	}
	d.ids[e.Identity()] = true
	d.names[e.File.Name] = true
}

func (d *deletions) has(e *Entry) bool { return d.names[e.File.Name] && d.ids[e.Identity()] }
