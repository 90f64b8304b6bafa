package storetest

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidelake/tidelake/io/store"
)

// Errors that the ready hooks give.
var (
	// ErrInjected is a fault of the store.
	ErrInjected = errors.New("injected fault")
	// ErrCrashed answers every call after a crash.
	ErrCrashed = errors.New("process crashed")
	// ErrDiskFull is what Quota returns.
	ErrDiskFull = errors.New("no space left on device")
)

// Verb names a method of store.Store, store.Object or store.Writer.
type Verb string

// The verbs. Chunk is Writer.Write, Close is Writer.Close, Range is Object.ReadRange.
const (
	ReadAll        Verb = "ReadAll"
	Open           Verb = "Open"
	Range          Verb = "Range"
	Create         Verb = "Create"
	Chunk          Verb = "Chunk"
	Close          Verb = "Close"
	Write          Verb = "Write"
	CreateIfAbsent Verb = "CreateIfAbsent"
	Stat           Verb = "Stat"
	List           Verb = "List"
	Delete         Verb = "Delete"
	DeleteDir      Verb = "DeleteDir"
	RenameDir      Verb = "RenameDir"
	MakeDir        Verb = "MakeDir"
)

// Op is one call on its way to the store.
type Op struct {
	Verb Verb
	Key  string // the file or directory; the source of a RenameDir
	Size int    // bytes that come with Chunk, Write and CreateIfAbsent, or are asked for with Range
	N    int64  // 1 for the first call of the store's life
}

// Mutates reports whether the call can change what is in the store.
func (o Op) Mutates() bool {
	switch o.Verb {
	case Create, Chunk, Close, Write, CreateIfAbsent, Delete, DeleteDir, RenameDir, MakeDir:
		return true
	}
	return false
}

// Outcome is what becomes of a call; its zero value lets it through.
// In the order in which it happens:
type Outcome struct {
	Delay time.Duration // wait, until the context ends
	Crash bool          // the process dies here: this call and all later ones give ErrCrashed
	Keep  int           // with Crash in Chunk, Close, Write or CreateIfAbsent: so many bytes stay behind in a temporary file
	Fail  error         // give this error and do nothing
	Then  func()        // run when the call is done
	Lose  error         // give this error although the call is done: the answer was lost
}

// Hook decides about each call. It may be called from many goroutines, and
// what it does itself happens before the call.
type Hook func(Op) Outcome

// FaultyStore is a store.Store over another one that does as its hook says.
type FaultyStore struct {
	store.Store
	hook    Hook
	n       atomic.Int64
	crashed atomic.Bool
}

// Faulty wraps s. A nil hook lets all calls through.
func Faulty(s store.Store, hook Hook) *FaultyStore {
	if hook == nil {
		hook = func(Op) Outcome { return Outcome{} }
	}
	return &FaultyStore{Store: s, hook: hook}
}

// Crashed reports whether a crash has happened. The store below lives on:
// wrap it anew for the process that starts next.
func (f *FaultyStore) Crashed() bool { return f.crashed.Load() }

// Calls is the number of calls so far.
func (f *FaultyStore) Calls() int64 { return f.n.Load() }

// do runs one call under the hook. torn is the data that a crash may leave a part of.
func (f *FaultyStore) do(ctx context.Context, verb Verb, key string, size int, torn []byte, call func() error) error {
	if f.crashed.Load() {
		return ErrCrashed
	}
	out := f.hook(Op{Verb: verb, Key: key, Size: size, N: f.n.Add(1)})
	if out.Delay > 0 {
		t := time.NewTimer(out.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if out.Crash {
		f.crashed.Store(true)
		if keep := min(out.Keep, len(torn)); keep > 0 {
			_ = f.Store.Write(context.WithoutCancel(ctx), tempKey(key), torn[:keep])
		}
		return ErrCrashed
	}
	if out.Fail != nil {
		return out.Fail
	}
	err := call()
	if out.Then != nil {
		out.Then()
	}
	if f.crashed.Load() {
		return ErrCrashed // the process died while the call was under way
	}
	if err == nil {
		err = out.Lose
	}
	return err
}

// tempKey is where the local store would have left the bytes.
func tempKey(key string) string {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i] + "." + key[i:] + ".torn.tmp"
}

// ReadAll runs under the hook.
func (f *FaultyStore) ReadAll(ctx context.Context, key string) (data []byte, err error) {
	err = f.do(ctx, ReadAll, key, 0, nil, func() (err error) {
		data, err = f.Store.ReadAll(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Open runs under the hook, and so do the reads of the object.
func (f *FaultyStore) Open(ctx context.Context, key string, size int64) (store.Object, error) {
	var o store.Object
	err := f.do(ctx, Open, key, 0, nil, func() (err error) {
		o, err = f.Store.Open(ctx, key, size)
		return err
	})
	if err != nil {
		if o != nil {
			_ = o.Close()
		}
		return nil, err
	}
	return &faultyObject{o, f, key}, nil
}

type faultyObject struct {
	store.Object
	f   *FaultyStore
	key string
}

func (o *faultyObject) ReadRange(ctx context.Context, p []byte, off int64) (n int, err error) {
	var end error // io.EOF is an answer, not a failure
	err = o.f.do(ctx, Range, o.key, len(p), nil, func() error {
		n, end = o.Object.ReadRange(ctx, p, off)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, end
}

// Create runs under the hook, and so do Write and Close of the writer.
func (f *FaultyStore) Create(ctx context.Context, key string) (store.Writer, error) {
	var w store.Writer
	err := f.do(ctx, Create, key, 0, nil, func() (err error) {
		w, err = f.Store.Create(ctx, key)
		return err
	})
	if err != nil {
		if w != nil {
			w.Abort()
		}
		return nil, err
	}
	return &faultyWriter{ctx: ctx, w: w, f: f, key: key}, nil
}

// faultyWriter remembers what was written, as a crash may leave a part of it.
type faultyWriter struct {
	ctx  context.Context
	w    store.Writer
	f    *FaultyStore
	key  string
	seen []byte
	once sync.Once
	err  error
}

func (w *faultyWriter) Write(p []byte) (n int, err error) {
	w.seen = append(w.seen, p...)
	err = w.f.do(w.ctx, Chunk, w.key, len(p), w.seen, func() (err error) {
		n, err = w.w.Write(p)
		return err
	})
	if err != nil {
		w.Abort()
		return 0, err
	}
	return n, nil
}

func (w *faultyWriter) Close() error {
	w.once.Do(func() {
		w.err = w.f.do(w.ctx, Close, w.key, len(w.seen), w.seen, w.w.Close)
		if w.err != nil {
			w.w.Abort() // does nothing if Close went through
		}
	})
	return w.err
}

func (w *faultyWriter) Abort() {
	w.once.Do(func() {
		w.err = ErrInjected
		w.w.Abort()
	})
}

// Write runs under the hook.
func (f *FaultyStore) Write(ctx context.Context, key string, data []byte) error {
	return f.do(ctx, Write, key, len(data), data, func() error { return f.Store.Write(ctx, key, data) })
}

// CreateIfAbsent runs under the hook.
func (f *FaultyStore) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	return f.do(ctx, CreateIfAbsent, key, len(data), data, func() error { return f.Store.CreateIfAbsent(ctx, key, data) })
}

// Stat runs under the hook.
func (f *FaultyStore) Stat(ctx context.Context, key string) (info store.Info, err error) {
	err = f.do(ctx, Stat, key, 0, nil, func() (err error) {
		info, err = f.Store.Stat(ctx, key)
		return err
	})
	return info, err
}

// List runs under the hook as a whole: it fails before its first entry or not at all.
func (f *FaultyStore) List(ctx context.Context, dir string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		var all []store.Info
		err := f.do(ctx, List, dir, 0, nil, func() error {
			for info, err := range f.Store.List(ctx, dir) {
				if err != nil {
					return err
				}
				all = append(all, info)
			}
			return nil
		})
		if err != nil {
			yield(store.Info{}, err)
			return
		}
		for _, info := range all {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Delete runs under the hook.
func (f *FaultyStore) Delete(ctx context.Context, key string) error {
	return f.do(ctx, Delete, key, 0, nil, func() error { return f.Store.Delete(ctx, key) })
}

// DeleteDir runs under the hook.
func (f *FaultyStore) DeleteDir(ctx context.Context, dir string) error {
	return f.do(ctx, DeleteDir, dir, 0, nil, func() error { return f.Store.DeleteDir(ctx, dir) })
}

// RenameDir runs under the hook.
func (f *FaultyStore) RenameDir(ctx context.Context, from, to string) error {
	return f.do(ctx, RenameDir, from, 0, nil, func() error { return f.Store.RenameDir(ctx, from, to) })
}

// MakeDir runs under the hook.
func (f *FaultyStore) MakeDir(ctx context.Context, dir string) error {
	return f.do(ctx, MakeDir, dir, 0, nil, func() error { return f.Store.MakeDir(ctx, dir) })
}

// At gives an outcome to the n-th call, counted from 1, and lets all others through.
func At(n int64, out Outcome) Hook {
	return func(op Op) Outcome {
		if op.N == n {
			return out
		}
		return Outcome{}
	}
}

// Once gives an outcome to the first call of a verb whose key contains part.
func Once(verb Verb, part string, out Outcome) Hook {
	var done atomic.Bool
	return func(op Op) Outcome {
		if op.Verb == verb && strings.Contains(op.Key, part) && done.CompareAndSwap(false, true) {
			return out
		}
		return Outcome{}
	}
}

// Quota is a disk with so many bytes left: the write that would pass the
// limit, and all after it, fail with ErrDiskFull. Deleting frees nothing.
func Quota(bytes int64) Hook {
	var used atomic.Int64
	return func(op Op) Outcome {
		switch op.Verb {
		case Chunk, Write, CreateIfAbsent:
			if used.Add(int64(op.Size)) > bytes {
				return Outcome{Fail: ErrDiskFull}
			}
		}
		return Outcome{}
	}
}

// Unwrap is the store below.
func (f *FaultyStore) Unwrap() store.Store { return f.Store }
