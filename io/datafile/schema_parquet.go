package datafile

import (
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/tidelake/tidelake/schema"
)

// parquetSchema maps fields, in the order given, to the Parquet message that
// Paimon writes for them.
func parquetSchema(fields []schema.Field) (*pqschema.Schema, error) { panic("todo") }
