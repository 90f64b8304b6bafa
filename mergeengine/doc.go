// Package mergeengine decides how the stored versions of one key become one
// row.
//
// Rows are never built. The sort or merge that runs before looks at keys only
// and leaves an order: positions 0, 1, 2 … each standing for one stored row,
// equal keys next to each other, the oldest version first. An engine reads
// where the groups of equal keys begin. Some then choose one version a key,
// and all columns are gathered by that choice:
//
//	position  0   1   2   3   4   5
//	key       a   a   b   c   c   c        Starts = 0 2 3 6
//	chosen        1   2           5        deduplicate: the newest
//	chosen    0       2   3                first-row: the oldest
//
// The others fold, in two steps. The first looks at the groups and says what
// becomes of each version: it is added, it comes late, it is retracted, the
// row starts anew with it; and what kind of row is left. Columns that follow
// the same sequence fields share the answer. The second step makes every
// column on its own, by its function: most choose a position again, another
// one for each column, and some compute.
//
//	version   0        1        2
//	step 1    add      add      retract
//	v1        x        null     null      last_non_null_value   gather (0)
//	v2        1        2        2         sum                   1 + 2 - 2
//
// [Deduplicate] and [FirstRow] choose, [PartialUpdate] and [Aggregation]
// fold. A function of a column is one entry in functions.go and one small
// type: a choice of a version, arithmetic, or an accumulator of values of any size.
//
// Programs bring functions and engines of their own by [RegisterAggregate] and
// [RegisterEngine]. Their names have a dot in them, Paimon's have none.
package mergeengine
