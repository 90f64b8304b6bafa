package datafile

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// colReader reads one wanted top-level column: a leaf when it is flat, else the
// leaves below it and the slots that join them.
type colReader struct {
	field   schema.Field
	dt      arrow.DataType
	slot    *slot // nil when the file has no such column
	leaves  []*leafReader
	nested  bool
	alloc   memory.Allocator
	pending arrow.Array // rows read beyond the last batch
}

// newLeaf makes the reader of a leaf; the file sets where it reads from.
type newLeaf func(n *node, path string, v vector) *leafReader

// bindColumn matches a wanted column with the file's schema.
func bindColumn(f schema.Field, dt arrow.DataType, root *node, alloc memory.Allocator, make newLeaf) (*colReader, error) {
	c := &colReader{field: f, dt: dt, alloc: alloc}
	n := root.kid(f.Name)
	if n == nil {
		return c, nil
	}
	b := binder{column: c, make: make}
	var err error
	if c.slot, err = b.value(f.Name, f.Type, dt, n, 0, 0); err != nil {
		c.release()
		return nil, err
	}
	c.nested = len(c.slot.kids) > 0
	for _, l := range c.leaves {
		l.nested = c.nested
	}
	return c, nil
}

type binder struct {
	column *colReader
	make   newLeaf
}

// value binds a value of type t to node n. A repeated node is a list without
// the groups that modern files put around it.
func (b *binder) value(path string, t schema.Type, dt arrow.DataType, n *node, rep, floor uint8) (*slot, error) {
	if n.repetition == repeated {
		list, ok := dt.(*arrow.ListType)
		if !ok || t.Kind != schema.Array {
			return nil, fmt.Errorf("column %s is repeated in the file, %s is expected", path, t)
		}
		s := &slot{kind: t.Kind, dt: dt, path: path, def: uint8(n.maxDef - 1), rep: rep, floor: floor, item: uint8(n.maxDef)}
		return b.elements(s, []schema.Type{*t.Elem}, []arrow.DataType{list.Elem()}, []*node{n})
	}
	return b.single(path, t, dt, n, rep, floor)
}

// single binds a value to node n, whatever its repetition.
func (b *binder) single(path string, t schema.Type, dt arrow.DataType, n *node, rep, floor uint8) (*slot, error) {
	s := &slot{kind: t.Kind, dt: dt, path: path, def: uint8(n.maxDef), rep: rep, floor: floor}
	switch t.Kind {
	case schema.Row:
		return b.members(s, t, n)
	case schema.Array:
		element, err := listElement(path, n)
		if err != nil {
			return nil, err
		}
		s.item = uint8(n.kids[0].maxDef)
		return b.elements(s, []schema.Type{*t.Elem}, []arrow.DataType{dt.(*arrow.ListType).Elem()}, []*node{element})
	case schema.Map, schema.Multiset:
		return b.entries(s, t, n)
	}
	if n.leaf < 0 {
		return nil, fmt.Errorf("column %s is a group in the file, %s is expected", path, t)
	}
	v, err := newVector(n, t, b.column.alloc)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", path, err)
	}
	s.leaf = b.make(n, path, v)
	s.leaf.floor = floor
	b.column.leaves = append(b.column.leaves, s.leaf)
	return s, nil
}

func (b *binder) members(s *slot, t schema.Type, n *node) (*slot, error) {
	if n.leaf >= 0 {
		return nil, fmt.Errorf("column %s is %s in the file, %s is expected", s.path, physicalNames[n.physical], t)
	}
	if len(t.Fields) == 0 {
		return nil, fmt.Errorf("column %s is wanted without any member", s.path)
	}
	for i, f := range t.Fields {
		path := s.path + "." + f.Name
		kid := n.kid(f.Name)
		if kid == nil {
			return nil, fmt.Errorf("the file has no %s, which the schema says column %s has", path, s.path)
		}
		k, err := b.value(path, f.Type, s.dt.(*arrow.StructType).Field(i).Type, kid, s.rep, s.floor)
		if err != nil {
			return nil, err
		}
		s.kids = append(s.kids, k)
	}
	s.leaf = s.kids[0].leaf
	return s, nil
}

// listElement finds the element below a list, in the modern shape
//
//	list { repeated list { element } }
//
// and in the older one where the repeated node is the element.
func listElement(path string, n *node) (*node, error) {
	if n.leaf >= 0 || len(n.kids) != 1 || n.kids[0].repetition != repeated {
		return nil, fmt.Errorf("column %s is no list in the file", path)
	}
	kid := n.kids[0]
	if kid.leaf < 0 && len(kid.kids) == 1 && kid.name != "array" && kid.name != n.name+"_tuple" {
		return kid.kids[0], nil
	}
	return kid, nil
}

func (b *binder) entries(s *slot, t schema.Type, n *node) (*slot, error) {
	if n.leaf >= 0 || len(n.kids) != 1 || n.kids[0].repetition != repeated || len(n.kids[0].kids) != 2 {
		return nil, fmt.Errorf("column %s is no map in the file", s.path)
	}
	pair := n.kids[0]
	key, val := pair.kid("key"), pair.kid("value")
	if key == nil || val == nil {
		key, val = pair.kids[0], pair.kids[1]
	}
	kt, vt := schema.Type{}, schema.Type{Kind: schema.Int}
	if t.Kind == schema.Map {
		kt, vt = *t.Key, *t.Elem
	} else {
		kt = *t.Elem
	}
	s.item = uint8(pair.maxDef)
	m := s.dt.(*arrow.MapType)
	return b.elements(s, []schema.Type{kt, vt}, []arrow.DataType{m.KeyType(), m.ItemType()}, []*node{key, val})
}

// elements binds what repeats below s.
func (b *binder) elements(s *slot, types []schema.Type, dts []arrow.DataType, nodes []*node) (*slot, error) {
	names := []string{".key", ".value"}
	if s.kind == schema.Array {
		names = []string{".element"}
	}
	for i, n := range nodes {
		bind := b.value
		if uint8(n.maxDef) == s.item && n.repetition == repeated {
			bind = b.single // the repetition is s's own
		}
		k, err := bind(s.path+names[i], types[i], dts[i], n, s.rep+1, s.item)
		if err != nil {
			return nil, err
		}
		s.kids = append(s.kids, k)
	}
	s.leaf = s.kids[0].leaf
	return s, nil
}

// read returns the rows from row on: what it still has, or else n rows, or
// fewer when they are large. Rows before stop are likely to be asked for next.
func (c *colReader) read(row int64, n int, stop int64) (arrow.Array, error) {
	if c.pending != nil {
		a := c.pending
		c.pending = nil
		return a, nil
	}
	if c.slot == nil {
		return array.MakeArrayOfNull(c.alloc, c.dt, n), nil
	}
	for _, l := range c.leaves {
		if err := l.skipTo(row, stop); err != nil {
			return nil, l.fail(err)
		}
		l.begin(n)
	}
	if c.nested {
		return c.readNested(n)
	}
	l := c.leaves[0]
	if err := l.readFlat(n); err != nil {
		return nil, l.fail(err)
	}
	return c.finish()
}

// finish makes the array of what the leaves have read since begin.
func (c *colReader) finish() (arrow.Array, error) {
	l := c.leaves[0]
	if c.nested {
		d, err := c.slot.build(c.alloc)
		if err != nil {
			return nil, l.fail(err)
		}
		return newArray(d), nil
	}
	bufs, nulls := l.finish()
	a := newArray(newData(c.dt, l.slots, bufs, nil, nulls))
	if nulls > 0 && !c.field.Type.Nullable {
		a.Release()
		return nil, l.fail(errors.New("column is NOT NULL and holds null"))
	}
	return a, nil
}

func newArray(d arrow.ArrayData) arrow.Array {
	defer d.Release()
	return array.MakeFromData(d)
}

// stepRows is how many rows all leaves of a nested column read before looking
// whether the batch is full. Rows can be of any size, so it starts low.
const stepRows = 32

func (c *colReader) readNested(n int) (arrow.Array, error) {
	for step, done := min(n, stepRows), 0; done < n; step = min(2*step, n-done) {
		for _, l := range c.leaves {
			if err := l.readNested(step); err != nil {
				return nil, l.fail(err)
			}
		}
		done += step
		full, large := c.fill()
		if full {
			break
		}
		if large {
			step = stepRows / 2
		}
		if done < n && 2*step > n-done {
			step = (n - done + 1) / 2
		}
	}
	return c.finish()
}

// fill says whether the batch is full, and whether it grows fast.
func (c *colReader) fill() (full, large bool) {
	for _, l := range c.leaves {
		full = full || l.vec.room() == 0 || len(l.defs) >= batchEntries
		large = large || len(l.defs) >= batchEntries/16 || l.vec.room() < roomRows
	}
	return full, large
}

func (c *colReader) dropPending() {
	if c.pending != nil {
		c.pending.Release()
		c.pending = nil
	}
}

func (c *colReader) release() {
	c.dropPending()
	for _, l := range c.leaves {
		l.release()
	}
}
