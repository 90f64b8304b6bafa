package snapshot

import (
	"context"
	"sync"
)

// sleepers are the followers of this process that wait for a snapshot, by the
// place of their chain. A commit of this process wakes those it concerns, so
// that they need not find out by asking the store. The registry is the
// process's and not a Table's: writer and follower may have opened the table
// each on their own. Two stores that give the same URL wake each other's
// followers, which costs those a look and nothing else.
var sleepers registry

type registry struct {
	mu sync.Mutex
	at map[string]map[*sleeper]struct{}
}

// sleeper waits for a snapshot of this id or a later one.
type sleeper struct {
	id   int64
	wake context.CancelFunc
}

// add registers a sleeper until the returned function is called; the context
// ends when a commit wakes it.
func (r *registry) add(ctx context.Context, place string, id int64) (asleep context.Context, leave func()) {
	asleep, cancel := context.WithCancel(ctx)
	s := &sleeper{id: id, wake: cancel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[string]map[*sleeper]struct{}{}
	}
	if r.at[place] == nil {
		r.at[place] = map[*sleeper]struct{}{}
	}
	r.at[place][s] = struct{}{}
	return asleep, func() {
		cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		if delete(r.at[place], s); len(r.at[place]) == 0 {
			delete(r.at, place)
		}
	}
}

// publish wakes those that wait for snapshot id or an earlier one.
func (r *registry) publish(place string, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.at[place] {
		if s.id <= id {
			s.wake()
		}
	}
}

// place names the chain within this process.
func (c *Chain) place() string { return c.st.URL() + "\x00" + c.root }
