// SPDX-License-Identifier: Apache-2.0

// This file bounds the bytes that are on their way. The number of events and of
// batches is bounded in recorder.go and pool.go.

package recorder

import "seismo/internal/event"

// maxInFlightWeight bounds the bytes of the long values of the events that are on
// their way: 50,000 execs with the longest arguments would take 1.6 GB. Measured
// while a database was locked: memory holds about three times the weight, once in
// the batch (with its room to grow) and once in the process.
const maxInFlightWeight = 16 << 20

// longFields are the fields whose values may be long: all that a hostile user
// can fill the memory with.
var longFields = [...]event.Field{event.ProcessCommandLine, event.FilePath, event.FileTargetPath, event.NetworkPath,
	event.SyscallPath, event.SecurityDetails, event.RecordText}

// weightOf returns about how many bytes the long values of b's events take. It
// must be asked before the events have processes: those are not b's.
func weightOf(b *event.Batch) (n int64) {
	for _, e := range b.Events() {
		for _, f := range longFields {
			v, _ := e.Text(f)
			n += int64(len(v))
		}
	}
	return n
}

// lent is a batch on its way to be judged.
type lent struct {
	*event.Batch
	weight int64
}
