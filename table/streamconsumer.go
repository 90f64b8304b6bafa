package table

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// ConsumerMode says when a stream's consumer takes a snapshot for done.
type ConsumerMode string

// The modes of consumers. The names are Paimon's.
const (
	// ExactlyOnce: when Stream.Acknowledge is called after it was read. A reader
	// that keeps its results and the snapshot's id in one transaction handles
	// every snapshot exactly once, because it recognises one that comes again.
	ExactlyOnce ConsumerMode = "exactly-once"
	// AtLeastOnce: when the next snapshot is asked for. That is recorded about
	// every second, and what came since comes again after a crash.
	AtLeastOnce ConsumerMode = "at-least-once"
)

const (
	progressInterval = time.Second // between two records of mode at-least-once
	refreshInterval  = time.Hour   // between two records of a stream that waits, unless consumers expire sooner
)

// streamConsumer records how far a stream has come.
type streamConsumer struct {
	stream *Stream
	files  *snapshot.Consumers
	id     string
	mode   ConsumerMode

	mu       sync.Mutex
	recorded int64     // 0 for nothing
	when     time.Time // it was recorded, or that was tried
}

// resolveConsumer fills in what the table's options say of consumers.
func (o *StreamOptions) resolveConsumer(t *Table) error {
	says := t.options.Consumer
	if o.Consumer == "" {
		if id, set := t.schema.Options["consumer-id"]; set && id == "" {
			return fault.Invalid("option consumer-id is empty: remove it, or give the consumer a name")
		}
		o.Consumer, o.IgnoreProgress = says.ID, o.IgnoreProgress || says.IgnoreProgress
	}
	if o.ConsumerMode == "" {
		o.ConsumerMode = ExactlyOnce
		if says.AtLeastOnce {
			o.ConsumerMode = AtLeastOnce
		}
	}
	switch {
	case o.ConsumerMode != ExactlyOnce && o.ConsumerMode != AtLeastOnce:
		return fault.Invalid(fmt.Sprintf("consumer mode %q is not known: use exactly-once or at-least-once", o.ConsumerMode))
	case o.Consumer != "" && o.Shares > 1:
		return &fault.Error{Class: fault.ErrInvalid, Detail: "the shares of a stream are not equally far, and a consumer records one progress",
			Hint: "keep the tokens of the shares yourself, or give the whole stream to one process"}
	case o.Consumer != "":
		return snapshot.CheckConsumerID(o.Consumer)
	}
	return nil
}

// beginConsumer finds where a stream with a consumer begins: at a token, else
// where the consumer is, else where begin says. What it begins with is recorded
// at once, so that it cannot expire; not so before a full picture, which the
// record could not ask for again.
func (s *Stream) beginConsumer(ctx context.Context, begin func(context.Context) (position, error)) (err error) {
	c := &streamConsumer{stream: s, files: s.table.consumers(), id: s.options.Consumer, mode: s.options.ConsumerMode}
	if s.options.Token == "" && !s.options.IgnoreProgress {
		if s.at, err = c.progress(ctx); err != nil {
			return err
		}
	}
	if s.at.next == 0 {
		if s.at, err = begin(ctx); err != nil {
			return err
		}
	}
	s.consumer = c
	return c.record(ctx)
}

// progress is where the consumer is, the zero position when it is new.
func (c *streamConsumer) progress(ctx context.Context) (position, error) {
	got, err := c.files.Get(ctx, c.id)
	if isNotFound(err) {
		return position{}, nil
	}
	if err == nil && got.Next < 1 {
		err = fault.Invalid(fmt.Sprintf("consumer %s is set to snapshot %d: ids begin at 1", c.id, got.Next))
	}
	if err != nil {
		return position{}, err
	}
	if got.Next == snapshot.Stranded {
		return position{}, &fault.Error{Class: fault.ErrNotFound, Detail: "consumer " + c.id + " had read snapshots that were taken back since: the table was rolled back, or fast-forwarded to a branch",
			Hint: "reset the consumer to the snapshot to go on with, or delete it, and its reader begins like a new one; what was read is not taken back"}
	}
	err = c.stream.reachable(ctx, got.Next)
	var gap *snapshot.OutOfRange
	if errors.As(err, &gap) {
		err = &fault.Error{Class: fault.ErrNotFound, Detail: "consumer " + c.id, Err: gap,
			Hint: "reset the consumer to a snapshot that there is, which leaves out what is between; or delete it, and its reader begins like a new one"}
	}
	c.recorded = got.Next
	return position{next: got.Next}, err
}

// reachable tells whether the changes of a snapshot can be read, now or once it is there.
func (s *Stream) reachable(ctx context.Context, id int64) error {
	gap := s.outOfRange(ctx, id)
	if isExpired(gap) && !s.options.FullChangelog {
		if _, err := s.table.chain.LongLived(ctx, id); !isNotFound(err) {
			return err
		}
	}
	return gap
}

// record writes down how far the stream is, if that is news.
func (c *streamConsumer) record(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.stream.reachedNow()
	if at.full || at.next == c.recorded && !c.when.IsZero() {
		return nil
	}
	return c.write(ctx, at, at.next)
}

// write needs the lock. The table may have been rolled back since a position was
// reached, and consumers stranded: progress in what is gone must not hide that.
func (c *streamConsumer) write(ctx context.Context, at position, next int64) error {
	c.when = c.stream.table.world.Clock()
	if err := c.stream.stands(ctx, at); err != nil {
		return err
	}
	if err := c.files.Put(ctx, c.id, next); err != nil {
		return err
	}
	c.recorded = next
	return nil
}

// Acknowledge records, under the stream's consumer, that the snapshots which
// were read to their end have been handled, so that neither a crash nor a
// restart brings them again and they may expire. Call it between two snapshots;
// called within one, it speaks of those before. It is one small read and write,
// and nothing when there is nothing new: readers that are far behind may acknowledge
// every so many snapshots. Before the end of a full picture it does nothing: a
// reader that dies there begins anew. Errors: ErrInvalid without a consumer, and
// ErrNotFound where a rollback has taken away what was read.
func (s *Stream) Acknowledge(ctx context.Context) error {
	if s.consumer == nil {
		return s.table.wrap("acknowledge", fault.Invalid("the stream has no consumer: name one in StreamOptions.Consumer"))
	}
	return s.table.wrap("acknowledge", s.consumer.record(ctx))
}

func (s *Stream) reachedNow() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// handled records the progress of mode at-least-once, now and then or, with
// all, in any case.
func (s *Stream) handled(ctx context.Context, all bool) error {
	c := s.consumer
	if c == nil || c.mode != AtLeastOnce || !all && c.since() < progressInterval {
		return nil
	}
	return s.table.wrap("record progress", c.record(ctx))
}

func (c *streamConsumer) since() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream.table.world.Clock().Sub(c.when)
}

// stillThere is called while the stream waits for a snapshot: the record is
// written again now and then, so that the consumer of a reader that only waits
// does not expire. A failure may be mended by the next time.
func (s *Stream) stillThere(ctx context.Context) {
	c := s.consumer
	if c == nil {
		return
	}
	err := s.handled(ctx, false)
	refresh := refreshInterval
	if e := s.table.options.Consumer.Expiration; e > 0 {
		refresh = min(refresh, e/3)
	}
	if err == nil && c.since() >= refresh {
		err = c.again(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.table.world.Logger.Warn("a consumer's progress could not be recorded", "table", s.table.name, "consumer", c.id, "error", err)
	}
}

// again writes what was recorded last.
func (c *streamConsumer) again(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recorded == 0 {
		return nil
	}
	return c.write(ctx, c.stream.reachedNow(), c.recorded)
}
