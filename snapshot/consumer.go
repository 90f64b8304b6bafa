package snapshot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// Consumer is how far a reader of changes has come.
type Consumer struct {
	ID   string
	Next int64     // the first snapshot it has not acknowledged
	Time time.Time // when that was recorded; zero where All did not say it
}

// Consumers are the readers of changes that keep their progress with the
// table, one small file each (section 8.4), which holds back the expiry of
// what they have still to read. Nothing is kept between calls, and all methods
// may be called concurrently. When several processes use one id, the last to
// write wins.
type Consumers struct {
	st    store.Store
	dir   string
	sleep func(context.Context, time.Duration) error
}

// NewConsumers are the consumers of a chain's branch. Sleep waits before a
// file that was found half written is read again; nil really waits.
func NewConsumers(chain *Chain, wait func(context.Context, time.Duration) error) *Consumers {
	if wait == nil {
		wait = Sleep
	}
	return &Consumers{st: chain.st, dir: chain.root + "consumer", sleep: wait}
}

// Stranded is the Next of a consumer that had read snapshots which were taken back
// since: no snapshot has that id, so that every reader refuses to go on, Paimon's
// too, until the consumer is set or deleted.
const Stranded = math.MaxInt64

const (
	consumerPrefix = "consumer-"
	// Paimon replaces these files in place where the file system knows no
	// better, so a reader can meet half of one.
	consumerReads    = 10
	consumerInterval = 200 * time.Millisecond
)

// CheckConsumerID refuses what cannot be the id of a consumer: it is part of a
// file's name.
func CheckConsumerID(id string) error {
	why := ""
	switch {
	case id == "":
		why = "is empty"
	case len(id) > 200:
		why = "is longer than 200 bytes"
	case !utf8.ValidString(id), strings.ContainsFunc(id, unicode.IsControl):
		why = "is no clean text"
	case strings.ContainsAny(id, `/\`):
		why = "holds a slash"
	default:
		return nil
	}
	return fault.Invalid(fmt.Sprintf("consumer id %q %s: it is part of a file's name", id, why))
}

func (c *Consumers) path(id string) string { return c.dir + "/" + consumerPrefix + id }

// Get reads one consumer's progress: fault.ErrNotFound when there is none of
// this id.
func (c *Consumers) Get(ctx context.Context, id string) (Consumer, error) {
	if err := CheckConsumerID(id); err != nil {
		return Consumer{}, err
	}
	return c.read(ctx, id)
}

// read is Get for any file there is, whatever its name holds.
func (c *Consumers) read(ctx context.Context, id string) (Consumer, error) {
	path := c.path(id)
	for n := 1; ; n++ {
		data, err := c.st.ReadAll(ctx, path)
		if err != nil {
			return Consumer{}, c.named(id, err)
		}
		next, broken := parseConsumer(data)
		if broken == nil {
			return Consumer{ID: id, Next: next}, nil
		}
		if n == consumerReads {
			return Consumer{}, &fault.Error{Class: fault.ErrCorrupt, File: path, Err: broken,
				Hint: "set the consumer to a snapshot again, or delete it"}
		}
		if err := c.sleep(ctx, consumerInterval); err != nil {
			return Consumer{}, err
		}
	}
}

func parseConsumer(data []byte) (int64, error) {
	var file struct {
		NextSnapshot *int64 `json:"nextSnapshot"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return 0, err
	}
	if file.NextSnapshot == nil {
		return 0, errors.New("it does not say nextSnapshot")
	}
	return *file.NextSnapshot, nil
}

// Put records that a consumer has still to read snapshot next and those after.
func (c *Consumers) Put(ctx context.Context, id string, next int64) error {
	if err := CheckConsumerID(id); err != nil {
		return err
	}
	if next < 1 {
		return fault.Invalid(fmt.Sprintf("consumer %s cannot begin with snapshot %d: ids begin at 1", id, next))
	}
	if err := c.st.Write(ctx, c.path(id), fmt.Appendf(nil, "{\n  \"nextSnapshot\" : %d\n}", next)); err != nil {
		return fmt.Errorf("record consumer %s: %w", id, err)
	}
	return nil
}

// Strand makes consumers Stranded that have read a snapshot which is about to be
// taken back, or one behind it.
func (c *Consumers) Strand(ctx context.Context, from int64) error {
	all, err := c.All(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Next <= from || CheckConsumerID(one.ID) != nil {
			continue
		}
		if err := c.Put(ctx, one.ID, Stranded); err != nil {
			return err
		}
	}
	return nil
}

// Delete forgets a consumer: fault.ErrNotFound when there is none of this id.
func (c *Consumers) Delete(ctx context.Context, id string) error {
	err := CheckConsumerID(id)
	if err == nil {
		_, err = c.st.Stat(ctx, c.path(id))
	}
	if err == nil {
		err = c.st.Delete(ctx, c.path(id))
	}
	return c.named(id, err)
}

// named tells whose file an error is about.
func (c *Consumers) named(id string, err error) error {
	switch {
	case isNotFound(err):
		return &fault.Error{Class: fault.ErrNotFound, Detail: "there is no consumer " + id}
	case err != nil:
		return fmt.Errorf("consumer %s: %w", id, err)
	}
	return nil
}

// All lists the consumers by id. Those that are deleted meanwhile are left out.
func (c *Consumers) All(ctx context.Context) ([]Consumer, error) {
	found, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	gone := make([]bool, len(found))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8) // requests at once
	for i := range found {
		g.Go(func() error {
			read, err := c.read(gctx, found[i].ID)
			found[i].Next, gone[i] = read.Next, isNotFound(err)
			if gone[i] {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var all []Consumer
	for i, f := range found {
		if !gone[i] {
			all = append(all, f)
		}
	}
	return all, nil
}

// list finds the ids and times of the consumers without reading their files.
func (c *Consumers) list(ctx context.Context) ([]Consumer, error) {
	var found []Consumer
	for info, err := range c.st.List(ctx, c.dir) {
		if err != nil {
			return nil, fmt.Errorf("list consumers: %w", err)
		}
		if id, ok := strings.CutPrefix(info.Name, consumerPrefix); ok && !info.Dir {
			found = append(found, Consumer{ID: id, Time: info.ModTime})
		}
	}
	slices.SortFunc(found, func(a, b Consumer) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

// MinNext is the first snapshot that some consumer has still to read; any is
// false when there are no consumers. A consumer whose progress cannot be read
// is an error: nothing proves then what may expire.
func (c *Consumers) MinNext(ctx context.Context) (next int64, any bool, err error) {
	all, err := c.All(ctx)
	if err != nil || len(all) == 0 {
		return 0, false, err
	}
	least := slices.MinFunc(all, func(a, b Consumer) int { return cmp.Compare(a.Next, b.Next) })
	return least.Next, true, nil
}

// Expire deletes the consumers that have recorded nothing since a time, and
// returns them by id. A dry run only returns them. Where the store keeps no
// times none expires.
func (c *Consumers) Expire(ctx context.Context, before time.Time, dryRun bool) ([]Consumer, error) {
	return c.DeleteWhere(ctx, func(f Consumer) bool { return !f.Time.IsZero() && f.Time.Before(before) }, dryRun)
}

// DeleteWhere deletes the consumers that match chooses by id and time (their
// progress is not read, it may be broken), and returns them by id. A dry run
// only returns them.
func (c *Consumers) DeleteWhere(ctx context.Context, match func(Consumer) bool, dryRun bool) ([]Consumer, error) {
	found, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	var gone []Consumer
	for _, f := range found {
		if !match(f) {
			continue
		}
		if !dryRun {
			if err := c.st.Delete(ctx, c.path(f.ID)); err != nil {
				return gone, fmt.Errorf("delete consumer %s: %w", f.ID, err)
			}
		}
		gone = append(gone, f)
	}
	return gone, nil
}
