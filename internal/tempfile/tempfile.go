// Package tempfile makes files on local disk that go with their process: the
// name is taken away at once where the system allows that, so that nothing is
// left whatever happens.
//
//	create ─► remove the name ─► write and read through the handle ─► close: gone
package tempfile

import "os"

// File is a temporary file. It is as safe for concurrent use as an os.File.
type File struct {
	*os.File
	path string // "" when the name is gone already
}

// New makes an empty file in a directory, "" for the system's own. Prefix begins
// its name, for whoever finds one where names cannot go. The caller closes it.
func New(dir, prefix string) (*File, error) {
	file, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	f := &File{File: file, path: file.Name()}
	if os.Remove(f.path) == nil {
		f.path = ""
	}
	return f, nil
}

// Close deletes the file.
func (f *File) Close() error {
	err := f.File.Close()
	if f.path != "" {
		_ = os.Remove(f.path)
	}
	return err
}
