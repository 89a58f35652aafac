// SPDX-License-Identifier: Apache-2.0

// This file tests late values: what update events tell of a process.

package engine

import (
	"fmt"
	"testing"

	"seismo/internal/event"
)

// updateEvent is an update of p with values by field.
func updateEvent(p *event.Process, values fields) testEvent {
	return testEvent{kind: event.KindProcess, op: event.OpUpdate, process: p, fields: values}
}

func TestLateValues(t *testing.T) {
	p := image(1, "/bin/bash")
	child := image(2, "/bin/curl")
	child.Parent = p
	next := image(3, "/bin/nc")
	next.Previous = p
	grandchild := image(5, "/bin/sh")
	grandchild.Parent = next
	own := image(4, "/bin/sh")
	own.Previous, own.TTY = p, "tty1"
	hash := updateEvent(p, fields{event.ProcessHash: []string{"SHA1=aa", "MD5=bb"}})
	other := updateEvent(p, fields{event.ProcessHash: []string{"MD5=cc"}})
	tty := updateEvent(p, fields{event.ProcessTTY: "pts/0"})
	file, net := fileEvent("/etc/x"), connectEvent(2000)
	md5 := ask("process.hash", equal, "md5=bb")
	onPTS := ask("process.tty", begins, "pts")
	tests := []struct {
		name  string
		e     expr
		steps []step
	}{
		{"a process term, when its value arrives", and(bash, md5), []step{
			{"not yet", execEvent(p), nil, nil, false},
			{"now", hash, nil, []string{"s: 2 2"}, false},
			{"not again", hash, nil, nil, false},
			{"nor on its other events", of(p, file), nil, nil, false}}},
		{"a process that met it before does not fire again", or(bash, md5), []step{
			{"published", execEvent(p), nil, []string{"s: 1"}, false},
			{"the other part becomes true", hash, nil, nil, false}}},
		{"a negated term becomes false", not(ask("process.hash", exists)), []step{
			{"published", execEvent(p), nil, []string{"s: 1"}, false},
			{"arrived", hash, nil, nil, false}}},
		{"a value that changes", not(md5), []step{
			{"published", execEvent(p), nil, []string{"s: 1"}, false},
			{"false", hash, nil, nil, false},
			{"true again", other, nil, []string{"s: 3"}, false}}},
		{"an update without a late value", bash, []step{
			{"nothing arrives", updateEvent(p, nil), nil, nil, false},
			{"nothing that is read", hash, nil, nil, false}}},
		{"a hash that comes late completes what one event met", and(md5, etc), []step{
			{"before", of(p, file), nil, nil, true},
			{"arrives", hash, nil, []string{"s: 2 1"}, false},
			{"after", of(p, file), nil, []string{"s: 3 3"}, false}}},
		{"with NOT there is nothing to wait for", and(not(md5), etc), []step{
			{"absent", of(p, file), nil, []string{"s: 1 1"}, false},
			{"arrives", hash, nil, nil, false},
			{"after", of(p, file), nil, nil, false}}},
		{"values that seldom come late are not waited for", and(onPTS, etc), []step{
			{"before", of(p, file), nil, nil, false},
			{"arrives", tty, nil, nil, false},
			{"after", of(p, file), nil, []string{"s: 3 3"}, false}}},
		{"it completes what was remembered", and(md5, etc, high), []step{
			{"file", of(p, file), nil, nil, true},
			{"port", of(p, net), nil, nil, true},
			{"hash", hash, nil, []string{"s: 3 1 2"}, false},
			{"once", hash, nil, nil, false},
			{"then each event that meets a part", of(p, file), nil, []string{"s: 5 5 2"}, false}}},
		{"the update itself can meet an event term", and(ask("process.operation", equal, "update"), md5), []step{
			{"both at once", hash, nil, []string{"s: 1 1"}, false},
			{"on each update", hash, nil, []string{"s: 2 2"}, false}}},
		{"and be remembered", and(group(and(ask("process.operation", equal, "update"), md5)), etc), []step{
			{"the group", hash, nil, nil, true},
			{"the file", of(p, file), nil, []string{"s: 1 1 2"}, false}}},
		{"children judged afterwards see it of their parent", and(ask("process.parent_hash", equal, "sha1=aa"), etc), []step{
			{"before", of(child, file), nil, nil, true},
			{"arrives", hash, nil, nil, false},
			{"after", of(child, file), nil, []string{"s: 3 3"}, false}}},
		{"and of their ancestry", and(ask("process.ancestry_hash", equal, "md5=bb"), bash), []step{
			{"arrives", hash, nil, []string{"s: 1 1"}, false}}},
		{"the ancestry of a child", and(ask("process.ancestry_hash", equal, "md5=bb"), ask("process.path", ends, "curl")), []step{
			{"arrives at the parent", hash, nil, nil, false},
			{"child published", execEvent(child), nil, []string{"s: 2 2"}, false}}},
		{"values of several updates add up", and(md5, onPTS), []step{
			{"one", hash, nil, nil, false},
			{"two", tty, nil, []string{"s: 2 2"}, false}}},
		{"an exec goes on with what is still true", and(onPTS, etc), []step{
			{"arrives", tty, nil, nil, false},
			{"the next image", of(next, file), nil, []string{"s: 2 2"}, false},
			{"the image before has it as well", of(p, file), nil, []string{"s: 3 3"}, false},
			{"an image that says otherwise", of(own, file), nil, nil, false}}},
		{"also if the first event of the next image is an update of something else", and(onPTS, ask("process.operation", equal, "update")), []step{
			{"arrives", tty, nil, []string{"s: 1 1"}, false},
			{"the next image", updateEvent(next, fields{event.ProcessHash: []string{"MD5=cc"}}), nil, []string{"s: 2 2"}, false}}},
		{"also if it arrives after the next image began", and(onPTS, etc), []step{
			{"another process learns its own", updateEvent(child, fields{event.ProcessTTY: "pts/0"}), nil, nil, false},
			{"not yet", of(next, file), nil, nil, false},
			{"arrives", tty, nil, nil, false},
			{"the next image", of(next, file), nil, []string{"s: 4 4"}, false}}},
		{"the end of the parent", and(ask("process.parent_hash", equal, "md5=bb"), etc), []step{
			{"arrives", hash, nil, nil, false},
			{"the child", of(child, file), nil, []string{"s: 2 2"}, false},
			{"the parent ends", of(p, net), []*event.Process{p}, nil, false},
			{"forgotten", of(child, file), nil, nil, false}}},
		{"and its children see it of their parent", and(ask("process.parent_user_name", equal, "ann"), etc), []step{
			{"arrives", updateEvent(p, fields{event.ProcessUserName: "ann"}), nil, nil, false},
			{"the next image had no event yet", of(grandchild, file), nil, nil, false},
			{"it has", of(next, net), nil, nil, false},
			{"its child", of(grandchild, file), nil, []string{"s: 4 4"}, false}}},
		{"but not with the hash of another program", and(md5, etc), []step{
			{"arrives", hash, nil, nil, false},
			{"the next image", of(next, file), nil, nil, true}}},
		{"which is an ancestor's", and(ask("process.ancestry_hash", equal, "md5=bb"), etc), []step{
			{"arrives", hash, nil, nil, false},
			{"the next image", of(next, file), nil, []string{"s: 2 2"}, false}}},
		{"the end of the process", and(md5, etc), []step{
			{"arrives, and the process ends", hash, []*event.Process{p}, nil, false},
			{"forgotten", of(p, file), nil, nil, true}}},
		{"an update without process is judged alone", md5, []step{
			{"fires", updateEvent(nil, fields{event.ProcessHash: []string{"md5=bb"}}), nil, []string{"s: 1"}, false},
			{"and is not kept for others", of(p, file), nil, nil, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b setBuilder
			b.add("s", event.AllKinds, tt.e)
			prog := b.program(t)
			for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
				run(t, prog.NewMatcherWith(o), tt.steps)
			}
		})
	}
}

// A proof names the late value that was seen.
func TestProofOfALateValue(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, ask("process.hash", begins, "md5="))
	on := updateEvent(image(1, "/bin/sh"), fields{event.ProcessHash: []string{"SHA1=aa", "MD5=bb"}})
	proof := fired(t, b.program(t), "linux", on)["s"]
	if len(proof) != 1 || proof[0].Value != "MD5=bb" || proof[0].Literal != "md5=" {
		t.Errorf("proof = %+v, want the value MD5=bb", proof)
	}
}

// Only the values of fields that a term reads are kept, and of so many processes.
func TestLateValuesAreBounded(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, and(ask("process.parent_hash", exists), etc))
	m, batch := b.program(t).NewMatcher(), event.NewBatch(10)
	m.late.limits.processes = 2
	for i := range 4 {
		updateEvent(image(event.ProcessKey(i+1), "/x"), fields{event.ProcessTTY: "pts/1", event.ProcessHash: []string{fmt.Sprint("md5=", i)}}).addTo(batch)
	}
	updateEvent(image(9, "/x"), fields{event.ProcessTTY: "pts/1"}).addTo(batch)
	m.Match(batch)
	if len(m.late.of) != 2 || m.late.of[3] == nil || m.late.of[4] == nil || len(m.late.of[4].values) != 1 {
		t.Errorf("late values of %d processes, want those of 3 and 4, of one field", len(m.late.of))
	}
	if len(batch.Losses) != 1 || batch.Losses[0].Count != 2 || batch.Losses[0].Reason != event.LossLatches || batch.Losses[0].Unit != "processes" || batch.Losses[0].To != 4_000_000_000 {
		t.Errorf("Losses = %+v, want one of 2 processes up to event 4", batch.Losses)
	}
	m.late.limits.processes, m.late.limits.bytes = 10, 1
	batch.Reset()
	big := updateEvent(image(11, "/x"), fields{event.ProcessHash: []string{"md5=0123456789"}})
	big.addTo(batch)
	m.Match(batch)
	if len(m.late.of) != 1 || m.late.of[11] == nil || m.late.bytes != m.late.of[11].bytes {
		t.Errorf("late values of %d processes, want those of the last whatever their size", len(m.late.of))
	}
}
