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
		named[live[i].File.Name], there[idOf(&live[i].File)] = true, true
	}
	for i := range index {
		named[index[i].Name] = true
	}
	for _, m := range msgs {
		switch input := m.input(); {
		case m.madeOneOf(named):
			in = append(in, m)
		case input == nil, there[idOf(input)]:
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
			case removed[idOf(m.input())]:
				out = append(out, m)
			default:
				return false
			}
			return true
		})
	}
	return in, out, unknown, nil
}

// input is a file that the message's compaction removes and that is not of its
// own making, nil for none.
func (m *CommitMessage) input() *manifest.DataFile {
	for i := range m.CompactBefore {
		if f := &m.CompactBefore[i]; !containsName(m.NewFiles, f.Name) {
			return f
		}
	}
	return nil
}

func (m *CommitMessage) madeOneOf(names map[string]bool) bool {
	return slices.ContainsFunc(namesOf(m), func(name string) bool { return names[name] })
}

// namedBy are the files that a snapshot added, those of its changelog too, and
// those that it removed.
func (t *Table) namedBy(ctx context.Context, s *snapshot.Snapshot, f *manifest.Filter) (added map[string]bool, removed map[fileID]bool, err error) {
	added, removed = make(map[string]bool), make(map[fileID]bool)
	for _, list := range []string{s.DeltaManifestList, s.ChangelogManifestList} {
		if list == "" {
			continue
		}
		metas, err := t.manifest.ReadList(ctx, list)
		if err != nil {
			return nil, nil, err
		}
		for e, err := range t.manifest.Scan(ctx, metas, f) {
			if err != nil {
				return nil, nil, err
			}
			if e.Kind == manifest.Add {
				added[e.File.Name] = true
			} else {
				removed[idOf(&e.File)] = true
			}
		}
	}
	return added, removed, nil
}
