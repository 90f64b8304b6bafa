package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/table"
)

// Lists of compaction tasks, one JSON object a line, that one process plans and
// several run:
//
//	{"table":"shop.orders","task":{"snapshot":7,"partition":…,"files":[…],…}}

// plannedTask is a line of a list.
type plannedTask struct {
	Table string          `json:"table"`
	Task  json.RawMessage `json:"task"`
}

// appendTasks adds the tasks of a table to a list.
func appendTasks(list *bytes.Buffer, name string, tasks []table.CompactTask) error {
	enc := json.NewEncoder(list)
	for i := range tasks {
		data, err := json.Marshal(&tasks[i])
		if err != nil {
			return err
		}
		if err := enc.Encode(plannedTask{name, data}); err != nil {
			return err
		}
	}
	return nil
}

// saveTasks writes a list to a file, or to standard output.
func (a *app) saveTasks(file string, list []byte) error {
	if file == "-" {
		_, err := a.out.Write(list)
		return err
	}
	return os.WriteFile(file, list, 0o644)
}

// loadTasks reads the part of a list that is this process's, by table.
func (a *app) loadTasks(file string, own part) (map[string][]table.CompactTask, error) {
	in := io.Reader(a.in)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	type owned struct {
		table string
		task  table.CompactTask
	}
	var all []owned
	lines := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			name, task, bad := parseTask(text)
			if bad != nil {
				return nil, fmt.Errorf("line %d of %s is no compaction task: %w", n, file, bad)
			}
			all = append(all, owned{name, task})
		}
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	// The largest first, dealt in turn: every part has about as much to do.
	slices.SortStableFunc(all, func(a, b owned) int { return cmp.Compare(b.task.Bytes, a.task.Bytes) })
	mine := make(map[string][]table.CompactTask)
	for i, o := range all {
		if i%own.of == own.number-1 {
			mine[o.table] = append(mine[o.table], o.task)
		}
	}
	return mine, nil
}

func parseTask(line []byte) (name string, task table.CompactTask, err error) {
	var p plannedTask
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return "", task, err
	}
	tasks, err := table.UnmarshalCompactTasks(slices.Concat([]byte("["), p.Task, []byte("]")))
	if err == nil && (p.Table == "" || len(tasks) != 1) {
		err = errors.New("it needs a table and a task")
	}
	if err != nil {
		return "", task, err
	}
	return p.Table, tasks[0], nil
}

// part is what one of several processes does: number 1 to of.
type part struct{ number, of int }

// partOf reads the value of a flag that gives such a part.
func partOf(flag, text string) (part, error) {
	number, of, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(number)
	m, err2 := strconv.Atoi(of)
	if err != nil || err2 != nil || n < 1 || n > m {
		return part{}, usage("--%s %q: write the part and their number, as in 1/3", flag, text)
	}
	return part{n, m}, nil
}
