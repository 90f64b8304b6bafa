package mergeengine

// Deduplicate keeps the newest version of each key with its kind.
type Deduplicate struct {
	// IgnoreDelete skips -U and -D rows among several versions: rows of this
	// kind are then only found in files written before the option was set.
	IgnoreDelete bool
}

// Name is "deduplicate".
func (Deduplicate) Name() string { return "deduplicate" }

// Choose answers each group with its last position, or with its last +I or
// +U if deletes are ignored. A group of ignored rows only gives [None].
func (d Deduplicate) Choose(dst []int32, g *Groups) ([]int32, error) {
	if len(g.Starts) == 0 {
		return dst, nil
	}
	if d.IgnoreDelete {
		return d.chooseAdds(dst, g), nil
	}
	for _, end := range g.Starts[1:] {
		dst = append(dst, end-1)
	}
	return dst, nil
}

func (d Deduplicate) chooseAdds(dst []int32, g *Groups) []int32 {
	start := g.Starts[0]
	for _, end := range g.Starts[1:] {
		pos := end - 1
		if end-start > 1 {
			for pos >= start && Retracts(g.kind(pos)) {
				pos--
			}
			if pos < start {
				pos = None
			}
		}
		dst = append(dst, pos)
		start = end
	}
	return dst
}

// Retracts tells whether a row of this kind takes its key away: -U and -D.
func Retracts(kind int8) bool { return kind&1 == 1 }
