package table

import "github.com/tidelake/tidelake/manifest"

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

// FillDisk leaves no room for what w has yet to spill, and says how much it has.
func FillDisk(w *Writer) (spilled int64) {
	s := w.buffers.spill
	s.most = s.end
	return s.end
}

// FileInfoOf tells where a file lies.
func (t *Table) FileInfoOf(e manifest.Entry) (FileInfo, error) { return t.fileInfo(e) }
