// Package schema is what a table is: its columns and their types, its keys,
// and its options.
//
// A table's definition lives in three forms, and this package turns each into
// the next:
//
//	schema file (JSON, YAML)        schema/schema-N (JSON)
//	        |  ParseDefinition              |  ParseTable
//	        v                               v
//	   Definition  -- Definition.Table -->  Table  -- ParseOptions --> Options
//	                  (ids, keys,             |                          |
//	                   validation)            | ArrowSchema              | CheckRead
//	                                          v                          v CheckWrite
//	                                    Arrow fields            may we touch this table?
//
// Table.Alter makes the next schema-N out of one and a list of changes; columns
// keep their ids, by which files of every schema are read through every other.
//
// Types follow Paimon's grammar. ParseType reads SQL text, nested types
// included; Type.String writes the canonical text; JSON has the form used in
// schema files, where nested types are objects.
//
// Options are all of Paimon's options. Each known key is honoured, or ignored
// because ignoring it cannot change a row, or refused by name until it is
// built: for writing, for reading, or for both. KnownOptions lists the verdicts
// with their reasons.
//
// Everything here is a plain value. Functions are safe for concurrent use, and
// so are the values once they are no longer changed.
package schema
