package snapshot

import (
	"fmt"
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
