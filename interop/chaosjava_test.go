//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// javaWrites tells that the last writer is Java.
func (c *chaos) javaWrites() bool { return c.java != nil && !c.kind.lone && !c.kind.looksUp() }

// javaWorks is Java's part; it says when it has made all of its commits.
func (c *chaos) javaWorks(written chan<- struct{}, over <-chan struct{}) {
	seen := newChaosState(c.kind, c.seed)
	todo := c.javaWrites()
	if !todo {
		close(written)
	}
	for {
		select {
		case <-over:
			return
		default:
		}
		switch what := c.dice(8); what {
		case 0, 1:
			if !c.kind.looksUp() {
				c.javaDoes("compact", []string{"--full"}[:what]...)
			}
		case 2:
			c.javaDoes("expire")
		case 3:
			if c.javaReads(seen); c.dice(3) == 0 {
				c.killJavaSoon()
			}
		default:
			if todo && !c.javaCommits() {
				todo = false
				close(written)
			}
		}
	}
}

func (c *chaos) startJava() {
	s, err := startServer("peer/peer", "serve")
	c.must(err)
	c.java, c.javaDies = &peer{server: s, dir: c.dir, always: []string{"--exclusive"}}, nil
}

// killJavaSoon lets it die in the midst of what it does next.
func (c *chaos) killJavaSoon() {
	if c.javaDies == nil {
		c.javaDies = time.AfterFunc(time.Duration(c.dice(1500))*time.Millisecond, func() { c.java.cmd.Process.Kill() })
	}
}

// javaBeganAnew tells whether a command failed because Java was to die, and starts another one.
func (c *chaos) javaBeganAnew() bool {
	if c.javaDies == nil {
		return false
	}
	c.java.cmd.Process.Kill() // an error from before the kill is lost
	c.javaDies.Stop()
	c.java.stop()
	c.kills.Add(1)
	c.startJava()
	return true
}

// javaDoes runs a command that Java may lose against others, as it says then.
func (c *chaos) javaDoes(command string, args ...string) bool {
	_, err := c.java.run(c.id.String(), command, args...)
	if err == nil {
		return true
	}
	if c.javaBeganAnew() {
		return false
	}
	_, why, _ := strings.Cut(err.Error(), `{"error":`)
	why, _, known := strings.Cut(why, "conflicts detected! Give up committing")
	if !known {
		c.wrong("java %s: %v", command, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said["java "+command+": "+why]++
	return false
}

// javaCommits writes one to three batches; false when all are there.
func (c *chaos) javaCommits() bool {
	ctx, w := context.Background(), chaosWriters-1
	committer, err := c.open().NewCommitter(ctx, chaosUser(w))
	c.must(err)
	next, err := committer.NextIdentifier(ctx)
	c.must(err)
	done, err := chaosSettled(c.logs, w, next)
	if err != nil {
		c.wrong("java: %v", err)
		return false
	}
	last := min(done+1+int64(c.dice(3)), c.commits)
	if done >= last {
		return false
	}
	var lines []string
	for n := done + 1; n <= last; n++ {
		lines = append(append(lines, c.kind.batchLines(c.seed, w, n)...), `{"_commit":true}`)
	}
	file := filepath.Join(c.logs, "java.rows")
	c.must(os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
	c.must(chaosNote(c.logs, w, "tried", last))
	args := []string{"--input", file, "--user", chaosUser(w), "--last-identifier", fmt.Sprint(done)}
	if c.javaDoes("write", args...) {
		c.must(chaosNote(c.logs, w, "told", last))
	}
	return true
}

// javaReads proves what Java reads as a reader of ours does.
func (c *chaos) javaReads(seen *chaosState) {
	before, err := chaosTold(c.logs)
	c.must(err)
	lines, err := c.java.run(c.id.String(), "scan")
	if err != nil && c.javaBeganAnew() {
		return
	}
	if err != nil {
		c.wrong("java reads: %v", err)
		return
	}
	if err := seen.holds(lines, before); err != nil {
		c.wrong("java reads: %v", err)
	}
}

func (c *chaos) proveByJava(lines []string) {
	if c.java == nil {
		return
	}
	got, err := c.java.rows(c.id.String())
	c.must(err)
	if d := differ(lines, got); d != "" {
		c.t.Errorf("Java reads other rows:\n%s", d)
	}
	out, err := c.java.run(c.id.String(), "delete-orphans", "--dry-run")
	c.must(err)
	if !strings.Contains(strings.Join(out, "\n"), `"deleted":[]`) {
		c.t.Errorf("Java finds files that nobody needs: %s", out)
	}
	if out, err := c.java.run(c.id.String(), "verify", "--loose"); err != nil {
		c.t.Errorf("java's verify: %v\n%s", err, strings.Join(out, "\n"))
	}
}
