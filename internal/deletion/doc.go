// Package deletion is the codec of deletion vectors: for a data file the set
// of physical row positions, from 0, that are no longer rows of the table.
// Index files of the type DELETION_VECTORS hold them one after the other.
//
//	index file   01 │ record │ record │ …
//	record       size │ magic │ Roaring bitmap of positions │ CRC-32 of magic and bitmap
//
// There are two kinds: of positions of 32 bits (Paimon's own), and of 64 bits
// (which Iceberg shares). Both can be in one file; the magic tells them apart.
// The bytes written are those that Java writes for the same positions.
//
// Spec: lsm, 7.7.
package deletion
