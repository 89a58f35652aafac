// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"fmt"
	"os"
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

// Whoever takes our rules away blinds the recorder: that is a gap with a time.
func TestRemovedRulesAreALoss(t *testing.T) {
	removed := []byte(`audit(5.000:9): auid=0 ses=1 op=remove_rule key="seismo" list=4 res=1`)
	tests := []struct {
		name   string
		typ    uint16
		text   []byte
		closed bool
		want   uint64
	}{
		{"a rule of ours", unix.AUDIT_CONFIG_CHANGE, removed, false, 2},
		{"when we do it ourselves", unix.AUDIT_CONFIG_CHANGE, removed, true, 0},
		{"a rule of others", unix.AUDIT_CONFIG_CHANGE, bytes.Replace(removed, []byte("seismo"), []byte("theirs"), 1), false, 0},
		{"a rule that is added", unix.AUDIT_CONFIG_CHANGE, bytes.Replace(removed, []byte("remove"), []byte("add"), 1), false, 0},
		{"what a program says", unix.AUDIT_USER_AVC, removed, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &Kernel{reassembler: NewReassembler(Limits{}), closed: tt.closed}
			for range 2 {
				k.push(message{typ: tt.typ, data: tt.text}, 0)
			}
			var got uint64
			for _, l := range k.losses {
				if got += l.Count; l.Reason != event.LossNotSeen || l.From != 5e9 {
					t.Errorf("loss %+v; want %s from 5 s", l, event.LossNotSeen)
				}
			}
			if got != tt.want {
				t.Errorf("%d removals are told; want %d", got, tt.want)
			}
		})
	}
}

// The rules that the source takes away by itself are no gap; one more than those is,
// and so is one long afterwards.
func TestOwnRemovalsAreNoLoss(t *testing.T) {
	removed := message{typ: unix.AUDIT_CONFIG_CHANGE, data: []byte(`audit(5.000:9): auid=0 ses=1 op=remove_rule key="seismo" list=4 res=1`)}
	for _, tt := range []struct {
		until int64
		want  int
	}{{6e9, 1}, {4e9, 3}} {
		k := &Kernel{reassembler: NewReassembler(Limits{}), ownRemovals: ownRemovals{left: 2, until: tt.until}}
		for range 3 {
			k.push(removed, 0)
		}
		var got uint64
		for _, l := range k.losses {
			got += l.Count
		}
		if int(got) != tt.want {
			t.Errorf("of 3 removals at 5 s, 2 of them our own until %d s: %d are told; want %d", tt.until/1e9, got, tt.want)
		}
	}
}

func TestIsEcho(t *testing.T) {
	var k Kernel
	own := fmt.Sprintf("audit(1.000:5): pid=%d uid=0 auid=0 ses=1 msg='seismo: end of recording'", os.Getpid())
	tests := []struct {
		name string
		typ  uint16
		text string
		want bool
	}{
		{"our own", echoType, own, true},
		{"of another process", echoType, strings.Replace(own, "pid=", "pid=1", 1), false},
		{"that names us in its text", echoType, "audit(1.000:5): pid=1 uid=0 msg='" + own + "'", false},
		{"of another type", 1105, own, false},
		{"with another text", echoType, strings.Replace(own, "end", "start", 1), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := k.isEcho(message{typ: tt.typ, data: []byte(tt.text)}); got != tt.want {
				t.Errorf("isEcho(%d, %q) = %v; want %v", tt.typ, tt.text, got, tt.want)
			}
		})
	}
}
