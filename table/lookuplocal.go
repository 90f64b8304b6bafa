package table

import (
	"fmt"
	"sync/atomic"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/tempfile"
)

// localFile is a copy of a data file on local disk: its rows in blocks small
// enough to be read for one key, and in memory the first key of each block
// and a Bloom filter of all keys.
//
//	file    block 0 | block 1 | …          rows, packed, and their sum
//	memory  first keys, offsets, filter
type localFile struct {
	file   *tempfile.File
	firsts *keyList
	ends   []int64 // of blocks in the file
	from   []int64 // first rows, and the number of rows
	bloom  *keyBloom
	blocks []atomic.Pointer[rowBlock] // those that the cache has
	codec  codec
	disk   int64
	memory int64

	used  atomic.Int64 // when last, by the clock of localFiles
	users atomic.Int64 // 0 when it is closed
}

// acquire fails when the file is gone.
func (f *localFile) acquire() bool {
	for {
		n := f.users.Load()
		if n == 0 {
			return false
		}
		if f.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (f *localFile) release() {
	if f.users.Add(-1) == 0 {
		_ = f.file.Close()
	}
}

// versions finds keys in the local file.
func (l *localFile) versions(f *lookupFile, q *lookupQuery, which []int32) error {
	l.used.Store(q.now.UnixNano())
	layout := f.space.layout
	at := 0
	for _, k := range which {
		if l.bloom != nil && !l.bloom.has(q.hashes[k]) {
			continue
		}
		at = layout.Search(&l.firsts.Keys, at, len(l.ends), &q.keys.Keys, int(k))
		if at == len(l.ends) || layout.Compare(&l.firsts.Keys, at, &q.keys.Keys, int(k)) > 0 {
			at--
		}
		if at < 0 {
			at = 0
			continue
		}
		b, err := l.block(f, at)
		if err != nil {
			return err
		}
		row := layout.Search(&b.keys.Keys, 0, b.keys.Len(), &q.keys.Keys, int(k))
		if row < b.keys.Len() && layout.Compare(&b.keys.Keys, row, &q.keys.Keys, int(k)) == 0 {
			q.add(k, version{b, int32(row)})
		}
	}
	return nil
}

// block gives a block by its number.
func (l *localFile) block(f *lookupFile, n int) (*rowBlock, error) {
	slot := &l.blocks[n]
	if b := slot.Load(); b != nil {
		if !b.asked.Load() {
			b.asked.Store(true)
		}
		return b, nil
	}
	b, size, err := l.read(f, n)
	if err != nil {
		return nil, err
	}
	b.slot = slot
	if slot.CompareAndSwap(nil, b) {
		f.cache.put(cacheKey{&f.keyFile, pieceLocal, n}, b, size)
	}
	return b, nil
}

// read reads a block, and says what it takes in memory.
func (l *localFile) read(f *lookupFile, n int) (*rowBlock, int64, error) {
	off := int64(0)
	if n > 0 {
		off = l.ends[n-1]
	}
	packed := make([]byte, l.ends[n]-off)
	if _, err := l.file.ReadAt(packed, off); err != nil {
		return nil, 0, fmt.Errorf("local lookup file: %w", err)
	}
	data, err := l.codec.open(packed)
	if err != nil {
		return nil, 0, fault.Corrupt("local lookup file of "+f.meta.Name, "unreadable", err)
	}
	b, err := f.lookup.newBlock(data, int(l.from[n+1]-l.from[n]), l.from[n])
	return b, int64(len(data)) + blockOverhead, err
}

// drop is the cache letting go of a block of a local file.
func (b *rowBlock) drop() {
	if b.slot != nil {
		b.slot.CompareAndSwap(b, nil)
	}
}

// askedBeside tells that the block was asked for past the cache.
func (b *rowBlock) askedBeside() bool { return b.asked.Swap(false) }
