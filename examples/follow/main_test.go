package main

// Every change counts once, in spite of the death.
func Example() {
	main()
	// Output:
	// process 1 reads +I ada 10
	// process 1 reads +I bob 5
	// process 1 reads -U ada 10
	// process 1 reads +U ada 30
	// process 1 died: killed
	// process 2 reads -U ada 10
	// process 2 reads +U ada 30
	// process 2 reads +I bob 7
	// process 2 reads -U bob 5
	// process 2 reads +U cyd 5
	// ada 30
	// bob 7
	// cyd 5
}
