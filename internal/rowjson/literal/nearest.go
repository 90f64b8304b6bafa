package literal

import "strings"

// maxNearest bounds the names compared, since their distance takes time in the product of their lengths.
const maxNearest = 64

// Nearest is the known name that a mistyped one probably means, or "": the
// same but for case, or at most two edits away and less than half of its length.
func Nearest(name string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if len(k) > maxNearest || len(name) > maxNearest {
			continue
		}
		if d := distance(name, k); d < bestDistance && 2*d < max(len(name), 2) {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance counts the edits between two names: insert, delete, replace, swap of neighbours.
func distance(a, b string) int {
	var rows [3][maxNearest + 1]int // the row before last, the last, the current
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		rows[2][0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[1][j]+1, rows[2][j-1]+1, rows[1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[0][j-2]+1)
			}
			rows[2][j] = d
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return rows[1][len(b)]
}

// DidYouMean is " (did you mean NAME?)" for Nearest, or "".
func DidYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return " (did you mean " + n + "?)"
	}
	return ""
}
