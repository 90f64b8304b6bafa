package deletion_test

import (
	"fmt"

	"github.com/tidelake/tidelake/internal/deletion"
)

func ExampleDecode() {
	var v deletion.Vector
	v.Add(2)
	v.Add(3)
	file, length, err := deletion.Append([]byte{deletion.Version}, &v, false)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%x\n", file)

	back, err := deletion.Decode("index-0", file[1:], length)
	if err != nil {
		panic(err)
	}
	rows, _ := back.Live(0, 5)
	fmt.Println(rows)
	// Output:
	// 01000000185e43f2d03a30000001000000000001001000000002000300c898f63d
	// [0 1 4]
}
