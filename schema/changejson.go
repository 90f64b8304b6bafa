package schema

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// changeJSON is a change as Paimon's catalog servers exchange it: an object
// whose member action says which.
type changeJSON struct {
	Action          string    `json:"action"`
	Key             string    `json:"key"`
	Value           string    `json:"value"`
	FieldNames      Path      `json:"fieldNames"`
	NewName         string    `json:"newName"`
	DataType        *Type     `json:"dataType"`
	NewDataType     *Type     `json:"newDataType"`
	KeepNullability bool      `json:"keepNullability"`
	NewNullability  bool      `json:"newNullability"`
	Comment         *string   `json:"comment"`
	NewComment      *string   `json:"newComment"`
	NewDefaultValue *string   `json:"newDefaultValue"`
	Move            *moveJSON `json:"move"`
}

type moveJSON struct {
	FieldName          string  `json:"fieldName"`
	ReferenceFieldName *string `json:"referenceFieldName"`
	Type               string  `json:"type"`
}

// ParseChanges reads a JSON list of changes in the form in which Paimon's
// catalog servers exchange them, as in
//
//	[{"action": "addColumn", "fieldNames": ["a", "b"], "dataType": "INT", "move": {"fieldName": "b", "type": "FIRST"}},
//	 {"action": "setOption", "key": "bucket", "value": "4"}]
func ParseChanges(data []byte) ([]Change, error) {
	var list []changeJSON
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&list); err != nil {
		return nil, fault.Invalid("changes: " + err.Error())
	}
	out := make([]Change, len(list))
	for i, c := range list {
		var err error
		if out[i], err = c.change(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c changeJSON) change() (Change, error) {
	bad := func(what string) (Change, error) {
		return nil, fault.Invalid("change " + quoteShort(c.Action) + ": " + what)
	}
	position, err := c.Move.position()
	if err != nil {
		return bad(err.Error())
	}
	switch c.Action {
	case "setOption":
		return SetOption{c.Key, c.Value}, nil
	case "removeOption":
		return RemoveOption{c.Key}, nil
	case "updateComment":
		return UpdateComment{text(c.Comment)}, nil
	case "dropPrimaryKey":
		return DropPrimaryKey{}, nil
	case "updateColumnPosition":
		if c.Move == nil {
			return bad("move is missing")
		}
		return UpdateColumnPosition{Path{c.Move.FieldName}, position}, nil
	}
	if len(c.FieldNames) == 0 {
		return bad("unknown, or fieldNames is missing")
	}
	switch c.Action {
	case "addColumn":
		if c.DataType == nil {
			return bad("dataType is missing")
		}
		return AddColumn{c.FieldNames, *c.DataType, text(c.Comment), position}, nil
	case "renameColumn":
		return RenameColumn{c.FieldNames, c.NewName}, nil
	case "dropColumn":
		return DropColumn{c.FieldNames}, nil
	case "updateColumnType":
		if c.NewDataType == nil {
			return bad("newDataType is missing")
		}
		return UpdateColumnType{c.FieldNames, *c.NewDataType, c.KeepNullability}, nil
	case "updateColumnNullability":
		return UpdateColumnNullability{c.FieldNames, c.NewNullability}, nil
	case "updateColumnComment":
		return UpdateColumnComment{c.FieldNames, text(c.NewComment)}, nil
	case "updateColumnDefaultValue":
		if len(c.FieldNames) > 1 {
			return bad("a default belongs to a whole column")
		}
		return UpdateColumnDefaultValue{c.FieldNames[0], c.NewDefaultValue}, nil
	}
	return bad("unknown")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (m *moveJSON) position() (Position, error) {
	if m == nil {
		return Position{}, nil
	}
	switch strings.ToUpper(m.Type) {
	case "FIRST":
		return First(), nil
	case "LAST":
		return Last(), nil
	case "AFTER":
		return After(text(m.ReferenceFieldName)), nil
	case "BEFORE":
		return Before(text(m.ReferenceFieldName)), nil
	}
	return Position{}, fault.Invalid("move " + quoteShort(m.Type) + " is none of FIRST, LAST, AFTER, BEFORE")
}
