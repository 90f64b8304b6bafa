package avro_test

import (
	"bytes"
	"fmt"

	"github.com/tidelake/tidelake/internal/avro"
)

// A file of single numbers, written and read back.
func Example() {
	var file bytes.Buffer
	w, err := avro.NewWriter(&file, avro.WriterOptions{Schema: `"long"`, Codec: avro.CodecSnappy})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range []int64{3, -1, 4} {
		w.Block = avro.AppendLong(w.Block, v)
		if err := w.End(); err != nil {
			fmt.Println(err)
		}
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}

	r, err := avro.NewReader(file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	block, n, err := r.Next(nil)
	d := avro.NewDecoder(block)
	for range n {
		fmt.Print(d.Long(), " ")
	}
	fmt.Println(err, d.Err())
	// Output: 3 -1 4 <nil> <nil>
}
