//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// tail follows by our command line, which appends what it prints to one file,
// until a snapshot if there is one.
func (c *chaos) tail(until int64) *chaosActor {
	args := []string{"tail", c.id.String(), "--consumer", "printed", "--from", "snapshot:1"}
	if until > 0 {
		args = append(args, "--until-snapshot", fmt.Sprint(until))
	}
	return c.start("tail", false, func(uint64) *exec.Cmd {
		out, err := os.OpenFile(c.printed(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = out.WriteString("\n" + chaosLife + "\n") // behind a line that a kill has cut
		}
		if err != nil {
			c.wrong("tail: %v", err)
		}
		cmd := exec.Command(run.program, args...)
		cmd.Stdout = out
		return cmd
	})
}

const chaosLife = "a new process"

func (c *chaos) printed() string { return filepath.Join(c.logs, "printed") }

// proveTail applies all that was printed. Where a process was killed, the
// snapshot that it was printing comes again, and no other.
func (c *chaos) proveTail(last int64, lines []string) {
	<-c.tail(last).done
	data, err := os.ReadFile(c.printed())
	c.must(err)
	var kept, open []string // of the snapshots before the one at, and of it
	at, begins := int64(0), false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if begins = begins || line == chaosLife; line == chaosLife || line == "" {
			continue
		}
		var row struct {
			Snapshot int64 `json:"_snapshot"`
		}
		if json.Unmarshal([]byte(line), &row) != nil {
			continue // cut
		}
		switch {
		case row.Snapshot > at:
			kept, open = append(kept, open...), nil
		case row.Snapshot < at:
			c.t.Fatalf("tail: snapshot %d was printed behind %d", row.Snapshot, at)
		case begins:
			open = nil
		}
		at, begins, open = row.Snapshot, false, append(open, line)
	}
	f := &chaosFollower{role: &chaosRole{Kind: c.index}, now: chaosFollowed{Rows: map[string]int{}}}
	for _, line := range append(kept, open...) {
		if err := f.takePrinted(line); err != nil {
			c.t.Fatalf("tail: %s: %v", line, err)
		}
	}
	if d := differ(lines, f.now.lines()); d != "" {
		c.t.Errorf("tail: not the table (the commits are its rows here):\n%s", d)
	}
}

// takePrinted applies a row with its snapshot and kind in front.
func (f *chaosFollower) takePrinted(line string) error {
	_, rest, _ := strings.Cut(line, `"_kind":"`)
	text, row, is := strings.Cut(rest, `",`)
	kind, err := schema.ParseRowKind(text)
	if err != nil || !is {
		return fmt.Errorf("no kind: %w", err)
	}
	return f.apply(kind, "{"+row)
}
