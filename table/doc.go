// Package table is what users of the library import first: it opens a table,
// writes rows into it, commits them as snapshots and reads them back.
//
//	              ┌────────── Writer ──────────┐        ┌─────────── Scan ───────────┐
//	rows, batches │ canonical columns          │        │ snapshot → manifests       │ batches
//	────────────► │  → partition and bucket    │ commit │  → files that may match    │ ────────►
//	              │  → buffer, sort, merge     │ ─────► │  → splits, in parallel     │
//	              │  → one level-0 file a flush│        │  → merge, filter, project  │
//	              └────────────────────────────┘        └────────────────────────────┘
//
// Writers compact what they write, unless the table is write-only; Compact
// does it as a job. Beside these:
//
//	rows      Delete, Update    by a condition
//	          Get, Lookup       by keys, again and again
//	changes   Stream            as they are committed, from any point on
//	          Diff              between two versions
//	          System            the audit log, and the table's own metadata, as rows
//	history   CreateTag, CreateBranch, Rollback, FastForward, ResetConsumer
//	upkeep    Expire, ExpireTags, ExpireConsumers, Clean, Check
//	columns   Alter
//
// The files and the metadata are those of Apache Paimon, byte for byte, so
// Flink, Spark and every other engine that speaks Paimon can read the same table
// at any time, and write and compact it in turn.
//
// A primary-key table keeps one row a key: the newest by the table's sequence
// fields, or by arrival. A table without a key keeps every row. Nothing is
// visible before Commit; Commit is atomic, and a replay of the same commit
// user and identifier does nothing.
//
// Errors wrap one of the classes in this package (ErrNotFound, ErrConflict and
// so on) and say in their text what, where, and what to do.
package table
