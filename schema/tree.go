package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

// Documents are read into one small tree, whether they were JSON or YAML, so
// that every number keeps the text it was written with.
//
//	nil           null
//	scalar        text, number or bool
//	[]any         list
//	*object       members in the order of the document

type scalar struct {
	text   string
	quoted bool // written as a string
}

type object struct {
	names  []string
	values map[string]any
}

func newObject() *object { return &object{values: map[string]any{}} }

func (o *object) add(name string, value any) error {
	if _, twice := o.values[name]; twice {
		return fmt.Errorf("member %q appears twice", name)
	}
	o.names = append(o.names, name)
	o.values[name] = value
	return nil
}

// maxTreeDepth leaves room for MaxDepth types, each of which may take three levels.
const maxTreeDepth = 3*MaxDepth + 16

// readJSON reads one JSON document. Duplicate members are errors, where
// encoding/json would quietly take the last.
func readJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	tree, err := readJSONValue(dec, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text after the end of the document at byte %d", dec.InputOffset())
	}
	return tree, nil
}

func readJSONValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxTreeDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			return readJSONObject(dec, depth)
		}
		return readJSONList(dec, depth)
	case string:
		return scalar{v, true}, nil
	case json.Number:
		return scalar{v.String(), false}, nil
	case bool:
		return scalar{strconv.FormatBool(v), false}, nil
	}
	return nil, nil
}

func readJSONObject(dec *json.Decoder, depth int) (any, error) {
	o := newObject()
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		value, err := readJSONValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		text, _ := name.(string)
		if err := o.add(text, value); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return o, err
}

func readJSONList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		value, err := readJSONValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := dec.Token()
	return list, err
}

// treeReader picks typed members out of the tree and collects every fault it
// meets, each with the path that leads there.
type treeReader struct {
	strict bool // unknown members are faults
	errs   []error
}

func (r *treeReader) fail(path, format string, args ...any) {
	r.errs = append(r.errs, fault.Invalid(path+": "+fmt.Sprintf(format, args...)))
}

func (r *treeReader) object(path string, v any, known ...string) *object {
	o, ok := v.(*object)
	if !ok {
		r.fail(path, "an object expected")
		return newObject()
	}
	if r.strict {
		for _, name := range o.names {
			if !slices.Contains(known, name) {
				r.fail(path, "unknown member %q%s", name, suggestion(name, known))
			}
		}
	}
	return o
}

func (r *treeReader) list(path string, v any) []any {
	if v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		r.fail(path, "a list expected")
	}
	return list
}

func (r *treeReader) text(path string, v any) string {
	s, ok := v.(scalar)
	if !ok || !s.quoted {
		r.fail(path, "a string expected")
	}
	return s.text
}

// looseText also takes numbers and bools, in the words of the document.
func (r *treeReader) looseText(path string, v any) string {
	s, ok := v.(scalar)
	if !ok {
		r.fail(path, "a string, number or bool expected")
	}
	return s.text
}

func (r *treeReader) texts(path string, v any) []string {
	list := r.list(path, v)
	out := make([]string, 0, len(list))
	for i, e := range list {
		out = append(out, r.text(fmt.Sprintf("%s[%d]", path, i), e))
	}
	return out
}

func (r *treeReader) textMap(path string, v any) map[string]string {
	out := map[string]string{}
	if v == nil {
		return out
	}
	o, ok := v.(*object)
	if !ok {
		r.fail(path, "an object expected")
		return out
	}
	for _, name := range o.names {
		out[name] = r.looseText(path+"."+name, o.values[name])
	}
	return out
}

func (r *treeReader) integer(path string, v any, bits int) int64 {
	s, ok := v.(scalar)
	n, err := strconv.ParseInt(s.text, 10, bits)
	if !ok || s.quoted || err != nil {
		r.fail(path, "an integer of %d bits expected", bits)
	}
	return n
}
