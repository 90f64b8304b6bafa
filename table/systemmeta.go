package table

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// metaTable is a system table of what the table knows of itself. Its rows are
// made one by one, and only as far as somebody asks for them.
type metaTable struct {
	columns []string // "name TYPE", as Paimon has them
	// travels says that the rows are those of a snapshot, which the options may
	// choose. The others are of the whole table.
	travels bool
	// shared says that they are also those of another branch that batch reads look at.
	shared bool
	// rows yields one value a column; what is not needed may be nil.
	rows func(context.Context, *metaRead) iter.Seq2[[]any, error]
}

// metaRead is one read of a metaTable.
type metaRead struct {
	*Table
	scan *Scan // of the snapshot that is shown, if the table travels
	need systemNeed
}

// metaBatchBytes bounds a batch of metadata, whose texts may be long.
const metaBatchBytes = 1 << 20

// view makes the metaTable a system table; see systemTables.
func (m metaTable) view(ctx context.Context, t *Table, o *ScanOptions) (*systemView, error) {
	fields, err := m.fields()
	if err != nil {
		return nil, err
	}
	r := &metaRead{Table: t}
	if m.shared {
		r.scan, err = t.unprojected(ctx, o)
	} else if m.travels {
		r.scan, err = t.scan(ctx, *o.plain(), scanHow{told: true})
	} else if o.travels() > 0 || o.Between != nil {
		err = &fault.Error{Class: fault.ErrInvalid, Detail: "these rows are of the whole table, not of one snapshot", Hint: "leave out the snapshot, time, tag, watermark or versions"}
	}
	if err != nil {
		return nil, err
	}
	rows := o.batchRows()
	return &systemView{fields: fields, rows: func(ctx context.Context, need systemNeed) iter.Seq2[arrow.RecordBatch, error] {
		own := *r
		own.need = need
		return m.batches(ctx, &own, fields, rows)
	}}, nil
}

func (m metaTable) fields() ([]schema.Field, error) {
	fields := make([]schema.Field, len(m.columns))
	for i, c := range m.columns {
		name, text, _ := strings.Cut(c, " ")
		t, err := schema.ParseType(text)
		if err != nil {
			return nil, err
		}
		fields[i] = schema.Field{ID: i, Name: name, Type: t}
	}
	return fields, nil
}

// batches gathers the needed columns of the rows.
func (m metaTable) batches(ctx context.Context, r *metaRead, all []schema.Field, rows int) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		var at []int
		var fields []schema.Field
		for i, f := range all {
			if r.need.columns[f.Name] {
				at, fields = append(at, i), append(fields, f)
			}
		}
		out, err := rowjson.NewAppender(fields, r.world.Alloc)
		if err != nil {
			yield(nil, err)
			return
		}
		hand := func() bool {
			rec, _ := out.Flush()
			defer rec.Release()
			return yield(rec, nil)
		}
		values := make([]any, len(at))
		for row, err := range m.rows(ctx, r) {
			if err == nil {
				for i, c := range at {
					values[i] = row[c]
				}
				err = out.Append(schema.Insert, values)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if (out.Rows() >= rows || out.Bytes() >= metaBatchBytes) && !hand() {
				return
			}
		}
		if out.Rows() > 0 {
			hand()
		}
	}
}

// wants tells that one of some columns is needed.
func (r *metaRead) wants(columns ...string) bool {
	for _, c := range columns {
		if r.need.columns[c] {
			return true
		}
	}
	return false
}

// local is a moment as the clocks of the session's time zone show it.
func (r *metaRead) local(millis int64) schema.TimestampValue {
	_, offset := time.UnixMilli(millis).In(r.settings.TimeZone).Zone()
	return schema.TimestampValue{Millis: millis + int64(offset)*1000}
}

// orNull is what p points to, null for nothing.
func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// textOrNull is null for a text that is not there.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// javaList prints texts as Java prints a list of them.
func javaList(texts []string) string { return "[" + strings.Join(texts, ", ") + "]" }

// javaDuration prints a duration as Java does: PT24H, PT1H30M, PT0.5S.
func javaDuration(d time.Duration) string {
	if d == 0 {
		return "PT0S"
	}
	text := "PT"
	if h := d / time.Hour; h != 0 {
		text += fmt.Sprintf("%dH", h)
	}
	if m := d % time.Hour / time.Minute; m != 0 {
		text += fmt.Sprintf("%dM", m)
	}
	rest := d % time.Minute
	if rest == 0 {
		return text
	}
	if rest < 0 {
		text, rest = text+"-", -rest
	}
	text += fmt.Sprintf("%d", rest/time.Second)
	if nanos := rest % time.Second; nanos != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
	}
	return text + "S"
}
