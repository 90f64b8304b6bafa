package table

import (
	"fmt"
	"sync/atomic"

	"github.com/tidelake/tidelake/internal/fault"
)

// localFile is a copy of a data file on local disk: its rows in blocks small
// enough to be read for one key, and in memory the first key of each block
// and a Bloom filter of all keys.
//
//	file    block 0 | block 1 | …          rows, packed, and their sum
//	memory  first keys, offsets, filter
type localFile struct {
	file   *tempFile
	firsts *keyList
	ends   []int64 // of blocks in the file
	from   []int64 // first rows, and the number of rows
	bloom  *keyBloom
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
func (l *localFile) versions(f *lookupFile, q *lookupQuery, which []int32, found func(key int32, v version)) error {
	l.used.Store(f.lookup.local.now())
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
			found(k, version{b, int32(row)})
		}
	}
	return nil
}

// block gives a block by its number.
func (l *localFile) block(f *lookupFile, n int) (*rowBlock, error) {
	key := cacheKey{&f.keyFile, pieceLocal, n}
	if v := f.cache.get(key); v != nil {
		return v.(*rowBlock), nil
	}
	off := int64(0)
	if n > 0 {
		off = l.ends[n-1]
	}
	packed := make([]byte, l.ends[n]-off)
	if _, err := l.file.ReadAt(packed, off); err != nil {
		return nil, fmt.Errorf("local lookup file: %w", err)
	}
	data, err := l.codec.open(packed)
	if err != nil {
		return nil, fault.Corrupt("local lookup file of "+f.meta.Name, "unreadable", err)
	}
	b, err := f.lookup.newBlock(data, int(l.from[n+1]-l.from[n]), l.from[n])
	if err != nil {
		return nil, err
	}
	return f.cache.put(key, b, int64(len(data))+blockOverhead).(*rowBlock), nil
}
