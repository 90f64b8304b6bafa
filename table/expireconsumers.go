package table

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// firstConsumed is the first snapshot that a consumer has still to read, and
// which consumer that is; the largest number when there is none.
func (t *Table) firstConsumed(ctx context.Context) (next int64, id string, err error) {
	next = math.MaxInt64
	dir := t.chain.Root() + "consumer"
	for info, err := range t.store.List(ctx, dir) {
		if err != nil {
			return 0, "", err
		}
		name, ok := strings.CutPrefix(info.Name, "consumer-")
		if !ok || info.Dir {
			continue
		}
		data, err := t.store.ReadAll(ctx, dir+"/"+info.Name)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return 0, "", err
		}
		var c struct {
			Next *int64 `json:"nextSnapshot"`
		}
		if err := json.Unmarshal(data, &c); err != nil || c.Next == nil {
			return 0, "", fault.Corrupt(dir+"/"+info.Name, "does not say which snapshot comes next", err)
		}
		if *c.Next < next {
			next, id = *c.Next, name
		}
	}
	return next, id, nil
}
