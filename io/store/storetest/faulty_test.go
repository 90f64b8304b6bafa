package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
)

func TestLostAnswerMeansDone(t *testing.T) {
	below := store.NewMem()
	s := storetest.Faulty(below, storetest.Once(storetest.CreateIfAbsent, "snapshot", storetest.Outcome{Lose: fault.ErrUncertain}))
	if err := s.CreateIfAbsent(t.Context(), "snapshot-1", []byte("x")); !errors.Is(err, fault.ErrUncertain) {
		t.Error(err)
	}
	if data, err := below.ReadAll(t.Context(), "snapshot-1"); string(data) != "x" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if err := s.CreateIfAbsent(t.Context(), "snapshot-1", nil); !errors.Is(err, fault.ErrExists) {
		t.Error(err)
	}
}

func TestFailureMeansNotDone(t *testing.T) {
	below := store.NewMem()
	s := storetest.Faulty(below, storetest.At(2, storetest.Outcome{Fail: storetest.ErrInjected}))
	_ = s.Write(t.Context(), "a", nil)
	if err := s.Write(t.Context(), "b", nil); !errors.Is(err, storetest.ErrInjected) {
		t.Error(err)
	}
	_ = s.Write(t.Context(), "c", nil)
	if got := storetest.Tree(t, below, ""); !slices.Equal(got, []string{"a", "c"}) {
		t.Error(got)
	}
	if s.Calls() != 3 {
		t.Errorf("%d calls", s.Calls())
	}
}

func TestCrashTearsTheFileAndEndsTheStore(t *testing.T) {
	for _, verb := range []storetest.Verb{storetest.Chunk, storetest.Close} {
		below := store.NewMem()
		s := storetest.Faulty(below, storetest.Once(verb, "data", storetest.Outcome{Crash: true, Keep: 4}))
		w, err := s.Create(t.Context(), "b/data-1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write([]byte("0123456789"))
		if verb == storetest.Close {
			err = w.Close()
		}
		if !errors.Is(err, storetest.ErrCrashed) || !s.Crashed() {
			t.Error(err)
		}
		if _, err := s.ReadAll(t.Context(), "b/.data-1.torn.tmp"); !errors.Is(err, storetest.ErrCrashed) {
			t.Error(err)
		}
		if got, _ := below.ReadAll(t.Context(), "b/.data-1.torn.tmp"); string(got) != "0123" {
			t.Errorf("%s leaves %q", verb, got)
		}
		if got := storetest.Tree(t, below, ""); len(got) != 1 {
			t.Error(got)
		}
	}
}

func TestQuotaFillsTheDisk(t *testing.T) {
	below := store.NewMem()
	s := storetest.Faulty(below, storetest.Quota(10))
	if err := s.Write(t.Context(), "a", make([]byte, 10)); err != nil {
		t.Error(err)
	}
	w, _ := s.Create(t.Context(), "b")
	if _, err := w.Write([]byte("x")); !errors.Is(err, storetest.ErrDiskFull) {
		t.Error(err)
	}
	if w.Close() == nil {
		t.Error("a failed writer closes well")
	}
	if got := storetest.Tree(t, below, ""); !slices.Equal(got, []string{"a"}) {
		t.Error(got)
	}
}

func TestDelayEndsWithTheContext(t *testing.T) {
	s := storetest.Faulty(store.NewMem(), func(storetest.Op) storetest.Outcome { return storetest.Outcome{Delay: time.Hour} })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if err := s.Write(ctx, "a", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func ExampleFaulty() {
	ctx := context.Background()
	s := storetest.Faulty(store.NewMem(), func(op storetest.Op) storetest.Outcome {
		if op.Mutates() && op.Key == "LATEST" {
			return storetest.Outcome{Fail: storetest.ErrInjected}
		}
		return storetest.Outcome{}
	})
	fmt.Println(s.Write(ctx, "LATEST", []byte("7")))
	fmt.Println(s.Write(ctx, "snapshot-7", []byte("{}")))
	// Output:
	// injected fault
	// <nil>
}
