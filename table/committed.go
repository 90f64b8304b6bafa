package table

import (
	"context"
	"slices"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// A file may only be deleted when no snapshot names it. The newest snapshot names
// the rows of a message until somebody replaces them. The changelog of a
// compaction is named by the snapshot of the compaction alone, which is the one
// that took away what the compaction had read:
//
//	newest ─► … ─► it removes the input: ours if it names what we made, another's if not

// lookBack is how many snapshots are looked through for that one.
const lookBack = 100

// committed parts messages by whether they are in the table. Of those that are
// unknown the newest snapshot names nothing, and older ones may.
func (t *Table) committed(ctx context.Context, msgs []CommitMessage) (in, out, unknown []CommitMessage, err error) {
	if len(msgs) == 0 {
		return nil, nil, nil, nil
	}
	at, err := t.chain.Latest(ctx)
	if err != nil || at == nil {
		return nil, msgs, nil, err
	}
	live, err := t.liveFiles(ctx, at, t.filterBuckets(bucketsOf(msgs)))
	if err != nil {
		return nil, nil, nil, err
	}
	index, err := t.indexAt(ctx, at)
	if err != nil {
		return nil, nil, nil, err
	}
	named, there := make(map[string]bool, len(live)+len(index)), make(map[fileID]bool, len(live))
	for i := range live {
		named[live[i].File.Name] = true
		addInput(there, &live[i].File)
	}
	for i := range index {
		named[index[i].Name] = true
	}
	for _, m := range msgs {
		switch input := m.input(); {
		case m.madeOneOf(named):
			in = append(in, m)
		case input == nil, there[*input]:
			out = append(out, m)
		default:
			unknown = append(unknown, m)
		}
	}
	for id := at.ID; id > at.ID-lookBack && len(unknown) > 0; id-- {
		s, err := t.chain.Get(ctx, id)
		if isNotFound(err) {
			break
		}
		if err != nil {
			return nil, nil, nil, err
		}
		added, removed, err := t.namedBy(ctx, s, t.filterBuckets(bucketsOf(unknown)))
		if err != nil {
			return nil, nil, nil, err
		}
		unknown = slices.DeleteFunc(unknown, func(m CommitMessage) bool {
			switch {
			case m.madeOneOf(added):
				in = append(in, m)
			case removed[*m.input()]:
				out = append(out, m)
			default:
				return false
			}
			return true
		})
	}
	return in, out, unknown, nil
}

// anyLevel stands for a file on whatever level.
const anyLevel = -1

// addInput adds a file that may be the input of a compaction.
func addInput(to map[fileID]bool, f *manifest.DataFile) {
	to[idOf(f)], to[fileID{anyLevel, f.Name}] = true, true
}

// input is a file that the message's compaction removes and that is not of its
// own making, nil for none: best one that goes for good, and can be on another
// level meanwhile.
func (m *CommitMessage) input() (in *fileID) {
	for i := range m.CompactBefore {
		f := &m.CompactBefore[i]
		switch {
		case containsName(m.NewFiles, f.Name):
		case !containsName(m.CompactAfter, f.Name):
			return &fileID{anyLevel, f.Name}
		case in == nil:
			in = &fileID{f.Level, f.Name}
		}
	}
	return in
}

func (m *CommitMessage) madeOneOf(names map[string]bool) bool {
	return slices.ContainsFunc(namesOf(m), func(name string) bool { return names[name] })
}

// namedBy are the files that a snapshot added, those of its changelog too, and
// those that it removed.
func (t *Table) namedBy(ctx context.Context, s *snapshot.Snapshot, f *manifest.Filter) (added map[string]bool, removed map[fileID]bool, err error) {
	added, removed = make(map[string]bool), make(map[fileID]bool)
	lists := []string{s.DeltaManifestList}
	if s.ChangelogManifestList != "" {
		lists = append(lists, s.ChangelogManifestList)
	}
	for e, err := range t.manifest.ScanLists(ctx, f, lists...) {
		if err != nil {
			return nil, nil, err
		}
		if e.Kind == manifest.Add {
			added[e.File.Name] = true
		} else {
			addInput(removed, &e.File)
		}
	}
	return added, removed, nil
}
