package schema

import "strings"

// suggestion is `, did you mean "x"?` when one of the names is a near miss of
// name, else empty.
func suggestion(name string, names []string) string {
	if best, ok := nearest(name, names); ok {
		return `, did you mean "` + best + `"?`
	}
	return ""
}

// nearest finds the name that a typist may have meant: equal but for case and
// separators, or at most two edits away (one in short names).
func nearest(name string, names []string) (string, bool) {
	if len(name) > 200 {
		return "", false
	}
	limit := 2
	switch {
	case len(name) <= 1: // every other letter is one edit away
		limit = 0
	case len(name) <= 6:
		limit = 1
	}
	best, bestDistance := "", limit+1
	folded := foldName(name)
	for _, candidate := range names {
		if foldName(candidate) == folded {
			return candidate, true
		}
		if d := editDistance(strings.ToLower(name), strings.ToLower(candidate), limit); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best, bestDistance <= limit
}

func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// editDistance counts insertions, deletions, replacements and swaps of
// neighbours between a and b; anything above limit comes back as limit+1.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return min(previous[len(b)], limit+1)
}
