package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
)

// statisticsTally remembers the schema that a statistics file was made for.
type statisticsTally struct {
	file     string
	schemaID int64
	known    bool
}

// inheritStatistics names the statistics that the next snapshot carries on:
// those of its base, unless the schema has changed since they were made.
// Statistics only guide readers, so a file that is lost or unreadable is
// dropped.
func (c *Committer) inheritStatistics(ctx context.Context, b *base, schemaID int64) (string, error) {
	if b.snapshot == nil || b.snapshot.Statistics == "" {
		return "", nil
	}
	file := b.snapshot.Statistics
	if c.tally.file != file {
		tally, err := c.readStatistics(ctx, file)
		if err != nil {
			return "", err
		}
		c.tally = tally
	}
	if !c.tally.known || c.tally.schemaID != schemaID {
		return "", nil
	}
	return file, nil
}

func (c *Committer) readStatistics(ctx context.Context, file string) (statisticsTally, error) {
	t := statisticsTally{file: file}
	data, err := c.cfg.Store.ReadAll(ctx, "statistics/"+file)
	if isNotFound(err) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("read statistics: %w", err)
	}
	var content struct {
		SchemaID *int64 `json:"schemaId"`
	}
	if json.Unmarshal(data, &content) == nil && content.SchemaID != nil {
		t.schemaID, t.known = *content.SchemaID, true
	}
	return t, nil
}
