package table

import (
	"fmt"

	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/internal/fault"
)

// keyPlace is the partition, by its number, and the bucket that a key lies in.
type keyPlace struct {
	partition uint32
	bucket    int32
}

func (p keyPlace) pack() uint64 { return uint64(p.partition)<<32 | uint64(uint32(p.bucket)) }

func placeOf(packed uint64) keyPlace { return keyPlace{uint32(packed >> 32), int32(packed)} }

// keyRooms are the partitions of a table, by number, with how many keys lie in
// each of their buckets. It says which bucket a new key gets.
type keyRooms struct {
	target int64 // keys of a bucket before the next one is begun
	number map[string]uint32
	rooms  []keyRoom
}

type keyRoom struct {
	partition []byte  // BinaryRow body
	keys      []int64 // by bucket, -1 for one that is not there
}

func newKeyRooms(target int64) *keyRooms {
	return &keyRooms{target: target, number: make(map[string]uint32)}
}

// of is the number of a partition.
func (k *keyRooms) of(partition []byte) uint32 {
	n, known := k.number[string(partition)]
	if !known {
		n = uint32(len(k.rooms))
		k.number[string(partition)] = n
		k.rooms = append(k.rooms, keyRoom{partition: []byte(string(partition))})
	}
	return n
}

// count notes n more keys in a place; n may be negative.
func (k *keyRooms) count(p keyPlace, n int64) {
	r := &k.rooms[p.partition]
	for int(p.bucket) >= len(r.keys) {
		r.keys = append(r.keys, -1)
	}
	r.keys[p.bucket] = max(0, r.keys[p.bucket]) + n
}

// assign gives a new key of a partition a bucket: the first that is there and
// has room, else the first that is not there.
func (k *keyRooms) assign(partition uint32) (keyPlace, error) {
	keys := k.rooms[partition].keys
	free := len(keys)
	for b, n := range keys {
		if n >= 0 && n < k.target {
			return k.take(partition, b)
		}
		if n < 0 && free == len(keys) {
			free = b
		}
	}
	return k.take(partition, free)
}

func (k *keyRooms) take(partition uint32, b int) (keyPlace, error) {
	p := keyPlace{partition, int32(b)}
	if b >= bucket.MaxDynamic {
		return p, fault.Invalid(fmt.Sprintf("a partition has all its %d buckets full; raise dynamic-bucket.target-row-num", bucket.MaxDynamic))
	}
	k.count(p, 1)
	return p, nil
}
