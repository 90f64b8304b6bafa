// Package binaryrow reads and writes Paimon's BinaryRow and BinaryArray, the
// form in which partitions, keys and statistics live in manifests and whose
// hash decides the bucket of a row (format section 5).
//
//	| kind + null bits | slot 0 | slot 1 | ... | variable part |
//	  8, 16, ... bytes   8 bytes each             multiples of 8
//
// A slot holds a fixed value (low byte first), a string of up to seven bytes,
// or the place of the value in the variable part. The bytes of a row are its
// identity: hashes, partition equality and map keys all work on them, so the
// same values must always give the same bytes. The bytes described here are
// the body; Serialize adds the arity that manifests store before it.
//
// There are two ways in. Append takes metadata values (see schema.Type), one
// row at a time. Encoder takes Arrow columns and appends row after row without
// allocating, for bulk data. Compare orders two bodies without decoding them.
package binaryrow
