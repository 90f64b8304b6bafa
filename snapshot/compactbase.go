package snapshot

import (
	"fmt"

	"github.com/tidelake/tidelake/manifest"
)

// checkCompactBase refuses compactions that looked older rows up where there are
// other files by now. Their rows stand for those that lie above them, so what
// another compaction brought there in between would be hidden for good. Paimon
// leaves it to its users that only one process compacts such a table.
func (c *Committer) checkCompactBase(p *pending, live []manifest.Entry) error {
	if len(p.compactBase) == 0 {
		return nil
	}
	type bucket struct {
		partition string
		number    int
	}
	now := make(map[bucket][]string, len(p.compactBase))
	for _, b := range p.compactBase {
		now[bucket{string(b.Partition), b.Bucket}] = nil
	}
	for i := range live {
		e := &live[i]
		key := bucket{string(e.Partition), e.Bucket}
		if names, looked := now[key]; looked && e.File.Level > 0 {
			now[key] = append(names, e.File.Name)
		}
	}
	for _, b := range p.compactBase {
		if !SameNames(now[bucket{string(b.Partition), b.Bucket}], b.Files) {
			return c.conflictError(p.base, fmt.Sprintf("bucket %d of partition %s was compacted by others since older rows were looked up there", b.Bucket, c.partitionText(b.Partition)),
				"plan the compaction again from the newest snapshot; of two compactors of one bucket one will lose", nil)
		}
	}
	return nil
}
