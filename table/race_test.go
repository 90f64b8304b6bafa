//go:build race

package table_test

// slow divides the sizes of tests that only need size: the race detector makes them ten times slower.
const slow = 8
