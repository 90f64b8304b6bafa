package datafile

import (
	"fmt"
	"math/big"

	"github.com/apache/arrow-go/v18/parquet"
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// The message of every data file has this name.
const rootName = "paimon_schema"

// Nested children have no id of their own in the table schema; they get one
// derived from the enclosing column's id f and their depth below it:
//
//	element, value  nestedIDBase + 1024·f + depth
//	key             nestedIDBase - 1024·f - depth
const nestedIDBase = 536870911

// parquetSchema maps fields, in the order given, to the Parquet message that
// Paimon writes for them: names, repetition, physical types, annotations and
// field ids.
func parquetSchema(fields []schema.Field) (*pqschema.Schema, error) {
	nodes, err := parquetNodes(fields)
	if err != nil {
		return nil, err
	}
	root, err := pqschema.NewGroupNode(rootName, parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, fault.Invalid(err.Error())
	}
	return pqschema.NewSchema(root), nil
}

func parquetNodes(fields []schema.Field) (pqschema.FieldList, error) {
	nodes := make(pqschema.FieldList, len(fields))
	for i, f := range fields {
		n, err := parquetNode(f.Name, f.Type, nodeID{own: f.ID, column: f.ID})
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}

// nodeID carries what derived ids need: the node's own id, and the column it
// is nested in with the depth below it.
type nodeID struct{ own, column, depth int }

func (id nodeID) up() nodeID {
	return nodeID{own: nestedIDBase + 1024*id.column + id.depth + 1, column: id.column, depth: id.depth + 1}
}

func (id nodeID) down() nodeID {
	return nodeID{own: nestedIDBase - 1024*id.column - id.depth - 1, column: id.column, depth: id.depth + 1}
}

func repetition(nullable bool) parquet.Repetition {
	if nullable {
		return parquet.Repetitions.Optional
	}
	return parquet.Repetitions.Required
}

func parquetNode(name string, t schema.Type, id nodeID) (pqschema.Node, error) {
	switch t.Kind {
	case schema.Array:
		return listNode(name, t, id)
	case schema.Map:
		return mapNode(name, t.Nullable, *t.Key, *t.Elem, id)
	case schema.Multiset:
		return mapNode(name, t.Nullable, *t.Elem, schema.Type{Kind: schema.Int}, id)
	case schema.Row:
		nodes, err := parquetNodes(t.Fields)
		if err != nil {
			return nil, err
		}
		return pqschema.NewGroupNode(name, repetition(t.Nullable), nodes, int32(id.own))
	}
	phys, logical, length, err := physical(name, t)
	if err != nil {
		return nil, err
	}
	if logical == nil {
		return pqschema.NewPrimitiveNode(name, repetition(t.Nullable), phys, int32(id.own), int32(length))
	}
	return pqschema.NewPrimitiveNodeLogical(name, repetition(t.Nullable), logical, phys, length, int32(id.own))
}

func listNode(name string, t schema.Type, id nodeID) (pqschema.Node, error) {
	elem, err := parquetNode("element", *t.Elem, id.up())
	if err != nil {
		return nil, err
	}
	list, err := pqschema.NewGroupNode("list", parquet.Repetitions.Repeated, pqschema.FieldList{elem}, -1)
	if err != nil {
		return nil, err
	}
	return pqschema.NewGroupNodeLogical(name, repetition(t.Nullable), pqschema.FieldList{list},
		pqschema.NewListLogicalType(), int32(id.own))
}

// mapNode also serves MULTISET, a map from element to a required count. Keys
// are required whatever the table says: Parquet knows no null key.
func mapNode(name string, nullable bool, key, value schema.Type, id nodeID) (pqschema.Node, error) {
	key.Nullable = false
	k, err := parquetNode("key", key, id.down())
	if err != nil {
		return nil, err
	}
	v, err := parquetNode("value", value, id.up())
	if err != nil {
		return nil, err
	}
	pairs, err := pqschema.NewGroupNodeConverted("key_value", parquet.Repetitions.Repeated,
		pqschema.FieldList{k, v}, pqschema.ConvertedTypes.MapKeyValue, -1)
	if err != nil {
		return nil, err
	}
	return pqschema.NewGroupNodeLogical(name, repetition(nullable), pqschema.FieldList{pairs},
		pqschema.MapLogicalType{}, int32(id.own))
}

// physical gives the Parquet type of a scalar, its annotation (nil for none)
// and its length when that is fixed.
func physical(name string, t schema.Type) (parquet.Type, pqschema.LogicalType, int, error) {
	switch t.Kind {
	case schema.Boolean:
		return parquet.Types.Boolean, nil, 0, nil
	case schema.TinyInt:
		return parquet.Types.Int32, pqschema.NewIntLogicalType(8, true), 0, nil
	case schema.SmallInt:
		return parquet.Types.Int32, pqschema.NewIntLogicalType(16, true), 0, nil
	case schema.Int:
		return parquet.Types.Int32, nil, 0, nil
	case schema.BigInt:
		return parquet.Types.Int64, nil, 0, nil
	case schema.Float:
		return parquet.Types.Float, nil, 0, nil
	case schema.Double:
		return parquet.Types.Double, nil, 0, nil
	case schema.Char, schema.VarChar:
		return parquet.Types.ByteArray, pqschema.StringLogicalType{}, 0, nil
	case schema.Binary, schema.VarBinary:
		return parquet.Types.ByteArray, nil, 0, nil
	case schema.Date:
		return parquet.Types.Int32, pqschema.DateLogicalType{}, 0, nil
	case schema.Time:
		return parquet.Types.Int32, pqschema.NewTimeLogicalType(true, pqschema.TimeUnitMillis), 0, nil
	case schema.Decimal:
		return physicalDecimal(name, t)
	case schema.Timestamp, schema.TimestampLTZ:
		utc := t.Kind == schema.TimestampLTZ
		switch {
		case t.Precision <= 3:
			return parquet.Types.Int64, pqschema.NewTimestampLogicalTypeForce(utc, pqschema.TimeUnitMillis), 0, nil
		case t.Precision <= 6:
			return parquet.Types.Int64, pqschema.NewTimestampLogicalTypeForce(utc, pqschema.TimeUnitMicros), 0, nil
		}
		return parquet.Types.Int96, nil, 0, nil
	case schema.Variant, schema.Blob, schema.Vector:
		return 0, nil, 0, fault.Unsupported(fmt.Sprintf("column %s: data type %s in a parquet file", name, kindName(t.Kind)),
			"leave the column out of the table")
	}
	return 0, nil, 0, fault.Invalid(fmt.Sprintf("column %s: unknown data type %d", name, t.Kind))
}

func physicalDecimal(name string, t schema.Type) (parquet.Type, pqschema.LogicalType, int, error) {
	if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
		return 0, nil, 0, fault.Invalid(fmt.Sprintf("column %s: DECIMAL(%d, %d) is out of range", name, t.Precision, t.Scale))
	}
	logical := pqschema.NewDecimalLogicalType(int32(t.Precision), int32(t.Scale))
	switch {
	case t.Precision <= 9:
		return parquet.Types.Int32, logical, 0, nil
	case t.Precision <= 18:
		return parquet.Types.Int64, logical, 0, nil
	}
	return parquet.Types.FixedLenByteArray, logical, decimalBytes(t.Precision), nil
}

// decimalBytes is the smallest n whose two's complement holds every decimal
// of the precision: 2^(8n-1) >= 10^p.
func decimalBytes(precision int) int {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
	n := 1
	for new(big.Int).Lsh(big.NewInt(1), uint(8*n-1)).Cmp(limit) < 0 {
		n++
	}
	return n
}

func kindName(k schema.Kind) string {
	switch k {
	case schema.Variant:
		return "VARIANT"
	case schema.Blob:
		return "BLOB"
	case schema.Vector:
		return "VECTOR"
	}
	return fmt.Sprintf("kind %d", k)
}
