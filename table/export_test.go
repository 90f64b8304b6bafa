package table

// SetMinRangeRows lets small tables be cut in ranges; call what it returns in the end.
func SetMinRangeRows(n int64) (restore func()) {
	before := minRangeRows
	minRangeRows = n
	return func() { minRangeRows = before }
}
