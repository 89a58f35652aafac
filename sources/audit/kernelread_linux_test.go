// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// A live kernel numbers without a break: however far the numbers jump while the
// recorder stands still, what lies between is missing.
func TestKernelCountsEveryMissingSerial(t *testing.T) {
	for _, jump := range []uint64{1, 2, 5000, maxGap + 1, 10 * maxGap} {
		var k Kernel
		now := int64(1e18)
		missing := k.missing(Header{Serial: 7, Time: now})
		missing += k.missing(Header{Serial: 7 + jump, Time: now + 1})
		missing += k.gaps.Settle()
		if missing != jump-1 {
			t.Errorf("serials 7 and %d: %d are missing; want %d", 7+jump, missing, jump-1)
		}
	}
}

// Whoever takes our rules away blinds the recorder: the record of it has the rules
// looked at, from the time that it tells. The rules that the source takes away by
// itself are no reason; one more than those is, and so is one long afterwards.
func TestRemovedRulesAreLookedAt(t *testing.T) {
	removed := `audit(5.000:9): auid=0 ses=1 op=remove_rule key="seismo" list=4 res=1`
	tests := []struct {
		name   string
		typ    uint16
		text   string
		closed bool
		own    ownRemovals
		want   int64
	}{
		{"a rule of ours", unix.AUDIT_CONFIG_CHANGE, removed, false, ownRemovals{}, 5e9},
		{"a rule of ours, with its folder", unix.AUDIT_CONFIG_CHANGE, `audit(5.000:9): op=remove_rule dir="/x" key="seismo" list=4 res=1`, false, ownRemovals{}, 5e9},
		{"when the recording ends", unix.AUDIT_CONFIG_CHANGE, removed, true, ownRemovals{}, 0},
		{"one that we removed", unix.AUDIT_CONFIG_CHANGE, removed, false, ownRemovals{left: 2, until: 6e9}, 0},
		{"one more than we removed", unix.AUDIT_CONFIG_CHANGE, removed, false, ownRemovals{left: 1, until: 6e9}, 5e9},
		{"long after we removed some", unix.AUDIT_CONFIG_CHANGE, removed, false, ownRemovals{left: 2, until: 4e9}, 5e9},
		{"a rule of others", unix.AUDIT_CONFIG_CHANGE, strings.Replace(removed, "seismo", "theirs", 1), false, ownRemovals{}, 0},
		{"a rule that is added", unix.AUDIT_CONFIG_CHANGE, strings.Replace(removed, "remove", "add", 1), false, ownRemovals{}, 0},
		{"what a program says", unix.AUDIT_USER_AVC, removed, false, ownRemovals{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &Kernel{reassembler: NewReassembler(Limits{}), closed: tt.closed, ownRemovals: tt.own}
			for range 2 {
				k.push(message{typ: tt.typ, data: []byte(tt.text)}, 0)
			}
			if k.guarded.since != tt.want || k.guarded.due != (tt.want != 0) {
				t.Errorf("after 2 of %s the rules are due: %v, since %d; want since %d", tt.text, k.guarded.due, k.guarded.since, tt.want)
			}
		})
	}
}

func TestMarkOf(t *testing.T) {
	own := fmt.Sprintf("pid=%d uid=0 auid=0 ses=1 msg='seismo: mark 12'", os.Getpid())
	tests := []struct {
		name string
		typ  uint16
		text string
		want uint64
	}{
		{"our own", markType, own, 12},
		{"of another process", markType, strings.Replace(own, "pid=", "pid=1", 1), 0},
		{"that names us in its text", markType, "pid=1 uid=0 msg='" + own + "'", 0},
		{"of another type", 1105, own, 0},
		{"with another text", markType, strings.Replace(own, "mark", "start", 1), 0},
		{"without a number", markType, strings.Replace(own, "12", "x", 1), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := markOf(Record{Type: tt.typ, Body: []byte(tt.text)})
			if got != tt.want || ok != (tt.want != 0) {
				t.Errorf("markOf(%d, %q) = %d, %v; want %d", tt.typ, tt.text, got, ok, tt.want)
			}
		})
	}
}

// Lines of text go the way of the kernel's messages: what auditd numbers by itself is no
// gap, and what other hosts say is counted and left out.
func TestPushText(t *testing.T) {
	k := &Kernel{reassembler: NewReassembler(Limits{}), hostID: "web1"}
	lines := []string{
		"node=web1 type=SYSCALL msg=audit(5.000:9): arch=c000003e syscall=2 items=0",
		"node=web1 type=EOE msg=audit(5.000:9): ",
		"type=DAEMON_START msg=audit(5.000:4000): op=start",
		"node=web1.example.org type=USER_LOGIN msg=audit(5.000:11): pid=1",
		"node=web2 type=USER_LOGIN msg=audit(5.000:900): pid=1",
		"no record",
	}
	for _, l := range lines {
		k.push(message{line: true, data: []byte(l)}, 0)
	}
	k.noteGap(k.gaps.Settle(), k.gaps.newest)
	if s := k.stats; s.Received != 6 || s.Parsed != 5 || s.Malformed != 1 || s.SerialGaps != 1 || k.strange != 1 {
		t.Errorf("stats %+v, %d of other hosts; want 6 received, 5 parsed, 1 malformed, 1 missing (10), 1 of another host", s, k.strange)
	}
	k.reassembler.Flush()
	var serials []uint64
	for g := k.reassembler.Pop(); g != nil; g = k.reassembler.Pop() {
		serials = append(serials, g.Serial)
	}
	if !slices.Equal(serials, []uint64{9, 4000, 11}) {
		t.Errorf("events %v, want 9, 4000 and 11", serials)
	}
}

// A gap lies between the events beside it, whenever they are read.
func TestGapSpan(t *testing.T) {
	k := &Kernel{reassembler: NewReassembler(Limits{}), lastRead: 9e9}
	push := func(serial, second int) {
		k.push(message{line: true, data: fmt.Appendf(nil, "type=USER_LOGIN msg=audit(%d.000:%d): pid=1", second, serial)}, 0)
	}
	push(10, 1)
	push(12, 1)
	push(11, 1)
	push(13, 2)
	push(3013, 5)
	for i := range 2000 {
		push(3014+i, 6)
	}
	k.noteGap(k.gaps.Settle(), k.gaps.newest)
	want := []event.Loss{{From: 2e9, To: 6e9, Reason: event.LossSerialGap, Count: 2999, Unit: "events",
		Detail: "audit events that have a number and did not come"}}
	if !slices.Equal(k.losses, want) {
		t.Errorf("losses %+v, want %+v", k.losses, want)
	}
}

// Whoever asks for the role is known by the number in the kernel's message.
func TestPushReplace(t *testing.T) {
	k := &Kernel{reassembler: NewReassembler(Limits{})}
	k.push(message{typ: auditReplace, data: binary.NativeEndian.AppendUint32(nil, 77)}, 0)
	if k.handover.wanted != 77 || k.stats.Received != 0 {
		t.Errorf("asked by %d, %d records; want 77 and none", k.handover.wanted, k.stats.Received)
	}
	k.push(message{typ: auditReplace}, 0)
	if k.handover.wanted == 0 {
		t.Error("a message without a number was passed over")
	}
}
