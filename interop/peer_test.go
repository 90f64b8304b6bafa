//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// peer is one JVM that answers commands, one after the other.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startPeer starts the Java program of a Paimon release: "" for the one in
// peer/target, else the directory of another build.
func startPeer(t testing.TB, home string) *peer {
	t.Helper()
	if home == "" {
		home = "peer"
	}
	cmd := exec.Command(home+"/peer", "serve")
	cmd.Env = append(os.Environ(), "PEER_JAVA_OPTS=-Xmx2g -XX:+UseSerialGC")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return p
}

// run answers the output lines of a command; an error holds what Java said.
func (p *peer) run(args ...string) ([]string, error) {
	line, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	var lines []string
	for {
		text, err := p.out.ReadString('\n')
		if err != nil {
			return lines, fmt.Errorf("the JVM ended: %w", err)
		}
		text = strings.TrimSuffix(text, "\n")
		if rc, ok := strings.CutPrefix(text, `{"_end":`); ok {
			if rc != "0}" {
				return lines, fmt.Errorf("java %v: %s", args, strings.Join(lines, "\n"))
			}
			return lines, nil
		}
		lines = append(lines, text)
	}
}

// rows is a scan by Java as sorted lines.
func (p *peer) rows(warehouse, name string, more ...string) ([]string, error) {
	lines, err := p.run(append([]string{"scan", "--warehouse", warehouse, "--table", name}, more...)...)
	slices.Sort(lines)
	return lines, err
}
