package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// Finder is what compaction looks keys up with.
type Finder struct{ *finder }

// Place is where a row is stored.
type Place struct {
	File int32
	Row  int64
}

// NewFinder looks into all files of a bucket of the newest snapshot.
func NewFinder(ctx context.Context, t *Table, bucket int, files []manifest.DataFile, cacheBytes int64) (*Finder, error) {
	f, err := t.newFinder(t.schema, emptyRow, bucket, files, cacheBytes)
	return &Finder{f}, err
}

// Newest is the place of the newest version of each key.
func (f *Finder) Newest(ctx context.Context, keys []arrow.Array, gone func(file int32, row int64) bool) ([]Place, error) {
	var without func(place) bool
	if gone != nil {
		without = func(p place) bool { return gone(int32(p.file()), p.row()) }
	}
	places, err := f.newest(ctx, keys, without)
	out := make([]Place, len(places))
	for i, p := range places {
		out[i] = Place{int32(p.file()), p.row()}
	}
	return out, err
}

// Fetch reads rows by their places.
func (f *Finder) Fetch(ctx context.Context, places []Place, fields []schema.Field) (arrow.RecordBatch, error) {
	in := make([]place, len(places))
	for i, p := range places {
		in[i] = placeIn(int(p.File), p.Row)
	}
	return f.fetch(ctx, in, fields)
}

// Close closes its files.
func (f *Finder) Close() error { return f.close() }
