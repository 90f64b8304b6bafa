package snapshot

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// Tag is a snapshot under a name. It can be read after the snapshot itself has
// expired. Most tags are kept until somebody deletes them and carry no times.
type Tag struct {
	Snapshot
	Name     string
	Created  time.Time      // zero when the file does not say; a wall clock's reading without its zone, shown as UTC
	Retained *time.Duration // how long the tag lives after Created; nil is for good
}

const tagPrefix = "tag-"

func (c *Chain) tagDir() string { return c.root + "tag" }

// TagPath is the key of a tag's file.
func (c *Chain) TagPath(name string) string { return c.tagDir() + "/" + tagPrefix + name }

// Tag reads a tag: fault.ErrNotFound when there is none of this name,
// fault.ErrInvalid for a name that no tag can have.
func (c *Chain) Tag(ctx context.Context, name string) (*Tag, error) {
	if err := CheckTagName(name); err != nil {
		return nil, err
	}
	path := c.TagPath(name)
	data, err := c.st.ReadAll(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read tag %q: %w", name, err)
	}
	t, err := ParseTag(path, data)
	if err != nil {
		return nil, err
	}
	t.Name = name
	return t, nil
}

// CheckTagName refuses a name that a tag cannot have: a blank one, and one that
// would not be one file.
func CheckTagName(name string) error { return checkFileName("tag", name) }

func checkFileName(what, name string) error {
	if strings.TrimSpace(name) == "" {
		return fault.Invalid("the name of a " + what + " is blank")
	}
	if strings.ContainsAny(name, "/\\\x00") {
		return fault.Invalid(fmt.Sprintf("%s name %q may not hold / or \\", what, name))
	}
	return nil
}

// Tags reads all tags, ordered by snapshot and then by name. One that is
// deleted meanwhile is left out; one that gets another name is not.
func (c *Chain) Tags(ctx context.Context) ([]*Tag, error) {
	for attempt := 1; ; attempt++ {
		tags, gone, err := c.tagsNow(ctx)
		if err != nil {
			return nil, err
		}
		if gone == "" {
			slices.SortStableFunc(tags, func(a, b *Tag) int { return cmp.Compare(a.ID, b.ID) })
			return tags, nil
		}
		if attempt == listAttempts {
			return nil, fmt.Errorf("list tags: they change all the time, %q has gone last", gone)
		}
	}
}

// tagsNow reads the tags of one listing; gone is one that was there no more.
func (c *Chain) tagsNow(ctx context.Context) (tags []*Tag, gone string, err error) {
	names, err := c.TagNames(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, name := range names {
		t, err := c.Tag(ctx, name)
		if isNotFound(err) {
			return nil, name, nil // it may have another name now
		}
		if err != nil {
			return nil, "", err
		}
		tags = append(tags, t)
	}
	return tags, "", nil
}

// TagNames lists the names of all tags, sorted.
func (c *Chain) TagNames(ctx context.Context) ([]string, error) {
	files, err := c.TagFiles(ctx)
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return names, err
}

// TagFiles lists the files of all tags under the names of the tags, sorted. A tag
// that is replaced gets another time, where the store keeps times.
func (c *Chain) TagFiles(ctx context.Context) ([]store.Info, error) {
	var files []store.Info
	for info, err := range c.st.List(ctx, c.tagDir()) {
		if err != nil {
			return nil, fmt.Errorf("list tags: %w", err)
		}
		if name, ok := strings.CutPrefix(info.Name, tagPrefix); ok && !info.Dir && CheckTagName(name) == nil {
			info.Name = name
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b store.Info) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// ParseTag reads a tag file; file names it in errors, as Parse does.
func ParseTag(file string, data []byte) (*Tag, error) {
	s, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	t := &Tag{Snapshot: *s}
	var own struct {
		Created  []int       `json:"tagCreateTime"`
		Retained json.Number `json:"tagTimeRetained"`
	}
	if err := json.Unmarshal(data, &own); err != nil {
		return nil, fault.Corrupt(file, "the times of the tag", err)
	}
	if t.Created, err = parseLocalTime(own.Created); err != nil {
		return nil, fault.Corrupt(file, "tagCreateTime", err)
	}
	if own.Retained != "" {
		d, ok := parseSeconds(own.Retained.String())
		if !ok {
			return nil, fault.Corrupt(file, "tagTimeRetained "+own.Retained.String(), nil)
		}
		t.Retained = &d
	}
	return t, nil
}

// parseLocalTime reads [year, month, day, hour, minute(, second(, nanosecond))].
func parseLocalTime(parts []int) (time.Time, error) {
	if len(parts) == 0 {
		return time.Time{}, nil
	}
	if len(parts) < 5 || len(parts) > 7 {
		return time.Time{}, fmt.Errorf("a time of %d parts", len(parts))
	}
	p := append(slices.Clone(parts), 0, 0)
	return time.Date(p[0], time.Month(p[1]), p[2], p[3], p[4], p[5], p[6], time.UTC), nil
}

// parseSeconds reads decimal seconds, exactly.
func parseSeconds(text string) (time.Duration, bool) {
	seconds, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	n := seconds.Mul(seconds, big.NewRat(int64(time.Second), 1))
	return time.Duration(n.Num().Int64()), n.IsInt() && n.Num().IsInt64()
}

// Marshal writes the tag as Java 1.4 does: its snapshot, and the two times
// only when there is a retention, which the oldest readers do not know.
func (t *Tag) Marshal() []byte {
	out := t.Snapshot.Marshal()
	if t.Retained == nil {
		return out
	}
	p := printer{out: out[:len(out)-len("\n}")]}
	p.member("tagCreateTime")
	p.out = appendLocalTime(p.out, t.Created)
	p.member("tagTimeRetained")
	p.out = appendSeconds(p.out, *t.Retained)
	return append(p.out, "\n}"...)
}

func appendLocalTime(out []byte, at time.Time) []byte {
	parts := []int{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond()}
	for len(parts) > 5 && parts[len(parts)-1] == 0 {
		parts = parts[:len(parts)-1]
	}
	out = append(out, '[')
	for i, n := range parts {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, ' '), int64(n), 10)
	}
	return append(out, " ]"...)
}

// appendSeconds writes a duration as seconds with nine digits behind the point;
// no time at all is 0.0, as Java's decimals have it.
func appendSeconds(out []byte, d time.Duration) []byte {
	if d == 0 {
		return append(out, "0.0"...)
	}
	if d < 0 {
		out, d = append(out, '-'), -d
	}
	return fmt.Appendf(out, "%d.%09d", d/time.Second, d%time.Second)
}
