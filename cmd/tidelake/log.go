package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// warnings prints what the library warns of, as lines for people.
type warnings struct{ app *app }

// Enabled passes over everything below a warning.
func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle prints one line.
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "table" {
			b.WriteString(attr.Value.String() + ": ")
		}
		return true
	})
	b.WriteString(r.Message)
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key != "table" {
			b.WriteString(" " + attr.String())
		}
		return true
	})
	w.app.note("%s", b.String())
	return nil
}

// WithAttrs keeps nothing: the library passes its attributes with each record.
func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup keeps nothing, like WithAttrs.
func (w warnings) WithGroup(string) slog.Handler { return w }

// saidNotes lets a standing command say a thing once, and again only when it
// was not so for a round.
type saidNotes struct {
	mu          sync.Mutex
	before, now map[string]bool
}

func (s *saidNotes) nextRound() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.now = s.now, make(map[string]bool)
}

// isNews tells whether a note is to be printed. Without a memory all are.
func (s *saidNotes) isNews(line string) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.before[line] || s.now[line]
	s.now[line] = true
	return !known
}
