package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// warnings prints what the library warns of, as lines for people.
type warnings struct{ out io.Writer }

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
	_, err := fmt.Fprintln(w.out, "tidelake: note:", b.String())
	return err
}

// WithAttrs keeps nothing: the library passes its attributes with each record.
func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup keeps nothing, like WithAttrs.
func (w warnings) WithGroup(string) slog.Handler { return w }
