package bitmap

import (
	"errors"
	"fmt"
)

// The tree of Java's Roaring64Bitmap maps 48-bit keys, six bytes from the
// highest, to the numbers of containers. Each node is written before its
// children, which follow in the order of their bytes:
//
//	kind  1 byte | children  2 bytes | prefix length  1 byte | prefix | body
//
// The prefix holds the bytes that all keys below share. The body of an inner
// node says which byte leads to which child, in a form that depends on how
// many there are; the body of a leaf is the key and the number.
const (
	node4 = iota
	node16
	node48
	node256
	leaf
)

const keyBytes = 6

// bodies are the sizes of the nodes' bodies.
var bodies = [...]int{node4: 4, node16: 16, node48: 256, node256: 32, leaf: keyBytes + 8}

// fanout is the most children of a node.
var fanout = [...]int{node4: 4, node16: 16, node48: 48, node256: 256}

type treeLeaf struct{ key, number uint64 }

// tree reads nodes off the front of b.
type tree struct {
	b      []byte
	leaves []treeLeaf
}

// walk reads a node and all below it. Leaves hold their whole keys, so what
// inner nodes say of them is not needed.
func (t *tree) walk(depth int) error {
	if len(t.b) < 4 {
		return errShort
	}
	kind, children, prefix := t.b[0], int(le.Uint16(t.b[1:])), int(t.b[3])
	if kind > leaf {
		return fmt.Errorf("a tree node of kind %d", kind)
	}
	size := 4 + prefix + bodies[kind]
	if len(t.b) < size {
		return errShort
	}
	body := t.b[4+prefix : size]
	t.b = t.b[size:]
	if kind == leaf {
		t.leaves = append(t.leaves, treeLeaf{key: beKey(body), number: le.Uint64(body[keyBytes:])})
		return nil
	}
	if depth += prefix; depth >= keyBytes || children == 0 || children > fanout[kind] {
		return errors.New("a tree node that cannot be")
	}
	for range children {
		if err := t.walk(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

func beKey(b []byte) (key uint64) {
	for _, v := range b[:keyBytes] {
		key = key<<8 | uint64(v)
	}
	return key
}

func keyByte(key uint64, depth int) byte { return byte(key >> (8 * (keyBytes - 1 - depth))) }

// appendTree writes the tree of containers whose keys share all bytes before
// depth. The first of them has the given number, the others count on.
func appendTree(dst []byte, list []container, depth, number int) []byte {
	if len(list) == 1 {
		dst = append(dst, leaf, 0, 0, 0)
		for d := range keyBytes {
			dst = append(dst, keyByte(list[0].key, d))
		}
		return le.AppendUint64(dst, uint64(number))
	}
	first, last := list[0].key, list[len(list)-1].key
	split := depth
	for keyByte(first, split) == keyByte(last, split) {
		split++
	}
	starts := children(list, split)
	kind := byte(node4)
	for len(starts) > fanout[kind] {
		kind++
	}
	dst = append(le.AppendUint16(append(dst, kind), uint16(len(starts))), byte(split-depth))
	for d := depth; d < split; d++ {
		dst = append(dst, keyByte(first, d))
	}
	dst = appendBody(dst, kind, list, starts, split)
	for i, from := range starts {
		to := len(list)
		if i+1 < len(starts) {
			to = starts[i+1]
		}
		dst = appendTree(dst, list[from:to], split+1, number+from)
	}
	return dst
}

// children are the places in list where the key's byte at depth changes.
func children(list []container, depth int) []int {
	starts := []int{0}
	for i := 1; i < len(list); i++ {
		if keyByte(list[i].key, depth) != keyByte(list[i-1].key, depth) {
			starts = append(starts, i)
		}
	}
	return starts
}

// appendBody writes words with the low byte first whose bytes Java counts from
// the high one, and a field of bits that it counts from the low one.
func appendBody(dst []byte, kind byte, list []container, starts []int, depth int) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, bodies[kind])...)
	body := dst[at:]
	if kind == node48 {
		for i := range body {
			body[i] = 0xff // no child
		}
	}
	for i, from := range starts {
		b := keyByte(list[from].key, depth)
		switch kind {
		case node4:
			body[3-i] = b
		case node16:
			body[i^7] = b
		case node48:
			body[b^7] = byte(i)
		case node256:
			body[b>>3] |= 1 << (b & 7)
		}
	}
	return dst
}
