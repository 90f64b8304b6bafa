package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// The commit that is disturbed: an append with changelog and index, and a compaction.
func disturbed() snapshot.Changes {
	ch := adding(2, "f2", "f3")
	ch.AppendChangelog = []manifest.Entry{add("log")}
	ch.AppendIndex = []manifest.IndexEntry{{Partition: part("a"), Type: manifest.HashIndex, Name: "i2", Size: 4, Rows: 1}}
	ch.CompactFiles = []manifest.Entry{del(add("f1")), del(add("f2")), add("c1", level(5), rows(20))}
	return ch
}

// states of the chain that a disturbed commit may leave.
var states = [][]string{{"f1"}, {"f1", "f2", "f3"}, {"c1@5", "f3"}}

// Each request of a commit fails in each way; then the state must be one of the
// whole ones, and the same commit by a new process must bring the last one.
func TestAFailureAtAnyRequestLeavesAWholeChain(t *testing.T) {
	broken := errors.New("broken")
	for name, out := range map[string]storetest.Outcome{
		"fails":     {Fail: broken},
		"uncertain": {Fail: fault.ErrUncertain},
		"lost":      {Lose: fault.ErrUncertain},
		"crash":     {Crash: true, Keep: 20},
	} {
		for _, warm := range []bool{false, true} {
			for n := int64(1); ; n++ {
				if !disturb(t, fmt.Sprintf("%s at request %d, warm %v", name, n, warm), n, out, warm) {
					if n < 15 {
						t.Errorf("%s: only %d requests were disturbed", name, n)
					}
					break
				}
			}
		}
	}
}

// disturb runs one commit with a failure at its n-th request; false when it has fewer.
func disturb(t *testing.T, name string, n int64, out storetest.Outcome, warm bool) bool {
	t.Helper()
	st := store.NewMem()
	w := newWorld(t, st)
	var armed atomic.Bool
	var count atomic.Int64
	faulty := storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if armed.Load() && count.Add(1) == n {
			return out
		}
		return storetest.Outcome{}
	})
	c := w.committer("job", over(faulty))
	w.commit(c, adding(1, "f1"))
	if !warm {
		c = w.committer("job", over(faulty))
	}
	armed.Store(true)
	_, err := c.Commit(ctx, disturbed())
	state := w.live(w.latest())
	if !slices.ContainsFunc(states, func(s []string) bool { return slices.Equal(s, state) }) {
		t.Errorf("%s: left %v", name, state)
	}
	if err == nil && !slices.Equal(state, states[2]) {
		t.Errorf("%s: reported success, left %v", name, state)
	}
	armed.Store(false)
	if !faulty.Crashed() { // the same process tries again
		if _, err := c.Commit(ctx, disturbed()); err != nil {
			t.Errorf("%s: repeated by the same process: %v", name, err)
		}
		w.wantLive(states[2]...)
	}
	again := w.committer("job")
	if _, err := again.Commit(ctx, disturbed()); err != nil {
		t.Errorf("%s: repeated by another process: %v", name, err)
	}
	w.wantLive(states[2]...)
	if s := w.latest(); s.ID != 3 {
		t.Errorf("%s: ends at snapshot %d", name, s.ID)
	}
	return count.Load() >= n
}

func TestALostAnswerIsSettledByReadingBack(t *testing.T) {
	for name, answer := range map[string]error{"uncertain": fault.ErrUncertain, "exists": fault.ErrExists, "other": errors.New("reset by peer")} {
		w := newWorld(t, store.NewMem())
		c := w.committer("job", over(storetest.Faulty(w.st, storetest.Once(storetest.CreateIfAbsent, "snapshot-1", storetest.Outcome{Lose: answer}))))
		if ids := w.commit(c, adding(1, "f1")); fmt.Sprint(ids) != "[1]" {
			t.Errorf("%s: %v", name, ids)
		}
		w.wantLive("f1")
		w.wantOnlyKnownFiles()
	}
}

func TestALostRequestIsRepeated(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job", over(storetest.Faulty(w.st, storetest.Once(storetest.CreateIfAbsent, "snapshot-1", storetest.Outcome{Fail: fault.ErrUncertain}))))
	if ids := w.commit(c, adding(1, "f1")); fmt.Sprint(ids) != "[1]" {
		t.Error(ids)
	}
	w.wantLive("f1")
	w.wantOnlyKnownFiles()
}

// The create is lost on its way, and arrives while the committer believes that
// it never will: during its next attempt.
func TestALateCreateIsRecognised(t *testing.T) {
	for late := range 12 {
		st := store.NewMem()
		w := newWorld(t, st)
		w.commit(w.committer("job"), adding(1, "f1"))
		var delayed func()
		calls := 0
		var faulty *storetest.FaultyStore
		recorder := &recordingStore{Store: st}
		faulty = storetest.Faulty(recorder, func(op storetest.Op) storetest.Outcome {
			if op.Verb == storetest.CreateIfAbsent && delayed == nil {
				recorder.hold = true
				delayed = func() {
					if err := st.CreateIfAbsent(ctx, recorder.key, recorder.data); err != nil && !errors.Is(err, fault.ErrExists) {
						t.Error(err)
					}
				}
				return storetest.Outcome{}
			}
			if delayed != nil {
				if calls++; calls == late+1 {
					delayed()
				}
			}
			return storetest.Outcome{}
		})
		c := w.committer("job", over(faulty))
		if _, err := c.Commit(ctx, adding(2, "f2")); err != nil {
			t.Errorf("late by %d: %v", late, err)
		}
		w.wantLive("f1", "f2")
		if s := w.latest(); s.ID != 2 {
			t.Errorf("late by %d: snapshot %d", late, s.ID)
		}
	}
}

// recordingStore swallows one create and keeps what it was to write.
type recordingStore struct {
	store.Store
	hold bool
	key  string
	data []byte
}

func (r *recordingStore) CreateIfAbsent(ctx context.Context, key string, data []byte) error {
	if r.hold {
		r.hold, r.key, r.data = false, key, slices.Clone(data)
		return fault.ErrUncertain
	}
	return r.Store.CreateIfAbsent(ctx, key, data)
}

func TestAnOutageDuringPublishIsReportedAsUnknown(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		w := newWorld(t, store.NewMem())
		w.commit(w.committer("job"), adding(1, "f1"))
		down, fired := false, false
		faulty := storetest.Faulty(w.st, func(op storetest.Op) storetest.Outcome {
			switch {
			case down:
				return storetest.Outcome{Fail: errors.New("no route to host")}
			case op.Verb != storetest.CreateIfAbsent || fired:
				return storetest.Outcome{}
			}
			if down, fired = true, true; arrives {
				return storetest.Outcome{Lose: fault.ErrUncertain}
			}
			return storetest.Outcome{Fail: fault.ErrUncertain}
		})
		c := w.committer("job", over(faulty))
		_, err := c.Commit(ctx, adding(2, "f2"))
		wantClass(t, err, fault.ErrUncertain)
		down = false
		ids, err := c.Commit(ctx, adding(2, "f2"))
		if err != nil || arrives && len(ids) != 0 || !arrives && fmt.Sprint(ids) != "[2]" {
			t.Errorf("arrives %v: %v %v", arrives, ids, err)
		}
		w.wantLive("f1", "f2")
	}
}

func TestACommitCancelledAtAnyRequestLeavesAWholeChain(t *testing.T) {
	for n := int64(1); n < 40; n++ {
		w := newWorld(t, store.NewMem())
		w.commit(w.committer("job"), adding(1, "f1"))
		stop, cancel := context.WithCancel(ctx)
		faulty := storetest.Faulty(w.st, func(op storetest.Op) storetest.Outcome {
			if op.N == n {
				cancel()
			}
			return storetest.Outcome{}
		})
		_, err := w.committer("job", over(faulty)).Commit(stop, disturbed())
		state := w.live(w.latest())
		if !slices.ContainsFunc(states, func(s []string) bool { return slices.Equal(s, state) }) || err == nil && !slices.Equal(state, states[2]) {
			t.Errorf("request %d: left %v: %v", n, state, err)
		}
		if err != nil && !errors.Is(err, fault.ErrUncertain) {
			w.wantOnlyKnownFiles()
		}
		w.commit(w.committer("job"), disturbed())
		w.wantLive(states[2]...)
		cancel()
	}
}

func TestAFullDiskLeavesTheOldChain(t *testing.T) {
	for quota := int64(0); quota < 6000; quota += 250 {
		w := newWorld(t, store.NewMem())
		w.commit(w.committer("job"), adding(1, "f1"))
		_, err := w.committer("job", over(storetest.Faulty(w.st, storetest.Quota(quota)))).Commit(ctx, disturbed())
		state := w.live(w.latest())
		if !slices.ContainsFunc(states, func(s []string) bool { return slices.Equal(s, state) }) {
			t.Errorf("quota %d: left %v: %v", quota, state, err)
		}
		w.commit(w.committer("job"), disturbed())
		w.wantLive(states[2]...)
	}
}
