package lsm

import "github.com/tidelake/tidelake/manifest"

// Step is a part of a compaction: files that stay as they are and only change
// their level, or sections that are merged into new files. One of the two is
// empty. The steps of a unit lie in key order.
type Step struct {
	Upgrade []manifest.DataFile
	Rewrite [][]SortedRun
}

// StepOptions say what files need to be written anew.
type StepOptions struct {
	// Small is the size in bytes below which a file is rewritten together
	// with its neighbours, though nothing overlaps it.
	Small int64
	// Rewrite tells that a file must not stay as it is.
	Rewrite func(*manifest.DataFile) bool
}

// Steps plans the work of a unit: sections of several runs are merged, files
// that overlap no other are moved up where they are large, and small ones are
// gathered into larger ones. Files that neither change nor move are in no
// step. compare orders the bodies of keys. Spec: lsm, 7.3.
func (u *Unit) Steps(compare func(a, b []byte) int, o StepOptions) []Step {
	p := stepPlan{unit: u, rewrite: o.Rewrite}
	if u.Apart {
		for _, f := range u.Files {
			p.steps = append(p.steps, Step{Rewrite: [][]SortedRun{{{f}}}})
		}
		return p.steps
	}
	for _, section := range Sections(u.Files, compare) {
		if len(section) > 1 {
			p.queue = append(p.queue, section)
			continue
		}
		for _, f := range section[0] {
			if f.Size < o.Small {
				p.queue = append(p.queue, []SortedRun{{f}})
				continue
			}
			p.flush()
			p.keep(f)
		}
	}
	p.flush()
	return p.steps
}

// stepPlan is a plan that is being made.
type stepPlan struct {
	unit    *Unit
	rewrite func(*manifest.DataFile) bool
	queue   [][]SortedRun // sections to be merged into the same files
	steps   []Step
}

// flush rewrites what is queued. A queue of one file is not worth that.
func (p *stepPlan) flush() {
	queue := p.queue
	p.queue = nil
	switch {
	case len(queue) == 0:
	case len(queue) == 1 && len(queue[0]) == 1:
		for _, f := range queue[0][0] {
			p.keep(f)
		}
	default:
		p.steps = append(p.steps, Step{Rewrite: queue})
	}
}

// keep moves a file to the output level, unless it must change.
func (p *stepPlan) keep(f manifest.DataFile) {
	switch {
	case p.rewrite != nil && p.rewrite(&f):
		p.steps = append(p.steps, Step{Rewrite: [][]SortedRun{{{f}}}})
	case f.Level != p.unit.Output:
		p.steps = append(p.steps, Step{Upgrade: []manifest.DataFile{f}})
	}
}
