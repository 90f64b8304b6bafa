package table

import (
	"container/list"
	"sync"
)

// lookupCache keeps pieces of files in memory, those that were used last,
// within a number of bytes. It is safe for concurrent use.
type lookupCache struct {
	limit int64

	mu      sync.Mutex
	used    int64
	order   list.List // of *cached, the last used in front
	entries map[cacheKey]*list.Element
}

// cacheKey names a piece of a file.
type cacheKey struct {
	file any // a pointer that stands for the file
	kind pieceKind
	n    int
}

type pieceKind uint8

const (
	pieceZone   pieceKind = iota // keys of a zone
	pieceBlock                   // rows
	pieceLocal                   // rows, of a local file
	pieceHandle                  // open file
	pieceFilter                  // filters of a file index
)

type cached struct {
	key   cacheKey
	value any
	bytes int64
}

// dropper is a cached value that has something to give up. It may be in use.
type dropper interface{ drop() }

// beside is a cached value that is asked for past the cache too. It tells that
// it was since this was last asked.
type beside interface{ askedBeside() bool }

func newLookupCache(limit int64) *lookupCache {
	return &lookupCache{limit: limit, entries: make(map[cacheKey]*list.Element)}
}

func (c *lookupCache) get(key cacheKey) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).value
}

// put keeps a value; one that came first under the same key stays, and is
// returned. A value larger than the cache is not kept.
func (c *lookupCache) put(key cacheKey, value any, bytes int64) any {
	c.mu.Lock()
	if e := c.entries[key]; e != nil {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		return e.Value.(*cached).value
	}
	c.used += bytes
	c.entries[key] = c.order.PushFront(&cached{key, value, bytes})
	gone := c.shrink()
	c.mu.Unlock()
	dropAll(gone)
	return value
}

// shrink evicts what was used longest ago.
func (c *lookupCache) shrink() (gone []any) {
	for spared := 0; c.used > c.limit && c.order.Len() > 0; {
		e := c.order.Back()
		if v, ok := e.Value.(*cached).value.(beside); ok && spared < c.order.Len() && v.askedBeside() {
			c.order.MoveToFront(e)
			spared++
			continue
		}
		gone = append(gone, c.remove(e))
	}
	return gone
}

func (c *lookupCache) remove(e *list.Element) any {
	v := c.order.Remove(e).(*cached)
	delete(c.entries, v.key)
	c.used -= v.bytes
	return v.value
}

// forget evicts the pieces of files.
func (c *lookupCache) forget(files map[any]bool) {
	c.mu.Lock()
	var gone []any
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if files[e.Value.(*cached).key.file] {
			gone = append(gone, c.remove(e))
		}
		e = next
	}
	c.mu.Unlock()
	dropAll(gone)
}

// reserve takes bytes out of what the cache may use, or gives them back.
func (c *lookupCache) reserve(bytes int64) {
	c.mu.Lock()
	c.used += bytes
	gone := c.shrink()
	c.mu.Unlock()
	dropAll(gone)
}

// close evicts everything.
func (c *lookupCache) close() {
	c.mu.Lock()
	var gone []any
	for c.order.Len() > 0 {
		gone = append(gone, c.remove(c.order.Back()))
	}
	c.mu.Unlock()
	dropAll(gone)
}

func dropAll(values []any) {
	for _, v := range values {
		if d, ok := v.(dropper); ok {
			d.drop()
		}
	}
}
