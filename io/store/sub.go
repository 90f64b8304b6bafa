package store

import (
	"context"
	"iter"
	"strings"
)

// sub is the part of a store below a directory.
type sub struct {
	Store
	dir string // without a slash at its end, never empty
}

// Sub is the view of the part of s below dir: keys are relative to it, and no
// key leads out of it. An empty dir is s itself. Closing a view closes s.
func Sub(s Store, dir string) Store {
	if dir == "" {
		return s
	}
	if inner, ok := s.(*sub); ok {
		return &sub{inner.Store, inner.dir + "/" + dir}
	}
	return &sub{s, dir}
}

// join puts a key below the directory. The key is checked first: afterwards
// the empty one and one with a slash at either end could not be told apart.
func (s *sub) join(key string) (string, error) {
	if err := CheckKey(key); err != nil {
		return "", err
	}
	return s.dir + "/" + key, nil
}

func (s *sub) joinDir(key string) (string, error) {
	if key == "" {
		return s.dir, nil
	}
	return s.join(key)
}

func (s *sub) ReadAll(ctx context.Context, key string) ([]byte, error) {
	key, err := s.join(key)
	if err != nil {
		return nil, err
	}
	return s.Store.ReadAll(ctx, key)
}

func (s *sub) Open(ctx context.Context, key string, size int64) (Object, error) {
	key, err := s.join(key)
	if err != nil {
		return nil, err
	}
	return s.Store.Open(ctx, key, size)
}

func (s *sub) Create(ctx context.Context, key string) (Writer, error) {
	key, err := s.join(key)
	if err != nil {
		return nil, err
	}
	return s.Store.Create(ctx, key)
}

func (s *sub) Write(ctx context.Context, key string, data []byte) error {
	key, err := s.join(key)
	if err != nil {
		return err
	}
	return s.Store.Write(ctx, key, data)
}

func (s *sub) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	key, err := s.join(key)
	if err != nil {
		return err
	}
	return s.Store.CreateIfAbsent(ctx, key, data)
}

func (s *sub) Stat(ctx context.Context, key string) (Info, error) {
	name, dir := cutDirKey(key)
	full, err := s.joinDir(name)
	if err == nil && !dir {
		err = CheckKey(name)
	}
	if err != nil {
		return Info{}, err
	}
	if dir {
		full += "/"
	}
	info, err := s.Store.Stat(ctx, full)
	return s.relative(info), err
}

// relative turns the key of an Info into one of the view.
func (s *sub) relative(i Info) Info {
	i.Key = strings.TrimPrefix(strings.TrimPrefix(i.Key, s.dir), "/")
	i.Name = lastElement(i.Key)
	return i
}

func (s *sub) List(ctx context.Context, dir string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		full, err := s.joinDir(dir)
		if err != nil {
			yield(Info{}, err)
			return
		}
		for info, err := range s.Store.List(ctx, full) {
			if err == nil {
				info = s.relative(info)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

func (s *sub) Delete(ctx context.Context, key string) error {
	key, err := s.join(key)
	if err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

func (s *sub) DeleteDir(ctx context.Context, dir string) error {
	dir, err := s.join(dir)
	if err != nil {
		return err
	}
	return s.Store.DeleteDir(ctx, dir)
}

func (s *sub) RenameDir(ctx context.Context, from, to string) error {
	from, err := s.join(from)
	if err != nil {
		return err
	}
	to, err = s.join(to)
	if err != nil {
		return err
	}
	return s.Store.RenameDir(ctx, from, to)
}

func (s *sub) MakeDir(ctx context.Context, dir string) error {
	dir, err := s.joinDir(dir)
	if err != nil {
		return err
	}
	return s.Store.MakeDir(ctx, dir)
}

// URL puts the directory before the parameters of the driver.
func (s *sub) URL() string {
	base, query, hasQuery := strings.Cut(s.Store.URL(), "?")
	if !strings.Contains(base, "://") || !hasQuery {
		return strings.TrimSuffix(s.Store.URL(), "/") + "/" + s.dir
	}
	return strings.TrimSuffix(base, "/") + "/" + s.dir + "?" + query
}
