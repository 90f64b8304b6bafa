package schema

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of a definition: far above any real one, far below trouble. YAML gets
// less because its parser takes time by the square of the size.
const (
	maxDocument = 4 << 20
	maxYAML     = 128 << 10
)

// readDocument reads JSON, or YAML when it is not JSON.
func readDocument(data []byte) (any, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("%d bytes are more than the %d a definition may have", len(data), maxDocument)
	}
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return nil, errors.New("the document is empty")
	}
	tree, jsonErr := readJSON(trimmed)
	if jsonErr == nil {
		return tree, nil
	}
	if len(data) > maxYAML && trimmed[0] != '{' {
		return nil, fmt.Errorf("%d bytes are more than the %d a YAML definition may have, write it as JSON", len(data), maxYAML)
	} else if len(data) > maxYAML {
		return nil, fmt.Errorf("malformed JSON: %w", jsonErr)
	}
	if yamlDepth(trimmed) > maxTreeDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxTreeDepth)
	}
	tree, err := readYAML(data)
	if err != nil && trimmed[0] == '{' {
		return nil, fmt.Errorf("malformed JSON: %w", jsonErr)
	}
	return tree, err
}

// yamlDepth is an upper bound of the nesting by brackets, and by list marks that
// follow each other on one line, taken before the YAML parser recurses into it.
func yamlDepth(data []byte) int {
	brackets, marks, deepest := 0, 0, 0
	for _, c := range data {
		switch c {
		case '{', '[':
			brackets++
		case '}', ']':
			brackets--
		case '-', '?':
			marks++
		case ' ', '\t':
			continue
		}
		deepest = max(deepest, brackets, marks)
		if c != '-' && c != '?' {
			marks = 0
		}
	}
	return deepest
}

// readYAML walks the syntax tree itself instead of decoding it: scalars keep
// their text, and anchors, which can grow a small document without bound, are
// refused.
func readYAML(data []byte) (any, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, fmt.Errorf("malformed YAML: %w", err)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%d YAML documents, one expected", len(file.Docs))
	}
	return yamlValue(file.Docs[0].Body, 0)
}

func yamlValue(node ast.Node, depth int) (any, error) {
	if depth > maxTreeDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxTreeDepth)
	}
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.StringNode:
		return scalar{n.Value, true}, nil
	case *ast.LiteralNode:
		return scalar{n.Value.Value, true}, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return scalar{n.GetToken().Value, false}, nil
	case *ast.SequenceNode:
		return yamlList(n, depth)
	case *ast.MappingNode:
		return yamlObject(n.Values, depth)
	case *ast.MappingValueNode:
		return yamlObject([]*ast.MappingValueNode{n}, depth)
	}
	return nil, fmt.Errorf("line %d: YAML %s has no place in a definition", node.GetToken().Position.Line, node.Type())
}

func yamlList(n *ast.SequenceNode, depth int) (any, error) {
	list := []any{}
	for _, e := range n.Values {
		v, err := yamlValue(e, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func yamlObject(pairs []*ast.MappingValueNode, depth int) (any, error) {
	o := newObject()
	for _, pair := range pairs {
		key, err := yamlValue(pair.Key, depth+1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(scalar)
		if !ok {
			return nil, fmt.Errorf("line %d: a plain key expected", pair.GetToken().Position.Line)
		}
		value, err := yamlValue(pair.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if err := o.add(name.text, value); err != nil {
			return nil, err
		}
	}
	return o, nil
}
