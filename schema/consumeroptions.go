package schema

import "time"

// ConsumerOptions say how readers of changes keep their progress with the table.
type ConsumerOptions struct {
	ID             string        // of the consumer that streams are, "" for none
	AtLeastOnce    bool          // progress is what was handed out; otherwise what was acknowledged
	IgnoreProgress bool          // streams begin where their mode says, whatever was recorded
	Expiration     time.Duration // consumers that record nothing for so long are deleted, 0 for never
}

func (o *Options) parseConsumer(r *optionReader) {
	o.Consumer = ConsumerOptions{
		ID: r.text("consumer-id"), AtLeastOnce: r.enum("consumer.mode") == "at-least-once",
		IgnoreProgress: r.bool("consumer.ignore-progress"), Expiration: r.duration("consumer.expiration-time"),
	}
}
