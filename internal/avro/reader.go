package avro

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

var magic = []byte("Obj\x01")

// Reader takes an object container file that is in memory apart. It is not
// safe for concurrent use.
type Reader struct {
	d      Decoder
	schema []byte
	codec  string
	sync   []byte
}

// NewReader parses the header of a file. The data must not change while
// values read from it are in use.
func NewReader(data []byte) (*Reader, error) {
	if !bytes.HasPrefix(data, magic) {
		return nil, errors.New("not an avro object container file")
	}
	r := &Reader{codec: CodecNull}
	r.d.Reset(data)
	r.d.Fixed(len(magic))
	for r.d.Err() == nil {
		n := r.d.Count(2)
		if n == 0 {
			break
		}
		for range n {
			switch key, value := r.d.Text(), r.d.Bytes(); key {
			case "avro.schema":
				r.schema = value
			case "avro.codec":
				r.codec = string(value)
			}
		}
	}
	r.sync = r.d.Fixed(16)
	if err := r.d.Err(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if r.schema == nil {
		return nil, errors.New("header: no schema")
	}
	return r, checkCodec(r.codec)
}

// Schema is the JSON of the file's schema, a view of the file.
func (r *Reader) Schema() []byte { return r.schema }

// Codec is the name of the file's codec.
func (r *Reader) Codec() string { return r.codec }

// Next returns the expanded content of the next block and the number of
// records that the file claims to be in it; io.EOF after the last. The
// content is written into scratch where that is large enough, or is a view of
// the file.
func (r *Reader) Next(scratch []byte) (block []byte, records int, err error) {
	if r.d.Left() == 0 {
		return nil, 0, io.EOF
	}
	at := r.d.Offset()
	n, stored := r.d.Long(), r.d.Bytes()
	if mark := r.d.Fixed(16); r.d.Err() == nil && !bytes.Equal(mark, r.sync) {
		r.d.Fail(errors.New("sync marker differs"))
	}
	if n < 0 || n > 1<<31 {
		r.d.Fail(fmt.Errorf("%d records", n))
	}
	if err := r.d.Err(); err != nil {
		return nil, 0, fmt.Errorf("block at byte %d: %w", at, err)
	}
	if block, err = decompress(r.codec, scratch, stored); err != nil {
		return nil, 0, fmt.Errorf("block at byte %d: %s: %w", at, r.codec, err)
	}
	return block, int(n), nil
}

// Records adds up the counts of all blocks, as the file claims them, without
// expanding any. It stops where the file is damaged.
func (r *Reader) Records() (total int64) {
	d := r.d
	for d.Left() > 0 {
		n := d.Long()
		d.Bytes()
		if d.Fixed(16); d.Err() != nil || n < 0 || n > 1<<31 {
			break
		}
		total += n
	}
	return total
}
