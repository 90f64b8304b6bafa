// Package manifest holds the catalogue of a table's files: which data file and
// which index file belongs to which partition and bucket, how large it is,
// what its keys and values range over.
//
// A snapshot names two manifest lists (base and delta). A list names
// manifests, and a manifest holds entries: "this file was added", "this file
// was deleted". Folding the entries of all manifests in order gives the live
// files.
//
//	snapshot-7 ──> manifest list ──> manifest ──> ADD    data-1 (bucket 0, level 5)
//	                    │               │         DELETE data-0
//	                    │               └──> ...
//	                    └──> Meta: counts, ranges of partition, bucket, level
//	          └──> index manifest ──> IndexEntry: deletion vectors, hash index
//
// All three kinds are Avro object container files. They are read by field
// name, so files of every release mix; a field this package does not know is
// carried along unread (Unknown) and written again when manifests are merged.
//
// IO reads and writes the files of one table; Fold and Live reduce entries to
// live files; Merge rewrites small or outdated manifests by Paimon's rules;
// Filter prunes manifests and entries; BuildStats turns column statistics into
// the stored form.
//
// Byte slices and strings of decoded entries share the memory of the block
// they were read from: treat them as read-only.
package manifest
