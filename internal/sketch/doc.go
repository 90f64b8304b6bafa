// Package sketch joins the Apache DataSketches that columns of the aggregate
// functions hll_sketch and theta_sketch hold: estimates of how many distinct
// values were seen, as bytes that Java's and C++'s libraries share.
//
//	bytes ──check──▶ sketch ─┐
//	                         ├─ union ──▶ sketch ──▶ bytes
//	bytes ──check──▶ sketch ─┘
//
// The sketches themselves are those of the Go port of DataSketches, which
// trusts what it reads; here every length, count and value is checked before
// it gets to see a byte. Unions have the parameters that Paimon gives them.
//
// Values are immutable and may be shared by goroutines. Errors say what is
// wrong with the bytes; callers add where these came from.
package sketch

import (
	"encoding/binary"
	"errors"
)

var (
	le       = binary.LittleEndian
	errShort = errors.New("the bytes end within the sketch")
)
