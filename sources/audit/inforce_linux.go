// SPDX-License-Identifier: Apache-2.0

// This file works out what the rules that the kernel has see: those of others too,
// which are used as they are where the settings say to leave them.

package audit

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/elastic/go-libaudit/v2/rule"
)

// ReadInForce asks the kernel for its rules. The error wraps [ErrPrivilege] or
// [ErrUnsupported] where that is the reason.
func ReadInForce() (InForce, error) {
	if err := CheckPrivilege(); err != nil {
		return InForce{}, err
	}
	control, err := openControl()
	if err != nil {
		return InForce{}, err
	}
	defer control.Close()
	wires, err := control.Rules()
	if err != nil {
		return InForce{}, err
	}
	return readRules(runtime.GOARCH, wires)
}

// readRules says what rules in wire form come to on a machine.
func readRules(arch string, wires [][]byte) (InForce, error) {
	abis, err := machineABIs(arch)
	if err != nil {
		return InForce{}, err
	}
	var f InForce
	s := planner{plan: Plan{Sees: Sees{}}, o: RuleOptions{Monitor: MonitorAll()}}
	for _, wire := range wires {
		r, ok := parseWire(wire)
		text := ""
		if ok {
			text = commandLine(wire)
		}
		if text == "" || r.action != wireAlways && strings.HasPrefix(text, watchForm) {
			text = r.text(abis, wire)
		}
		f.Rules = append(f.Rules, ForceRule{Text: text, Ours: isOurs(wire), wire: wire})
		if ok && r.action == wireAlways {
			r.see(abis, &s.plan.Sees)
			s.failing = s.failing || r.list == wireExitList && !r.unseen && !r.succeeded
		}
	}
	s.see()
	f.Sees = s.plan.Sees
	return f, nil
}

// Fields and values of rules (include/uapi/linux/audit.h).
const (
	wireAlways    = 2
	wireArchField = 11
	wireWatchPath = 105
	wirePerm      = 106
	wireWatchDir  = 107
	wireSuccess   = 104
	wireEqual     = 0x40000000
	permWrite     = 2 | 8 // AUDIT_PERM_WRITE, AUDIT_PERM_ATTR
)

// wireRule is as much of a rule as says what it sees.
type wireRule struct {
	list, action uint32
	arch         uint32 // 0: all
	perm         uint32 // kinds of access (AUDIT_PERM_*); 0: all
	folders      []string
	unseen       bool // what it watches is watched for reading only
	partly       bool // it has other conditions
	succeeded    bool // of them that the call succeeded
	mask         []byte
}

// parseWire reads a rule in wire form, and reports whether it is one.
func parseWire(wire []byte) (r wireRule, ok bool) {
	if len(wire) < wireHeader {
		return r, false
	}
	word := func(at int) uint32 { return binary.NativeEndian.Uint32(wire[at:]) }
	r.list, r.action, r.mask = word(0)&^wirePrepend, word(4), wire[wireMask:wireFields]
	count := word(8)
	if count > wireMaxFields {
		return r, false
	}
	texts := wire[wireHeader:]
	for i := range int(count) {
		field, value, op := word(wireFields+4*i), word(wireValues+4*i), word(wireOperators+4*i)
		text := ""
		if hasWireString(field) {
			if uint64(value) > uint64(len(texts)) {
				return r, false
			}
			text, texts = string(texts[:value]), texts[value:]
		}
		switch {
		case field == wireKeyField:
		case field == wireArchField && op == wireEqual:
			r.arch = value
		case field == wireWatchDir && op == wireEqual, field == wireWatchPath && op == wireEqual:
			r.folders = append(r.folders, text)
		case field == wirePerm:
			r.perm, r.unseen = value, value&permWrite == 0
		default:
			r.partly = true
			r.succeeded = r.succeeded || field == wireSuccess && (op == wireEqual) == (value != 0)
		}
	}
	return r, true
}

// see adds what the rule sees to s.
func (r *wireRule) see(abis []abi, s *Sees) {
	switch {
	case r.list == wireUringList:
		for n := range uint32(len(uringOpNames)) {
			if r.has(n) {
				s.Calls = append(s.Calls, uringPrefix+uringOpNames[n])
			}
		}
	case r.list != wireExitList:
	case len(r.folders) > 0:
		if !r.unseen && !r.partly {
			s.Folders = append(s.Folders, r.folders...)
		}
	default:
		for i := range abis {
			if r.arch == 0 || r.arch == abis[i].value {
				r.seeCalls(&abis[i], s)
			}
		}
	}
}

func (r *wireRule) seeCalls(a *abi, s *Sees) {
	name := make(map[uint32]string, len(a.calls))
	for called, n := range a.calls {
		name[n] = called
	}
	all := r.has(maxCall - 1) // no kernel has that call: the rule is for whatever there is
	for n := range uint32(maxCall) {
		if !r.has(n) || all && name[n] == "" {
			continue
		}
		called := name[n]
		if called == "" {
			called = strconv.Itoa(int(n))
		}
		s.Calls = append(s.Calls, called)
		if r.partly {
			s.Partly = append(s.Partly, called)
		}
	}
}

// has reports whether the mask holds call n.
func (r *wireRule) has(n uint32) bool {
	return binary.NativeEndian.Uint32(r.mask[n/32*4:])&(1<<(n%32)) != 0
}

// commandLine returns the rule in wire as auditctl(8) takes it, or nothing where
// go-libaudit has no words for it. wire is a rule: go-libaudit v2.6.2 does not look
// whether its counts can be true.
func commandLine(wire []byte) (text string) {
	defer func() {
		if recover() != nil {
			text = ""
		}
	}()
	text, err := rule.ToCommandLine(wire, false)
	if err != nil {
		return ""
	}
	return text
}

// watchForm begins a rule that go-libaudit writes as a watch. It does so for rules on
// a folder that say never, too, where it would mean the contrary.
const watchForm = "-w "

// text returns what can be said of a rule without go-libaudit.
func (r *wireRule) text(abis []abi, wire []byte) string {
	list, action := "list "+strconv.Itoa(int(r.list)), "never"
	switch r.list {
	case wireUringList:
		list = uringList
	case wireExitList:
		list = "exit"
	}
	if r.action == wireAlways {
		action = "always"
	}
	text := fmt.Sprintf("-a %s,%s", action, list)
	for i := range abis {
		if r.arch == abis[i].value {
			text += " -F arch=" + abis[i].arch
		}
	}
	for _, dir := range r.folders {
		text += " -F dir=" + dir
	}
	if r.perm != 0 {
		text += " -F perm="
		for i, letter := range "xwra" { // AUDIT_PERM_EXEC, WRITE, READ, ATTR
			if r.perm&(1<<i) != 0 {
				text += string(letter)
			}
		}
	}
	if r.partly {
		text += " (and other conditions)"
	}
	var s Sees
	if len(r.folders) == 0 && r.mask != nil {
		r.see(abis, &s)
	}
	slices.Sort(s.Calls)
	for i, c := range slices.Compact(s.Calls) {
		sep := ","
		if i == 0 {
			sep = " -S "
		}
		if r.list == wireUringList {
			c = strings.TrimPrefix(c, uringPrefix)
		}
		text += sep + c
	}
	if key, ok := wireKey(wire); ok {
		text += " -k " + key
	}
	return text
}

// Missing returns the rules of p that are not in force.
func (f InForce) Missing(p Plan) (missing []Rule, err error) {
	built, err := buildRules(p.Rules)
	for i, b := range built {
		if !slices.ContainsFunc(f.Rules, func(r ForceRule) bool { return sameRule(r.wire, b.Wire) }) {
			missing = append(missing, p.Rules[i])
		}
	}
	return missing, err
}

// Surplus returns the rules in force that are not of p: those of others, and ours that
// are planned no more.
func (f InForce) Surplus(p Plan) (surplus []ForceRule, err error) {
	built, err := buildRules(p.Rules)
	for _, r := range f.Rules {
		if !slices.ContainsFunc(built, func(b undoRule) bool { return sameRule(r.wire, b.Wire) }) {
			surplus = append(surplus, r)
		}
	}
	return surplus, err
}
