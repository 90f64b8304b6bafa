//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// chaosActor is a process that is started again whenever it was killed.
type chaosActor struct {
	name    string
	command func(life uint64) *exec.Cmd
	once    bool // is not started again
	done    chan struct{}

	mu   sync.Mutex // guards the rest
	cmd  *exec.Cmd
	over bool
}

// start runs an actor beside everything else.
func (c *chaos) start(name string, once bool, command func(life uint64) *exec.Cmd) *chaosActor {
	a := &chaosActor{name: name, command: command, once: once, done: make(chan struct{})}
	c.mu.Lock()
	c.actors[a] = true
	c.mu.Unlock()
	go func() {
		defer close(a.done)
		for life := uint64(0); c.live(a, life) && !once; life++ {
		}
		c.mu.Lock()
		delete(c.actors, a)
		c.mu.Unlock()
	}()
	return a
}

// live is one life of an actor; another one follows if it is true.
func (c *chaos) live(a *chaosActor, life uint64) bool {
	cmd := a.command(life)
	var why bytes.Buffer
	cmd.Stderr = &why
	cmd.Env = append(append(os.Environ(), cmd.Env...), "TMPDIR="+c.temp, "TIDELAKE_WAREHOUSE="+c.url)
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return false
	}
	err := cmd.Start()
	a.cmd = cmd
	a.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	a.mu.Lock()
	over := a.over
	a.mu.Unlock()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	killed := status.Signaled() && status.Signal() == syscall.SIGKILL
	c.heard(a, why.String())
	switch {
	case over || err == nil:
		return false
	case killed:
		return true
	case cmd.ProcessState.ExitCode() == chaosAgain, saysAgain(why.String()):
		return true
	}
	c.wrong("%s: %v\n%s", a.name, err, why.String())
	return false
}

// saysAgain tells that an error is one of those that are to be expected.
func saysAgain(text string) bool {
	return strings.Contains(text, "conflict") && (strings.Contains(text, "retry") || strings.Contains(text, "again")) ||
		strings.Contains(text, "expire first, then clean") // beside an expiry of Java, which does not say what goes
}

var chaosNumbers = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}(-[0-9]+)?|[0-9]+`)

// heard counts what an actor has complained about.
func (c *chaos) heard(a *chaosActor, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(text) {
		c.said[strings.TrimRight(a.name, "0123456789")+": "+chaosNumbers.ReplaceAllString(strings.TrimSpace(line), "#")]++
	}
}

// wrong is a failure that does not stop what else goes on.
func (c *chaos) wrong(format string, args ...any) {
	c.t.Errorf(format, args...)
	c.failed.Store(true)
}

func (a *chaosActor) kill(forGood bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = a.over || forGood
	if a.cmd != nil && a.cmd.Process != nil {
		a.cmd.Process.Kill() // one that has ended does not mind
	}
}

// stop kills an actor and waits until it is gone.
func (a *chaosActor) stop() {
	a.kill(true)
	<-a.done
}

// killSome kills one actor after the other until there is nothing more to do.
func (c *chaos) killSome(over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(50+c.dice(700)) * time.Millisecond):
		}
		c.mu.Lock()
		alive := slices.SortedFunc(maps.Keys(c.actors), func(a, b *chaosActor) int { return strings.Compare(a.name, b.name) })
		c.mu.Unlock()
		if len(alive) > 0 {
			alive[c.dice(len(alive))].kill(false)
			c.kills.Add(1)
		}
	}
}

// role starts a process of this test's own program.
func (c *chaos) role(r chaosRole) *chaosActor {
	r.URL, r.Table, r.Logs, r.Kind, r.Seed, r.Commits, r.Pace = c.url, c.id.String(), c.logs, c.index, c.seed, c.commits, c.pace
	return c.start(r.Name, false, func(life uint64) *exec.Cmd {
		r.Life = life
		text, err := json.Marshal(&r)
		if err != nil {
			panic(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{chaosRoleEnv + "=" + string(text)}
		return cmd
	})
}

// chaosRoleEnv makes this test's program one of the processes.
const chaosRoleEnv = "TIDELAKE_INTEROP_CHAOS_ROLE"

// tidelake starts our command line.
func (c *chaos) tidelake(name string, once bool, args ...string) *chaosActor {
	return c.start(name, once, func(uint64) *exec.Cmd { return exec.Command(run.program, args...) })
}

// surely runs our command line to its end.
func (c *chaos) surely(args ...string) string {
	c.t.Helper()
	cmd := exec.Command(run.program, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+c.temp, "TIDELAKE_WAREHOUSE="+c.url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("tidelake %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// report tells what happened.
func (c *chaos) report() {
	c.mu.Lock()
	defer c.mu.Unlock()
	reads, _ := os.ReadFile(c.logs + "/reads")
	gets, _ := os.ReadFile(c.logs + "/gets")
	text := fmt.Sprintf("%d kills, %d scans, %d lookups, seed %d", c.kills.Load(), len(reads), len(gets), c.seed)
	for _, line := range slices.Sorted(maps.Keys(c.said)) {
		text += fmt.Sprintf("\n%5d %s", c.said[line], line)
	}
	c.t.Log(text)
}
