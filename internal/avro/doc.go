// Package avro reads and writes Avro object container files and the
// primitives inside them, without reflection and without a value per field.
//
//	"Obj\x01" | metadata {avro.schema, avro.codec} | sync (16 bytes)
//	| count | size | compressed records | sync | count | size | ...
//
// A container is taken apart block by block (Reader.Next) and a block is
// walked with a Decoder, a cursor that turns the first wrong byte into a
// sticky error. Schema is the parsed schema of a file: enough to match fields
// by name, to skip what is not known, and to print it again. The caller owns
// the meaning of records.
//
// Input is never trusted: counts and lengths are checked against the bytes
// that are there before anything is allocated, and a block may not expand
// beyond fixed limits.
package avro
