package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/tidelake/tidelake/internal/fault"
)

// contentType is always named: without it every write would sniff its first bytes.
const contentType = "application/octet-stream"

// bucket keeps objects in a bucket of gocloud.dev/blob.
type bucket struct {
	b   *blob.Bucket
	url string
}

// NewBlob is the store of the objects of b, which it owns from now on; url is
// what URL returns. The bucket must honour WriterOptions.IfNotExist atomically:
// memblob, s3blob, gcsblob and azureblob do, as long as the server behind them
// does. fileblob does not, two racers can both win there: use NewLocal.
func NewBlob(b *blob.Bucket, url string) Store { return &bucket{b: b, url: url} }

// NewMem is an empty store in memory. It goes with its last reference.
func NewMem() Store { return NewBlob(memblob.OpenBucket(nil), "mem://") }

// blobErr gives an error of a bucket its class and place.
func blobErr(op, key string, err error) error {
	e := &fault.Error{Op: op, File: key, Err: err}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		e.Class = fault.ErrNotFound
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		e.Class = fault.ErrExists
	case gcerrors.PermissionDenied:
		e.Hint = "check the credentials and the rights on the bucket"
	}
	return e
}

func (s *bucket) check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return CheckKey(key)
}

func (s *bucket) ReadAll(ctx context.Context, key string) ([]byte, error) {
	if err := s.check(ctx, key); err != nil {
		return nil, err
	}
	data, err := s.b.ReadAll(ctx, key)
	if err != nil {
		return nil, blobErr("read", key, err)
	}
	return data, nil
}

func (s *bucket) Open(ctx context.Context, key string, size int64) (Object, error) {
	if err := s.check(ctx, key); err != nil {
		return nil, err
	}
	if size < 0 {
		a, err := s.b.Attributes(ctx, key)
		if err != nil {
			return nil, blobErr("open", key, err)
		}
		size = a.Size
	}
	return &blobObject{b: s.b, key: key, size: size}, nil
}

// blobObject asks for each range in one request.
type blobObject struct {
	b    *blob.Bucket
	key  string
	size int64
}

func (o *blobObject) Size() int64  { return o.size }
func (o *blobObject) Close() error { return nil }

func (o *blobObject) ReadRange(ctx context.Context, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	span, end := readSpan(o.key, p, off, o.size)
	if len(span) == 0 {
		return 0, end
	}
	r, err := o.b.NewRangeReader(ctx, o.key, off, int64(len(span)), nil)
	if err != nil {
		return 0, blobErr("read", o.key, err)
	}
	defer func() { _ = r.Close() }()
	if r.Size() != o.size {
		return 0, fault.Corrupt(o.key, "object has "+itoa(r.Size())+" bytes, its metadata says "+itoa(o.size), nil)
	}
	n, err := io.ReadFull(r, span)
	switch {
	case err == nil:
		return n, end
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return n, shorter(o.key, o.size, io.ErrUnexpectedEOF)
	}
	return n, blobErr("read", o.key, err)
}

func (s *bucket) Create(ctx context.Context, key string) (Writer, error) {
	if err := s.check(ctx, key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.b.NewWriter(ctx, key, &blob.WriterOptions{ContentType: contentType})
	if err != nil {
		cancel()
		return nil, blobErr("create", key, err)
	}
	return &blobWriter{w: w, ctx: ctx, cancel: cancel, key: key}, nil
}

// blobWriter is an upload; cancelling its context before Close drops it.
type blobWriter struct {
	w      *blob.Writer
	ctx    context.Context
	cancel context.CancelFunc
	key    string
	once   sync.Once
	err    error
	done   bool
}

func (w *blobWriter) Write(p []byte) (int, error) {
	if w.done {
		return 0, &fault.Error{Class: fault.ErrClosed, Op: "write", File: w.key}
	}
	if err := w.ctx.Err(); err != nil {
		w.Abort()
		return 0, err
	}
	n, err := w.w.Write(p)
	if err != nil {
		w.Abort()
		return n, blobErr("write", w.key, err)
	}
	return n, nil
}

func (w *blobWriter) Close() error {
	w.once.Do(func() {
		w.done = true
		defer w.cancel()
		if err := w.w.Close(); err != nil {
			w.err = blobErr("create", w.key, err)
		}
	})
	return w.err
}

func (w *blobWriter) Abort() {
	w.once.Do(func() {
		w.done = true
		w.cancel()
		_ = w.w.Close()
		w.err = &fault.Error{Class: fault.ErrClosed, Op: "create", File: w.key, Detail: "writing was given up"}
	})
}

func (s *bucket) Write(ctx context.Context, key string, data []byte) error {
	if err := s.check(ctx, key); err != nil {
		return err
	}
	if err := s.b.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: contentType}); err != nil {
		return blobErr("write", key, err)
	}
	return nil
}

func (s *bucket) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	if err := s.check(ctx, key); err != nil {
		return err
	}
	opts := &blob.WriterOptions{ContentType: contentType, IfNotExist: true}
	for try := 1; ; try++ {
		err := s.b.WriteAll(ctx, key, data, opts)
		if err == nil {
			return nil
		}
		if try < 10 && isWriteConflict(err) && sleep(ctx, time.Duration(try)*5*time.Millisecond) {
			continue
		}
		return createErr(key, err)
	}
}

// createErr separates refusals from silence. Only an answer that says no is
// certain; a timeout, a cancelled wait and a server's fault may hide a success.
func createErr(key string, err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists, gcerrors.NotFound,
		gcerrors.PermissionDenied, gcerrors.InvalidArgument:
		return blobErr("create", key, err)
	}
	return &fault.Error{Class: fault.ErrUncertain, Op: "create", File: key, Err: err,
		Hint: "read the object back to learn whether it was created"}
}

// isWriteConflict recognises S3's "another conditional write is under way":
// nothing was written and the same request may be sent again. The interface
// is the SDK's, asked for here so that this package need not import it.
func isWriteConflict(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && api.ErrorCode() == "ConditionalRequestConflict"
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *bucket) Stat(ctx context.Context, key string) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if dir, ok := cutDirKey(key); ok {
		return s.statDir(ctx, dir)
	}
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	a, err := s.b.Attributes(ctx, key)
	if err != nil {
		return Info{}, blobErr("stat", key, err)
	}
	return Info{Name: lastElement(key), Key: key, Size: a.Size, ModTime: a.ModTime}, nil
}

// statDir looks for one object below dir. The root always exists.
func (s *bucket) statDir(ctx context.Context, dir string) (Info, error) {
	if err := checkDir(dir); err != nil {
		return Info{}, err
	}
	info := Info{Name: lastElement(dir), Key: dir, Dir: true}
	if dir == "" {
		return info, nil
	}
	page, _, err := s.b.ListPage(ctx, blob.FirstPageToken, 1, &blob.ListOptions{Prefix: dir + "/"})
	if err != nil {
		return Info{}, blobErr("stat", dir, err)
	}
	if len(page) == 0 {
		return Info{}, notFound("stat", dir)
	}
	return info, nil
}

func (s *bucket) List(ctx context.Context, dir string) iter.Seq2[Info, error] {
	return s.list(ctx, dir, "/")
}

// list yields one level, or with no delimiter all files below dir, the
// markers of directories (keys that end in a slash) among them.
func (s *bucket) list(ctx context.Context, dir, delimiter string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		err := ctx.Err()
		if err == nil {
			err = checkDir(dir)
		}
		if err != nil {
			yield(Info{}, err)
			return
		}
		prefix := dir
		if prefix != "" {
			prefix += "/"
		}
		it := s.b.List(&blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
		for {
			o, err := it.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Info{}, blobErr("list", dir, err))
				return
			}
			if delimiter != "" && o.Key == prefix {
				continue // the marker of dir itself
			}
			info := Info{Key: strings.TrimSuffix(o.Key, "/"), Size: o.Size, ModTime: o.ModTime, Dir: o.IsDir}
			if delimiter == "" {
				info.Key = o.Key
			}
			info.Name = lastElement(info.Key)
			if o.IsDir {
				info.Size, info.ModTime = 0, time.Time{}
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (s *bucket) Delete(ctx context.Context, key string) error {
	if err := s.check(ctx, key); err != nil {
		return err
	}
	return s.remove(ctx, key)
}

func (s *bucket) remove(ctx context.Context, key string) error {
	if err := s.b.Delete(ctx, key); err != nil {
		return ignoreNotFound(blobErr("delete", key, err))
	}
	return nil
}

func (s *bucket) DeleteDir(ctx context.Context, dir string) error {
	if err := s.check(ctx, dir); err != nil {
		return err
	}
	keys, err := s.below(ctx, dir)
	if err != nil {
		return err
	}
	// Deepest and last first, the marker of dir itself at the end: a store
	// that keeps directories as such can drop each one once it is empty.
	return eachKey(ctx, keys, true, func(key string) error { return s.remove(ctx, key) })
}

func (s *bucket) RenameDir(ctx context.Context, from, to string) error {
	const op = "rename directory"
	if err := s.check(ctx, from); err != nil {
		return err
	}
	if err := s.check(ctx, to); err != nil {
		return err
	}
	if strings.HasPrefix(to+"/", from+"/") {
		return &fault.Error{Class: fault.ErrInvalid, Op: op, File: from, Detail: "cannot move into itself: " + to}
	}
	if _, err := s.statDir(ctx, to); err == nil {
		return exists(op, to)
	} else if !isNotFound(err) {
		return err
	}
	keys, err := s.below(ctx, from)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return notFound(op, from)
	}
	err = eachKey(ctx, keys, false, func(key string) error {
		target := to + strings.TrimPrefix(key, from)
		if strings.HasSuffix(key, "/") {
			return s.MakeDir(ctx, strings.TrimSuffix(target, "/")) // servers that keep real directories copy none
		}
		if err := s.b.Copy(ctx, target, key, nil); err != nil {
			return blobErr(op, key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachKey(ctx, keys, true, func(key string) error { return s.remove(ctx, key) })
}

// below lists the keys of all objects in a directory, markers included.
func (s *bucket) below(ctx context.Context, dir string) ([]string, error) {
	var keys []string
	for info, err := range s.list(ctx, dir, "") {
		if err != nil {
			return nil, err
		}
		keys = append(keys, info.Key)
	}
	return keys, nil
}

func (s *bucket) MakeDir(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkDir(dir); err != nil {
		return err
	}
	if dir == "" {
		return nil
	}
	if err := s.b.WriteAll(ctx, dir+"/", nil, &blob.WriterOptions{ContentType: contentType}); err != nil {
		return blobErr("make directory", dir, err)
	}
	return nil
}

func (s *bucket) URL() string { return s.url }

func (s *bucket) Close() error {
	if err := s.b.Close(); err != nil && gcerrors.Code(err) != gcerrors.FailedPrecondition {
		return blobErr("close store", s.url, err)
	}
	return nil
}
