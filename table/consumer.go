package table

import (
	"context"
	"fmt"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// Consumer is how far a reader of changes has come, kept with the table under
// its id. Snapshots that a consumer has still to read do not expire.
type Consumer = snapshot.Consumer

func (t *Table) consumers() *snapshot.Consumers {
	return snapshot.NewConsumers(t.chain, t.world.Sleep)
}

// Consumers lists the table's consumers by id.
func (t *Table) Consumers(ctx context.Context) ([]Consumer, error) {
	all, err := t.consumers().All(ctx)
	return all, t.wrap("list consumers", err)
}

// Consumer reads the progress of one consumer: ErrNotFound when there is none
// of this id.
func (t *Table) Consumer(ctx context.Context, id string) (Consumer, error) {
	c, err := t.consumers().Get(ctx, id)
	return c, t.wrap("read consumer", err)
}

// ResetConsumer makes a consumer, a new one too, begin with the changes of
// snapshot next when it is started anew; a stream that runs under the id
// records its own progress over it. The snapshot must exist, or be the next to
// come: ErrNotFound otherwise.
func (t *Table) ResetConsumer(ctx context.Context, id string, next int64) error {
	err := t.checkProgress(ctx, next)
	if err == nil {
		err = t.consumers().Put(ctx, id, next)
	}
	return t.wrap("reset consumer", err)
}

// checkProgress refuses progress that no stream of the table can go on from.
func (t *Table) checkProgress(ctx context.Context, next int64) error {
	if next < 1 {
		return fault.Invalid(fmt.Sprintf("there is no snapshot %d: ids begin at 1", next))
	}
	if there, err := t.chain.Exists(ctx, next); err != nil || there {
		return err
	}
	if _, err := t.chain.LongLived(ctx, next); !isNotFound(err) {
		return err
	}
	gap := &snapshot.OutOfRange{Next: next}
	var err error
	if gap.Latest, err = t.chain.LatestID(ctx); err != nil || next == gap.Latest+1 {
		return err
	}
	earliest, err := t.chain.Earliest(ctx)
	if err != nil {
		return err
	}
	if earliest != nil {
		gap.Earliest = earliest.ID
	}
	return &fault.Error{Class: fault.ErrNotFound, Err: gap,
		Hint: fmt.Sprintf("choose a snapshot from %d to %d, which is the next to come", max(gap.Earliest, 1), gap.Latest+1)}
}

// DeleteConsumer forgets a consumer: ErrNotFound when there is none of this
// id. A stream that runs under the id records its progress again.
func (t *Table) DeleteConsumer(ctx context.Context, id string) error {
	return t.wrap("delete consumer", t.consumers().Delete(ctx, id))
}

// DeleteConsumers forgets those consumers that match chooses; it is given their
// ids and times, not their progress. It returns them by id; a dry run deletes
// none. Not atomic: with an error come those that were deleted.
func (t *Table) DeleteConsumers(ctx context.Context, match func(Consumer) bool, dryRun bool) ([]Consumer, error) {
	gone, err := t.consumers().DeleteWhere(ctx, match, dryRun)
	return gone, t.wrap("delete consumers", err)
}

// ExpireConsumersOptions say which consumers ExpireConsumers deletes.
type ExpireConsumersOptions struct {
	// Idle is for how long a consumer must have recorded nothing. Default: the
	// table's consumer.expiration-time; ErrInvalid when that is not set either.
	Idle time.Duration
	// DryRun deletes nothing.
	DryRun bool
}

// ExpireConsumers forgets the consumers that have recorded nothing for long,
// so that they hold back the expiry of snapshots no more, and returns them by
// id. Streams that wait refresh theirs, so only readers that are gone expire.
func (t *Table) ExpireConsumers(ctx context.Context, o ExpireConsumersOptions) ([]Consumer, error) {
	const op = "expire consumers"
	if o.Idle == 0 {
		o.Idle = t.options.Consumer.Expiration
	}
	if o.Idle <= 0 {
		return nil, t.wrap(op, &fault.Error{Class: fault.ErrInvalid, Detail: "nothing says after which time a consumer expires",
			Hint: "give a time, or set the table's option consumer.expiration-time"})
	}
	gone, err := t.consumers().Expire(ctx, t.world.Clock().Add(-o.Idle), o.DryRun)
	return gone, t.wrap(op, err)
}
