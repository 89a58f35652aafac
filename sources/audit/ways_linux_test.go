// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"seismo/internal/event"
)

func TestChoose(t *testing.T) {
	tests := []struct {
		name  string
		asked Way
		s     surroundings
		want  Way
		err   error
	}{
		{"nobody audits", WayAuto, surroundings{}, WayUnicast, nil},
		{"the zero value is auto", "", surroundings{}, WayUnicast, nil},
		{"nobody audits, under systemd", WayAuto, surroundings{systemd: true}, WayUnicast, nil},
		{"auditd has the role", WayAuto, surroundings{holder: "process 7 (auditd)", enabled: 1}, WayMulticast, nil},
		{"somebody has the role and auditing is off", WayAuto, surroundings{holder: "process 7 (x)"}, WayMulticast, nil},
		{"auditing is on under systemd", WayAuto, surroundings{enabled: 1, systemd: true}, WayMulticast, nil},
		{"auditing is on, no systemd", WayAuto, surroundings{enabled: 1}, WayUnicast, nil},
		{"locked, nobody has the role", WayAuto, surroundings{enabled: immutable}, WayUnicast, nil},
		{"unicast by name beside a holder", WayUnicast, surroundings{holder: "process 7 (auditd)"}, "", ErrHeld},
		{"unicast by name under systemd", WayUnicast, surroundings{enabled: 1, systemd: true}, WayUnicast, nil},
		{"multicast by name", WayMulticast, surroundings{}, WayMulticast, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why, err := choose(tt.asked, tt.s)
			if got != tt.want || !errors.Is(err, tt.err) || (err == nil && why == "") {
				t.Errorf("choose(%q, %+v) = %q, %q, %v; want %q, %v", tt.asked, tt.s, got, why, err, tt.want, tt.err)
			}
			if err != nil && !strings.Contains(err.Error(), tt.s.holder) {
				t.Errorf("choose(%q) = %v; want who has the role", tt.asked, err)
			}
		})
	}
	if _, _, err := choose("carrier pigeon", surroundings{}); err == nil {
		t.Error("a way that is none was taken")
	}
}

// Beside others the limits are left alone; auditing is switched on only where nobody
// else has a say.
func TestHoldSettings(t *testing.T) {
	off := newFakeKernel().status
	held := off
	held.PID = uint32(os.Getppid())
	tests := []struct {
		name string
		h    hold
		st   auditStatus
		want string
	}{
		{"unicast", hold{way: WayUnicast}, off, "failure backlog_limit backlog_wait_time enabled"},
		{"unicast with the rules of others", hold{WayUnicast, true}, off, "failure backlog_limit backlog_wait_time enabled"},
		{"multicast, nobody has the role", hold{way: WayMulticast}, off, "enabled"},
		{"multicast beside a holder", hold{way: WayMulticast}, held, ""},
		{"multicast with the rules of others", hold{WayMulticast, true}, off, ""},
		{"log", hold{way: WayLog}, held, ""},
	}
	for _, tt := range tests {
		var got []string
		for _, s := range tt.h.settings(tt.st) {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: settings %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Where the configuration is locked nothing is planned, nothing is tried, and nothing
// has to be put back.
func TestLockedConfiguration(t *testing.T) {
	k := newFakeKernel()
	k.status.settings[settingEnabled] = immutable
	path := filepath.Join(t.TempDir(), "undo.json")
	in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, plannedRules(t, "/etc"), hold{way: WayUnicast})
	if err != nil || !in.locked || len(in.planned) > 0 {
		t.Fatalf("prepareInstall = %+v, %v; want it locked, with nothing planned", in, err)
	}
	if _, err := in.apply(func() error { k.status.PID = 7; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(in.returnLimits(), in.takeLimits(k.status)); err != nil || len(k.calls) > 0 {
		t.Errorf("limits: %v, did %v; want no try", err, k.calls)
	}
	report, err := undoChanges(k, in.file, true)
	if err != nil || !report.RoleCleared || strings.Join(k.calls, " ") != "pid=0" {
		t.Errorf("undo = %+v, %v, did %v; want the role cleared and nothing else", report, err, k.calls)
	}
}

// However often the role comes and goes, whoever changes settings meanwhile, and
// wherever the recorder is killed: the undo file puts back what was there before, but
// for what others have changed.
func TestLimitsComeAndGo(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		k := newFakeKernel()
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		in, err := prepareInstall(k, path, undoFile{BootID: "b", PID: 7}, nil, hold{way: WayUnicast})
		if err != nil {
			rt.Fatal(err)
		}
		before := k.state()
		if _, err := in.apply(func() error { return nil }); err != nil {
			rt.Fatal(err)
		}
		held := true
		for range rapid.IntRange(0, 6).Draw(rt, "changes") {
			k.calls, k.failAt = nil, rapid.IntRange(0, 6).Draw(rt, "fails at")
			if held {
				err = in.returnLimits()
			} else {
				err = in.takeLimits(k.status)
			}
			held = !held
			k.failAt = 0
			if err == nil && k.status.settings[settingEnabled] != 1 {
				rt.Fatalf("auditing went off while recording")
			}
			if err == nil && (k.status.settings[settingWaitTime] == 0) != held {
				rt.Fatalf("held %v: settings %v", held, k.status.settings)
			}
		}
		file, err := readUndoFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := undoChanges(k, file, true); err != nil || k.state() != before {
			rt.Fatalf("undo = %v; state %s, want as before %s", err, k.state(), before)
		}
	})
}

// Two streams hold the same records in one order, the second from somewhere on; a mark
// lies in both. Whatever order their serials have, what is taken of both is each record
// once.
func TestHandoverTakesEachRecordOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const mark = 1
		type rec struct {
			serial uint32
			id     int
		}
		base := rapid.Uint32().Draw(rt, "first serial")
		var stream []rec
		for i := range rapid.IntRange(1, 300).Draw(rt, "records") {
			stream = append(stream, rec{base + uint32(i/4) + uint32(rapid.IntRange(0, 2).Draw(rt, "ahead")), i})
		}
		joined := rapid.IntRange(0, len(stream)-1).Draw(rt, "joined")
		at := rapid.IntRange(joined, len(stream)).Draw(rt, "mark")
		var markSerial uint32
		if at > 0 {
			markSerial = stream[at-1].serial + 1
		} else {
			markSerial = base
		}
		marked := slices.Insert(slices.Clone(stream), at, rec{markSerial, -1})
		text := Record{Type: markType, Body: fmt.Appendf(nil, "pid=%d uid=0 msg='%s%d'", os.Getpid(), markText, mark)}

		h := handover{sent: mark, draining: true}
		taken := make([]int, len(stream))
		push := func(r rec) {
			record := Record{Type: TypeSyscall}
			if r.id < 0 {
				record = text
			}
			if h.repeats(Header{Serial: uint64(r.serial)}, record) || h.isMark(record, uint64(r.serial)) {
				return
			}
			taken[r.id]++
		}
		for _, r := range marked {
			push(r)
		}
		h.draining = false
		h.skip, h.mark, h.serial = skipToMark, h.met, h.at
		for _, r := range marked[joined:] {
			push(r)
		}
		for i, n := range taken {
			if n != 1 {
				rt.Fatalf("record %d with serial %d of %d was taken %d times (joined at %d, mark at %d)", i, stream[i].serial, len(stream), n, joined, at)
			}
		}
	})
}

// A mark that the new stream has lost holds nothing back for long.
func TestHandoverWithoutItsMark(t *testing.T) {
	h := handover{sent: 1, skip: skipToMark, mark: 1, serial: 100}
	first := 0
	for s := uint64(90); s < 300 && first == 0; s++ {
		if !h.repeats(Header{Serial: s}, Record{Type: TypeSyscall}) {
			first = int(s)
		}
	}
	if first != 100+markSlack+1 {
		t.Errorf("the first record taken has serial %d, want %d", first, 100+markSlack+1)
	}
}

// What is put right is put right three times in a row, never twice in half a minute, and
// again after it held.
func TestRepairs(t *testing.T) {
	var r repairs
	now := time.Unix(1000, 0)
	var did []int
	for i := range 100 { // seconds; it is broken all the time
		if r.over() {
			break
		}
		if r.may(now.Add(time.Duration(i) * time.Second)) {
			did = append(did, i)
		}
	}
	if !slices.Equal(did, []int{0, 30, 60}) || r.may(now.Add(time.Hour)) {
		t.Errorf("repaired at %v s, want 0, 30 and 60 and never again", did)
	}
	r = repairs{}
	for i := range 20 {
		at := now.Add(time.Duration(i) * time.Minute)
		if r.over() || !r.may(at) {
			t.Errorf("not repaired in minute %d, though it held before", i)
		}
		r.good(at.Add(40 * time.Second))
	}
}

// A stretch is told whole, part by part, without a hole and without telling twice.
func TestStretch(t *testing.T) {
	var s stretch
	begin := time.Unix(1000, 0)
	var parts []event.Loss
	for i := range 300 {
		if part, tell := s.on(begin.UnixNano(), begin.Add(time.Duration(i+2)*time.Second)); tell {
			parts = append(parts, part)
		}
	}
	end := begin.Add(400 * time.Second)
	part, tell := s.end(end)
	if parts = append(parts, part); !tell || len(parts) > 7 {
		t.Errorf("%d parts, the last told: %v; want one a minute", len(parts), tell)
	}
	at := begin.UnixNano()
	for _, p := range parts {
		if p.From != at || p.To <= p.From {
			t.Errorf("part %+v; want it to begin at %d", p, at)
		}
		at = p.To
	}
	if _, again := s.end(end); at != end.UnixNano() || again {
		t.Errorf("told up to %d, want %d, and no more after it", at, end.UnixNano())
	}
}

func TestGatherWait(t *testing.T) {
	tests := []struct {
		name string
		rate int // records a second
		want time.Duration
	}{
		{"hardly anything", 20, gatherSparse},
		{"some programs", 1000, gatherUsual},
		{"2,000 programs a second", 16_000, gatherUsual},
		{"a flood", 100_000, gatherBusy},
	}
	for _, tt := range tests {
		g := gatherer{at: time.Unix(0, 0)}
		now := g.at
		for range 500 { // more than a few seconds
			wait := g.wait()
			now = now.Add(wait)
			g.noted(uint64(float64(tt.rate)*wait.Seconds()), now)
		}
		if got := g.wait(); got != tt.want {
			t.Errorf("%s: records gather for %v, want %v (rate %.0f)", tt.name, got, tt.want, g.rate)
		}
	}
	for _, wait := range []time.Duration{(&gatherer{fixed: time.Millisecond}).wait(), (&gatherer{fixed: time.Millisecond}).waitAfterQuiet(time.Now())} {
		if wait != time.Millisecond {
			t.Errorf("a time that is set: %v", wait)
		}
	}
}

// After quiet the wait is short, but not again and again.
func TestGatherAfterQuiet(t *testing.T) {
	var g gatherer
	now := time.Unix(100, 0)
	short := func(n int, every time.Duration) (count int) {
		for range n {
			now = now.Add(every)
			if g.waitAfterQuiet(now) == gatherPrompt {
				count++
			}
		}
		return count
	}
	if got := short(5, time.Second); got != 5 {
		t.Errorf("%d of 5 waits are short at one a second; want all", got)
	}
	if got := short(1000, 50*time.Millisecond); got < 50*promptRate || got > 50*promptRate+promptBurst {
		t.Errorf("%d of 1000 waits are short at 20 a second; want %d to %d", got, 50*promptRate, 50*promptRate+promptBurst)
	}
}

// An event that was read in half is read on soon, once.
func TestGatherHalf(t *testing.T) {
	var g gatherer
	var waits []time.Duration
	for _, half := range []bool{false, true, true, false} {
		g.found(true, half)
		waits = append(waits, g.wait())
	}
	if want := []time.Duration{gatherSparse, gatherRest, gatherSparse, gatherSparse}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}
