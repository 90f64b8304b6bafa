package cdc_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/internal/fault"
)

// seed adds every k-th line of a captured file.
func seed(f *testing.F, name string, k int) {
	s := bufio.NewScanner(fixture(f, name))
	s.Buffer(nil, 1<<20)
	for n := 0; s.Scan(); n++ {
		if n%k == 0 {
			f.Add(bytes.Clone(s.Bytes()))
		}
	}
}

// drive decodes, infers and maps whatever comes: only errors of the known
// classes may come out, and rows as wide as the table.
func drive(t *testing.T, d *cdc.Decoder) {
	var events []cdc.Event
	for range 1000 {
		e, err := d.Next()
		if err == io.EOF {
			break
		}
		var line *cdc.LineError
		if err != nil && !errors.As(err, &line) {
			if !errors.Is(err, fault.ErrInvalid) {
				t.Fatal(err)
			}
			break
		}
		if err == nil {
			events = append(events, e)
		} else if !errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatalf("unclassified: %v", err)
		}
	}
	def, _, err := cdc.Infer(events)
	if err != nil {
		return
	}
	table := tableOf(def)
	m, err := cdc.NewMapper(table, cdc.MapperOptions{})
	if err != nil {
		return
	}
	for i := range events {
		rows, err := m.Rows(&events[i])
		if err != nil && !errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
			t.Fatalf("unclassified: %v", err)
		}
		for _, r := range rows {
			if len(r.Values) != len(table.Fields) {
				t.Fatal("a row of another width")
			}
		}
	}
}

func FuzzDebezium(f *testing.F) {
	seed(f, "postgres-15_dbz-3.5.0/envelope", 5)
	seed(f, "mysql-9.7_dbz-3.5.0/envelope", 7)
	seed(f, "mysql-9.7_dbz-3.5.0/string-modes", 5)
	f.Fuzz(func(t *testing.T, data []byte) { drive(t, cdc.NewDebezium(bytes.NewReader(data), cdc.Options{})) })
}

func FuzzCanal(f *testing.F) {
	seed(f, "canal/flat", 2)
	f.Fuzz(func(t *testing.T, data []byte) { drive(t, cdc.NewCanal(bytes.NewReader(data), cdc.Options{})) })
}

// FuzzUntyped maps events without types into a table of every type.
func FuzzUntyped(f *testing.F) {
	f.Add([]byte(plain("c", "null", `{"id":1,"a":"AA==","b":"1.5","c":1,"d":2,"e":3,"f":"x","g":[1],"h":{"k":1},"i":{"x":1},"j":true}`)))
	f.Add([]byte(plain("u", `{"id":1}`, `{"id":2,"b":{"scale":2,"value":"AA=="},"a":{"wkb":"AA=="}}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := table(t, "id INT NOT NULL", "a BYTES", "b DECIMAL(10, 2)", "c DATE", "d TIME(3)", "e TIMESTAMP(6)", "f STRING",
			"g ARRAY<INT>", "h MAP<STRING, INT>", "i ROW<x INT, y STRING>", "j BOOLEAN", "k DOUBLE", "l TIMESTAMP(9) WITH LOCAL TIME ZONE")
		m := mapper(t, tab, cdc.MapperOptions{})
		d := cdc.NewDebezium(bytes.NewReader(data), cdc.Options{})
		for range 100 {
			e, err := d.Next()
			if err != nil {
				return
			}
			if _, err := m.Rows(&e); err != nil && !errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
				t.Fatalf("unclassified: %v", err)
			}
		}
	})
}
