package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestErrorSaysWhatWhereAndWhatNext(t *testing.T) {
	err := fmt.Errorf("outer: %w", &Error{Class: ErrCorrupt, Op: "read", Table: "db.t", Snapshot: 7, File: "data-1", Detail: "short", Hint: "restore it", Err: io.ErrUnexpectedEOF})
	want := "outer: read: table db.t: snapshot 7: file data-1: corrupt: short: unexpected EOF (restore it)"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	var e *Error
	if !errors.Is(err, ErrCorrupt) || !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &e) || e.Snapshot != 7 {
		t.Error("the class, the cause and the place can be asked for")
	}
	if errors.Is(err, ErrNotFound) {
		t.Error("only one class")
	}
}

func TestAClassIsNamedOnce(t *testing.T) {
	err := &Error{Class: ErrUnsupported, Op: "open", Err: Unsupported("x", "use y")}
	if n := strings.Count(err.Error(), ErrUnsupported.Error()); n != 1 {
		t.Errorf("%d times: %s", n, err)
	}
}
