//go:build interop

package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// chaos is one table and all who work on it.
type chaos struct {
	t        *testing.T
	kind     *chaosKind
	index    int
	seed     uint64
	commits  int64
	pace     time.Duration
	url      string
	dir      string // of the warehouse, "" in an object store
	logs     string
	temp     string // for temporary files of all processes
	id       catalog.Identifier
	cat      *catalog.Catalog
	java     *peer       // nil where it does not take part
	javaDies *time.Timer // nil where it is not to die

	mu     sync.Mutex // guards actors, said and r
	actors map[*chaosActor]bool
	said   map[string]int
	r      *rand.Rand
	kills  atomic.Int64
	failed atomic.Bool
}

// TestChaos lets writers, compactors, readers and followers, of both sides, work
// on one table at the same time, each in a process of its own that is killed
// at any moment and begins anew, and then proves the table right.
// TIDELAKE_INTEROP_CHAOS is the number of commits of each writer; what happens
// hangs on the moment, not on the seed alone, so that it runs on command only.
// With TIDELAKE_S3_URL the tables lie there, and Java has no part in it.
func TestChaos(t *testing.T) {
	if run.program == "" {
		t.Fatal("cmd/tidelake does not build")
	}
	commits, err := number("TIDELAKE_INTEROP_CHAOS", 0)
	if err != nil {
		t.Fatal(err)
	}
	if commits == 0 {
		t.Skip("on command: TIDELAKE_INTEROP_CHAOS=12 interop/run.sh -run TestChaos")
	}
	for i := range chaosKinds {
		t.Run(chaosKinds[i].name, func(t *testing.T) {
			c := newChaos(t, i, run.seed, int64(commits))
			defer c.report()
			c.work()
			if !c.failed.Load() {
				c.prove()
			}
		})
	}
}

func newChaos(t *testing.T, index int, seed uint64, commits int64) *chaos {
	dir := t.TempDir()
	if keep := os.Getenv("TIDELAKE_INTEROP_KEEP"); keep != "" {
		dir = filepath.Join(keep, strings.ReplaceAll(t.Name(), "/", "-"))
	}
	c := &chaos{t: t, kind: &chaosKinds[index], index: index, seed: seed, commits: commits, pace: 100 * time.Millisecond,
		logs: filepath.Join(dir, "logs"), temp: filepath.Join(dir, "temp"), actors: map[*chaosActor]bool{}, said: map[string]int{},
		r: rand.New(rand.NewPCG(seed, 9)), id: catalog.Identifier{Database: "r", Table: fmt.Sprintf("chaos%d", index)}}
	if s3 := os.Getenv("TIDELAKE_S3_URL"); s3 != "" {
		bucket, query, _ := strings.Cut(s3, "?")
		c.url = fmt.Sprintf("%s/chaos-%d-%d?%s", bucket, seed, index, query)
	} else {
		c.dir = filepath.Join(dir, "warehouse")
		c.url = c.dir
		c.startJava()
		t.Cleanup(func() { c.java.stop() })
	}
	ctx := context.Background()
	c.must(os.MkdirAll(c.logs, 0o755))
	c.must(os.MkdirAll(c.temp, 0o755))
	cat, err := catalog.Open(ctx, c.url, table.Settings{}, table.Components{})
	c.must(err)
	t.Cleanup(func() { cat.Close() })
	c.cat = cat
	c.must(cat.CreateDatabase(ctx, c.id.Database))
	keep := "30 s"
	if commits > 10 { // a run that is long enough for snapshots to expire within it
		keep = "15 s"
	}
	def, err := schema.ParseDefinition([]byte(c.kind.definition(keep)))
	c.must(err)
	_, err = cat.CreateTable(ctx, c.id, def)
	c.must(err)
	return c
}

func (c *chaos) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *chaos) open() *table.Table {
	c.t.Helper()
	t, err := c.cat.Table(context.Background(), c.id)
	c.must(err)
	return t
}

// dice is a number below n.
func (c *chaos) dice(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.IntN(n)
}

// writers is how many processes of ours write.
func (c *chaos) writers() int {
	switch {
	case c.kind.lone:
		return 1
	case c.javaWrites():
		return chaosWriters - 1
	}
	return chaosWriters
}

// followers are those that keep the table's rows by its changes.
func (c *chaos) followers() (all []chaosRole) {
	for _, keep := range []string{"token", "batch", "consumer"} {
		all = append(all, chaosRole{Do: "follow", Name: "follow by " + keep, Keep: keep})
	}
	if c.kind.shape != "bag" && (c.kind.producer == "" || c.kind.producer == "input") {
		all = append(all, chaosRole{Do: "follow", Name: "follow all by batch", Keep: "batch", Full: true},
			chaosRole{Do: "follow", Name: "follow all by consumer", Keep: "consumer", Full: true})
	}
	return all
}

// work lets all do their part until the writers have made their commits.
func (c *chaos) work() {
	var others, writers []*chaosActor
	for _, f := range c.followers() {
		others = append(others, c.role(f))
	}
	others = append(others, c.tail(0), c.role(chaosRole{Do: "read", Name: "read"}))
	if c.kind.shape != "bag" {
		others = append(others, c.role(chaosRole{Do: "get", Name: "get"}))
	}
	for w := range c.writers() {
		writers = append(writers, c.role(chaosRole{Do: "write", Name: fmt.Sprintf("write%d", w), Writer: w}))
	}
	others = append(others, c.tidelake("watch", false, "compact", c.id.String(), "--watch", "--every", "300ms"))
	over := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { c.killSome(over) })
	beside.Go(func() { c.maintain(over) })
	written := make(chan struct{})
	if c.java != nil {
		beside.Go(func() { c.javaWorks(written, over) })
	} else {
		close(written)
	}
	for _, w := range writers {
		<-w.done
	}
	<-written
	close(over)
	beside.Wait()
	if c.javaDies != nil {
		c.javaBeganAnew()
	}
	for _, o := range others {
		o.stop()
	}
}

// maintain runs our command line, one command after the other.
func (c *chaos) maintain(over <-chan struct{}) {
	id := c.id.String()
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(c.dice(400)) * time.Millisecond):
		}
		var args []string
		switch c.dice(8) {
		case 0, 1:
			args = []string{"compact", id, "--full"}
		case 2:
			args = []string{"compact", id}
		case 3:
			args = []string{"clean", id, "--older-than", "2m", "--delete"}
		case 4:
			if now, err := c.open().Snapshots().Latest(context.Background()); err != nil || now == nil {
				c.must(err)
				continue
			}
			args = []string{"tag", "create", id, fmt.Sprintf("t%d", n)}
		case 5:
			tags, err := c.open().Tags(context.Background())
			c.must(err)
			if len(tags) == 0 {
				continue
			}
			args = []string{"tag", "delete", id, tags[c.dice(len(tags))].Name}
		default:
			args = []string{"expire", id}
		}
		a := c.tidelake(strings.Join(args[:2], " "), true, args...)
		<-a.done
	}
}

// prove compares everything that is there in the end with what was committed.
func (c *chaos) prove() {
	ctx := context.Background()
	c.surely("compact", c.id.String(), "--full")
	want := newChaosState(c.kind, c.seed)
	for w := range chaosWriters {
		if w < c.writers() || w == chaosWriters-1 && c.javaWrites() {
			want.advance(w, c.commits)
		}
	}
	last, lines, err := chaosScan(ctx, c.open(), table.ScanOptions{})
	c.must(err)
	if d := differ(want.lines(), lines); d != "" {
		c.t.Fatalf("in the end the table is not what was committed:\n%s", d)
	}
	c.proveFollowers(last, lines)
	c.proveTail(last, lines)
	c.proveTags()
	c.surely("expire", c.id.String()) // finishes one that was killed
	c.surely("check", c.id.String())
	c.surely("clean", c.id.String(), "--older-than", "1ms", "--delete")
	c.surely("check", c.id.String())
	c.proveTags()
	c.surely("expire", c.id.String(), "--retain-last", "1")
	left, err := c.open().Clean(ctx, table.CleanOptions{OlderThan: time.Millisecond})
	c.must(err)
	if left.Files > 0 {
		c.t.Errorf("%d files that nobody needs are left", left.Files)
	}
	c.surely("check", c.id.String())
	c.proveByJava(lines)
	if left, err := os.ReadDir(c.temp); err != nil || len(left) > 0 {
		c.t.Errorf("temporary files are left: %v %v", left, err)
	}
}

// proveFollowers lets each come to the end, and compares what it knows.
func (c *chaos) proveFollowers(last int64, lines []string) {
	for _, f := range c.followers() {
		f.Until = last
		<-c.role(f).done
		if c.t.Failed() {
			return
		}
		now, err := (&chaosRole{Name: f.Name, Logs: c.logs}).loadFollowed()
		c.must(err)
		if d := differ(lines, now.lines()); d != "" {
			c.t.Errorf("%s: not the table (the commits are its rows here):\n%s", f.Name, d)
		}
	}
}

// proveTags reads what every tag that is left holds.
func (c *chaos) proveTags() {
	ctx := context.Background()
	t := c.open()
	tags, err := t.Tags(ctx)
	c.must(err)
	slices.Reverse(tags)
	for _, tag := range tags {
		_, lines, err := chaosScan(ctx, t, table.ScanOptions{Tag: tag.Name})
		c.must(err)
		if err := newChaosState(c.kind, c.seed).holds(lines, [chaosWriters]int64{}); err != nil {
			c.t.Errorf("tag %s: %v", tag.Name, err)
		}
	}
}
