package schema

import "github.com/apache/arrow-go/v18/arrow"

const (
	KeyFieldIDBase   = 1073741823
	SequenceFieldID  = 2147483646
	ValueKindFieldID = 2147483645
	KeyPrefix        = "_KEY_"
	SequenceName     = "_SEQUENCE_NUMBER"
	ValueKindName    = "_VALUE_KIND"
)

type Table struct {
	Version        int
	ID             int64
	Fields         []Field
	HighestFieldID int
	PartitionKeys  []string
	PrimaryKeys    []string
	Options        map[string]string
	Comment        string
	TimeMillis     int64
}
type BucketMode uint8

const (
	HashFixed BucketMode = iota + 1
	HashDynamic
	KeyDynamic
	Postpone
	BucketUnaware
)

type RowKind int8

const (
	Insert RowKind = iota
	UpdateBefore
	UpdateAfter
	Delete
)

type Column struct {
	Name     string
	Type     Type
	Nullable *bool
	Default  *string
	Comment  string
}
type Definition struct {
	Columns                 []Column
	PrimaryKey, PartitionBy []string
	Options                 map[string]string
	Comment                 string
}
type OptionInfo struct {
	Key, Default string
	Class        OptionClass
	Why          string
}
type OptionClass uint8

func (k RowKind) String() string                               { panic("todo") }
func ParseRowKind(text string) (RowKind, error)                { panic("todo") }
func ParseType(text string) (Type, error)                      { panic("todo") }
func (t Type) String() string                                  { panic("todo") }
func (t Type) Equal(u Type) bool                               { panic("todo") }
func (t Type) EqualIgnoringNullability(u Type) bool            { panic("todo") }
func (t *Type) UnmarshalJSON(data []byte) error                { panic("todo") }
func (t Type) MarshalJSON() ([]byte, error)                    { panic("todo") }
func Compare(t Type, a, b any) int                             { panic("todo") }
func ArrowType(t Type) (arrow.DataType, error)                 { panic("todo") }
func ArrowField(f Field) (arrow.Field, error)                  { panic("todo") }
func ArrowSchema(fields []Field) (*arrow.Schema, error)        { panic("todo") }
func FromArrow(dt arrow.DataType, nullable bool) (Type, error) { panic("todo") }
func ParseTable(data []byte) (*Table, error)                   { panic("todo") }
func (t *Table) Marshal() ([]byte, error)                      { panic("todo") }
func (t *Table) Validate() error                               { panic("todo") }
func (t *Table) Field(name string) (Field, bool)               { panic("todo") }
func (t *Table) Index(name string) int                         { panic("todo") }
func (t *Table) FieldsByName(names []string) ([]Field, error)  { panic("todo") }
func (t *Table) PartitionFields() []Field                      { panic("todo") }
func (t *Table) KeyFields() []Field                            { panic("todo") }
func (t *Table) BucketKeyFields() []Field                      { panic("todo") }
func (t *Table) BucketMode() BucketMode                        { panic("todo") }
func ParseDefinition(data []byte) (Definition, error)          { panic("todo") }
func (d Definition) Table(nowMillis int64) (*Table, error)     { panic("todo") }
func ParseOptions(raw map[string]string) (*Options, error)     { panic("todo") }
func (o *Options) TargetFileSizeFor(pk bool) int64             { panic("todo") }
func (o *Options) CheckRead(t *Table) error                    { panic("todo") }
func (o *Options) CheckWrite(t *Table) error                   { panic("todo") }
func (o *Options) Warnings() []string                          { panic("todo") }
func CheckNewOptions(raw map[string]string) error              { panic("todo") }
func KnownOptions() []OptionInfo                               { panic("todo") }
