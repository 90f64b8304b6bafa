package benchrows

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// The expected digest was printed by the Java program for the same arguments.
func TestDigestEqualsJava(t *testing.T) {
	def := schema.Definition{Columns: Columns(10), PrimaryKey: []string{"id"}, Options: map[string]string{"bucket": "1"}}
	tab, err := def.Table(0)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := schema.ArrowSchema(tab.Fields)
	if err != nil {
		t.Fatal(err)
	}
	g := New(1, 1000, 10)
	var sum uint64
	for from := uint64(0); from < 100_000; from += 10_000 {
		rec := g.Batch(sc, from, 10_000, memory.DefaultAllocator)
		sum += Digest(rec)
		rec.Release()
	}
	if want := uint64(0xd1702800a29cf3a6); sum != want {
		t.Errorf("digest %x, want %x", sum, want)
	}
}
