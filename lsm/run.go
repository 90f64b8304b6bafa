package lsm

import (
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// Run is one ordered stream of stored rows: the files of one sorted run, read
// one after the other. Keys rise strictly from row to row and from batch to
// batch. A Run is used by one goroutine at a time.
type Run interface {
	// Name says which files these are, in errors.
	Name() string
	// Next returns the next batch, which the caller releases, or io.EOF.
	// Columns are found by name: the value columns, _SEQUENCE_NUMBER (int64)
	// and _VALUE_KIND (int8), in any order, other columns are ignored.
	Next() (arrow.RecordBatch, error)
	// Rank is the age of the file that the batch last returned came from, 0
	// for the youngest. It decides between rows that are equal in key,
	// sequence fields and sequence number: the smaller rank wins.
	Rank() int
	// Close gives up what the run holds. It may be called at any time and
	// more than once.
	Close() error
}

// Prefetch returns a run that reads up to depth batches of r ahead in a
// goroutine of its own, so that many runs are decoded at the same time. It
// takes r over. Close stops the goroutine and waits for it; the read that is
// under way is finished first, unless the context that r was opened with ends
// it earlier.
func Prefetch(r Run, depth int) Run {
	p := &prefetched{run: r, stop: make(chan struct{}), out: make(chan ahead, max(depth, 1)-1)}
	p.done.Add(1)
	go p.read()
	return p
}

type ahead struct {
	rec  arrow.RecordBatch
	rank int
	err  error
}

type prefetched struct {
	run  Run
	out  chan ahead
	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
	err  error // of Close
	end  error // what Next keeps answering once the run is over
	rank int
}

// read holds one finished batch itself while the channel is full, which is
// why the channel is one shorter than the depth.
func (p *prefetched) read() {
	defer p.done.Done()
	defer close(p.out)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		rec, err := p.run.Next()
		a := ahead{rec: rec, err: err}
		if err == nil {
			a.rank = p.run.Rank()
		}
		select {
		case p.out <- a:
		case <-p.stop:
			if rec != nil && err == nil {
				rec.Release()
			}
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *prefetched) Name() string { return p.run.Name() }
func (p *prefetched) Rank() int    { return p.rank }

func (p *prefetched) Next() (arrow.RecordBatch, error) {
	if p.end != nil {
		return nil, p.end
	}
	a, ok := <-p.out
	if !ok {
		a.err = io.EOF
	}
	if a.err != nil {
		p.end = a.err
		return nil, a.err
	}
	p.rank = a.rank
	return a.rec, nil
}

func (p *prefetched) Close() error {
	p.once.Do(func() {
		close(p.stop)
		for a := range p.out {
			if a.err == nil {
				a.rec.Release()
			}
		}
		p.done.Wait()
		p.err = p.run.Close()
		p.end = errClosed("merge run " + p.run.Name())
	})
	return p.err
}
