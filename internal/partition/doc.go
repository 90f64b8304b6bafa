// Package partition names the directories of partitions (format section 1.4).
//
//	dt DATE, city STRING   -->   dt=19857/city=a%2Fb
//
// A directory is only a place: two partitions may share one (null, "" and " "
// all read __DEFAULT_PARTITION__). What tells partitions apart is the binary
// row in the manifest, never the directory.
package partition
