package rowjson

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

var (
	errNotNull   = errors.New("must not be null")
	errWantArray = errors.New("is not an array")
	errWantPairs = errors.New("is not an array of [key, value] pairs")
)

// inside appends a nested value and refuses a null where the type has none.
func inside(c column, read func() error) error {
	if err := read(); err != nil {
		return err
	}
	if h := c.head(); !h.typ.Nullable && !h.isValid(h.rows-1) {
		return &cellError{typ: h.typ, value: "null", err: errNotNull}
	}
	return nil
}

// lists is an ARRAY column.
type lists struct {
	header
	offsets []int32
	elem    column
}

func (c *lists) null() {
	c.offsets = append(c.offsets, int32(c.elem.head().rows))
	c.push(false)
}

func (c *lists) end() error {
	if err := checkOffset(c.elem.head().rows); err != nil {
		return err
	}
	c.offsets = append(c.offsets, int32(c.elem.head().rows))
	c.push(true)
	return nil
}

func (c *lists) json(p *parser) error {
	if p.peek() != '[' {
		return errWantArray
	}
	empty, err := p.open('[', ']')
	for i, more := 0, !empty; more && err == nil; i++ {
		if err = inside(c.elem, func() error { return readJSON(p, c.elem) }); err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
		more, err = p.more(']')
	}
	if err != nil {
		return err
	}
	return c.end()
}

func (c *lists) value(v any) error {
	items, err := goList(v)
	if err != nil {
		return err
	}
	for i, item := range items {
		if err := inside(c.elem, func() error { return readGo(item, c.elem) }); err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return c.end()
}

func (c *lists) cut(n int) {
	c.truncate(n)
	c.offsets = c.offsets[:n+1]
	c.elem.cut(int(c.offsets[n]))
}

func (c *lists) key(dst []byte, row int) []byte {
	if !c.isValid(row) {
		return append(dst, 0)
	}
	from, to := c.offsets[row], c.offsets[row+1]
	dst = binary.AppendUvarint(append(dst, 1), uint64(to-from))
	for i := from; i < to; i++ {
		dst = c.elem.key(dst, int(i))
	}
	return dst
}

func (c *lists) size() int64 { return 4*int64(len(c.offsets)) + c.elem.size() }

func (c *lists) build(alloc memory.Allocator) *array.Data {
	data := c.data(alloc, []arrow.ArrayData{c.elem.build(alloc)}, arrow.Int32Traits.CastToBytes(c.offsets))
	c.clear()
	c.offsets = c.offsets[:1]
	return data
}

// maps is a MAP column, or a MULTISET whose values are counts.
type maps struct {
	header
	offsets    []int32
	keys, vals column
	seen       map[string]struct{} // the keys of the map being read
	scratch    []byte
}

func newMaps(h header, key, value schema.Type, loc *time.Location) (column, error) {
	key.Nullable = false // neither Arrow nor Parquet has null keys
	keys, err := newColumn(key, loc)
	if err != nil {
		return nil, err
	}
	vals, err := newColumn(value, loc)
	if err != nil {
		return nil, err
	}
	return &maps{header: h, offsets: []int32{0}, keys: keys, vals: vals, seen: map[string]struct{}{}}, nil
}

func (c *maps) null() {
	c.offsets = append(c.offsets, int32(c.keys.head().rows))
	c.push(false)
}

// pair appends one entry by two functions and refuses a key that the map has already.
func (c *maps) pair(first int, key, value func() error) error {
	row := c.keys.head().rows
	step := "[" + strconv.Itoa(row-first) + "]"
	if err := inside(c.keys, key); err != nil {
		return within(err, step+"[0]")
	}
	c.scratch = c.keys.key(c.scratch[:0], row)
	if _, twice := c.seen[string(c.scratch)]; twice {
		return fmt.Errorf("has the key of entry %d twice", row-first+1)
	}
	c.seen[string(c.scratch)] = struct{}{}
	if err := inside(c.vals, value); err != nil {
		return within(err, step+"[1]")
	}
	return nil
}

func (c *maps) end() error {
	clear(c.seen)
	if err := checkOffset(c.keys.head().rows); err != nil {
		return err
	}
	c.offsets = append(c.offsets, int32(c.keys.head().rows))
	c.push(true)
	return nil
}

func (c *maps) json(p *parser) error {
	clear(c.seen)
	switch p.peek() {
	case '[':
		return c.jsonPairs(p)
	case '{':
		if text, ok := c.keys.(*texts); ok && !text.hex {
			return c.jsonObject(p, text)
		}
	}
	return errWantPairs
}

func (c *maps) jsonPairs(p *parser) error {
	empty, err := p.open('[', ']')
	first := c.keys.head().rows
	for more := !empty; more && err == nil; {
		if p.peek() != '[' {
			return errWantPairs
		}
		var none bool
		if none, err = p.open('[', ']'); err != nil {
			return err
		}
		if none {
			return errWantPairs
		}
		err = c.pair(first, func() error { return readJSON(p, c.keys) }, func() error {
			if !p.take(',') {
				return errWantPairs
			}
			return readJSON(p, c.vals)
		})
		if err != nil {
			return err
		}
		if !p.take(']') {
			return errWantPairs
		}
		p.depth--
		more, err = p.more(']')
	}
	if err != nil {
		return err
	}
	return c.end()
}

func (c *maps) jsonObject(p *parser, keys *texts) error {
	empty, err := p.open('{', '}')
	first := keys.rows
	for more := !empty; more && err == nil; {
		err = c.pair(first, func() error {
			s, err := p.str()
			if err != nil {
				return err
			}
			return keys.plain(view(s))
		}, func() error {
			if err := p.expect(':'); err != nil {
				return err
			}
			return readJSON(p, c.vals)
		})
		if err != nil {
			return err
		}
		more, err = p.more('}')
	}
	if err != nil {
		return err
	}
	return c.end()
}

func (c *maps) value(v any) error {
	clear(c.seen)
	pairs, err := goPairs(v)
	if err != nil {
		return err
	}
	first := c.keys.head().rows
	for _, kv := range pairs {
		err := c.pair(first, func() error { return readGo(kv[0], c.keys) }, func() error { return readGo(kv[1], c.vals) })
		if err != nil {
			return err
		}
	}
	return c.end()
}

func (c *maps) cut(n int) {
	c.truncate(n)
	c.offsets = c.offsets[:n+1]
	c.keys.cut(int(c.offsets[n]))
	c.vals.cut(int(c.offsets[n]))
}

// key is the entries in their order: two maps with the same entries in another order are not found equal.
func (c *maps) key(dst []byte, row int) []byte {
	if !c.isValid(row) {
		return append(dst, 0)
	}
	from, to := c.offsets[row], c.offsets[row+1]
	dst = binary.AppendUvarint(append(dst, 1), uint64(to-from))
	for i := from; i < to; i++ {
		dst = c.vals.key(c.keys.key(dst, int(i)), int(i))
	}
	return dst
}

func (c *maps) size() int64 { return 4*int64(len(c.offsets)) + c.keys.size() + c.vals.size() }

func (c *maps) build(alloc memory.Allocator) *array.Data {
	n := c.keys.head().rows
	entries := header{dt: c.dt.(*arrow.MapType).Elem(), rows: n}
	children := entries.data(alloc, []arrow.ArrayData{c.keys.build(alloc), c.vals.build(alloc)})
	data := c.data(alloc, []arrow.ArrayData{children}, arrow.Int32Traits.CastToBytes(c.offsets))
	c.clear()
	c.offsets = c.offsets[:1]
	return data
}

// structs is a ROW column.
type structs struct {
	header
	members members
}

func newStructs(h header, loc *time.Location) (column, error) {
	m, err := newMembers(h.typ.Fields, loc)
	return &structs{header: h, members: m}, err
}

func (c *structs) null() {
	for _, m := range c.members.cols {
		m.null()
	}
	c.push(false)
}

func (c *structs) json(p *parser) error {
	if p.peek() != '{' {
		return errors.New("is not an object")
	}
	if err := c.members.json(p, nil); err != nil {
		var unknown *unknownError
		if errors.As(err, &unknown) {
			return &cellError{typ: c.typ, value: literal.Quote(unknown.name), err: errors.New("is no member of it" + unknown.hint)}
		}
		return within(err, "."+c.members.failed)
	}
	return c.end()
}

// end finishes a value whose members are in place.
func (c *structs) end() error {
	for i, m := range c.members.cols {
		if h := m.head(); !h.typ.Nullable && !h.isValid(h.rows-1) {
			return &cellError{path: "." + c.members.names[i], typ: h.typ, value: "null", err: errNotNull}
		}
	}
	c.push(true)
	return nil
}

func (c *structs) value(v any) error {
	items, err := goMembers(v, c.members.names)
	if err != nil {
		return err
	}
	for i, item := range items {
		if err := readGo(item, c.members.cols[i]); err != nil {
			return within(err, "."+c.members.names[i])
		}
	}
	return c.end()
}

func (c *structs) cut(n int) {
	c.truncate(n)
	for _, m := range c.members.cols {
		m.cut(n)
	}
}

func (c *structs) key(dst []byte, row int) []byte {
	if !c.isValid(row) {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	for _, m := range c.members.cols {
		dst = m.key(dst, row)
	}
	return dst
}

func (c *structs) size() int64 { return c.members.size() }

func (c *structs) build(alloc memory.Allocator) *array.Data {
	children := make([]arrow.ArrayData, len(c.members.cols))
	for i, m := range c.members.cols {
		children[i] = m.build(alloc)
	}
	data := c.data(alloc, children)
	c.clear()
	return data
}

// members is the columns of a table or a ROW, found by name.
type members struct {
	names []string
	cols  []column
	index map[string]int
	seen  []int // seen[i] == round when the object being read has member i
	round int

	failed string // name of the member that the last error is about
}

func newMembers(fields []schema.Field, loc *time.Location) (members, error) {
	m := members{index: make(map[string]int, len(fields)), seen: make([]int, len(fields))}
	for i, f := range fields {
		c, err := newColumn(f.Type, loc)
		if err != nil {
			return m, err
		}
		if _, twice := m.index[f.Name]; twice {
			return m, fault.Invalid("two columns of the name " + f.Name)
		}
		m.index[f.Name] = i
		m.names = append(m.names, f.Name)
		m.cols = append(m.cols, c)
	}
	return m, nil
}

func (m *members) size() (n int64) {
	for _, c := range m.cols {
		n += c.size()
	}
	return n
}

// json appends one object, with null for members that are not there. A name
// that is no member is offered to other, which may be nil.
func (m *members) json(p *parser, other func(name string) (bool, error)) error {
	m.round++
	empty, err := p.open('{', '}')
	for next, more := 0, !empty; more && err == nil; {
		if next, err = m.one(p, next, other); err != nil {
			return err
		}
		more, err = p.more('}')
	}
	if err != nil {
		return err
	}
	for i, c := range m.cols {
		if m.seen[i] != m.round {
			c.null()
		}
	}
	return nil
}

// one appends one member; next is the one that comes if the object has the order of the columns.
func (m *members) one(p *parser, next int, other func(name string) (bool, error)) (int, error) {
	name, err := p.str()
	if err != nil {
		return 0, err
	}
	i, ok := next, next < len(m.names) && string(name) == m.names[next]
	if !ok {
		if i, ok = m.index[string(name)]; !ok {
			return next, m.stranger(p, string(name), other)
		}
	}
	m.failed = m.names[i]
	if m.seen[i] == m.round {
		return 0, &cellError{typ: m.cols[i].head().typ, value: "the member", err: errors.New("is there twice")}
	}
	m.seen[i] = m.round
	if err := p.expect(':'); err != nil {
		return 0, err
	}
	if err := readJSON(p, m.cols[i]); err != nil {
		return 0, err
	}
	return i + 1, nil
}

func (m *members) stranger(p *parser, name string, other func(name string) (bool, error)) error {
	if other != nil {
		if err := p.expect(':'); err != nil {
			return err
		}
		if known, err := other(name); known || err != nil {
			return err
		}
	}
	return &unknownError{name, literal.DidYouMean(name, m.names)}
}

// unknownError is a member that no column has.
type unknownError struct{ name, hint string }

func (e *unknownError) Error() string {
	return "no column is named " + literal.Quote(e.name) + e.hint
}
