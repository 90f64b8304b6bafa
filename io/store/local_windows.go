package store

import (
	"io/fs"
	"os"
)

// syncDir does nothing: Windows journals names itself and cannot sync a directory.
func syncDir(string) error { return nil }

// renameOntoEmpty makes way first: Windows replaces no directory, not even an empty one.
func renameOntoEmpty(src, dst string) error {
	if err := os.Remove(dst); err != nil {
		return err
	}
	return os.Rename(src, dst)
}

func unlink(p string) error {
	if info, err := os.Lstat(p); err != nil || info.IsDir() {
		if err == nil {
			return nil
		}
		return &fs.PathError{Op: "unlink", Path: p, Err: err}
	}
	return os.Remove(p)
}
