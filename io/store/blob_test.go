package store

import (
	"context"
	"errors"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/tidelake/tidelake/internal/fault"
)

// apiError has the shape of an error of the S3 SDK.
type apiError string

func (e apiError) Error() string     { return string(e) }
func (e apiError) ErrorCode() string { return string(e) }

func TestSilenceIsUncertainAndRefusalIsNot(t *testing.T) {
	for _, err := range []error{apiError("SlowDown"), context.DeadlineExceeded, errors.New("connection reset")} {
		if got := createErr("k", err); !errors.Is(got, fault.ErrUncertain) || !errors.Is(got, err) {
			t.Errorf("%v becomes %v", err, got)
		}
	}
	b := memblob.OpenBucket(nil)
	_, err := b.ReadAll(t.Context(), "none")
	if got := createErr("k", err); errors.Is(got, fault.ErrUncertain) || !errors.Is(got, fault.ErrNotFound) {
		t.Errorf("%v becomes %v", err, got)
	}
	if !isWriteConflict(apiError("ConditionalRequestConflict")) || isWriteConflict(apiError("SlowDown")) {
		t.Error("write conflicts are taken for something else")
	}
}

func TestViewKeepsParametersLast(t *testing.T) {
	for base, want := range map[string]string{
		"s3://b?region=x": "s3://b/w/t?region=x",
		"mem://":          "mem://w/t",
		"mem://n":         "mem://n/w/t",
		"/data/a?b":       "/data/a?b/w/t",
	} {
		if got := Sub(Sub(NewBlob(memblob.OpenBucket(nil), base), "w"), "t").URL(); got != want {
			t.Errorf("view of %s is %s, want %s", base, got, want)
		}
	}
}
