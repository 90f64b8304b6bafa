package snapshot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/tidelake/tidelake/internal/fault"
)

// CheckBranchName refuses a name that no branch beside the main one ("") can
// have: a blank one, one of digits only, the main one's own, and one that would
// not be one directory.
func CheckBranchName(name string) error {
	switch {
	case name == "":
		return nil
	case name == MainBranch:
		return fault.Invalid("branch " + MainBranch + " is the one that every table begins with")
	case strings.TrimFunc(name, unicode.IsDigit) == "":
		return fault.Invalid(fmt.Sprintf("branch name %q consists of digits only", name))
	}
	return checkFileName("branch", name)
}

// EachFrom calls f with the ids of the snapshots from one on, the newest first.
func (c *Chain) EachFrom(ctx context.Context, first int64, f func(id int64) error) error {
	ids, err := c.ids(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		if id < first {
			break
		}
		if err := f(id); err != nil {
			return err
		}
	}
	return nil
}

// ForgetLatest deletes the hint at the newest snapshot, for whoever is about to
// take that away.
func (c *Chain) ForgetLatest(ctx context.Context) error {
	return c.st.Delete(ctx, c.dir()+"/"+latestHint)
}

// SetLatest writes the hint at the newest snapshot anew.
func (c *Chain) SetLatest(ctx context.Context) error {
	id, err := c.LatestID(ctx)
	if err == nil && id > 0 {
		c.writeHint(ctx, latestHint, id)
	}
	return err
}
