package benchrows

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// The expected digests were printed by the Java program for the same arguments.
func TestDigestEqualsJava(t *testing.T) {
	for nulls, want := range map[uint64]uint64{0: 0xd1702800a29cf3a6, 30: 0x175b9b701a39366f} {
		if sum := digestOfRows(t, nulls); sum != want {
			t.Errorf("digest with %d %% of nulls %x, want %x", nulls, sum, want)
		}
	}
}

func digestOfRows(t *testing.T, nulls uint64) (sum uint64) {
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
	g.Nulls = nulls
	for from := uint64(0); from < 100_000; from += 10_000 {
		rec := g.Batch(sc, from, 10_000, memory.DefaultAllocator)
		sum += Digest(rec)
		rec.Release()
	}
	return sum
}
