package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Identifier names a table, a branch of it, or a system table of either.
type Identifier struct {
	Database, Table string
	Branch          string // of the table; "" is the main one
	System          string // a system table such as "files"; "" is the table itself
}

// String is "database.table", with "$branch_b" and "$system" behind it.
func (id Identifier) String() string {
	text := id.Database + "." + id.Table
	if id.Branch != "" {
		text += branchMark + id.Branch
	}
	if id.System != "" {
		text += "$" + id.System
	}
	return text
}

// Main is the table itself, without branch and system table.
func (id Identifier) Main() Identifier { return Identifier{Database: id.Database, Table: id.Table} }

// branchMark stands before the name of a branch.
const branchMark = "$branch_"

// ParseIdentifier splits "database.table", which may be followed by a branch and a
// system table: "database.table$branch_b$files". All parts must be names that
// a warehouse can hold; whether there is such a table shows when it is opened.
func ParseIdentifier(text string) (Identifier, error) {
	db, rest, ok := strings.Cut(text, ".")
	if !ok {
		return Identifier{}, fault.Invalid(fmt.Sprintf("%q is not a table name: write DATABASE.TABLE", text))
	}
	id := Identifier{Database: db}
	var system, branched bool
	id.Table, rest, system = strings.Cut(rest, "$")
	if after, is := strings.CutPrefix(rest, branchMark[1:]); system && is {
		branched = true
		id.Branch, id.System, system = strings.Cut(after, "$")
	} else {
		id.System = rest
	}
	err := id.check()
	if branched && id.Branch == "" || system && id.System == "" || strings.Contains(id.System, "$") {
		err = errors.Join(err, fault.Invalid(fmt.Sprintf("%q: write DATABASE.TABLE$SYSTEM, DATABASE.TABLE$branch_BRANCH or DATABASE.TABLE$branch_BRANCH$SYSTEM", text)))
	}
	return id, err
}

// check refuses names of which no table, branch or system table can be.
func (id Identifier) check() error {
	err := errors.Join(checkName("database", id.Database), checkName("table", id.Table))
	if id.Branch != "" {
		err = errors.Join(err, checkPart("branch", id.Branch))
	}
	if id.System != "" {
		err = errors.Join(err, checkPart("system table", id.System))
	}
	return err
}

// checkData refuses a system table where rows of a table are needed.
func (id Identifier) checkData(what string) error {
	if id.System == "" {
		return nil
	}
	return fault.Invalid(fmt.Sprintf("%s is a system table, which can only be read, not %s", id, what))
}

// checkWhole refuses everything but a table itself.
func (id Identifier) checkWhole(what string) error {
	if id.Branch != "" {
		return errors.Join(id.check(), fault.Invalid(fmt.Sprintf("%s is a branch and cannot be %s", id, what)))
	}
	return errors.Join(checkName("table", id.Table), id.checkData(what))
}

// checkName refuses names that would not be one directory, or that are taken by Paimon's grammar.
func checkName(what, name string) error {
	switch {
	case what == "database" && name == "sys":
		return fault.Invalid("database sys is Paimon's virtual one")
	case strings.ContainsRune(name, '.') && !strings.HasPrefix(name, "."):
		return fault.Invalid(fmt.Sprintf("%s name %q holds a dot: write DATABASE.TABLE", what, name))
	}
	return checkPart(what, name)
}

// checkPart refuses names that would not be one part of a path.
func checkPart(what, name string) error {
	switch {
	case name == "":
		return fault.Invalid("an empty " + what + " name")
	case strings.ContainsAny(name, "/\\$\x00") || strings.HasPrefix(name, "."):
		return fault.Invalid(fmt.Sprintf("%s name %q: it may not hold / \\ $ or begin with a dot", what, name))
	}
	return nil
}
