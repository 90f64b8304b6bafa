package keymap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"sort"

	"github.com/tidelake/tidelake/internal/tempfile"
)

const (
	entryBytes   = 24
	blockEntries = 128
	blockBytes   = blockEntries * entryBytes
)

// run is a file of entries in the order of their keys, with the first 8 bytes
// of the first key of every block in memory.
type run struct {
	file   *tempfile.File
	keys   int64
	firsts []uint64
}

// prefix begins the names of the files, for whoever finds one where names cannot go.
const prefix = "tidelake-keys-"

func writeRun(dir string, next func() (entry, bool, error)) (_ *run, err error) {
	file, err := tempfile.New(dir, prefix)
	if err != nil {
		return nil, err
	}
	r := &run{file: file}
	defer func() {
		if err != nil {
			_ = r.close()
		}
	}()
	out := bufio.NewWriterSize(file, 1<<18)
	var b [entryBytes]byte
	for {
		e, ok, err := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return r, out.Flush()
		}
		if r.keys%blockEntries == 0 {
			r.firsts = append(r.firsts, lead(e.key[:]))
		}
		copy(b[:], e.key[:])
		binary.LittleEndian.PutUint64(b[16:], e.value)
		if _, err := out.Write(b[:]); err != nil {
			return nil, err
		}
		r.keys++
	}
}

// lead orders keys as their bytes do, as far as 8 bytes tell.
func lead(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

func (r *run) bytes() int64 { return r.keys * entryBytes }

func (r *run) close() error { return r.file.Close() }

// get looks a key up: in one block, but for keys whose first 8 bytes are those
// of several blocks' first keys.
func (r *run) get(key Digest, block []byte) (uint64, bool, error) {
	k := lead(key[:])
	end := sort.Search(len(r.firsts), func(i int) bool { return r.firsts[i] > k })
	for at := end - 1; at >= 0; at-- {
		n := min(blockEntries, r.keys-int64(at)*blockEntries)
		b := block[:n*entryBytes]
		if _, err := r.file.ReadAt(b, int64(at)*blockBytes); err != nil {
			return 0, false, err
		}
		i := sort.Search(int(n), func(i int) bool { return bytes.Compare(b[i*entryBytes:i*entryBytes+16], key[:]) >= 0 })
		if i < int(n) && bytes.Equal(b[i*entryBytes:i*entryBytes+16], key[:]) {
			return binary.LittleEndian.Uint64(b[i*entryBytes+16:]), true, nil
		}
		if r.firsts[at] < k {
			break
		}
	}
	return 0, false, nil
}

// cursor reads a run in order.
type cursor struct {
	in   *bufio.Reader
	left int64
	full bool
	b    [entryBytes]byte
}

func (r *run) cursor() *cursor {
	return &cursor{in: bufio.NewReaderSize(io.NewSectionReader(r.file, 0, r.bytes()), 1<<18), left: r.keys}
}

// fill reads the entry to look at, if that has not been done.
func (c *cursor) fill() error {
	if c.full || c.left == 0 {
		return nil
	}
	c.full = true
	_, err := io.ReadFull(c.in, c.b[:])
	return err
}

func (c *cursor) done() bool  { return c.left == 0 }
func (c *cursor) key() []byte { return c.b[:16] }
func (c *cursor) next()       { c.left, c.full = c.left-1, false }

func (c *cursor) entry() entry {
	return entry{Digest(c.b[:16]), binary.LittleEndian.Uint64(c.b[16:])}
}
