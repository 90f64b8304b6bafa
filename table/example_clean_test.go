package table_test

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/table"
)

// Clean tells what nothing names; with Delete it goes.
func ExampleTable_Clean() {
	t := newUsers(context.Background())
	report, err := t.Clean(context.Background(), table.CleanOptions{Delete: true})
	fmt.Println(report.Files, "files of", report.Bytes, "bytes were left over", err)
	// Output:
	// 0 files of 0 bytes were left over <nil>
}
