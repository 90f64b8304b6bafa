// Package bucket decides which bucket of its partition a row belongs to. Every
// writer of a table must decide alike, byte for byte, or a key would live in
// two buckets at once (format section 5.8).
//
//	bucket key of a row --> hash --> remainder by the number of buckets
//
// Three functions exist: default hashes the binary row of the bucket key, mod
// takes one integer as its own hash, hive hashes as Hive does. Assign works on
// Arrow columns, a whole batch at a time and without a row object; Of takes
// one row of metadata values.
package bucket
