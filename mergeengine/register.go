package mergeengine

import (
	"fmt"
	"sync"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// registry holds what programs add to Paimon's functions and engines.
var registry struct {
	sync.RWMutex
	functions map[string]function
	engines   map[string]newRowMerger
}

// RegisterAggregate adds an aggregate function of the program's own. Columns
// use it by the option fields.<column>.aggregate-function, or by
// fields.default-aggregate-function, of tables with merge-engine aggregation,
// and of sequence groups of partial-update.
//
// make is asked for every column that names the function: an error says why
// the function cannot take the column, and the table is neither created nor
// opened then. It is called again for every merge, perhaps from several
// goroutines at once; what it returns is used by one goroutine at a time.
// [FoldOf] is the make of a function of two values.
//
// The name has a dot in it, as in acme.longest, so that it never means one of
// Paimon's. Such a table leaves the shared world: Paimon refuses it, and so
// does every program that has not registered the name. Register before tables
// are opened, in an init function or at the start of main; it is safe for
// concurrent use. The error is ErrInvalid for a name without a dot or
// a nil make, and ErrExists for a name that is taken.
func RegisterAggregate(name string, make func(f schema.Field) (Aggregator, error)) error {
	if err := ownName(name, make == nil); err != nil {
		return err
	}
	registry.Lock()
	defer registry.Unlock()
	return add(&registry.functions, name, accumulating(func(f schema.Field, _ schema.FieldOptions) (accumulator, error) {
		a, err := make(f)
		return &adapter{Aggregator: a, column: f.Name, function: name}, err
	}))
}

// RegisterEngine adds a merge engine of the program's own. Tables use it by
// the option merge-engine.
//
// make is asked for every table that names the engine, as the make of
// [RegisterAggregate] is for every column: its error says why the table cannot
// have the engine. Names, concurrency and errors are as there, too.
func RegisterEngine(name string, make func(t *schema.Table) (RowMerger, error)) error {
	if err := ownName(name, make == nil); err != nil {
		return err
	}
	registry.Lock()
	defer registry.Unlock()
	return add(&registry.engines, name, newRowMerger(make))
}

func ownName(name string, unmade bool) error {
	switch {
	case unmade:
		return fault.Invalid(fmt.Sprintf("%q is registered without a function that makes it", name))
	case schema.OwnName(name):
		return nil
	}
	return fault.Invalid(fmt.Sprintf("%q as the name of a function: put a dot and something that is yours before it, as in acme.longest", name))
}

func add[T any](to *map[string]T, name string, v T) error {
	if _, taken := (*to)[name]; taken {
		return &fault.Error{Class: fault.ErrExists, Detail: "a function named " + name, Hint: "register it once, or take another name"}
	}
	if *to == nil {
		*to = map[string]T{}
	}
	(*to)[name] = v
	return nil
}

// functionNamed is a function of Paimon's or one that was registered.
func functionNamed(name string) (function, error) {
	if fn, known := functions[name]; known {
		return fn, nil
	}
	registry.RLock()
	defer registry.RUnlock()
	if fn, known := registry.functions[name]; known {
		return fn, nil
	}
	if schema.OwnName(name) {
		return nil, unregistered("aggregate function "+name, "mergeengine.RegisterAggregate")
	}
	return nil, fault.Invalid("no aggregate function " + name)
}

// engineNamed is the make of a registered engine.
func engineNamed(name string) (newRowMerger, error) {
	registry.RLock()
	defer registry.RUnlock()
	if make, known := registry.engines[name]; known {
		return make, nil
	}
	return nil, unregistered("merge-engine "+name, "mergeengine.RegisterEngine")
}

func unregistered(what, call string) error {
	return fault.Unsupported(what+", which is not registered in this program", "call "+call+" before the table is opened")
}
