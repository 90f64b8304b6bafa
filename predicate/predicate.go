// Package predicate holds filters.
package predicate

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// Expr is an immutable filter; the zero value keeps every row.
type Expr struct{}

// Op is a comparison operator.
type Op uint8

// The operators.
const (
	Eq Op = iota + 1
	Ne
	Lt
	Le
	Gt
	Ge
)

// Stats gives what is known of a column.
type Stats = func(field string) (min, max any, nulls int64, ok bool)

// Parse reads a filter.
func Parse(text string, fields []schema.Field, loc *time.Location) (Expr, error) { panic("todo") }

// Compare compares a column with a literal.
func Compare(f schema.Field, op Op, literal any) (Expr, error) { panic("todo") }

// In is true for the listed values.
func In(f schema.Field, literals ...any) (Expr, error) { panic("todo") }

// Between includes both ends.
func Between(f schema.Field, lo, hi any) (Expr, error) { panic("todo") }

// IsNull is never unknown.
func IsNull(f schema.Field) Expr { panic("todo") }

// IsNotNull is never unknown.
func IsNotNull(f schema.Field) Expr { panic("todo") }

// StartsWith compares a prefix.
func StartsWith(f schema.Field, prefix string) (Expr, error) { panic("todo") }

// Like compares with a pattern; escape 0 is none.
func Like(f schema.Field, pattern string, escape rune) (Expr, error) { panic("todo") }

// And joins.
func And(all ...Expr) Expr { panic("todo") }

// Or joins.
func Or(all ...Expr) Expr { panic("todo") }

// Not negates.
func Not(e Expr) Expr { panic("todo") }

// IsTrue tells that every row is kept.
func (e Expr) IsTrue() bool { panic("todo") }

// String gives the filter's text, which Parse reads back.
func (e Expr) String() string { panic("todo") }

// Fields lists the columns.
func (e Expr) Fields() []string { panic("todo") }

// Bind types the same filter for other fields.
func (e Expr) Bind(fields []schema.Field) (Expr, error) { panic("todo") }

// Filter returns the positions of the rows kept.
func (e Expr) Filter(rec arrow.RecordBatch) ([]int32, error) { panic("todo") }

// AppendFilter is Filter into a buffer.
func (e Expr) AppendFilter(dst []int32, rec arrow.RecordBatch) ([]int32, error) { panic("todo") }

// Match evaluates one row of metadata values.
func (e Expr) Match(value func(field string) any) bool { panic("todo") }

// MayMatch is false only when no row can match.
func (e Expr) MayMatch(stats Stats, rows int64) bool { panic("todo") }

// Split gives the parts joined by AND at the top.
func (e Expr) Split() []Expr { panic("todo") }

// OnlyFields parts the expression.
func (e Expr) OnlyFields(names map[string]bool) (part, rest Expr) { panic("todo") }

// Select gathers rows.
func Select(rec arrow.RecordBatch, rows []int32, alloc memory.Allocator) (arrow.RecordBatch, error) {
	panic("todo")
}

// CastLiteral casts a text.
func CastLiteral(text string, t schema.Type, loc *time.Location) (any, error) { panic("todo") }

// CastDefault casts a column default.
func CastDefault(text string, t schema.Type, loc *time.Location) (any, error) { panic("todo") }
