package datafile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// Two columns of a file that Java wrote, a batch at a time.
func ExampleOpen() {
	ctx := context.Background()
	st, err := store.NewLocal("testdata/java/format_parquet_zstd")
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	const name = "data-3099f691-20a8-4d58-a05e-c81682f2ba72-0.parquet"
	obj, err := st.Open(ctx, name, -1)
	if err != nil {
		log.Fatal(err)
	}
	r, err := datafile.Open(ctx, obj, name, datafile.ReaderOptions{
		Format: "parquet",
		Fields: []schema.Field{
			{Name: "id", Type: schema.Type{Kind: schema.Int}},
			{Name: "d", Type: schema.Type{Kind: schema.Double, Nullable: true}},
		},
		BatchRows: 15,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("row", r.Position(), "of", r.Rows(), "first id", batch.Column(0).ValueStr(0))
		batch.Release()
	}
	// Output:
	// row 0 of 20 first id 100
	// row 15 of 20 first id 115
}

// Three rows of a file, by their numbers.
func ExampleFile_ReadRows() {
	ctx := context.Background()
	st, err := store.NewLocal("testdata/java/format_parquet_zstd")
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	const name = "data-3099f691-20a8-4d58-a05e-c81682f2ba72-0.parquet"
	obj, err := st.Open(ctx, name, -1)
	if err != nil {
		log.Fatal(err)
	}
	f, err := datafile.OpenFile(ctx, obj, name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	id := []schema.Field{{Name: "id", Type: schema.Type{Kind: schema.Int}}}
	batch, err := f.ReadRows(ctx, id, []datafile.RowRange{{From: 3, To: 5}, {From: 17, To: 18}})
	if err != nil {
		log.Fatal(err)
	}
	defer batch.Release()
	fmt.Println(batch.Column(0))
	// Output: [103 104 117]
}
