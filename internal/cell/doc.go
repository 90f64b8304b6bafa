// Package cell works on single cells of Arrow arrays where whole columns
// cannot be worked on at once: the elements of lists and maps that a merge
// compares, removes and puts together.
//
//	list column   row 0 [a b]   row 1 [b c]
//	elements      a b b c                     Elements: 0..2 and 2..4
//	merged        [a b c]                     Hash, Equal, Index find the second b; AppendList
//
// Nothing is boxed: a cell is an array and a row number, and two arrays given
// to one call have the same type, one of the canonical types of
// schema.ArrowSchema. Values are the same when they are stored the same, as in
// a map's key: NaN equals NaN, -0 differs from 0. Maps are the same whatever
// the order of their entries.
//
// The functions are pure; an Index belongs to one goroutine.
package cell
