// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"

	"seismo/engine"
	"seismo/internal/event"
	"seismo/signals"
)

// A signal is compiled and judges a batch; the event that it fires on carries the
// proof.
func Example() {
	defs, err := signals.ParseFile("cron.yml", []byte(`
id: 3f1c8f0e-52a4-4d0e-9d5b-0a4c7ad1a001
name: File written to a cron folder
description: A file was made or written where cron looks for jobs.
severity: medium
platforms: [linux]
signal: file.path begins with ('/etc/cron.d/', '/var/spool/cron/') AND file.operation is (create, write)
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	set, err := signals.Lower(defs)
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := engine.Build(set)
	if err != nil {
		fmt.Println(err)
		return
	}

	batch := event.NewBatch(1)
	batch.Platform = "linux"
	e := batch.Add(event.KindFile, event.OpWrite)
	e.SetString(event.FilePath, "/etc/cron.d/backup")
	program.NewMatcher().Match(batch)
	for _, tag := range e.Tags {
		fmt.Println(program.Definitions()[tag.Signal].Name)
		for _, item := range tag.Proof {
			fmt.Printf("  %s: %s\n", item.Text, item.Value)
		}
	}
	// Output:
	// File written to a cron folder
	//   file.path begins with ('/etc/cron.d/', '/var/spool/cron/'): /etc/cron.d/backup
	//   file.operation is (create, write): write
}
