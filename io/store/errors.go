package store

import (
	"errors"
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func isNotFound(err error) bool { return errors.Is(err, fault.ErrNotFound) }

// ignoreNotFound is for deletes, where absence is what was wanted.
func ignoreNotFound(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}
