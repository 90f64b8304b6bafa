// Package vector works on columns of many Arrow batches at once without
// building rows or boxing values.
//
// A [Ref] names a row: which source (a batch that somebody keeps) and which
// row of it. Everything here is indexed by refs:
//
//	sources            refs                         result
//	0: [a b c]         (0,1) (1,0) (1,1) (0,2)      [b x y c]      Gatherer
//	1: [x y]
//
// [Gatherer] copies one column in the order of refs. [Layout] turns key
// columns into vectors that sort as unsigned integers or as bytes. [Order]
// compares rows by nullable columns.
//
// Arrays must be valid Arrow of the canonical types of schema.ArrowSchema.
package vector
