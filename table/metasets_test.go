package table_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/apache/datasketches-go/theta"

	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/sketch"
	"github.com/tidelake/tidelake/schema"
)

// The functions rbm32, rbm64, hll_sketch and theta_sketch keep sets in bytes.
// Cases and the model write them as lists of these elements; the engine gets
// bytes, and what it gives back is turned into lists again. Sketches do not say
// what they saw: an element belongs to one that it adds nothing to.
var setElements = []uint32{1, 2, 3, 4, 70_000, 4_000_000_000}

var setFunctions = []string{"rbm32", "rbm64", "hll_sketch", "theta_sketch"}

// setFunction is the function of a column that holds sets, or "".
func setFunction(options map[string]string, column string) string {
	fn := options["fields."+column+".aggregate-function"]
	if slices.Contains(setFunctions, fn) {
		return fn
	}
	return ""
}

// packed turns the lists of rows into bytes, as hexadecimal text.
func packed(sc *schema.Table, rows []string) []string {
	out := slices.Clone(rows)
	for _, f := range sc.Fields {
		fn := setFunction(sc.Options, f.Name)
		for i := range out {
			if fn == "" {
				break
			}
			var cells map[string]json.RawMessage
			var elements []uint32
			must(json.Unmarshal([]byte(out[i]), &cells))
			must(json.Unmarshal(cells[f.Name], &elements))
			if elements == nil {
				continue
			}
			cells[f.Name] = json.RawMessage(`"` + hex.EncodeToString(setOf(fn, elements)) + `"`)
			b, err := json.Marshal(cells)
			must(err)
			out[i] = string(b)
		}
	}
	return out
}

func setOf(fn string, elements []uint32) (b []byte) {
	var err error
	switch fn {
	case "rbm32":
		b, err = bitmap.Write32(roaring.BitmapOf(elements...))
	case "rbm64":
		set := roaring64.New()
		for _, e := range elements {
			set.Add(uint64(e) << 20)
		}
		b, err = bitmap.Write64(set)
	case "hll_sketch":
		values := make([]int64, len(elements))
		for i, e := range elements {
			values[i] = int64(e)
		}
		var s sketch.HLL
		if s, err = sketch.NewHLL(values...); err == nil {
			b, err = s.Bytes()
		}
	case "theta_sketch":
		var s *theta.QuickSelectUpdateSketch
		s, err = theta.NewQuickSelectUpdateSketch()
		must(err)
		for _, e := range elements {
			_ = s.UpdateInt64(int64(e)) // what is there already is no failure
		}
		b, err = s.Compact(true).MarshalBinary()
	}
	must(err)
	return b
}

// listed are the elements of a set, as the model has them.
func listed(fn, text string) any {
	b, err := hex.DecodeString(text)
	must(err)
	out := []any{}
	add := func(e uint64) { out = append(out, json.Number(fmt.Sprint(e))) }
	switch fn {
	case "rbm32":
		set, err := bitmap.Read32(b)
		must(err)
		for _, e := range set.ToArray() {
			add(uint64(e))
		}
	case "rbm64":
		set, err := bitmap.Read64(b)
		must(err)
		for _, e := range set.ToArray() {
			add(e >> 20)
		}
	default:
		for _, e := range setElements {
			if estimate(fn, b) == estimate(fn, b, setOf(fn, []uint32{e})) {
				add(uint64(e))
			}
		}
		if n := estimate(fn, b); math.Abs(n-float64(len(out))) > 0.1 {
			out = append(out, fmt.Sprintf("an estimate of %g", n))
		}
	}
	return out
}

// estimate is how many elements sketches have seen together.
func estimate(fn string, sketches ...[]byte) float64 {
	if fn == "theta_sketch" {
		all, err := sketch.NewTheta()
		must(err)
		for _, b := range sketches {
			must(all.Add(b))
		}
		n, err := all.Estimate()
		must(err)
		return n
	}
	all, err := sketch.NewHLL()
	must(err)
	for _, b := range sketches {
		one, err := sketch.ReadHLL(b)
		must(err)
		all, err = all.Union(one)
		must(err)
	}
	n, err := all.Estimate()
	must(err)
	return n
}

// drawnSets are lists of elements as JSON.
func drawnSets() maker {
	var items []string
	for _, e := range setElements {
		items = append(items, fmt.Sprint(e))
	}
	return listOf(4, items...)
}

// must holds for what tests make themselves; what panics fails the case.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
