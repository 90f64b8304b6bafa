package table

// SetMinRangeRows lets small tables be cut in ranges; call what it returns in the end.
func SetMinRangeRows(n int64) (restore func()) {
	before := minRangeRows
	minRangeRows = n
	return func() { minRangeRows = before }
}

// SetJudgeAfter lets short reads change their way; call what it returns in the end.
func SetJudgeAfter(n int64) (restore func()) {
	before := judgeAfter
	judgeAfter = n
	return func() { judgeAfter = before }
}

// SetCompactions makes room for n compactions; call what it returns in the end.
func SetCompactions(n int) (restore func()) {
	before := compactions
	compactions = make(chan struct{}, n)
	return func() { compactions = before }
}
