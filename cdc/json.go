package cdc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
)

// This file cuts JSON into its members without building a tree: a cell stays
// the piece of its line that holds it until somebody knows its type. A whole
// line is checked once, so the cutters may rely on the syntax; they stay inside
// their slice even where that is not so.

// checkJSON refuses a text that is not one JSON value.
func checkJSON(text []byte) error {
	if json.Valid(text) {
		return nil
	}
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fault.Invalid(fmt.Sprintf("is not JSON: %v at byte %d", err, syntax.Offset))
	}
	return fault.Invalid("is not JSON")
}

func isNull(raw []byte) bool   { return len(raw) == 0 || raw[0] == 'n' }
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }
func isArray(raw []byte) bool  { return len(raw) > 0 && raw[0] == '[' }
func isString(raw []byte) bool { return len(raw) > 0 && raw[0] == '"' }
func isBool(raw []byte) bool   { return len(raw) > 0 && (raw[0] == 't' || raw[0] == 'f') }

func isNumber(raw []byte) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9')
}

// kindName says what a value is, for errors.
func kindName(raw []byte) string {
	switch {
	case isNull(raw):
		return "null"
	case isObject(raw):
		return "an object"
	case isArray(raw):
		return "an array"
	case isString(raw):
		return "a string"
	case isBool(raw):
		return "a boolean"
	}
	return "a number"
}

func blanks(raw []byte, i int) int {
	for i < len(raw) && (raw[i] == ' ' || raw[i] == '\t' || raw[i] == '\n' || raw[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the place behind a string that starts at i.
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// valueEnd is the place behind a value that starts at i.
func valueEnd(raw []byte, i int) int {
	if i >= len(raw) {
		return len(raw)
	}
	switch raw[i] {
	case '"':
		return stringEnd(raw, i)
	case '{', '[':
		depth := 0
		for i < len(raw) {
			switch raw[i] {
			case '"':
				i = stringEnd(raw, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
		return len(raw)
	}
	for i < len(raw) && bytes.IndexByte([]byte(",]} \t\r\n"), raw[i]) < 0 {
		i++
	}
	return i
}

// eachMember calls f with the name (in quotes, escapes and all) and the value of each member of an object.
func eachMember(raw []byte, f func(name, value []byte) error) error {
	for i := blanks(raw, 1); i < len(raw) && raw[i] == '"'; {
		end := stringEnd(raw, i)
		name := raw[i:end]
		i = blanks(raw, blanks(raw, end)+1) // over the colon
		if i >= len(raw) {
			return nil
		}
		end = valueEnd(raw, i)
		if err := f(name, raw[i:end]); err != nil {
			return err
		}
		i = blanks(raw, blanks(raw, end)+1) // over the comma
	}
	return nil
}

// eachElement calls f with each element of an array.
func eachElement(raw []byte, f func(value []byte) error) error {
	for i := blanks(raw, 1); i < len(raw) && raw[i] != ']'; {
		end := valueEnd(raw, i)
		if end == i {
			return nil
		}
		if err := f(raw[i:end]); err != nil {
			return err
		}
		i = blanks(raw, blanks(raw, end)+1)
	}
	return nil
}

// unquote is the text of a JSON string.
func unquote(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", fault.Invalid("is " + kindName(raw) + ", not a string")
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", fault.Invalid("is not a JSON string")
	}
	return s, nil
}

// text is the text of a string, or "" of anything else.
func text(raw []byte) string {
	s, _ := unquote(raw)
	return s
}

// interner keeps one string for each name, however many lines repeat it.
type interner map[string]string

// maxNames bounds what an interner keeps; a stream of ever new names starts it anew.
const maxNames = 1 << 16

// name is the text of a member's name.
func (in *interner) name(quoted []byte) (string, error) {
	if s, ok := (*in)[string(quoted)]; ok {
		return s, nil
	}
	s, err := unquote(quoted)
	if err != nil {
		return "", err
	}
	if *in == nil || len(*in) >= maxNames {
		*in = make(interner)
	}
	(*in)[string(quoted)] = s
	return s, nil
}
