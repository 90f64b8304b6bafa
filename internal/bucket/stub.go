package bucket

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/schema"
)

type Function struct{}

func New(name string, n int, types []schema.Type) (*Function, error)        { panic("todo") }
func (f *Function) Assign(dst []int32, cols []arrow.Array) ([]int32, error) { panic("todo") }
func (f *Function) Of(values []any) (int, error)                            { panic("todo") }
