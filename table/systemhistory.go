package table

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// The system tables of what a table has been: its snapshots, schemas and
// options, and the names that were given to some of its states.

var snapshotsTable = metaTable{
	columns: []string{
		"snapshot_id BIGINT NOT NULL", "schema_id BIGINT NOT NULL", "commit_user STRING NOT NULL", "commit_identifier BIGINT NOT NULL",
		"commit_kind STRING NOT NULL", "commit_time TIMESTAMP(3) NOT NULL", "base_manifest_list STRING NOT NULL", "delta_manifest_list STRING NOT NULL",
		"changelog_manifest_list STRING", "total_record_count BIGINT", "delta_record_count BIGINT", "changelog_record_count BIGINT",
		"watermark BIGINT", "next_row_id BIGINT"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for s, err := range r.chain.All(ctx) {
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield([]any{s.ID, s.SchemaID, s.CommitUser, s.CommitIdentifier, string(s.CommitKind), r.local(s.TimeMillis),
					s.BaseManifestList, s.DeltaManifestList, textOrNull(s.ChangelogManifestList), orNull(s.TotalRecordCount),
					orNull(s.DeltaRecordCount), orNull(s.ChangelogRecordCount), orNull(s.Watermark), orNull(s.NextRowID)}, nil) {
					return
				}
			}
		}
	},
}

var schemasTable = metaTable{
	columns: []string{
		"schema_id BIGINT NOT NULL", "fields STRING NOT NULL", "partition_keys STRING NOT NULL", "primary_keys STRING NOT NULL",
		"options STRING NOT NULL", "comment STRING", "update_time TIMESTAMP(3) NOT NULL"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for s, err := range r.Schemas(ctx) {
				if err != nil {
					yield(nil, err)
					return
				}
				flat := s.FlatJSON()
				if !yield([]any{s.ID, flat.Fields, flat.PartitionKeys, flat.PrimaryKeys, flat.Options, textOrNull(s.Comment), r.local(s.TimeMillis)}, nil) {
					return
				}
			}
		}
	},
}

var optionsTable = metaTable{
	columns: []string{"key STRING NOT NULL", "value STRING NOT NULL"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return ofNewestSchema(ctx, r, func(sc *schema.Table, yield func([]any, error) bool) {
			for _, key := range slices.Sorted(maps.Keys(sc.Options)) {
				if !yield([]any{key, sc.Options[key]}, nil) {
					return
				}
			}
		})
	},
}

var aggregationFieldsTable = metaTable{
	columns: []string{"field_name STRING NOT NULL", "field_type STRING NOT NULL", "function STRING", "function_options STRING", "comment STRING"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return ofNewestSchema(ctx, r, func(sc *schema.Table, yield func([]any, error) bool) {
			keys, values := map[string][]string{}, map[string][]string{}
			for _, key := range slices.Sorted(maps.Keys(sc.Options)) {
				if part := strings.Split(strings.TrimRight(key, "."), "."); len(part) > 2 && part[0] == "fields" {
					keys[part[1]] = append(keys[part[1]], key)
					values[part[1]] = append(values[part[1]], sc.Options[key])
				}
			}
			for _, f := range sc.Fields {
				if !yield([]any{f.Name, f.Type.String(), javaList(values[f.Name]), javaList(keys[f.Name]), textOrNull(f.Description)}, nil) {
					return
				}
			}
		})
	},
}

// ofNewestSchema makes rows of the newest schema, which may be newer than the
// one that the table was opened with.
func ofNewestSchema(ctx context.Context, r *metaRead, rows func(*schema.Table, func([]any, error) bool)) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		sc, err := r.schemas.latest(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		rows(sc, yield)
	}
}

var tagsTable = metaTable{
	columns: []string{
		"tag_name STRING NOT NULL", "snapshot_id BIGINT NOT NULL", "schema_id BIGINT NOT NULL", "commit_time TIMESTAMP(3) NOT NULL",
		"record_count BIGINT", "create_time TIMESTAMP(3)", "time_retained STRING"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			names, err := r.chain.TagNames(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, name := range names {
				tag, err := r.chain.Tag(ctx, name)
				if isNotFound(err) {
					continue // deleted meanwhile
				}
				if err != nil {
					yield(nil, err)
					return
				}
				var created, retained any
				if !tag.Created.IsZero() {
					created = schema.TimestampValue{Millis: tag.Created.UnixMilli()} // a wall clock's already
				}
				if tag.Retained != nil {
					retained = javaDuration(*tag.Retained)
				}
				if !yield([]any{name, tag.ID, tag.SchemaID, r.local(tag.TimeMillis), orNull(tag.TotalRecordCount), created, retained}, nil) {
					return
				}
			}
		}
	},
}

var branchesTable = metaTable{
	columns: []string{"branch_name STRING NOT NULL", "create_time TIMESTAMP(3) NOT NULL"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			names, err := snapshot.Branches(ctx, r.store)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, name := range names {
				made, err := r.branchMade(ctx, name)
				if isNotFound(err) {
					continue // deleted meanwhile
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield([]any{name, r.local(made.UnixMilli())}, nil) {
					return
				}
			}
		}
	},
}

// branchMade is when a branch was made: the time of its directory, or of its
// oldest schema where directories have none.
func (r *metaRead) branchMade(ctx context.Context, name string) (time.Time, error) {
	dir := snapshot.BranchPath(name)
	info, err := r.store.Stat(ctx, dir)
	if err != nil || !info.ModTime.IsZero() {
		return info.ModTime, err
	}
	oldest := r.world.Clock()
	for info, err := range r.store.List(ctx, dir+"schema") {
		if err != nil {
			return oldest, err
		}
		if info.ModTime.Before(oldest) {
			oldest = info.ModTime
		}
	}
	return oldest, nil
}

var consumersTable = metaTable{
	columns: []string{"consumer_id STRING NOT NULL", "next_snapshot_id BIGINT NOT NULL"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			all, err := snapshot.NewConsumers(r.chain, r.world.Sleep).All(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, c := range all {
				if !yield([]any{c.ID, c.Next}, nil) {
					return
				}
			}
		}
	},
}
