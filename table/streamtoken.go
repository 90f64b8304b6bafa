package table

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"hash/fnv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// position is how far a stream has come. Between two snapshots it is the next
// one alone, so that it suits any stream of the table; within one it counts
// rows, so that it only suits a stream that reads the same rows of it.
type position struct {
	next   int64  // the snapshot whose changes come next …
	full   bool   // … or all rows as of it, before the changes of the one behind it
	before uint32 // digest of the snapshot before next, 0 when it is not known
	since  *int64 // with full: only rows of files made since, epoch milliseconds

	within bool   // part of the snapshot was read:
	split  int    // whole splits before this one,
	rows   int64  // and rows of this one;
	plan   uint32 // digest of the splits up to it and of what the stream reads of them
}

// after is the position between a snapshot and the next one.
func after(s *snapshot.Snapshot) position { return position{next: s.ID + 1, before: digest(s)} }

// digest tells two snapshots of one id apart.
func digest(s *snapshot.Snapshot) uint32 {
	return crc32.ChecksumIEEE([]byte(s.CommitUser+"\x00"+itoa(s.CommitIdentifier)+"\x00"+itoa(s.TimeMillis)+"\x00"+s.DeltaManifestList)) | 1
}

// A token is tokenPrefix and, in base64 for names of files: flags, the table's
// identity, the numbers of the position, and a sum of all that.
const tokenPrefix = "tl1-"

// IsStreamToken tells whether a text looks like a stream's token.
func IsStreamToken(text string) bool { return strings.HasPrefix(text, tokenPrefix) }

const (
	tokenFull = 1 << iota
	tokenSince
	tokenWithin
)

func (p position) token(identity uint64) string {
	flags := byte(0)
	b := binary.BigEndian.AppendUint64([]byte{0}, identity)
	b = binary.AppendUvarint(b, uint64(p.next))
	b = binary.BigEndian.AppendUint32(b, p.before)
	if p.full {
		flags |= tokenFull
	}
	if p.since != nil {
		flags |= tokenSince
		b = binary.AppendVarint(b, *p.since)
	}
	if p.within {
		flags |= tokenWithin
		b = binary.AppendUvarint(b, uint64(p.split))
		b = binary.AppendUvarint(b, uint64(p.rows))
		b = binary.BigEndian.AppendUint32(b, p.plan)
	}
	b[0] = flags
	b = binary.BigEndian.AppendUint16(b, uint16(crc32.Checksum(b, castagnoli)))
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// parseToken is the reverse of token for the table of that identity.
func parseToken(text string, identity uint64) (p position, err error) {
	body, ok := strings.CutPrefix(text, tokenPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(b) < 16 || binary.BigEndian.Uint16(b[len(b)-2:]) != uint16(crc32.Checksum(b[:len(b)-2], castagnoli)) {
		return p, &fault.Error{Class: fault.ErrInvalid, Detail: "this is no token of a stream, or part of it is missing", Hint: "give it as it was printed"}
	}
	if binary.BigEndian.Uint64(b[1:]) != identity {
		return p, &fault.Error{Class: fault.ErrInvalid, Detail: "the token is of another table", Hint: "a table that was dropped and made anew is another one too: start without a token"}
	}
	r := tokenReader{left: b[9 : len(b)-2]}
	p.next, p.full, p.within = int64(r.uvarint()), b[0]&tokenFull != 0, b[0]&tokenWithin != 0
	p.before = r.four()
	if b[0]&tokenSince != 0 {
		v, n := binary.Varint(r.left)
		r.cut(n)
		p.since = &v
	}
	if p.within {
		p.split, p.rows, p.plan = int(r.uvarint()), int64(r.uvarint()), r.four()
	}
	if r.short || len(r.left) > 0 || p.next < 1 || p.split < 0 || p.rows < 0 || b[0] >= tokenWithin<<1 {
		return p, fault.Invalid("the token was made by a newer release")
	}
	return p, nil
}

type tokenReader struct {
	left  []byte
	short bool
}

func (r *tokenReader) cut(n int) {
	if n <= 0 || n > len(r.left) {
		r.left, r.short = nil, true
		return
	}
	r.left = r.left[n:]
}

func (r *tokenReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.left)
	r.cut(n)
	return v
}

func (r *tokenReader) four() (v uint32) {
	if len(r.left) >= 4 {
		v = binary.BigEndian.Uint32(r.left)
	}
	r.cut(4)
	return v
}

// identity tells tables apart wherever they lie: it follows from the oldest
// schema, with the time of its making, and from the branch.
func (t *Table) identity(ctx context.Context) (uint64, error) {
	first, err := t.schemas.get(ctx, 0)
	if isNotFound(err) { // some branches begin later
		ids, err2 := t.schemas.ids(ctx)
		if err2 != nil || len(ids) == 0 {
			return 0, errors.Join(err, err2)
		}
		oldest := ids[0]
		for _, id := range ids {
			oldest = min(oldest, id)
		}
		first, err = t.schemas.get(ctx, oldest)
	}
	if err != nil {
		return 0, err
	}
	h := fnv.New64a()
	for _, part := range []string{t.branch, itoa(first.ID), itoa(first.TimeMillis)} {
		_, _ = h.Write([]byte(part + "\x00"))
	}
	for _, f := range first.Fields {
		_, _ = h.Write([]byte(itoa(int64(f.ID)) + "\x00" + f.Name + "\x00" + f.Type.String() + "\x00"))
	}
	return h.Sum64(), nil
}
