// Package lsm turns many versions of rows into one ordered stream: when a
// write buffer is flushed, when overlapping files are read, and when they are
// compacted.
//
// Keys are merged once, then columns are gathered, each on its own. No row is
// ever built:
//
//	key columns ──► words ──► sort or merge ──► order: (batch,row) (batch,row) …
//	                                              │ groups of equal keys
//	                                              ▼
//	                                         merge engine: one pair a group
//	                                              │
//	value column 1 ──► gather ◄───────────────────┤
//	value column 2 ──► gather ◄───────────────────┘
//
// A word is the first eight bytes of a key in a form that sorts as unsigned
// integers, counted from where the keys begin to differ. Most keys fit in it
// completely; the rest of longer ones is looked at only where words are equal.
//
// [Buffer] sorts retained batches with a radix sort. [Merge] takes windows of
// sorted runs: all rows up to the smallest of the last keys that are in
// memory, so equal keys never part. A window is merged in pairs of runs by a
// kernel without unpredictable branches, which copies whole stretches where
// runs do not interleave. [Sections] finds out which files have to be merged
// at all.
//
// [Levels] holds the files of a bucket, a [Picker] chooses which of them are
// compacted next, and [Unit.Steps] says what that takes: which files only move
// to another level and which are merged. Both are plain functions of file
// metadata; the bytes are the business of package table.
package lsm
