// Package store is where objects live: a local directory, memory, or a bucket
// of S3, Google Cloud Storage or Azure Blob Storage, all behind one interface.
//
// An object is whole or absent. Nobody ever sees half of one, and exactly one
// of many writers who race to create the same name wins. Everything above
// stands on these two facts: data files are written first under names nobody
// knows, then one small object with an agreed name publishes them.
//
//	data-a.parquet ─┐
//	data-b.parquet ─┤ Create, in any order, durable once closed
//	manifest-1     ─┘
//	snapshot-7     ←── CreateIfAbsent: one winner, the others get fault.ErrExists
//
// Keys are slash paths relative to the root of the store ("db.db/t/snapshot/LATEST").
// An absolute key, an empty element, "." and ".." are refused with
// fault.ErrInvalid, so no key leads out of the root. The empty key is the root
// itself and means something only where a directory is asked for.
//
// Directories of a local store are real. In a bucket they are the shared
// beginnings of keys, and MakeDir leaves an empty object "dir/" so that an
// empty one can be seen.
package store

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
)

// Info describes one file or directory.
type Info struct {
	Name    string    // last element of Key
	Key     string    // relative to the root of the store that answered
	Size    int64     // bytes; 0 for a directory
	ModTime time.Time // zero where the store does not keep one, as for directories of a bucket
	Dir     bool
}

// Store is a tree of objects. All methods may be called from many goroutines,
// and all errors of absent objects wrap fault.ErrNotFound.
type Store interface {
	// ReadAll returns the whole object. The caller owns the bytes.
	ReadAll(ctx context.Context, key string) ([]byte, error)

	// Open prepares ranged reads. size is the object's length in bytes, or -1
	// when unknown; a known size saves the request that asks for it, and then
	// a missing object may show only at the first read. An object of another
	// size than the one given is fault.ErrCorrupt, here or at a read.
	Open(ctx context.Context, key string, size int64) (Object, error)

	// Create starts an object, which appears, replacing what was there, when
	// the Writer is closed and not before. ctx covers the whole writing.
	Create(ctx context.Context, key string) (Writer, error)

	// Write creates or replaces a small object at once.
	Write(ctx context.Context, key string, data []byte) error

	// CreateIfAbsent creates a small object unless the name is taken, which is
	// fault.ErrExists. Of many callers, in one or many processes, one wins.
	// fault.ErrUncertain says that the store did not answer: the object may or
	// may not be there. A store that repeats a request whose answer was lost can also report
	// ErrExists for the caller's own object; who needs to know reads it back.
	CreateIfAbsent(ctx context.Context, key string, data []byte) error

	// Stat describes a file. With a slash at its end ("db.db/") the key means
	// a directory, and Stat says whether it exists.
	Stat(ctx context.Context, key string) (Info, error)

	// List yields the files and directories directly in dir, in no promised
	// order; a directory that does not exist yields none. After an error the
	// sequence ends. Temporary files that a crash left behind are listed.
	List(ctx context.Context, dir string) iter.Seq2[Info, error]

	// Delete removes a file. Deleting one that is absent is no error.
	Delete(ctx context.Context, key string) error

	// DeleteDir removes a directory and all in it; an absent one is no error.
	// Not atomic: a failure leaves a part.
	DeleteDir(ctx context.Context, dir string) error

	// RenameDir moves a directory to a name that must be free (else
	// fault.ErrExists). Atomic in a local directory; in a bucket every object
	// is copied and then deleted, and a failure leaves both.
	RenameDir(ctx context.Context, from, to string) error

	// MakeDir makes a directory with its parents; one that exists is no error.
	MakeDir(ctx context.Context, dir string) error

	// URL is the root as Open takes it.
	URL() string

	// Close releases connections. Objects and Writers must be closed before.
	Close() error
}

// Object reads ranges of one object. Its methods may run in parallel.
type Object interface {
	// ReadRange fills p from off on, as io.ReaderAt does: fewer bytes than
	// asked come with io.EOF at the end of the object. In a bucket each call
	// is one request, so ask for large ranges.
	ReadRange(ctx context.Context, p []byte, off int64) (int, error)
	// Size is the length in bytes.
	Size() int64
	// Close may be called twice.
	Close() error
}

// Writer writes one object. It belongs to one goroutine. Exactly one of Close
// and Abort decides; a later call of either does nothing.
type Writer interface {
	io.Writer
	// Close makes the object durable and visible. After an error of Write or
	// Close nothing is visible, unless the error is fault.ErrUncertain.
	Close() error
	// Abort drops what was written.
	Abort()
}

// ReaderAt gives an Object to code that knows io.ReaderAt; every read runs
// under ctx. It may be used from many goroutines.
func ReaderAt(ctx context.Context, o Object) io.ReaderAt { return readerAt{ctx, o} }

type readerAt struct {
	ctx context.Context
	o   Object
}

func (r readerAt) ReadAt(p []byte, off int64) (int, error) { return r.o.ReadRange(r.ctx, p, off) }

// DirExists reports whether dir exists, asking as Stat does.
func DirExists(ctx context.Context, s Store, dir string) (bool, error) {
	_, err := s.Stat(ctx, strings.TrimSuffix(dir, "/")+"/")
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// CheckKey refuses a key that does not name a file inside a store.
func CheckKey(key string) error {
	if key == "" {
		return badKey(key, "empty key where a file is needed")
	}
	return checkDir(key)
}

// checkDir is CheckKey for directories: the empty key is the root.
func checkDir(key string) error {
	if key == "" {
		return nil
	}
	if !utf8.ValidString(key) || strings.IndexByte(key, 0) >= 0 {
		return badKey(key, "key is not clean UTF-8")
	}
	for rest, more := key, true; more; {
		var element string
		element, rest, more = strings.Cut(rest, "/")
		switch element {
		case "":
			return badKey(key, "key is absolute or has an empty element")
		case ".", "..":
			return badKey(key, "key has an element "+element)
		}
	}
	return nil
}

func badKey(key, why string) error {
	return &fault.Error{Class: fault.ErrInvalid, File: key, Detail: why,
		Hint: "keys are slash paths relative to the root of the store"}
}

// lastElement is the name within a key.
func lastElement(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

func notFound(op, key string) error {
	return &fault.Error{Class: fault.ErrNotFound, Op: op, File: key}
}

func exists(op, key string) error {
	return &fault.Error{Class: fault.ErrExists, Op: op, File: key}
}

// readSpan applies the bounds of ReadRange: the part of p to fill, and the
// error (io.EOF or nil) that goes with it when all of that part is read.
func readSpan(key string, p []byte, off, size int64) ([]byte, error) {
	switch {
	case off < 0:
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "read", File: key, Detail: "negative offset"}
	case len(p) == 0:
		return nil, nil
	case off >= size:
		return nil, io.EOF
	case int64(len(p)) > size-off:
		return p[:size-off], io.EOF
	}
	return p, nil
}

func shorter(key string, size int64, cause error) error {
	return fault.Corrupt(key, "object is shorter than the "+itoa(size)+" bytes its metadata says", cause)
}
