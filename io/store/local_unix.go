//go:build !windows

package store

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// syncDir makes the names in a directory durable. File systems that cannot
// sync directories say so, and then keep names in order by themselves.
func syncDir(p string) error {
	d, err := os.Open(p)
	if err != nil {
		return err
	}
	err = d.Sync()
	_ = d.Close()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// renameOntoEmpty asks the kernel directly: os.Rename refuses any directory as target.
func renameOntoEmpty(src, dst string) error { return syscall.Rename(src, dst) }

// unlink removes a file and leaves directories alone, as if they were absent.
func unlink(p string) error {
	err := syscall.Unlink(p)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EISDIR) {
		if info, serr := os.Lstat(p); serr == nil && info.IsDir() {
			return nil
		}
	}
	if err != nil {
		return &fs.PathError{Op: "unlink", Path: p, Err: err}
	}
	return nil
}
