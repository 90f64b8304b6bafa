package datafile

import "math"

// dictSample is how many values are numbered before a column is judged.
const dictSample = 2048

// dictTrial decides whether a column is worth a dictionary. A column starts on
// trial, with a dictionary; the first values say how many distinct ones there
// are likely to be, the end of the first page whether bytes were saved. What
// was numbered before a "no" is rewritten plain, so a trial leaves no trace.
//
//	trial --judge, keep--> kept --too large--> left (pages before keep their dictionary)
//	  \-------------------> plain
type dictTrial struct {
	state dictState
	force bool // keep while it saves anything and fits, as parquet-mr does
	rows  int  // rows of the first batch: what a dictionary is spread over
}

type dictState uint8

const (
	dictNever dictState = iota
	dictTrying
	dictJudged // the sample was fine, the first page is not yet ended
	dictKept
	dictLeft
)

func (d *dictTrial) open() bool { return d.state == dictTrying }
func (d *dictTrial) on() bool   { return d.state >= dictTrying && d.state <= dictKept }

// judge is asked once, after dictSample values of which distinct differ.
func (d *dictTrial) judge(n, distinct, width int) bool {
	d.state = dictJudged
	if d.force {
		return true
	}
	total := estimateDistinct(n, distinct)
	if total*float64(width) > maxDictBytes/2 || total > float64(max(d.rows, n))/4 {
		d.state = dictNever
		return false
	}
	return true
}

// keep is asked at the end of each page; only the first can say no.
func (d *dictTrial) keep(n, entries, dictBytes, plain int) bool {
	if d.state == dictKept {
		return true
	}
	d.state = dictKept
	packed := n*bitsOf(entries)/8 + dictBytes
	if d.force && packed < plain {
		return true
	}
	// Packed numbers do not compress, plain values do: ask for half, with the
	// dictionary spread over the rows that are known to come.
	more := max(1, d.rows/n)
	if 2*(packed-dictBytes)*more+2*dictBytes < plain*more {
		return true
	}
	d.state = dictNever
	return false
}

// ended notes the size of the dictionary after a page that used it.
func (d *dictTrial) ended(dictBytes int) {
	if dictBytes > maxDictBytes {
		d.state = dictLeft
	}
}

// restart begins a chunk: what served the last one serves the next.
func (d *dictTrial) restart() {
	switch d.state {
	case dictLeft:
		d.state = dictNever
	case dictJudged:
		d.state = dictTrying
	}
}

func bitsOf(entries int) int {
	n := 1
	for entries > 1<<n {
		n++
	}
	return n
}

// estimateDistinct solves distinct = D·(1-exp(-n/D)), which is how many
// different values n draws out of D equally likely ones show.
func estimateDistinct(n, distinct int) float64 {
	if distinct >= n {
		return math.Inf(1)
	}
	lo, hi := float64(distinct), 1e9
	for range 60 {
		mid := (lo + hi) / 2
		if mid*(1-math.Exp(-float64(n)/mid)) < float64(distinct) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
