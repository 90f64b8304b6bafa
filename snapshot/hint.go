package snapshot

import (
	"context"
	"strconv"
	"strings"
)

// Hints save a listing. They are written without any care for races and may
// be wrong, stale, empty or missing (section 1.3).
const (
	latestHint   = "LATEST"
	earliestHint = "EARLIEST"
)

// hint reads a hint file; 0 when it gives no id.
func (c *Chain) hint(ctx context.Context, name string) int64 {
	data, err := c.st.ReadAll(ctx, c.dir()+"/"+name)
	if err != nil || len(data) > 32 {
		return 0
	}
	id, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// writeHint replaces a hint file. A failure is no failure of the commit before
// it: readers then list.
func (c *Chain) writeHint(ctx context.Context, name string, id int64) {
	c.hintAt(ctx, c.dir(), name, id)
}

func (c *Chain) hintAt(ctx context.Context, dir, name string, id int64) {
	for range 2 {
		if c.st.Write(ctx, dir+"/"+name, strconv.AppendInt(nil, id, 10)) == nil {
			return
		}
	}
}
