// Package changelog says how the row of a key changed, once the versions of
// that key have been merged: which of the events +I, -U, +U and -D readers of
// changes are told. It decides from what was there before and what is there
// after; making rows of the decisions is up to the merge.
//
// Source: format, section lsm 7.6.
package changelog
