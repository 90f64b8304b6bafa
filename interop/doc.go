// Package interop proves that real Apache Paimon and this library see the same
// tables. Its tests, behind the build tag interop, drive a Java program on
// Paimon's own jars (peer/) and Paimon's Python readers (pypaimon_read.py):
//
//	random table ──► written here ──► read and verified there
//	             ──► written there ─► read and checked here
//	             ──► written by both in turn, read by both after each commit
//
// run.sh builds what they need and runs them. TIDELAKE_INTEROP_TABLES sets how
// many random tables each direction gets, TIDELAKE_INTEROP_SEED replays a run.
package interop
