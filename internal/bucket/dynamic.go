package bucket

import (
	"fmt"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
)

// MaxDynamic is how many buckets a partition with dynamic buckets can have:
// their numbers are int16 in Java.
const MaxDynamic = 1<<15 - 1

// Dynamic is the rule by which keys get a bucket as they come (format, section
// 5.9). Paimon spreads the work over assigners that own every n-th bucket each;
// here they are classes of keys within one process, with the same outcome.
type Dynamic struct {
	Target    int64           // keys of a bucket before the next one is begun
	Max       int             // buckets of a partition; -1: as many as there can be
	Channels  int             // tasks that the assigners are spread over; 0 is 1
	Assigners int             // 0: as many as channels
	Pick      func(n int) int // one of n buckets once there are Max full ones
}

// Index knows the bucket of every key hash of one partition. It holds 8 to 16
// bytes a hash in memory. It is for one goroutine.
type Index struct {
	rule    Dynamic
	start   int // the partition's first channel
	hashes  hashTable
	counts  []int64 // hashes by bucket, -1 for a bucket that is not there
	changed []bool  // buckets with hashes that no index file has
	classes []class
}

// class is what one assigner owns of a partition.
type class struct {
	open  []int // buckets that may have room, ascending
	all   []int // every bucket
	next  int   // no smaller bucket number is free
	bound bool  // there is no further bucket to begin
}

// NewIndex is the index of a partition without keys; partition is its BinaryRow body.
func (d Dynamic) NewIndex(partition []byte) *Index {
	d.Channels = max(1, d.Channels)
	if d.Assigners <= 0 {
		d.Assigners = d.Channels
	}
	d.Assigners = min(d.Assigners, d.Channels)
	x := &Index{rule: d, start: int(magnitude(binaryrow.Hash(partition), d.Channels)), classes: make([]class, d.Assigners)}
	for i := range x.classes {
		x.classes[i].next = i
	}
	return x
}

// magnitude is |h % n|.
func magnitude(h int32, n int) int64 {
	m := int64(h) % int64(n)
	return max(m, -m)
}

// Load adds the hashes of a bucket's index file. It tells how many of them
// were known in another bucket; there the file loaded last wins.
func (x *Index) Load(bucket int, file []byte) (elsewhere int, err error) {
	if bucket < 0 || bucket >= MaxDynamic || len(file)%4 != 0 {
		return 0, fault.Corrupt("", fmt.Sprintf("a hash index of %d bytes for bucket %d", len(file), bucket), nil)
	}
	x.hashes.reserve(len(file) / 4)
	for ; len(file) > 0; file = file[4:] {
		at, known := x.hashes.find(be32(file))
		if known && x.hashes.buckets[at] != int16(bucket) {
			elsewhere++
		}
		x.hashes.put(at, known, be32(file), int16(bucket))
		x.count(bucket)
	}
	return elsewhere, nil
}

// count adds one to a bucket and begins it when it is new.
func (x *Index) count(bucket int) {
	for len(x.counts) <= bucket {
		x.counts, x.changed = append(x.counts, -1), append(x.changed, false)
	}
	if x.counts[bucket] < 0 {
		x.counts[bucket] = 0
		c := &x.classes[bucket%len(x.classes)]
		c.open, c.all = insert(c.open, bucket), insert(c.all, bucket)
	}
	x.counts[bucket]++
}

// insert keeps an ascending list.
func insert(list []int, v int) []int {
	list = append(list, v)
	for i := len(list) - 1; i > 0 && list[i-1] > v; i-- {
		list[i-1], list[i] = list[i], list[i-1]
	}
	return list
}

// Bucket is the bucket of a hash that is in the index.
func (x *Index) Bucket(hash int32) (bucket int, known bool) {
	at, known := x.hashes.find(hash)
	if !known {
		return 0, false
	}
	return int(x.hashes.buckets[at]), true
}

// Len is how many hashes the index knows.
func (x *Index) Len() int { return x.hashes.used }

// Assign is the bucket of a hash, chosen now if it is new: the first bucket of
// its class that has room, else a new one, else any.
func (x *Index) Assign(hash int32) (int, error) {
	x.hashes.reserve(1)
	at, known := x.hashes.find(hash)
	if known {
		return int(x.hashes.buckets[at]), nil
	}
	n := len(x.classes)
	c := &x.classes[(x.start+int(magnitude(hash, n)))%x.rule.Channels%n]
	bucket, err := x.room(c)
	if err != nil {
		return 0, err
	}
	if bucket < 0 { // no room anywhere: those buckets are not counted any more
		bucket = c.all[x.rule.Pick(len(c.all))]
	} else {
		x.count(bucket)
	}
	x.changed[bucket] = true
	x.hashes.put(at, false, hash, int16(bucket))
	return bucket, nil
}

// room is a bucket of the class that can take one more hash, -1 when there is none.
func (x *Index) room(c *class) (int, error) {
	for ; len(c.open) > 0; c.open = c.open[1:] {
		if x.counts[c.open[0]] < x.rule.Target {
			return c.open[0], nil
		}
	}
	limit := MaxDynamic
	if x.rule.Max >= 0 {
		limit = min(limit, x.rule.Max)
	}
	for ; !c.bound && c.next < limit; c.next += len(x.classes) {
		if c.next >= len(x.counts) || x.counts[c.next] < 0 {
			return c.next, nil
		}
	}
	c.bound = true
	if x.rule.Max < 0 || len(c.all) == 0 {
		return 0, &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("all of %d buckets of a partition are full", limit),
			Hint: "raise dynamic-bucket.target-row-num, or dynamic-bucket.max-buckets if it is set"}
	}
	return -1, nil
}

// File is the content of one bucket's hash index file.
type File struct {
	Bucket int
	Hashes int
	Data   []byte
}

// Changed are the index files, by bucket, of the buckets that got new hashes
// since the last call.
func (x *Index) Changed() []File {
	sizes := make([]int, len(x.counts))
	for at, b := range x.hashes.buckets {
		if b >= 0 && x.changed[b] {
			sizes[x.hashes.buckets[at]]++
		}
	}
	var out []File
	where := make([]int, len(x.counts))
	for b, changed := range x.changed {
		if changed {
			where[b] = len(out)
			out = append(out, File{Bucket: b, Hashes: sizes[b], Data: make([]byte, 0, 4*sizes[b])})
		}
	}
	for at, b := range x.hashes.buckets {
		if b >= 0 && x.changed[b] {
			f := &out[where[b]]
			h := uint32(x.hashes.keys[at])
			f.Data = append(f.Data, byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
		}
	}
	clear(x.changed)
	return out
}

func be32(p []byte) int32 {
	return int32(uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3]))
}
