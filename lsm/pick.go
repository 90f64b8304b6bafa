package lsm

import (
	"slices"
	"time"

	"github.com/tidelake/tidelake/manifest"
)

// Unit is what one compaction works on: whole runs of a bucket, from the
// youngest one on without a gap, that become one run on the output level.
type Unit struct {
	Output int
	Files  []manifest.DataFile // the youngest runs first
	// Apart rewrites every file alone: the files are already the only run of
	// the highest level and each only has to lose rows.
	Apart bool
}

// Bytes is the size of the unit's files.
func (u *Unit) Bytes() int64 { return LevelRun{Files: u.Files}.Size() }

// PickOptions steer which runs are compacted. Sizes are bytes. Spec: lsm, 7.2.
type PickOptions struct {
	Trigger           int // runs that trigger a compaction
	SizeAmplification int // percent that all runs but the oldest may have of the oldest
	SizeRatio         int // percent by which a run may be larger than the ones before to join them

	FullInterval    time.Duration // full compaction when the last one is longer ago, 0 for never
	TotalSize       *int64        // full compaction while a bucket is smaller, nil for never
	IncrementalSize *int64        // full compaction when what is not on the highest level is larger, nil for never

	// In hours from OffPeakStart up to but without OffPeakEnd, which may lie
	// across midnight, OffPeakRatio adds to SizeRatio. -1 is for never.
	OffPeakStart, OffPeakEnd, OffPeakRatio int

	// ForceLevel0 compacts level 0 also where no rule asks for it: every time,
	// or every ForceEvery-th time when that is positive.
	ForceLevel0 bool
	ForceEvery  int
}

// Picker chooses the next compaction of one bucket. Beside its options it
// remembers when it last chose a full compaction and how often it found
// nothing to do, so its answers follow from its questions alone. A Picker is
// for one goroutine at a time.
type Picker struct {
	options  PickOptions
	lastFull time.Time // zero: none yet
	idle     int       // picks in vain since the last forced one
}

// NewPicker returns the picker of one bucket.
func NewPicker(o PickOptions) *Picker { return &Picker{options: o} }

// Pick chooses by the rules of universal compaction, in their order: early
// full compaction, size amplification, size ratio, number of runs, forced
// level 0. now is the time, in the zone that the off-peak hours are meant in.
// ok is false when there is nothing to do.
func (p *Picker) Pick(l *Levels, now time.Time) (u Unit, ok bool) {
	runs, top := l.Runs(), l.Max()
	u, ok = p.universal(runs, top, now)
	if !ok && p.options.ForceLevel0 && p.forceNow() {
		if n := len(l.Level(0)); n > 0 {
			u, ok = p.extended(runs, top, n, true, now)
		}
	}
	if !ok || len(u.Files) == 0 || len(u.Files) == 1 && u.Files[0].Level == u.Output {
		return Unit{}, false
	}
	return u, true
}

func (p *Picker) universal(runs []LevelRun, top int, now time.Time) (Unit, bool) {
	if len(runs) != 1 && p.earlyFull(runs, top, now) || len(runs) >= p.options.Trigger && p.amplified(runs) {
		p.lastFull = now
		return unitOf(runs, top), true
	}
	if len(runs) >= p.options.Trigger {
		if u, ok := p.extended(runs, top, 1, false, now); ok {
			return u, true
		}
	}
	if n := len(runs) - p.options.Trigger; n > 0 {
		return p.extended(runs, top, n+1, false, now)
	}
	return Unit{}, false
}

// earlyFull tells that everything is to be compacted although there are few runs.
func (p *Picker) earlyFull(runs []LevelRun, top int, now time.Time) bool {
	o := &p.options
	total, increments := int64(0), int64(0)
	for _, r := range runs {
		total += r.Size()
		if r.Level != top {
			increments += r.Size()
		}
	}
	return o.FullInterval > 0 && (p.lastFull.IsZero() || now.Sub(p.lastFull) > o.FullInterval) ||
		o.TotalSize != nil && total < *o.TotalSize ||
		o.IncrementalSize != nil && increments > *o.IncrementalSize
}

// amplified tells that the younger runs have grown large beside the oldest.
func (p *Picker) amplified(runs []LevelRun) bool {
	if len(runs) == 0 {
		return false
	}
	younger := int64(0)
	for _, r := range runs[:len(runs)-1] {
		younger += r.Size()
	}
	return younger*100 > int64(p.options.SizeAmplification)*runs[len(runs)-1].Size()
}

// extended takes the first n runs and every next one that is not much larger
// than all before it together. One run alone is nothing unless forced.
func (p *Picker) extended(runs []LevelRun, top, n int, forced bool, now time.Time) (Unit, bool) {
	size := int64(0)
	for _, r := range runs[:min(n, len(runs))] {
		size += r.Size()
	}
	percent := 100 + float64(p.options.SizeRatio) + float64(p.offPeak(now.Hour()))
	for n < len(runs) && float64(size)*percent/100 >= float64(runs[n].Size()) {
		size += runs[n].Size()
		n++
	}
	if !forced && n <= 1 {
		return Unit{}, false
	}
	return p.unit(runs, top, min(n, len(runs)), now), true
}

// unit makes a unit of the first n runs, and of more where they would
// otherwise come to lie on level 0.
func (p *Picker) unit(runs []LevelRun, top, n int, now time.Time) Unit {
	output := top
	if n < len(runs) {
		output = max(0, runs[n].Level-1)
	}
	for output == 0 && n < len(runs) {
		output = runs[n].Level
		n++
	}
	if n == len(runs) {
		p.lastFull, output = now, top
	}
	return unitOf(runs[:n], output)
}

func unitOf(runs []LevelRun, output int) Unit {
	u := Unit{Output: output}
	for _, r := range runs {
		u.Files = append(u.Files, r.Files...)
	}
	return u
}

func (p *Picker) offPeak(hour int) int {
	from, to := p.options.OffPeakStart, p.options.OffPeakEnd
	if from == -1 || to == -1 || from == to {
		return 0
	}
	in := from <= hour && hour < to
	if from > to {
		in = hour < to || from <= hour
	}
	if in {
		return p.options.OffPeakRatio
	}
	return 0
}

func (p *Picker) forceNow() bool {
	if p.options.ForceEvery <= 0 {
		return true
	}
	p.idle++
	if p.idle < p.options.ForceEvery {
		return false
	}
	p.idle = 0
	return true
}

// PickFull chooses everything. When all files lie on the highest level
// already, it chooses those that stale says must be written anew.
func PickFull(l *Levels, stale func(*manifest.DataFile) bool) (u Unit, ok bool) {
	runs, top := l.Runs(), l.Max()
	if len(runs) != 1 || runs[0].Level != top {
		return unitOf(runs, top), len(runs) > 0
	}
	files := slices.Clone(runs[0].Files)
	files = slices.DeleteFunc(files, func(f manifest.DataFile) bool { return !stale(&f) })
	return Unit{Output: top, Files: files, Apart: true}, len(files) > 0
}

// DropsDeletes tells whether deletes may be left out of what a unit becomes:
// nothing that lies below could still hold an older version of a deleted row.
// With deletion vectors older versions are marked as deleted where they are.
func (u *Unit) DropsDeletes(l *Levels, vectors bool) bool {
	return u.Output > 0 && (vectors || u.Output >= l.Highest())
}
