package table

import (
	"maps"

	"github.com/tidelake/tidelake/schema"
)

// variant is the same table seen with other options, for work inside that
// needs them: nothing of them reaches the table's schema files.
func (t *Table) variant(options map[string]string) (*Table, error) {
	sc := *t.schema
	sc.Options = maps.Clone(sc.Options)
	maps.Copy(sc.Options, options)
	v := &Table{name: t.name, store: t.store, branch: t.branch, settings: t.settings, world: t.world, schemas: t.schemas}
	return v, v.bind(&sc)
}

// postponed tells that rows wait in a directory of their own until a
// compaction gives them buckets.
func (t *Table) postponed() bool { return t.schema.BucketMode() == schema.Postpone }
