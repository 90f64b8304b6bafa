package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// commuting are tables whose rows do not depend on the order of commits.
var commuting = map[string]string{
	"sums":   "columns: [{name: k, type: INT NOT NULL}, {name: s, type: BIGINT}, {name: m, type: INT}]\nprimary-key: [k]\noptions: {merge-engine: aggregation, fields.s.aggregate-function: sum, fields.m.aggregate-function: max, ",
	"newest": "columns: [{name: k, type: INT NOT NULL}, {name: s, type: BIGINT}, {name: m, type: INT}]\nprimary-key: [k]\noptions: {sequence.field: m, ",
	"groups": "columns: [{name: k, type: INT NOT NULL}, {name: s, type: BIGINT}, {name: q, type: INT}, {name: m, type: INT}]\nprimary-key: [k]\noptions: {merge-engine: partial-update, fields.q.sequence-group: 's,m', ",
}

// crew are writers, jobs and readers of one table, whose rows are what the
// messages that were committed say, in whatever order.
type crew struct {
	t      *testing.T
	r      *rand.Rand
	engine string
	below  store.Store
	state  map[int][2]int64 // s, m
	clock  *flyingClock
	hands  []*hand
	held   []table.CommitMessage
	log    []string

	token string
	told  map[string]string
}

// flyingClock goes on with each look, and can be set forward.
type flyingClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *flyingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *flyingClock) leap(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// handedSums are messages that wait, with the rows in them.
type handedSums struct {
	id   int64
	msgs []table.CommitMessage
	rows [][3]int64
	open bool // a commit of it was never answered
}

// hand is a writer of a crew over a store of its own.
type hand struct {
	c     *crew
	n     int
	tab   *table.Table
	w     *table.Writer
	id    int64
	queue []handedSums
	seq   int64
	wait  bool

	mu    sync.Mutex
	mood  string // "", "lose", "dark", "dead"
	lucky int
}

// hook is what the store does to this writer.
func (h *hand) hook(op storetest.Op) storetest.Outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.mood == "dead":
		return storetest.Outcome{Fail: storetest.ErrCrashed}
	case h.mood == "lose" && op.Verb == storetest.CreateIfAbsent:
		if h.lucky--; h.lucky > 0 {
			return storetest.Outcome{}
		}
		h.mood = "dark"
		if op.N%2 == 0 {
			return storetest.Outcome{Fail: errSlow}
		}
		return storetest.Outcome{Lose: errSlow}
	case h.mood == "dark" && strings.HasPrefix(op.Key, "snapshot/"):
		return storetest.Outcome{Fail: errSlow}
	}
	return storetest.Outcome{}
}

func (h *hand) be(mood string, lucky int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mood, h.lucky = mood, lucky
}

func (c *crew) say(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

func (c *crew) open(st store.Store) *table.Table {
	w, _ := world(c.t)
	w.Clock = c.clock.Now
	return reopenIn(c.t, st, w)
}

func (h *hand) begin() {
	h.be("", 0)
	h.tab = h.c.open(storetest.Faulty(h.c.below, h.hook))
	w, err := h.tab.NewWriter(ctx, table.WriterOptions{User: fmt.Sprint("w", h.n), WaitCompaction: h.wait})
	if err != nil {
		h.c.t.Fatal(err)
	}
	h.w = w
}

func (h *hand) prepare() {
	c := h.c
	p := handedSums{}
	var lines []string
	for range c.r.IntN(6) {
		k, s, m := int64(c.r.IntN(8)), int64(c.r.IntN(1000)), int64(c.r.IntN(1000))
		if c.engine != "sums" {
			h.seq++
			m = h.seq*2 + int64(h.n)
		}
		p.rows = append(p.rows, [3]int64{k, s, m})
		line := fmt.Sprintf(`{"k":%d,"s":%d,"m":%d}`, k, s, m)
		if c.engine == "groups" {
			line = fmt.Sprintf(`{"k":%d,"s":%d,"q":%d,"m":%d}`, k, s, m, m)
		}
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		if err := write(c.t, h.w, h.tab, lines...); err != nil {
			c.t.Fatal("write: ", err)
		}
	}
	p.id = h.id + 1
	msgs, err := h.w.Prepare(ctx, p.id)
	if err != nil {
		c.t.Fatal("prepare: ", err)
	}
	h.id++
	if len(msgs) == 0 {
		return
	}
	if p.msgs = msgs; c.r.IntN(2) == 0 {
		data, err := table.MarshalMessages(msgs)
		if err == nil {
			p.msgs, err = table.UnmarshalMessages(data)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	h.queue = append(h.queue, p)
	c.say("%d prepares %d: %d rows, %d messages %s", h.n, p.id, len(p.rows), len(msgs), filesOf(msgs))
}

func filesOf(msgs []table.CommitMessage) string {
	var b strings.Builder
	for _, m := range msgs {
		fmt.Fprint(&b, "[b", m.Bucket)
		for _, f := range m.NewFiles {
			fmt.Fprint(&b, " +", f.Name)
		}
		for _, f := range m.CompactBefore {
			fmt.Fprint(&b, " -", f.Name, "@", f.Level)
		}
		for _, f := range m.CompactAfter {
			fmt.Fprint(&b, " >", f.Name, "@", f.Level)
		}
		b.WriteString("]")
	}
	return b.String()
}

// commit tells whether the oldest messages are settled.
func (h *hand) commit() bool {
	c := h.c
	if len(h.queue) == 0 {
		return true
	}
	p := h.queue[0]
	do := h.w.Commit
	if c.r.IntN(4) == 0 {
		k, err := h.tab.NewCommitter(ctx, fmt.Sprint("w", h.n))
		if err != nil {
			c.t.Fatal(err)
		}
		do = k.Commit
	}
	if c.r.IntN(5) == 0 {
		h.be("lose", 1+c.r.IntN(2))
	}
	h.mu.Lock()
	mood := h.mood
	h.mu.Unlock()
	err := do(ctx, p.id, p.msgs)
	h.be("", 0)
	c.say("%d commits %d %s: %v", h.n, p.id, mood, err)
	switch {
	case err == nil:
	case errors.Is(err, table.ErrUncertain), errors.Is(err, errSlow):
		h.queue[0].open = true
		return false
	case len(p.rows) == 0 && errors.Is(err, table.ErrConflict):
	default:
		c.t.Fatal("commit: ", err)
	}
	h.queue = h.queue[1:]
	for _, row := range p.rows {
		c.take(row)
	}
	return true
}

func (c *crew) take(row [3]int64) {
	k := int(row[0])
	at, there := c.state[k]
	switch {
	case c.engine == "sums":
		if !there {
			at = [2]int64{0, -1}
		}
		c.state[k] = [2]int64{at[0] + row[1], max(at[1], row[2])}
	case !there || row[2] > at[1]:
		c.state[k] = [2]int64{row[1], row[2]}
	}
}

func (h *hand) settle() {
	for n := 0; len(h.queue) > 0; n++ {
		if n > 50 {
			h.c.t.Fatal("never settled")
		}
		h.commit()
	}
}

func (h *hand) restart(crash bool) {
	h.c.say("%d restarts, %v", h.n, crash)
	if crash {
		h.be("dead", 0)
		_ = h.w.Close()
		h.begin()
		h.settle()
		return
	}
	h.settle()
	if err := h.w.Close(); err != nil {
		h.c.t.Fatal(err)
	}
	h.begin()
}

// holdCompaction runs compactions that are committed later.
func (c *crew) holdCompaction() {
	tab := c.open(c.below)
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: c.r.IntN(2) == 0})
	if err != nil {
		c.t.Fatal("plan: ", err)
	}
	for _, task := range tasks {
		m, err := tab.RunCompaction(ctx, task)
		if err != nil {
			c.t.Fatal("run: ", err)
		}
		c.say("held %s", filesOf([]table.CommitMessage{m}))
		c.held = append(c.held, m)
	}
}

func (c *crew) commitHeld() {
	if len(c.held) == 0 {
		return
	}
	tab := c.open(c.below)
	k, err := tab.NewCommitter(ctx, "")
	if err != nil {
		c.t.Fatal(err)
	}
	err = k.Commit(ctx, 1, c.held)
	c.say("held committed: %v", err)
	if err != nil && !errors.Is(err, table.ErrConflict) {
		c.t.Fatal("commit held: ", err)
	}
	c.held = nil
}

func (c *crew) compact() {
	tab := c.open(c.below)
	rep, err := tab.Compact(ctx, table.CompactOptions{Full: c.r.IntN(2) == 0})
	c.say("compact %+v %v", rep, err)
	if err != nil {
		c.t.Fatal("compact: ", err)
	}
}

func (c *crew) expire(whole bool) {
	if slices.ContainsFunc(c.hands, func(h *hand) bool { return len(h.queue) > 0 && h.queue[0].open }) {
		return // what a repeated commit is settled by must not go
	}
	tab := c.open(c.below)
	c.listen()
	if whole { // data as well: what waits may read it
		rep, err := tab.Expire(ctx, table.ExpireOptions{RetainMin: 1 + c.r.IntN(2), OlderThan: c.clock.Now()})
		c.say("expire %+v %v", rep, err)
		if err != nil {
			c.t.Fatal(err)
		}
		return
	}
	c.say("forget")
	if newest, err := tab.Snapshots().Latest(ctx); err == nil && newest != nil {
		withoutSnapshots(c.t, c.below)
	}
}

func (c *crew) alter() {
	tab := c.open(c.below)
	n := tab.Schema().HighestFieldID
	changes, err := schema.ParseChange("add", fmt.Sprintf("x%d INT", n))
	if err != nil {
		c.t.Fatal(err)
	}
	c.say("alter")
	if _, err := tab.Alter(ctx, changes...); err != nil {
		c.t.Fatal(err)
	}
	c.clock.leap(5 * time.Minute)
}

// listen takes in what the table has told since the last time.
func (c *crew) listen() {
	if c.told == nil {
		return
	}
	tab := c.open(c.below)
	newest, err := tab.Snapshots().LatestID(ctx)
	if err != nil || newest == 0 {
		return
	}
	o := table.StreamOptions{Snapshot: 1, Mode: table.FromSnapshot, UntilSnapshot: newest, Columns: []string{"k", "s", "m"}}
	if c.token != "" {
		o.Token, o.Snapshot, o.Mode = c.token, 0, ""
	}
	s, err := tab.Stream(ctx, o)
	if err != nil {
		c.t.Fatal("stream: ", err)
	}
	lines, err := collect(c.t, s)
	if err != nil {
		c.t.Fatal("stream: ", err)
	}
	c.token = s.Token()
	for _, line := range lines {
		var e struct {
			Kind string `json:"_kind"`
			K    int
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			c.t.Fatal(err)
		}
		key := strconv.Itoa(e.K)
		row := "{" + line[strings.Index(line, `"k":`):]
		have, there := c.told[key]
		switch e.Kind {
		case "+I":
			if there {
				c.t.Errorf("told +I %s over %s", line, have)
			}
			c.told[key] = row
		case "-U", "-D":
			if !there || have != row {
				c.t.Errorf("told %s over %q", line, have)
			}
			if e.Kind == "-D" {
				delete(c.told, key)
			}
		case "+U":
			if !there {
				c.t.Errorf("told %s over nothing", line)
			}
			c.told[key] = row
		}
	}
}

func (c *crew) want() (want []string) {
	for _, k := range slices.Sorted(maps.Keys(c.state)) {
		want = append(want, fmt.Sprintf(`{"k":%d,"s":%d,"m":%d}`, k, c.state[k][0], c.state[k][1]))
	}
	slices.Sort(want)
	return want
}

func (c *crew) uncertain() bool {
	return slices.ContainsFunc(c.hands, func(h *hand) bool { return len(h.queue) > 0 && h.queue[0].rows != nil })
}

// Writers prepare ahead, commit, lose answers, crash and start again, take up new
// schemas; jobs hold compactions back; snapshots expire: every row that was
// committed counts once, and what is told adds up to the rows.
//
// TIDELAKE_CREWS is how many crews to watch, TIDELAKE_SEED the first seed.
func TestRowsThatCommuteAreAllThere(t *testing.T) {
	rounds, seed := 12/slow, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("TIDELAKE_CREWS")); err == nil {
		rounds = n
	}
	if n, err := strconv.ParseUint(os.Getenv("TIDELAKE_SEED"), 10, 64); err == nil {
		seed = n
	}
	failed := 0
	for i := range rounds {
		s := seed + uint64(i)
		if !t.Run(fmt.Sprint(s), func(t *testing.T) { playCrew(t, s) }) {
			if failed++; failed > 3 {
				return
			}
		}
	}
}

// drawCrewOptions draws what must not matter.
func drawCrewOptions(r *rand.Rand) []string {
	var options []string
	maybe := func(odds int, key string, values ...string) {
		if r.IntN(odds) == 0 {
			options = append(options, key+"="+oneOf(r, values...))
		}
	}
	options = append(options, "bucket="+oneOf(r, "1", "1", "2", "-1"), "num-sorted-run.compaction-trigger="+oneOf(r, "2", "3", "5"))
	maybe(3, "write-buffer-size", "1 kb", "4 kb")
	maybe(3, "write-buffer-spillable", "false")
	maybe(3, "manifest.merge-min-count", "1")
	maybe(3, "manifest.full-compaction-threshold-size", "1 b")
	maybe(3, "deletion-vectors.enabled", "true")
	maybe(4, "force-lookup", "true")
	maybe(4, "lookup-wait", "false")
	maybe(4, "lookup-compact", "gentle")
	maybe(4, "compaction.total-size-threshold", "1 gb")
	maybe(4, "compaction.force-rewrite-all-files", "true")
	maybe(4, "target-file-size", "1 b", "2 kb")
	maybe(5, "write-only", "true")
	maybe(4, "num-levels", "3", "9")
	maybe(4, "full-compaction.delta-commits", "1", "3")
	maybe(3, "changelog-producer", "lookup", "lookup", "full-compaction")
	maybe(4, "compaction.size-ratio", "1000", "0")
	if slices.Contains(options, "bucket=-1") {
		options = append(options, "dynamic-bucket.target-row-num="+oneOf(r, "1", "3"))
	}
	if slices.Contains(options, "deletion-vectors.enabled=true") {
		options = slices.DeleteFunc(options, func(o string) bool { return o == "changelog-producer=full-compaction" })
	}
	return options
}

// step is the next thing that somebody does.
func (c *crew) step() {
	h := c.hands[c.r.IntN(len(c.hands))]
	switch n := c.r.IntN(26); {
	case n < 8:
		h.prepare()
	case n < 14:
		h.commit()
	case n < 15:
		h.restart(false)
	case n < 16:
		h.restart(true)
	case n < 18:
		c.compact()
	case n < 20:
		c.holdCompaction()
	case n < 22:
		c.commitHeld()
	case n < 23:
		c.expire(false)
	case n < 24:
		c.expire(true)
	case n < 25:
		c.alter()
	default:
		c.say("leap")
		c.clock.leap(time.Hour)
	}
}

func playCrew(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 77))
	c := &crew{t: t, r: r, below: store.NewMem(), state: map[int][2]int64{}, clock: &flyingClock{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}}
	c.engine = oneOf(r, slices.Sorted(maps.Keys(commuting))...)
	options := drawCrewOptions(r)
	hidden, dynamic := slices.Contains(options, "deletion-vectors.enabled=true"), slices.Contains(options, "bucket=-1")
	producer := slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "changelog-producer") })
	yaml := commuting[c.engine]
	c.say("seed %d %s %q", seed, c.engine, options)
	create(t, c.below, yaml+"snapshot.num-retained.min: 1000, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}", options...)
	if producer {
		c.told = map[string]string{}
	}
	for n := range 2 {
		if dynamic && n > 0 {
			break
		}
		h := &hand{c: c, n: n, wait: r.IntN(2) == 0}
		h.begin()
		defer func() { _ = h.w.Close() }()
		c.hands = append(c.hands, h)
	}
	defer func() {
		if t.Failed() {
			t.Log("\n" + strings.Join(c.log, "\n"))
		}
	}()
	check := func() {
		if c.uncertain() {
			return
		}
		expect(t, c.open(c.below), table.ScanOptions{Columns: []string{"k", "s", "m"}}, c.want()...)
	}
	for range 20 + r.IntN(40) {
		c.step()
		if newest, err := c.open(c.below).Snapshots().Latest(ctx); err == nil && newest != nil {
			c.say("      at %d %s of %s %d", newest.ID, newest.CommitKind, newest.CommitUser, newest.CommitIdentifier)
		}
		if !hidden {
			check()
		}
		if t.Failed() {
			return
		}
	}
	c.commitHeld()
	for _, h := range c.hands {
		h.settle()
	}
	compactAll(t, c.below)
	check()
	sound(t, reopen(t, c.below))
	if c.listen(); c.told != nil {
		got := slices.Sorted(maps.Values(c.told))
		if want := c.want(); !slices.Equal(got, want) {
			t.Errorf("told\n%q, want\n%q", got, want)
		}
	}
}
