package schema

import (
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Change is one step of an alteration; see Table.Alter. The changes are
// Paimon's own, under its names:
//
//	AddColumn  DropColumn  RenameColumn  UpdateColumnPosition
//	UpdateColumnType  UpdateColumnNullability  UpdateColumnComment  UpdateColumnDefaultValue
//	SetOption  RemoveOption  UpdateComment  DropPrimaryKey
type Change interface {
	apply(a *alteration) error
}

// Path names a column, or something inside one: the members of a ROW by their
// names, the elements of an ARRAY as "element", the values of a MAP as "value".
// What a MAP's keys are cannot be altered.
type Path []string

// ParsePath reads names joined by dots, as in "address.lines.element". A name
// that holds a dot stands in backquotes, and a backquote inside it is doubled.
func ParsePath(text string) (Path, error) {
	var path Path
	for rest := text; ; {
		var name string
		if strings.HasPrefix(rest, "`") {
			end := 1
			for {
				i := strings.IndexByte(rest[end:], '`')
				if i < 0 {
					return nil, fault.Invalid("column " + text + ": a backquote is not closed")
				}
				name += rest[end : end+i]
				end += i + 1
				if !strings.HasPrefix(rest[end:], "`") {
					break
				}
				name += "`"
				end++
			}
			rest = rest[end:]
		} else {
			end := strings.IndexByte(rest, '.')
			if end < 0 {
				end = len(rest)
			}
			name, rest = rest[:end], rest[end:]
		}
		if name == "" {
			return nil, fault.Invalid("column " + quoteShort(text) + ": an empty name")
		}
		path = append(path, name)
		if rest == "" {
			return path, nil
		}
		if rest[0] != '.' {
			return nil, fault.Invalid("column " + text + ": a dot expected after `" + name + "`")
		}
		rest = rest[1:]
	}
}

// String is the path as ParsePath reads it.
func (p Path) String() string {
	names := make([]string, len(p))
	for i, name := range p {
		if strings.ContainsAny(name, ".`") {
			name = "`" + strings.ReplaceAll(name, "`", "``") + "`"
		}
		names[i] = name
	}
	return strings.Join(names, ".")
}

// Position is a place among columns, or among the members of one ROW. The zero
// value leaves the choice to the table: the end, or before the partition
// columns where the table has add-column-before-partition.
type Position struct {
	where     byte // 0, 'f', 'l', 'a', 'b'
	reference string
}

// First is before all others.
func First() Position { return Position{where: 'f'} }

// Last is behind all others.
func Last() Position { return Position{where: 'l'} }

// After is right behind the named sibling.
func After(sibling string) Position { return Position{'a', sibling} }

// Before is right before the named sibling.
func Before(sibling string) Position { return Position{'b', sibling} }

// AddColumn adds a column, or a member to a ROW. Rows written before read as
// null there, so the type must be nullable.
type AddColumn struct {
	Path     Path
	Type     Type
	Comment  string
	Position Position
}

// DropColumn removes a column, or a member of a ROW. Its values are never seen
// again, even under a new column of the same name.
type DropColumn struct{ Path Path }

// RenameColumn gives a column, or a member of a ROW, another name. Options that
// speak of the column follow.
type RenameColumn struct {
	Path Path
	Name string
}

// UpdateColumnType changes the type of a column, a member, an element or a map
// value. Rows written before are cast as they are read; see SupportsCast.
type UpdateColumnType struct {
	Path            Path
	Type            Type
	KeepNullability bool // true: the nullability of Type itself is not looked at
}

// UpdateColumnNullability makes a column, a member, an element or a map value
// nullable or NOT NULL.
type UpdateColumnNullability struct {
	Path     Path
	Nullable bool
}

// UpdateColumnComment replaces the comment of a column or a member; "" removes it.
type UpdateColumnComment struct {
	Path    Path
	Comment string
}

// UpdateColumnDefaultValue replaces the default of a column, the text of a
// literal; nil removes it. It counts for rows written from then on.
type UpdateColumnDefaultValue struct {
	Column  string
	Default *string
}

// UpdateColumnPosition moves a column among its siblings.
type UpdateColumnPosition struct {
	Path     Path
	Position Position
}

// SetOption sets a table option.
type SetOption struct{ Key, Value string }

// RemoveOption sets a table option back to its default.
type RemoveOption struct{ Key string }

// UpdateComment replaces the comment of the table; "" removes it.
type UpdateComment struct{ Comment string }

// DropPrimaryKey makes an append table out of a primary-key table that was
// never written.
type DropPrimaryKey struct{}
