// Package predicate holds filters: a typed expression over the columns of a
// table, its text, and its two uses.
//
//	text ── Parse ─▶ Expr ─┬─ Filter    which rows of a batch are kept, exactly
//	                       ├─ Match     whether one row of metadata values is kept, exactly
//	                       └─ MayMatch  whether a file or page can hold such a row, by its statistics
//
// All three read the same tree, so that what is pruned and what is filtered
// can never differ.
//
// # Three values
//
// A comparison with null is neither true nor false but unknown, and a filter
// keeps the rows where it is true, as in SQL. NOT is moved to the comparisons
// while an expression is built (NOT a < 3 is a >= 3), which AND, OR and
// unknown allow. What remains has no NOT above AND and OR, and there unknown
// and false do the same: one bit a row is enough to evaluate it.
//
// # Exact comparison
//
// Literals are read without a type and compared with the column by their exact
// value: an INT is never equal to 3.5, is below 3.5 when it is at most 3, and
// every TINYINT is below 1000. The same holds for decimals with more digits
// than the column's scale and for times finer than its precision. For FLOAT
// and DOUBLE a literal stands for the nearest value of the column's type, so
// that a column written with 0.1 is found by 0.1. Text in quotes is read as
// the column's type (dates, times, numbers, hex for binary); a TIMESTAMP_LTZ
// without an offset is in the session's zone.
//
// Floating values are in one total order: -0 equals 0, NaN equals itself and
// is greater than everything else. Text and binary compare by unsigned bytes,
// without padding; FALSE is below TRUE.
//
// # Grammar
//
//	filter   = and { OR and }            and  = not { AND not }
//	not      = NOT not | "(" filter ")" | test | TRUE | FALSE | NULL
//	test     = column op literal | literal op column | boolean-column
//	         | column IS [NOT] NULL
//	         | column [NOT] IN "(" literal { "," literal } ")"
//	         | column [NOT] BETWEEN literal AND literal
//	         | column [NOT] LIKE 'pattern' [ESCAPE 'c']
//	         | startswith "(" column "," 'text' ")"
//	op       = "=" "==" "!=" "<>" "<" "<=" ">" ">="
//	literal  = [-]number | 'text' ('' is a quote) | x'hex' | TRUE | FALSE | NULL
//	         | DATE 'd' | TIME 't' | TIMESTAMP 'd t'
//	column   = name | `name` | "name"   (doubled quotes stand for one)
//
// Keywords and function names are in any case, columns as they are. In a
// pattern % is any text and _ one character; there is no escape character
// unless ESCAPE names one.
package predicate
