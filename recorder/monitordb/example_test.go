// SPDX-License-Identifier: Apache-2.0

package monitordb_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"seismo/internal/event"
	"seismo/recorder/monitordb"
)

// An event is stored with its process and asked for in SQL.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "monitor.db")
	ctx := context.Background()

	db, err := monitordb.Open(path, monitordb.Options{})
	if err != nil {
		log.Fatal(err)
	}
	b := event.NewBatch(1)
	b.Platform = "linux"
	e := b.Add(event.KindFile, event.OpWrite)
	e.Time = 1604996096155_000_000
	e.SetString(event.FilePath, "/etc/cron.d/x")
	e.Process = &event.Process{ID: 1, PID: 4242, Path: "/bin/sh", Args: []string{"sh"}, CommandLine: "sh"}
	db.IDs().Assign(b)
	if err := db.Write(ctx, []*event.Batch{b}); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}

	r, err := monitordb.OpenReader(path)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	_, err = r.Query(ctx, "SELECT timestamp, pid, process_path, operation, file FROM file_events", monitordb.QueryOptions{Limit: 10},
		func(names []string) error { fmt.Println(names); return nil },
		func(values []any) error { fmt.Println(values...); return nil })
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// [timestamp pid process_path operation file]
	// 2020-11-10 08:14:56.155 4242 /bin/sh write /etc/cron.d/x
}
