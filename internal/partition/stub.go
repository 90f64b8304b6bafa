package partition

import (
	"time"

	"github.com/tidelake/tidelake/schema"
)

type Paths struct{}

func New(fields []schema.Field, defaultName string, legacy bool, loc *time.Location) *Paths {
	panic("todo")
}
func (p *Paths) Dir(values []any) (string, error)    { panic("todo") }
func (p *Paths) Text(values []any) ([]string, error) { panic("todo") }
func Escape(s string) string                         { panic("todo") }
func Unescape(s string) string                       { panic("todo") }
