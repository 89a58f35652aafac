// SPDX-License-Identifier: Apache-2.0

package process_test

import (
	"fmt"

	"seismo/internal/event"
	"seismo/internal/process"
)

// A shell forks, and the fork executes ls. Each event has its process then.
func Example() {
	b := event.NewBatch(2)
	b.Changes = append(b.Changes, event.Change{Time: 2e9, PID: 101, Parent: 100})
	for i, path := range []string{"/bin/bash", "/bin/ls"} {
		e := b.Add(event.KindProcess, event.OpCreate)
		e.Time, e.Serial, e.PID, e.PPID = int64(i)*2e9+1e9, uint64(i+1), int32(100+i), int32(99+i)
		e.SetString(event.ProcessPath, path)
	}
	table := process.NewTable(process.Options{Host: "example"})
	table.Apply(b)
	for _, e := range b.Events() {
		for p := range e.Process.Ancestry() {
			fmt.Printf("%d %s forked=%v\n", p.PID, p.Path, p.Forked)
		}
		fmt.Println()
	}
	// Output:
	// 100 /bin/bash forked=false
	//
	// 101 /bin/ls forked=false
	// 101 /bin/bash forked=true
	// 100 /bin/bash forked=false
}
