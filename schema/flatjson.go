package schema

// FlatJSON are the lists of a schema as JSON without white space, as Paimon's
// system table of schemas shows them. Options are in alphabetical order.
type FlatJSON struct{ Fields, PartitionKeys, PrimaryKeys, Options string }

// FlatJSON prints the lists of the schema.
func (t *Table) FlatJSON() FlatJSON {
	flat := func(write func(w *jsonWriter)) string {
		w := jsonWriter{compact: true}
		write(&w)
		return string(w.buf)
	}
	return FlatJSON{
		Fields:        flat(func(w *jsonWriter) { w.fields(t.Fields) }),
		PartitionKeys: flat(func(w *jsonWriter) { w.texts(t.PartitionKeys) }),
		PrimaryKeys:   flat(func(w *jsonWriter) { w.texts(t.PrimaryKeys) }),
		Options:       flat(func(w *jsonWriter) { w.textMap(t.Options) }),
	}
}
