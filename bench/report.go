package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tidelake/tidelake/table"
)

var out io.Writer = os.Stdout

// line is a JSON object that keeps the order of its members.
type line []kv

type kv struct {
	key   string
	value any
}

func base(op string) line {
	return line{{"op", op}, {"go", runtime.Version()}, {"cpus", runtime.GOMAXPROCS(0)}}
}

// size is what the newest snapshot stores.
type size struct{ files, rows, bytes int64 }

func storedSize(ctx context.Context, t *table.Table) (s size, err error) {
	for f, err := range t.Files(ctx, 0) {
		if err != nil {
			return s, err
		}
		s.files, s.rows, s.bytes = s.files+1, s.rows+f.Rows, s.bytes+f.Size
	}
	return s, nil
}

func say(l line) error {
	var b strings.Builder
	for i, m := range l {
		v, err := json.Marshal(m.value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], m.key, v)
	}
	_, err := fmt.Fprintln(out, b.String()+"}")
	return err
}

// rounds times what is done again and again, and says what each round counted
// and took; those of the warm-up are left out.
func rounds(op string, warmup, repeat int, once func() (line, error)) error {
	for rep := -warmup; rep < repeat; rep++ {
		start, cpu := time.Now(), cpuTime()
		counted, err := once()
		if err != nil {
			return err
		}
		seconds, used := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
		if rep < 0 {
			continue
		}
		l := append(append(base(op), counted...), kv{"seconds", r3(seconds)}, kv{"cpu_seconds", r3(used)}, kv{"peak_rss_mib", peakRSS()})
		if err := say(l); err != nil {
			return err
		}
	}
	return nil
}

func r3(v float64) float64 { return math.Round(v*1000) / 1000 }

func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[max(0, int(math.Ceil(p*float64(len(s))))-1)]
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the highest resident set of this process in MiB, -1 where unknown.
func peakRSS() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for _, l := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib >> 10
		}
	}
	return -1
}
