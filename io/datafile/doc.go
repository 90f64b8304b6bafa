// Package datafile turns Arrow batches into data files and back.
//
// A data file is a Parquet file whose schema is the table's, with Paimon's
// field ids and physical types (spec section 6), or an Avro file, of which all
// of this is true but pages and chosen rows. The idea is the same in both
// directions: a column is a column all the way. No row is ever built, no value
// boxed; a column goes from Arrow buffer to page, or back, in typed loops, and
// columns share nothing, so that they run side by side.
//
//	Arrow batch                                   file
//	  column ─ null bits ──► levels ┐
//	           values ─┬──► encode ─┴► page ► pack ► pages of the row group ► │PAR1│group│…│indexes│footer│
//	                   └──► least, greatest ─► page index, footer, ColumnStats
//
// # Writing
//
// A Writer keeps the packed pages of one row group and one open page a column.
// How a column is encoded is found out, not asked: a dictionary if its first
// values promise few distinct ones; and how a page is packed, by trying on one page in some dozens.
// What is written keeps to the encodings that every Paimon reader decodes:
// PLAIN and PLAIN_DICTIONARY in version 1 pages.
//
// # Reading
//
// A Reader matches columns by name, skips row groups and pages that its caller
// rules out, and hands out batches in the canonical Arrow types of package
// schema. A File reads chosen rows of an open file again and again: only the
// pages that hold them, late, when others have found out which they are.
package datafile
