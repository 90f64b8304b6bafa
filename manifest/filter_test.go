package manifest

import (
	"reflect"
	"testing"
)

// A member that is forgotten where filters are told from empty ones would keep
// every entry.
func TestEveryMemberOfAFilterIsAsked(t *testing.T) {
	if (*Filter)(nil).entryTest() != nil || (&Filter{}).entryTest() != nil {
		t.Error("a filter without members tests entries")
	}
	for i := range reflect.TypeFor[Filter]().NumField() {
		var f Filter
		switch member := reflect.ValueOf(&f).Elem().Field(i); member.Kind() {
		case reflect.Pointer:
			member.Set(reflect.New(member.Type().Elem()))
		case reflect.Func:
			member.Set(reflect.MakeFunc(member.Type(), nil))
		default:
			t.Fatal(member.Type())
		}
		name := reflect.TypeFor[Filter]().Field(i).Name
		if tests, want := f.entryTest() != nil, name != "PartitionStats"; tests != want { // which is asked of manifests
			t.Errorf("%s: entries are tested %v, want %v", name, tests, want)
		}
	}
}
