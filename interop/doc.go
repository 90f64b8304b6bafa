// Package interop proves that real Apache Paimon and this library see the same
// tables. Its tests, behind the build tag interop, drive a Java program on
// Paimon's own jars (peer/), releases 1.4 and 2.0, and Paimon's Python library
// (pypaimon_read.py), whose reader exists in Python and in Rust:
//
//	random table ──► written here ──► read and verified there
//	             ──► written there ─► read and checked here
//	             ──► written, overwritten, truncated, compacted by both in turn,
//	                 read by both after each step and at each snapshot
//	             ──► the same steps by each side on a table of its own: same rows
//	             ──► the same filters and projections asked of both
//	             ──► followed by a stream of each side while both write
//	             ──► tagged, branched, rolled back, expired and cleaned by one,
//	                 read and continued by the other: the same files are left
//
// Every table has a seed of its own. run.sh builds what the tests need and runs
// them; it prints the seed and how many tables each test had.
//
//	TIDELAKE_INTEROP_TABLES      random tables in each direction, default 500
//	TIDELAKE_INTEROP_SEED        the first table's seed, default the time
//	TIDELAKE_INTEROP_KEEP_GOING  any text: go on behind a table that fails
//	TIDELAKE_INTEROP_KEEP        a directory for the tables; those that fail stay there
package interop
