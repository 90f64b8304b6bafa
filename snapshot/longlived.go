package snapshot

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Where changelogs are kept longer than snapshots, expiry puts a copy of each
// snapshot aside before it goes. Readers of changes go on through those; the
// table's rows at that time cannot be read any more.
const changelogPrefix = "changelog-"

func (c *Chain) changelogDir() string { return c.root + "changelog" }

// LongLivedPath is the key of the copy of an expired snapshot.
func (c *Chain) LongLivedPath(id int64) string {
	return c.changelogDir() + "/" + changelogPrefix + strconv.FormatInt(id, 10)
}

// LongLived reads what is kept of an expired snapshot for readers of changes:
// fault.ErrNotFound when nothing is.
func (c *Chain) LongLived(ctx context.Context, id int64) (*Snapshot, error) {
	path := c.LongLivedPath(id)
	data, err := c.st.ReadAll(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read changelog %d: %w", id, err)
	}
	s, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if s.ID != id {
		return nil, fault.Corrupt(path, fmt.Sprintf("the file says that it is snapshot %d", s.ID), nil)
	}
	return s, nil
}

// LongLivedIDs lists the expired snapshots whose changes are kept, ascending.
func (c *Chain) LongLivedIDs(ctx context.Context) ([]int64, error) {
	var ids []int64
	for info, err := range c.st.List(ctx, c.changelogDir()) {
		if err != nil {
			return nil, fmt.Errorf("list changelogs: %w", err)
		}
		digits, ok := strings.CutPrefix(info.Name, changelogPrefix)
		if id, ok2 := parseID(snapshotPrefix + digits); ok && ok2 && !info.Dir {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
