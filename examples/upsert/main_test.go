package main

// The program prints what its comment says.
func Example() {
	main()
	// Output: [1] ["Ada Lovelace"]
}
