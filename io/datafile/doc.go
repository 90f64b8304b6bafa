// Package datafile writes and reads data files: Arrow batches in, Parquet out, and back.
package datafile
