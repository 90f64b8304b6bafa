package schema

import (
	"maps"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// What an alteration may do to options, and what a renamed column does to them.

func (c SetOption) apply(a *alteration) error {
	if old, set := a.Options[c.Key]; set && old == c.Value {
		return nil
	}
	if err := CheckNewOptions(map[string]string{c.Key: c.Value}); err != nil {
		return err
	}
	if c.Key == "type" && !strings.EqualFold(c.Value, "table") {
		return fault.Invalid("option type cannot be altered")
	}
	if a.hasSnapshots {
		if err := a.guard(c.Key, c.Value); err != nil {
			return err
		}
	}
	a.Options[c.Key] = c.Value
	return nil
}

func (c RemoveOption) apply(a *alteration) error {
	if _, set := a.Options[c.Key]; !set {
		if spec, known := findOption(c.Key); known && spec != nil {
			return nil
		}
		return fault.Invalid("option " + c.Key + " is not set" + suggestion(c.Key, sortedKeys(a.Options)))
	}
	if a.hasSnapshots {
		if c.Key == "bucket" {
			return fault.Invalid("option bucket cannot be reset once the table has been written")
		}
		if err := a.guard(c.Key, defaultOf(c.Key)); err != nil {
			return err
		}
	}
	delete(a.Options, c.Key)
	return nil
}

func defaultOf(key string) string {
	if spec, known := findOption(key); known {
		return spec.def
	}
	return ""
}

// guard refuses values that data already written speaks against.
func (a *alteration) guard(key, value string) error {
	no := func(why string) error { return fault.Invalid("option " + key + " cannot be altered: " + why) }
	on := strings.EqualFold(value, "true")
	switch {
	case immutableOptions[key]:
		return no("the table has been written, and its files rely on it; make a new table with it")
	case key == "bucket" && a.old.Bucket == -1:
		return no("the table's buckets are dynamic")
	case key == "bucket" && value == "-1":
		return no("a table with buckets cannot become one without")
	case key == "deletion-vectors.enabled" && on != a.old.DeletionVectors && !a.old.DeletionVectorsModifiable:
		return no("rows could come back without a full compaction; set deletion-vectors.modifiable to true if you see to that")
	case key == "ignore-delete" && a.old.IgnoreDelete && !on, key == "ignore-update-before" && a.old.IgnoreUpdateBefore && !on:
		return no("it is true and cannot become false, since what was ignored is lost")
	case key == "clustering.columns" && a.Options["pk-clustering-override"] != "":
		return no("pk-clustering-override is set")
	}
	return nil
}

// columnValued are the options, besides fields.*, whose value is a list of columns that must exist.
var columnValued = []string{
	"bucket-key", "sequence.field", "upsert-key", "rowkind.field", "record-level.time-field", removeOnGroupKey, ignoredFieldsKey,
}

// renameInOptions lets options that speak of a column follow its new name.
func renameInOptions(options map[string]string, from, to string) {
	for _, key := range columnValued {
		if text, set := options[key]; set {
			options[key] = renameInList(text, from, to)
		}
	}
	for key, value := range maps.Clone(options) {
		rest, ok := strings.CutPrefix(key, "fields.")
		dot := strings.LastIndexByte(rest, '.')
		if !ok || dot <= 0 {
			continue
		}
		names, suffix := rest[:dot], rest[dot+1:]
		if suffix == "sequence-group" {
			value = renameInList(value, from, to)
		}
		delete(options, key)
		options["fields."+renameInList(names, from, to)+"."+suffix] = value
	}
}

func renameInList(text, from, to string) string {
	names := strings.Split(text, ",")
	renameIn(names, from, to)
	return strings.Join(names, ",")
}

func renameIn(names []string, from, to string) {
	for i, name := range names {
		if strings.TrimSpace(name) == from {
			names[i] = to
		}
	}
}
