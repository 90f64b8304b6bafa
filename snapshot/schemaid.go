package snapshot

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/tidelake/tidelake/io/store"
)

// schemaProbe knows the newest schema id and asks for the next one. Schemas
// are dense and never removed, so one request tells that there is none.
type schemaProbe struct {
	st     store.Store
	prefix string

	mu sync.Mutex
	id int64
}

func newSchemaProbe(st store.Store, branch string, from int64) *schemaProbe {
	return &schemaProbe{st: st, prefix: BranchPath(branch) + "schema/schema-", id: from}
}

func (p *schemaProbe) latest(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		_, err := p.st.Stat(ctx, p.prefix+strconv.FormatInt(p.id+1, 10))
		if isNotFound(err) {
			return p.id, nil
		}
		if err != nil {
			return 0, fmt.Errorf("look for a newer schema: %w", err)
		}
		p.id++
	}
}
