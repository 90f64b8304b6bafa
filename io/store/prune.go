package store

import (
	"context"
	"os"
)

// pruner is a Store whose directories are real.
type pruner interface {
	pruneDir(ctx context.Context, dir string) (gone bool, err error)
}

// PruneDir removes a directory if it is empty, and tells whether it is gone.
// One that holds something stays; the store itself sees to it that nothing is
// lost that comes in meanwhile. In a bucket there is no directory to remove.
func PruneDir(ctx context.Context, s Store, dir string) (gone bool, err error) {
	switch s := s.(type) {
	case pruner:
		return s.pruneDir(ctx, dir)
	case *Counter:
		return PruneDir(ctx, s.Store, dir)
	case interface{ Unwrap() Store }:
		return PruneDir(ctx, s.Unwrap(), dir)
	}
	return false, nil
}

func (s *sub) pruneDir(ctx context.Context, dir string) (bool, error) {
	dir, err := s.join(dir)
	if err != nil {
		return false, err
	}
	return PruneDir(ctx, s.Store, dir)
}

func (l *local) pruneDir(ctx context.Context, dir string) (bool, error) {
	p, err := l.path(ctx, dir)
	if err != nil {
		return false, err
	}
	info, err := os.Lstat(p)
	if err != nil {
		return true, ignoreNotFoundOS("remove directory", dir, err)
	}
	if !info.IsDir() {
		return false, nil
	}
	// Remove fails where something is in there, which is no error of ours.
	return os.Remove(p) == nil, nil
}
