package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// schemaFiles reads schema/schema-N, each at most once: a published schema
// file never changes. Safe for concurrent use.
type schemaFiles struct {
	store store.Store
	root  string // of the branch, see snapshot.BranchPath
	mu    sync.Mutex
	byID  map[int64]*schema.Table
	said  map[int64]*schema.Options
}

func newSchemaFiles(st store.Store, branch string) *schemaFiles {
	return &schemaFiles{store: st, root: snapshot.BranchPath(branch), byID: make(map[int64]*schema.Table), said: make(map[int64]*schema.Options)}
}

func (s *schemaFiles) dir() string { return s.root + "schema" }

func (s *schemaFiles) key(id int64) string { return s.dir() + "/schema-" + strconv.FormatInt(id, 10) }

// ids lists the schema ids that exist.
func (s *schemaFiles) ids(ctx context.Context) ([]int64, error) {
	var ids []int64
	for info, err := range s.store.List(ctx, s.dir()) {
		if err != nil {
			return nil, err
		}
		digits, ok := strings.CutPrefix(info.Name, "schema-")
		if id, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && id >= 0 && !info.Dir {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *schemaFiles) latest(ctx context.Context) (*schema.Table, error) {
	ids, err := s.ids(ctx)
	if err != nil {
		return nil, err
	}
	newest := int64(-1)
	for _, id := range ids {
		newest = max(newest, id)
	}
	if newest < 0 {
		return nil, &fault.Error{Class: fault.ErrNotFound, File: s.dir() + "/", Detail: "no schema file: there is no table here"}
	}
	return s.get(ctx, newest)
}

func (s *schemaFiles) get(ctx context.Context, id int64) (*schema.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sc := s.byID[id]; sc != nil {
		return sc, nil
	}
	data, err := s.store.ReadAll(ctx, s.key(id))
	if err != nil {
		return nil, err
	}
	sc, err := schema.ParseTable(data)
	if err != nil {
		return nil, &fault.Error{File: s.key(id), Err: err}
	}
	if sc.ID != id {
		return nil, fault.Corrupt(s.key(id), fmt.Sprintf("holds schema id %d", sc.ID), nil)
	}
	s.byID[id] = sc
	return sc, nil
}

// prove tells whether a schema is still there: where it is not, its table was dropped.
func (s *schemaFiles) prove(ctx context.Context, id int64) error {
	_, err := s.store.Stat(ctx, s.key(id))
	if isNotFound(err) {
		return &fault.Error{Class: fault.ErrNotFound, File: s.key(id), Detail: "the table was dropped since it was opened", Hint: "open it again, if there is one of its name"}
	}
	return err
}

// forget drops what is known, for schemas that were replaced after all.
func (s *schemaFiles) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byID)
	clear(s.said)
}

// options are the options of a schema.
func (s *schemaFiles) options(ctx context.Context, id int64) (*schema.Options, error) {
	sc, err := s.get(ctx, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.said[id]; o != nil {
		return o, nil
	}
	o, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return nil, &fault.Error{File: s.key(id), Err: err}
	}
	s.said[id] = o
	return o, nil
}

// checkAltered refuses to read, with the columns that the table was opened
// with, data of a newer schema that those cannot hold, or whose options make
// rows come out differently.
func (t *Table) checkAltered(ctx context.Context, id int64) error {
	if err := t.checkOptions(ctx, id); err != nil || id <= t.schema.ID {
		return err
	}
	sc, err := t.schemas.get(ctx, id)
	if err != nil {
		return err
	}
	for _, f := range t.schema.Fields {
		if now, ok := byID(sc.Fields, f.ID); ok && retyped(f.Type, now.Type) {
			return &fault.Error{Class: fault.ErrInvalid, File: t.schemas.key(id),
				Detail: fmt.Sprintf("column %s was altered from %s to %s since the table was opened", f.Name, f.Type, now.Type), Hint: "open the table again"}
		}
	}
	return nil
}

// retyped tells that a type can hold other values than before. Members that
// came, went or got other names make no difference, nor does nullability.
func retyped(was, is schema.Type) bool {
	for _, inner := range [][2]*schema.Type{{was.Key, is.Key}, {was.Elem, is.Elem}} {
		if inner[0] != nil && inner[1] != nil && retyped(*inner[0], *inner[1]) {
			return true
		}
	}
	for _, f := range was.Fields {
		if now, ok := byID(is.Fields, f.ID); ok && retyped(f.Type, now.Type) {
			return true
		}
	}
	return was.Kind != is.Kind || was.Length != is.Length || was.Precision != is.Precision || was.Scale != is.Scale
}

// checkOptions is checkAltered for who reads with the columns of that schema.
func (t *Table) checkOptions(ctx context.Context, id int64) error {
	if id <= t.schema.ID {
		return nil
	}
	sc, err := t.schemas.get(ctx, id)
	if err != nil {
		return err
	}
	o, err := schema.ParseOptions(sc.Options)
	if err == nil {
		err = o.CheckRead(sc)
	}
	if err != nil {
		return &fault.Error{File: t.schemas.key(id), Err: err}
	}
	have := t.options
	if o.MergeEngine != have.MergeEngine || o.DeletionVectors != have.DeletionVectors || o.IgnoreDelete != have.IgnoreDelete || o.SequenceDescending != have.SequenceDescending ||
		!slices.Equal(o.SequenceFields, have.SequenceFields) || !reflect.DeepEqual(o.Engine, have.Engine) || o.DataFilePathDirectory != have.DataFilePathDirectory {
		return &fault.Error{Class: fault.ErrInvalid, File: t.schemas.key(id),
			Detail: "the table's options were altered since it was opened", Hint: "open the table again"}
	}
	return nil
}

var errAltered = errors.New("the table was altered since it was opened, and writing its rows again would lose what is new")

// mayWriteAgain refuses to write rows again that a newer schema than the
// table's made: columns that it added would be lost.
func (t *Table) mayWriteAgain(ids ...int64) error {
	for _, id := range ids {
		if id > t.schema.ID {
			return &fault.Error{Class: fault.ErrInvalid, File: t.schemas.key(id), Err: errAltered,
				Hint: fmt.Sprintf("it was opened with schema %d: open the table again", t.schema.ID)}
		}
	}
	return nil
}

func schemasOf(files []manifest.DataFile) []int64 {
	ids := make([]int64, len(files))
	for i := range files {
		ids[i] = files[i].SchemaID
	}
	return ids
}

// newestSchema answers which schema is the newest, for the snapshots of one
// committer. It asks for the next id at most once in lookEvery: a commit that
// names a schema which was superseded a moment ago is one that came a moment
// earlier. A snapshot never names an older schema than the files it adds.
type newestSchema struct {
	files *schemaFiles
	clock func() time.Time

	mu    sync.Mutex
	id    int64
	asked time.Time
}

func (n *newestSchema) latest(ctx context.Context) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.clock()
	if !n.asked.IsZero() && now.Sub(n.asked) < lookEvery {
		return n.id, nil
	}
	for {
		_, err := n.files.store.Stat(ctx, n.files.key(n.id+1))
		if errors.Is(err, fault.ErrNotFound) {
			n.asked = now
			return n.id, nil
		}
		if err != nil {
			return 0, fmt.Errorf("look for a newer schema: %w", err)
		}
		n.id++
	}
}

// atLeast notes a schema that is known to exist.
func (n *newestSchema) atLeast(id int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id = max(n.id, id)
}

// Create makes a new table at st's root by publishing schema-0. It fails with
// ErrExists where a table already is, and ErrInvalid with every fault of sc.
func Create(ctx context.Context, st store.Store, sc *schema.Table) error {
	if err := sc.Validate(); err != nil {
		return err
	}
	options, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	if _, err := engineOf(sc, options); err != nil {
		return err
	}
	if err := checkShared(ctx, st, sc); err != nil {
		return err
	}
	files := newSchemaFiles(st, "")
	ids, err := files.ids(ctx)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		return &fault.Error{Class: fault.ErrExists, File: files.key(ids[0]), Detail: "a table is already here"}
	}
	data, err := sc.Marshal()
	if err != nil {
		return err
	}
	return st.CreateIfAbsent(ctx, files.key(sc.ID), data)
}
