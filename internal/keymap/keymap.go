// Package keymap holds a number for each of very many keys: in memory up to a
// budget, and on local disk beyond it.
//
//	Put ─► newest (a Go map) ─► full: sorted run on disk ─► runs of like size are merged
//	Get ◄─ newest, then the runs from the youngest to the oldest, one read each
//
// A key is known by the first 128 bits of its SHA-256 only, so a long key costs
// no more than a short one; nobody knows how to find two keys of one digest.
//
// The runs' files have no name where the system allows that: nothing is left
// of them whatever happens to the process.
package keymap

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
)

// Digest stands for a key.
type Digest [16]byte

// DigestOf is the digest of a key.
func DigestOf(key []byte) Digest {
	sum := sha256.Sum256(key)
	return Digest(sum[:16])
}

// KeyBytes is what one key costs in memory at most: 24 bytes in a hash table
// that is half empty after it has grown, and its control byte. The mean is about 40.
const KeyBytes = 57

// Limits are the bounds of a Map, in bytes.
type Limits struct {
	Memory int64  // of the newest keys; what knows the runs takes another 1/16 byte a key on disk
	Disk   int64  // of the runs, while two of them are merged too
	Dir    string // of the runs, "" for os.TempDir
}

// Map holds a number for each key. It is for one goroutine. Close it, or its
// disk space stays taken as long as the process lives.
type Map struct {
	limits Limits
	newest map[Digest]uint64
	runs   []*run // the youngest first
	disk   int64
	block  []byte // scratch
}

// New is an empty Map.
func New(limits Limits) *Map {
	return &Map{limits: limits, newest: make(map[Digest]uint64), block: make([]byte, blockBytes)}
}

// Get is the number of a key; ok is false for a key without one. The error is
// that of the local disk.
func (m *Map) Get(key Digest) (value uint64, ok bool, err error) {
	if value, ok = m.newest[key]; ok {
		return value, true, nil
	}
	for _, r := range m.runs {
		if value, ok, err = r.get(key, m.block); ok || err != nil {
			return value, ok, err
		}
	}
	return 0, false, nil
}

// Put gives a key a number. The error is ErrUnsupported when the disk space is
// used up, or that of the local disk; the Map can only be closed then.
func (m *Map) Put(key Digest, value uint64) error {
	m.newest[key] = value
	if int64(len(m.newest))*KeyBytes <= m.limits.Memory {
		return nil
	}
	return m.spill()
}

// entry is a key with its number.
type entry struct {
	key   Digest
	value uint64
}

// spill makes a run of the newest keys, and merges runs so that each is at
// least twice as large as the next younger one: there are few, and a key is
// written again few times.
func (m *Map) spill() error {
	sorted := make([]entry, 0, len(m.newest))
	for key, value := range m.newest {
		sorted = append(sorted, entry{key, value})
	}
	slices.SortFunc(sorted, func(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) })
	clear(m.newest)
	i := 0
	r, err := m.write(int64(len(sorted)), func() (entry, bool, error) {
		if i == len(sorted) {
			return entry{}, false, nil
		}
		i++
		return sorted[i-1], true, nil
	})
	if err != nil {
		return err
	}
	m.runs = slices.Insert(m.runs, 0, r)
	return m.mergeWhile(func() bool { return m.runs[1].keys < 2*m.runs[0].keys })
}

func (m *Map) mergeWhile(due func() bool) error {
	for len(m.runs) > 1 && due() {
		if err := m.merge(); err != nil {
			return err
		}
	}
	return nil
}

// Settle makes what is on disk one run, which makes Get as fast as it can be,
// and tells how many keys there are. Errors are those of Put.
func (m *Map) Settle() (keys int64, err error) {
	if len(m.runs) == 0 {
		return int64(len(m.newest)), nil
	}
	if len(m.newest) > 0 {
		if err := m.spill(); err != nil {
			return 0, err
		}
	}
	if err := m.mergeWhile(func() bool { return true }); err != nil {
		return 0, err
	}
	return m.runs[0].keys, nil
}

// merge makes one run of the two youngest.
func (m *Map) merge() error {
	young, old := m.runs[0], m.runs[1]
	merged, err := m.write(young.keys+old.keys, mergedEntries(young.cursor(), old.cursor()))
	if err != nil {
		return err
	}
	m.runs = slices.Replace(m.runs, 0, 2, merged)
	m.disk -= young.bytes() + old.bytes()
	return errors.Join(young.close(), old.close())
}

// mergedEntries are those of two runs in order; where both have a key, that of
// the young one.
func mergedEntries(young, old *cursor) func() (entry, bool, error) {
	return func() (entry, bool, error) {
		if err := errors.Join(young.fill(), old.fill()); err != nil {
			return entry{}, false, err
		}
		order := 0
		switch {
		case young.done() && old.done():
			return entry{}, false, nil
		case young.done():
			order = 1
		case old.done():
			order = -1
		default:
			order = bytes.Compare(young.key(), old.key())
		}
		from := young
		if order > 0 {
			from = old
		}
		e := from.entry()
		if order <= 0 {
			young.next()
		}
		if order >= 0 {
			old.next()
		}
		return e, true, nil
	}
}

func (m *Map) write(most int64, next func() (entry, bool, error)) (*run, error) {
	if m.disk+most*entryBytes > m.limits.Disk {
		return nil, fault.Unsupported(fmt.Sprintf("an index of keys of more than %d bytes on local disk", m.limits.Disk),
			"raise lookup.cache-max-disk-size or lookup.cache-max-memory-size")
	}
	r, err := writeRun(m.limits.Dir, next)
	if err != nil {
		return nil, fmt.Errorf("index of keys on local disk: %w", err)
	}
	m.disk += r.bytes()
	return r, nil
}

// Close frees the disk space. It is safe to call twice.
func (m *Map) Close() error {
	var errs []error
	for _, r := range m.runs {
		errs = append(errs, r.close())
	}
	m.runs, m.newest = nil, nil
	return errors.Join(errs...)
}
