package binaryrow

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/schema"
)

func Append(dst []byte, types []schema.Type, values []any) ([]byte, error)   { panic("todo") }
func Decode(types []schema.Type, body []byte) ([]any, error)                 { panic("todo") }
func Hash(body []byte) int32                                                 { panic("todo") }
func Serialize(arity int, body []byte) []byte                                { panic("todo") }
func Deserialize(b []byte) (arity int, body []byte, err error)               { panic("todo") }
func Compare(types []schema.Type, a, b []byte) int                           { panic("todo") }
func AppendArray(dst []byte, elem schema.Type, values []any) ([]byte, error) { panic("todo") }
func DecodeArray(elem schema.Type, data []byte) ([]any, error)               { panic("todo") }
func Values(t schema.Type, col arrow.Array, row int) (any, error)            { panic("todo") }

type Encoder struct{}

func NewEncoder(types []schema.Type, cols []arrow.Array) (*Encoder, error) { panic("todo") }
func (e *Encoder) Append(dst []byte, row int) []byte                       { panic("todo") }
