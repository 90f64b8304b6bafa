package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/tidelake/tidelake/internal/fault"
)

// local keeps objects as files below a directory.
//
// A file is written under a temporary name in its own directory, synced, and
// then given its name: by rename, which replaces, or by link, which the kernel
// refuses when the name is taken and does for one of many racers only,
// whatever process they are in. Last, the directory is synced, so that the
// name survives a power cut as well as the bytes.
type local struct {
	root string // absolute
}

// NewLocal is the store of the files below dir. The directory need not exist
// yet; it is made by the first write. The file system must support hard links
// within a directory, as all usual ones do.
func NewLocal(dir string) (Store, error) {
	if dir == "" {
		return nil, fault.Invalid("empty path of a local store")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, localErr("open store", dir, err)
	}
	if info, err := os.Stat(abs); err == nil && !info.IsDir() {
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "open store", File: abs, Detail: "is a file, not a directory"}
	}
	return &local{root: abs}, nil
}

// path maps a key below the root. The operating system has the last word on
// what stays inside: on Windows a key may not hold a drive or a backslash.
func (l *local) path(ctx context.Context, key string) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	return l.dirPath(ctx, key)
}

func (l *local) dirPath(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := checkDir(key); err != nil {
		return "", err
	}
	if key == "" {
		return l.root, nil
	}
	rel, err := filepath.Localize(key)
	if err != nil {
		return "", badKey(key, "key is not a path of this system")
	}
	return filepath.Join(l.root, rel), nil
}

// localErr gives an error of the file system its class and place. A path that
// goes through a file, or a directory where a file is asked for, is absent.
func localErr(op, key string, err error) error {
	e := &fault.Error{Op: op, File: key, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		e.Class = fault.ErrNotFound
	case errors.Is(err, fs.ErrExist):
		e.Class = fault.ErrExists
	case errors.Is(err, syscall.ENOSPC):
		e.Hint = "the disk is full; free space and retry"
	}
	return e
}

func (l *local) ReadAll(ctx context.Context, key string) ([]byte, error) {
	p, err := l.path(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(p)
	if err != nil {
		return nil, localErr("read", key, err)
	}
	return data, nil
}

func (l *local) Open(ctx context.Context, key string, size int64) (Object, error) {
	p, err := l.path(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p)
	if err != nil {
		return nil, localErr("open", key, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = localErr("open", key, err)
	case info.IsDir():
		err = notFound("open", key)
	case size >= 0 && info.Size() != size:
		err = fault.Corrupt(key, "file has "+itoa(info.Size())+" bytes, its metadata says "+itoa(size), nil)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &localObject{f: f, key: key, size: info.Size()}, nil
}

// localObject reads by pread on one descriptor, so parallel reads share it.
type localObject struct {
	f    *os.File
	key  string
	size int64
}

func (o *localObject) Size() int64 { return o.size }

func (o *localObject) ReadRange(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	span, end := readSpan(o.key, p, off, o.size)
	if len(span) == 0 {
		return 0, end
	}
	n, err := o.f.ReadAt(span, off)
	switch {
	case err == nil, n == len(span):
		return n, end
	case err == io.EOF:
		return n, shorter(o.key, o.size, io.ErrUnexpectedEOF)
	case errors.Is(err, fs.ErrClosed):
		return n, &fault.Error{Class: fault.ErrClosed, Op: "read", File: o.key}
	}
	return n, localErr("read", o.key, err)
}

func (o *localObject) Close() error {
	if err := o.f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return localErr("close", o.key, err)
	}
	return nil
}

func (l *local) Stat(ctx context.Context, key string) (Info, error) {
	name, dir := cutDirKey(key)
	p, err := l.dirPath(ctx, name)
	if err == nil && !dir {
		err = CheckKey(name)
	}
	if err != nil {
		return Info{}, err
	}
	info, err := os.Stat(p)
	if err != nil {
		return Info{}, localErr("stat", key, err)
	}
	if info.IsDir() != dir {
		return Info{}, notFound("stat", key)
	}
	return localInfo(name, info), nil
}

// cutDirKey splits the form of Stat that asks for a directory; "/" is the root.
func cutDirKey(key string) (name string, dir bool) {
	if n := len(key); n > 0 && key[n-1] == '/' {
		return key[:n-1], true
	}
	return key, false
}

func localInfo(key string, info fs.FileInfo) Info {
	i := Info{Name: lastElement(key), Key: key, ModTime: info.ModTime(), Dir: info.IsDir()}
	if !i.Dir {
		i.Size = info.Size()
	}
	return i
}

func (l *local) List(ctx context.Context, dir string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		p, err := l.dirPath(ctx, dir)
		if err != nil {
			yield(Info{}, err)
			return
		}
		entries, err := os.ReadDir(p)
		if err = ignoreNotFoundOS("list", dir, err); err != nil {
			yield(Info{}, err)
			return
		}
		prefix := dir
		if prefix != "" {
			prefix += "/"
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				yield(Info{}, err)
				return
			}
			// Stat and not Lstat: a link to a directory is a directory. What
			// vanished meanwhile, or points nowhere, is not there.
			info, err := os.Stat(filepath.Join(p, e.Name()))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				yield(Info{}, localErr("list", prefix+e.Name(), err))
				return
			}
			if !yield(localInfo(prefix+e.Name(), info), nil) {
				return
			}
		}
	}
}

func ignoreNotFoundOS(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return ignoreNotFound(localErr(op, key, err))
}

func (l *local) Delete(ctx context.Context, key string) error {
	p, err := l.path(ctx, key)
	if err != nil {
		return err
	}
	// Unlink and not os.Remove, which would take an empty directory too.
	return ignoreNotFoundOS("delete", key, unlink(p))
}

func (l *local) DeleteDir(ctx context.Context, dir string) error {
	p, err := l.path(ctx, dir)
	if err != nil {
		return err
	}
	info, err := os.Lstat(p)
	if err != nil {
		return ignoreNotFoundOS("delete directory", dir, err)
	}
	if info.Mode().IsRegular() {
		return &fault.Error{Class: fault.ErrInvalid, Op: "delete directory", File: dir, Detail: "is a file, not a directory"}
	}
	if err := os.RemoveAll(p); err != nil {
		return localErr("delete directory", dir, err)
	}
	return nil
}

func (l *local) RenameDir(ctx context.Context, from, to string) error {
	const op = "rename directory"
	src, err := l.path(ctx, from)
	if err != nil {
		return err
	}
	dst, err := l.path(ctx, to)
	if err != nil {
		return err
	}
	if info, err := os.Stat(src); err != nil {
		return localErr(op, from, err)
	} else if !info.IsDir() {
		return notFound(op, from)
	}
	if err := makeDirs(filepath.Dir(dst)); err != nil {
		return localErr(op, to, err)
	}
	// Making the target first decides races: mkdir has one winner, and rename
	// replaces a directory only while it is empty.
	if err := os.Mkdir(dst, 0o777); err != nil {
		return localErr(op, to, err)
	}
	if err := renameOntoEmpty(src, dst); err != nil {
		_ = os.Remove(dst)
		return localErr(op, from, err)
	}
	return errors.Join(syncDir(filepath.Dir(src)), syncDir(filepath.Dir(dst)))
}

func (l *local) MakeDir(ctx context.Context, dir string) error {
	p, err := l.dirPath(ctx, dir)
	if err != nil {
		return err
	}
	if err := makeDirs(p); err != nil {
		return localErr("make directory", dir, err)
	}
	return nil
}

func (l *local) URL() string  { return l.root }
func (l *local) Close() error { return nil }

// makeDirs is os.MkdirAll that also syncs what it made into its parents.
func makeDirs(p string) error {
	if info, err := os.Stat(p); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: p, Err: fs.ErrExist}
		}
		return nil
	}
	parent := filepath.Dir(p)
	if parent != p {
		if err := makeDirs(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(p, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func (l *local) Create(ctx context.Context, key string) (Writer, error) {
	p, err := l.path(ctx, key)
	if err != nil {
		return nil, err
	}
	f, err := createTemp(p)
	if err != nil {
		return nil, localErr("create", key, err)
	}
	return &localWriter{ctx: ctx, f: f, path: p, key: key}, nil
}

func (l *local) Write(ctx context.Context, key string, data []byte) error {
	w, err := l.Create(ctx, key)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Close()
}

func (l *local) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	const op = "create"
	p, err := l.path(ctx, key)
	if err != nil {
		return err
	}
	// Losers usually come late: spare them the write and the sync.
	if _, err := os.Lstat(p); err == nil {
		return exists(op, key)
	}
	f, err := createTemp(p)
	if err != nil {
		return localErr(op, key, err)
	}
	temp := f.Name()
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = os.Remove(temp)
		return localErr(op, key, err)
	}
	linkErr := os.Link(temp, p)
	_ = os.Remove(temp)
	if errors.Is(linkErr, fs.ErrExist) {
		return exists(op, key)
	}
	if linkErr != nil {
		return localErr(op, key, linkErr)
	}
	if err := syncDir(filepath.Dir(p)); err != nil {
		return &fault.Error{Class: fault.ErrUncertain, Op: op, File: key, Err: err,
			Detail: "the file is visible but its directory could not be synced"}
	}
	return nil
}

// localWriter is a file on its way to its name.
type localWriter struct {
	ctx  context.Context
	f    *os.File
	path string
	key  string
	once sync.Once
	err  error
}

// Write drops the file at the first failure: what follows a lost piece is worthless.
func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return 0, err
	}
	n, err := w.f.Write(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, fs.ErrClosed):
		return n, &fault.Error{Class: fault.ErrClosed, Op: "write", File: w.key}
	}
	w.Abort()
	return n, localErr("write", w.key, err)
}

func (w *localWriter) Close() error {
	w.once.Do(func() { w.err = w.publish() })
	return w.err
}

func (w *localWriter) publish() error {
	err := w.ctx.Err()
	if err == nil {
		err = w.f.Sync()
	}
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(w.f.Name(), w.path)
	}
	if err != nil {
		_ = os.Remove(w.f.Name())
		if errors.Is(err, syscall.EISDIR) {
			return exists("create", w.key) // a directory has the name
		}
		return localErr("create", w.key, err)
	}
	if err := syncDir(filepath.Dir(w.path)); err != nil {
		return &fault.Error{Class: fault.ErrUncertain, Op: "create", File: w.key, Err: err,
			Detail: "the file is visible but its directory could not be synced"}
	}
	return nil
}

func (w *localWriter) Abort() {
	w.once.Do(func() {
		_ = w.f.Close()
		_ = os.Remove(w.f.Name())
		w.err = &fault.Error{Class: fault.ErrClosed, Op: "create", File: w.key, Detail: "writing was given up"}
	})
}

// createTemp makes ".NAME.RANDOM.tmp" beside the final path. Names too long
// for a directory entry once decorated are shortened: only the random part matters.
func createTemp(final string) (*os.File, error) {
	dir, name := filepath.Split(final)
	name = name[:min(len(name), 200)]
	for made := false; ; {
		temp := filepath.Join(dir, "."+name+"."+strconv.FormatUint(rand.Uint64(), 36)+".tmp")
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, fs.ErrNotExist) && !made:
			if err := makeDirs(filepath.Clean(dir)); err != nil {
				return nil, err
			}
			made = true
		case errors.Is(err, fs.ErrExist):
		default:
			return nil, err
		}
	}
}
