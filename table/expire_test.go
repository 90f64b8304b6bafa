package table_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

const byPart = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: p, type: INT NOT NULL}, {name: v, type: STRING}]
primary-key: [k, p]
partition-by: [p]
options: {bucket: 1, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// expiring are tables whose files come and go in every way.
var expiring = map[string]struct {
	yaml    string
	options []string
	fill    func(t *testing.T, tab *table.Table)
}{
	"key":              {versions, []string{"bucket=1", soon}, rounds(12)},
	"no compaction":    {keyed, nil, rounds(12)},
	"deletion vectors": {versions, []string{"bucket=1", soon, "deletion-vectors.enabled=true"}, rounds(12)},
	"dynamic buckets":  {versions, []string{"bucket=-1", soon, "dynamic-bucket.target-row-num=3"}, rounds(12)},
	"changelog":        {versions, []string{"bucket=1", soon, "changelog-producer=input"}, rounds(12)},
	"lookup":           {versions, []string{"bucket=1", soon, "changelog-producer=lookup"}, rounds(12)},
	"append":           {plain, nil, rounds(12)},
	"markedRows rows":  {plain, []string{"deletion-vectors.enabled=true"}, markedRows},
	"partitions":       {byPart, []string{soon}, overwritten},
}

func rounds(n int) func(t *testing.T, tab *table.Table) {
	return func(t *testing.T, tab *table.Table) {
		w, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for i := range n {
			for k := range 3 {
				row := table.Row{"k": i + k, "v": fmt.Sprint("v", i)}
				if tab.Schema().Index("n") >= 0 {
					row["n"] = i
				}
				if err := w.Put(ctx, row); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.CommitNext(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func markedRows(t *testing.T, tab *table.Table) {
	rounds(4)(t, tab)
	for k := range 4 {
		changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: fmt.Sprint("k = ", k)}))
	}
	if err := compacted(ctx, tab); err != nil {
		t.Fatal(err)
	}
	rounds(3)(t, tab)
}

func overwritten(t *testing.T, tab *table.Table) {
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 10 {
		commit(t, w, tab, fmt.Sprintf(`{"k":%d,"p":%d,"v":"a"}`, i, i%3), fmt.Sprintf(`{"k":%d,"p":7,"v":"b"}`, i))
		if i%4 == 3 {
			c, err := tab.NewCommitter(ctx, "")
			if err == nil {
				err = c.DropPartitions(ctx, table.BatchIdentifier, table.Row{"p": i % 3})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := tab.NewCommitter(ctx, "")
	if err == nil {
		err = c.Truncate(ctx, table.BatchIdentifier)
	}
	if err != nil {
		t.Fatal(err)
	}
	commit(t, w, tab, `{"k":1,"p":1,"v":"c"}`)
}

// What stays of a table is what its last snapshots need, whatever it went
// through; a dry run says beforehand what will go, and touches nothing.
func TestExpiryLeavesWhatIsNeededAndNothingElse(t *testing.T) {
	for name, c := range expiring {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, c.yaml, append(c.options, "snapshot.num-retained.min=1000")...)
			c.fill(t, tab)
			before, files, ids := states(t, tab), stored(t, st), snapshotIDs(t, tab)
			var told []string
			o := last(3)
			o.DryRun, o.Each = true, func(f table.RemovedFile) { told = append(told, f.Path) }
			said := expired(t, tab, o)
			if d := cmp.Diff(files, stored(t, st)); d != "" {
				t.Fatalf("a dry run changed files:\n%s", d)
			}
			did := expired(t, tab, last(3))
			if d := cmp.Diff(said, did); d != "" {
				t.Errorf("a dry run said otherwise (-said +did):\n%s", d)
			}
			keptAre(t, tab, ids[len(ids)-3:]...)
			tidy(t, st, tab)
			sound(t, reopen(t, st))
			left := stored(t, st)
			gone := slices.DeleteFunc(files, func(key string) bool { return slices.Contains(left, key) })
			slices.Sort(told)
			if d := cmp.Diff(gone, told); d != "" {
				t.Errorf("files that went (-really +told):\n%s", d)
			}
			for id, rows := range states(t, tab) {
				if d := cmp.Diff(before[id], rows); d != "" {
					t.Errorf("rows of snapshot %d (-before +after):\n%s", id, d)
				}
			}
			if again := expired(t, tab, last(3)); again.Snapshots+again.Files != 0 {
				t.Errorf("expired again: %+v", again)
			}
		})
	}
}

// Expiry goes by count and by age as the options say.
func TestExpiryByCountAndAge(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		ask     table.ExpireOptions
		ages    []time.Duration // of the snapshots, the newest is made now
		want    int64           // the oldest that stays
	}{
		"young ones stay":            {nil, table.ExpireOptions{}, hours(12, 0), 1},
		"the newest ten stay":        {nil, table.ExpireOptions{}, hours(12, 2), 3},
		"old ones go":                {[]string{"snapshot.num-retained.min=2"}, table.ExpireOptions{}, []time.Duration{9, 8, 7, 6, 0, 0, 0}, 5},
		"never more than a maximum":  {[]string{"snapshot.num-retained.min=1", "snapshot.num-retained.max=4"}, table.ExpireOptions{}, hours(12, 0), 9},
		"a time in between":          {[]string{"snapshot.num-retained.min=1", "snapshot.time-retained=450 min"}, table.ExpireOptions{}, []time.Duration{9, 8, 7, 6, 0}, 3},
		"the caller's time":          {[]string{"snapshot.num-retained.min=1"}, table.ExpireOptions{OlderThan: noon.Add(-450 * time.Minute)}, []time.Duration{9, 8, 7, 6, 0}, 3},
		"the caller's minimum":       {nil, table.ExpireOptions{RetainMin: 2}, hours(6, 5), 5},
		"the caller's maximum":       {nil, table.ExpireOptions{RetainMax: 2}, hours(6, 0), 5},
		"a limit":                    {[]string{"snapshot.num-retained.min=1"}, table.ExpireOptions{Limit: 2}, hours(6, 5), 3},
		"nothing but the newest":     {nil, last(1), hours(6, 0), 6},
		"one young in the middle":    {[]string{"snapshot.num-retained.min=1"}, table.ExpireOptions{}, []time.Duration{9, 8, 0, 9, 9}, 3},
		"the one snapshot there is":  {nil, last(1), hours(1, 5), 1},
		"older than all that is old": {[]string{"snapshot.num-retained.min=1"}, table.ExpireOptions{OlderThan: noon.Add(-100 * time.Hour)}, hours(6, 5), 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			w, _ := world(t)
			clock := stopped(&w, noon)
			if err := table.Create(ctx, st, define(t, keyed, c.options...)); err != nil {
				t.Fatal(err)
			}
			tab := reopenIn(t, st, w)
			writer := newWriter(t, tab, "svc")
			for i, age := range c.ages {
				clock.set(noon.Add(-age * time.Hour))
				commit(t, writer, tab, fmt.Sprintf(`{"k":%d}`, i))
			}
			clock.set(noon)
			r := expired(t, tab, c.ask)
			if ids := snapshotIDs(t, tab); ids[0] != c.want || r.Earliest != c.want || r.Snapshots != int(c.want)-1 {
				t.Errorf("snapshots %d are left, want from %d: %+v", ids, c.want, r)
			}
			tidy(t, st, tab)
		})
	}
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// hours are n snapshots of one age.
func hours(n int, age time.Duration) []time.Duration { return slices.Repeat([]time.Duration{age}, n) }

func TestExpiryIsAskedForTheImpossible(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	rounds(2)(t, tab)
	_, err := tab.Expire(ctx, table.ExpireOptions{RetainMin: 3, RetainMax: 2})
	failsWith(t, err, table.ErrInvalid, "at least 3", "at most 2")
	keptAre(t, tab, 1, 2)
	empty := create(t, store.NewMem(), keyed)
	if r := expired(t, empty, last(1)); r.Earliest != 0 || r.Snapshots != 0 {
		t.Errorf("%+v", r)
	}
}

// Tags hold their files, each for itself.
func TestExpiryKeepsWhatTagsHold(t *testing.T) {
	for name, tags := range map[string][]int64{"one": {4}, "two": {2, 7}, "on one snapshot": {5, 5}, "on the oldest": {1}, "on one that stays": {17}} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
			rounds(9)(t, tab)
			before := states(t, tab)
			for i, id := range tags {
				setTag(t, st, "", fmt.Sprint("t", i), id)
			}
			expired(t, tab, last(2))
			tidy(t, st, tab)
			for i, id := range tags {
				expect(t, reopen(t, st), table.ScanOptions{Tag: fmt.Sprint("t", i)}, before[id]...)
			}
		})
	}
}

// A branch lives on after the tag that it was made from.
func TestExpiryKeepsWhatOtherBranchesHold(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
	rounds(9)(t, tab)
	setBranch(t, st, "b", 5)
	setBranch(t, st, "c", 8)
	setTag(t, st, "c", "mine", 8)
	expired(t, tab, last(2))
	tidy(t, st, tab)
}

// Snapshots that a consumer has still to read stay, and the report says whose
// they are.
func TestExpiryWaitsForConsumers(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	rounds(9)(t, tab)
	for name, next := range map[string]string{"quick": "8", "slow": "4"} {
		if err := st.Write(ctx, "consumer/consumer-"+name, []byte(`{"nextSnapshot": `+next+`}`)); err != nil {
			t.Fatal(err)
		}
	}
	if r := expired(t, tab, last(1)); r.HeldBy != "slow" || r.Earliest != 4 {
		t.Errorf("%+v", r)
	}
	keptAre(t, tab, 4, 5, 6, 7, 8, 9)
	if err := st.Delete(ctx, "consumer/consumer-slow"); err != nil {
		t.Fatal(err)
	}
	if r := expired(t, tab, last(4)); r.HeldBy != "" || r.Earliest != 6 {
		t.Errorf("%+v", r)
	}
	if err := st.Write(ctx, "consumer/consumer-odd", []byte(`{`)); err != nil {
		t.Fatal(err)
	}
	_, err := tab.Expire(ctx, last(1))
	failsWith(t, err, table.ErrCorrupt, "consumer-odd")
	keptAre(t, tab, 6, 7, 8, 9)
}

// Metadata that cannot be read is no reason to delete what it might not mean.
func TestExpiryDeletesNothingOnPartialInformation(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
	rounds(9)(t, tab)
	s, err := tab.Snapshots().Get(ctx, 5)
	if err == nil {
		err = st.Write(ctx, "manifest/"+s.DeltaManifestList, []byte("not a list"))
	}
	if err != nil {
		t.Fatal(err)
	}
	setTag(t, st, "", "sick", 2)
	tag, err := tab.Snapshots().Get(ctx, 2)
	if err == nil {
		err = st.Write(ctx, "manifest/"+tag.BaseManifestList, []byte("not a list"))
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := tab.Expire(ctx, last(2))
	if err != nil || len(r.Left) == 0 {
		t.Errorf("%+v %v", r, err)
	}
	ids := snapshotIDs(t, tab)
	if len(ids) != 2 {
		t.Errorf("snapshots %d are left", ids)
	}
	// The manifests of the tag are all there, as far as anybody can tell.
	for _, m := range stored(t, st) {
		if m == "manifest/"+tag.DeltaManifestList {
			return
		}
	}
	t.Error("the tag's delta list is gone")
}

// Directories go with their last file if the table says so.
func TestExpiryTakesEmptyDirectoriesAlong(t *testing.T) {
	for _, on := range []bool{false, true} {
		st, err := store.NewLocal(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		tab := create(t, st, byPart, soon, "snapshot.num-retained.min=1000", fmt.Sprint("snapshot.clean-empty-directories=", on))
		overwritten(t, tab)
		expired(t, tab, last(1))
		tidy(t, st, tab)
		var dirs []string
		for _, key := range storetest.Tree(t, st, "") {
			if len(key) > 2 && key[:2] == "p=" && key[len(key)-1] == '/' {
				dirs = append(dirs, key)
			}
		}
		if on == (len(dirs) > 0) {
			t.Errorf("clean-empty-directories %v: the empty directories %q are left", on, dirs)
		}
	}
}
