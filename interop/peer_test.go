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

// server is a program that answers JSON lines of commands, one after the
// other, until its input ends: each with its output and then {"_end":rc}.
type server struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startServer(name string, args ...string) (*server, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PEER_JAVA_OPTS=-Xmx1g -XX:+UseSerialGC")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &server{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<20)}, cmd.Start()
}

func (s *server) stop() {
	s.in.Close()
	s.cmd.Wait()
}

// ask sends one command and answers its lines of output; an error holds what
// the other side said.
func (s *server) ask(command any) (lines []string, err error) {
	err = s.tell(command, func(line string) { lines = append(lines, line) })
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.Join(lines, "\n"))
	}
	return lines, err
}

// tell sends one command and hands each line of output on when it comes.
func (s *server) tell(command any, each func(line string)) error {
	line, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return err
	}
	for {
		text, err := s.out.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the other program ended: %w", err)
		}
		text = strings.TrimSuffix(text, "\n")
		if rc, ok := strings.CutPrefix(text, `{"_end":`); ok {
			if rc != "0}" {
				return fmt.Errorf("%s failed", line)
			}
			return nil
		}
		each(text)
	}
}

// pool shares the running servers of one kind between tests.
type pool struct {
	start func() (*server, error)
	idle  chan *server
}

func newPool(size int, start func() (*server, error)) *pool {
	p := &pool{start: start, idle: make(chan *server, size)}
	for range size {
		p.idle <- nil // started when it is first wanted
	}
	return p
}

// take is a server that is t's own until t ends.
func (p *pool) take(t testing.TB) *server {
	t.Helper()
	s := <-p.idle
	if s == nil {
		var err error
		if s, err = p.start(); err != nil {
			p.idle <- nil
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { p.idle <- s })
	return s
}

func (p *pool) stop() {
	for range cap(p.idle) {
		if s := <-p.idle; s != nil {
			s.stop()
		}
	}
}

// peer is real Apache Paimon in a JVM, working on one warehouse.
type peer struct {
	*server
	dir    string
	always []string // arguments of every command
}

func (p *peer) run(table, command string, args ...string) ([]string, error) {
	return p.ask(p.command(table, command, args))
}

func (p *peer) command(table, command string, args []string) []string {
	return slices.Concat([]string{command, "--warehouse", p.dir, "--table", table}, p.always, args)
}

// rows is a scan as sorted lines.
func (p *peer) rows(table string, more ...string) ([]string, error) {
	lines, err := p.run(table, "scan", more...)
	slices.Sort(lines)
	return lines, err
}
