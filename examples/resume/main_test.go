package main

// Every record arrives once, in spite of the deaths.
func Example() {
	main()
	// Output:
	// process 1 wrote 4 records and died: killed
	// a 6
	// b 5
	// c 4
	// d 7
	// process 2 wrote 3 records and reached the end
}
