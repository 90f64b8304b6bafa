package schema

import (
	"testing"
	"time"
)

func TestChangelogsOutliveSnapshotsOnlyWhereTheyAreKeptLonger(t *testing.T) {
	for name, c := range map[string]struct {
		set       map[string]string
		decoupled bool
	}{
		"nothing set":      {nil, false},
		"snapshots longer": {map[string]string{"snapshot.time-retained": "2 h", "changelog.time-retained": "1 h"}, false},
		"longer time":      {map[string]string{"changelog.time-retained": "2 h"}, true},
		"larger minimum":   {map[string]string{"changelog.num-retained.min": "11"}, true},
		"larger maximum":   {map[string]string{"snapshot.num-retained.max": "20", "changelog.num-retained.max": "21"}, true},
		"the same":         {map[string]string{"changelog.num-retained.min": "10"}, false},
	} {
		o, err := ParseOptions(c.set)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if o.Expiry.Decoupled() != c.decoupled {
			t.Errorf("%s: decoupled is %v", name, !c.decoupled)
		}
	}
	o, err := ParseOptions(map[string]string{"snapshot.num-retained.min": "3", "snapshot.time-retained": "2 d"})
	if want := (Retention{Min: 3, Max: 1<<31 - 1, Time: 48 * time.Hour}); err != nil || o.Expiry.ChangelogRetention() != want {
		t.Errorf("changelogs are kept as %+v, want as snapshots %+v (%v)", o.Expiry.ChangelogRetention(), want, err)
	}
}
