package snapshot

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/io/store"
)

const branchPrefix = "branch-"

// Branches lists the names of a table's branches, sorted, without the main one.
func Branches(ctx context.Context, st store.Store) ([]string, error) {
	var names []string
	for info, err := range st.List(ctx, "branch") {
		if err != nil {
			return nil, fmt.Errorf("list branches: %w", err)
		}
		if name, ok := strings.CutPrefix(info.Name, branchPrefix); ok && info.Dir && name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Branch is the name of the branch whose snapshots these are.
func (c *Chain) Branch() string {
	name, ok := strings.CutPrefix(strings.TrimSuffix(c.root, "/"), "branch/"+branchPrefix)
	if !ok {
		return MainBranch
	}
	return name
}

// Root is what precedes the keys of the branch's own files: see BranchPath.
func (c *Chain) Root() string { return c.root }
