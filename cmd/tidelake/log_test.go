package main

import (
	"bytes"
	"testing"
)

func TestAStandingCommandRepeatsNoNote(t *testing.T) {
	var out bytes.Buffer
	a := &app{err: &out, said: &saidNotes{}}
	for _, round := range [][]string{{"a", "a"}, {"a", "b"}, {"b"}, {"a"}} {
		a.said.nextRound()
		for _, line := range round {
			a.note("%s", line)
		}
	}
	if got, want := out.String(), "tidelake: note: a\ntidelake: note: b\ntidelake: note: a\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
