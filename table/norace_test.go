//go:build !race

package table_test

// slow divides the sizes of tests that only need size.
const slow = 1
