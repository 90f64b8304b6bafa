package datafile

import (
	"context"

	"github.com/tidelake/tidelake/io/store"
)

func openParquet(ctx context.Context, obj store.Object, name string, opts ReaderOptions) (source, error) {
	panic("todo")
}
