// SPDX-License-Identifier: Apache-2.0

// This file gathers the system calls that are asked for into rules: those that are
// asked for whole share one rule an interface.

package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// wantedCalls returns the calls that signals ask for, those that their records come
// with among them. What can not be asked for is noted as unmet.
func (p *planner) wantedCalls(abis []abi) (calls []wish) {
	asked := map[string][]string{}
	for _, w := range wishes(p.o.Calls) {
		asked[w.name] = w.by
	}
	for _, w := range wishes(p.o.Records) {
		p.recordCalls(w, asked)
	}
	for _, w := range gathered(asked) {
		op, isUring := strings.CutPrefix(w.name, uringPrefix)
		if isUring && slices.Contains(uringOpNames[:], op) {
			p.uring = append(p.uring, wantedOp{op, "system call " + w.name, w.by})
		} else if p.has(abis, w) {
			calls = append(calls, w)
		}
	}
	return calls
}

// recordCalls adds the calls that records of type w come with.
func (p *planner) recordCalls(w wish, asked map[string][]string) {
	what := "records of type " + w.name
	calls, special := callsOfRecords[w.name]
	switch {
	case w.name == "URINGOP":
		p.uring = append(p.uring, wantedOp{"", what, w.by})
	case !special && knownType(w.name): // it comes without a rule, or with those that are there
	case !special:
		p.unmet(what, w.by, "no record is called so")
	case strings.HasPrefix(w.name, "DAEMON_"):
		p.unmet(what, w.by, "auditd writes them to its own log and nowhere else")
	case w.name == "TTY":
		p.unmet(what, w.by, "they come where pam_tty_audit asks for them")
	case w.name == "NETFILTER_PKT":
		p.unmet(what, w.by, "they come where a rule of netfilter with the target AUDIT asks for them")
	case w.name == "OBJ_PID" && p.o.Monitor.Syscalls, w.name == "SOCKADDR" && p.o.Monitor.Network,
		w.name == "KERN_MODULE" && p.o.Monitor.Syscalls: // they are asked for as far as they matter
	default:
		for _, c := range calls {
			asked[c] = append(asked[c], w.by...)
		}
	}
}

// knownType reports whether name is a type of record.
func knownType(name string) bool { return slices.Contains(typeNames[:], name) }

// has reports whether w can be asked for on some interface, and notes where it can not.
func (p *planner) has(abis []abi, w wish) bool {
	var on, off []string
	for i := range abis {
		if len(abis[i].named(w.name)) > 0 {
			on = append(on, abis[i].arch)
		} else {
			off = append(off, abis[i].arch)
		}
	}
	unmet := func(reason string, args ...any) {
		p.plan.Unmet = append(p.plan.Unmet, Unmet{What: "system call " + w.name, By: w.by, Reason: fmt.Sprintf(reason, args...)})
	}
	switch {
	case len(on) == 0 && numeric(w.name):
		unmet("a rule holds the numbers up to %d", maxCall-1)
		return false
	case len(on) == 0:
		unmet("no call of this machine is called so")
		return false
	case busyCalls[w.name] || numeric(w.name) && busyCalls[abis[0].named(w.name)[0].name]:
		unmet("programs make it all the time; of files, name a path")
		return false
	case len(off) > 0 && on[0] == "b32":
		unmet("only 32-bit programs have it")
	}
	return true
}

func numeric(name string) bool {
	_, err := strconv.ParseUint(name, 10, 64)
	return err == nil
}

// callSet gathers the calls of one rule.
type callSet struct {
	filters []RuleFilter // beside arch
	names   []string
	numbers []uint32
	why     []string
}

func (s *callSet) add(c oneCall, why ...string) {
	if !slices.Contains(s.numbers, c.number) {
		s.names, s.numbers = append(s.names, c.name), append(s.numbers, c.number)
	}
	for _, w := range why {
		if !slices.Contains(s.why, w) {
			s.why = append(s.why, w)
		}
	}
}

// abiCalls are the calls that are asked for on one interface: whole, and by an argument.
type abiCalls struct {
	whole  callSet
	partly []*callSet
}

// addPartly asks for c where filters are met.
func (a *abiCalls) addPartly(c oneCall, filters []RuleFilter, why ...string) {
	for _, s := range a.partly {
		if slices.Equal(s.filters, filters) {
			s.add(c, why...)
			return
		}
	}
	s := &callSet{filters: filters}
	s.add(c, why...)
	a.partly = append(a.partly, s)
}

// base adds what a setting asks for.
func (a *abiCalls) base(on *abi, calls []baseCall, why string) {
	for _, b := range calls {
		for _, c := range on.named(b.name) {
			switch {
			case c.carried != "": // networkCarried
			case b.filters == nil:
				a.whole.add(c, why)
			default:
				a.addPartly(c, b.filters, why)
			}
		}
	}
}

// addCalls adds the rules on calls of one interface.
func (p *planner) addCalls(on *abi, wanted []wish) {
	var a abiCalls
	for _, name := range processCalls {
		for _, c := range on.named(name) {
			a.whole.add(c, whyProcesses)
		}
	}
	socketcall := oneCall{name: "socketcall", number: on.calls["socketcall"]}
	if p.o.Monitor.Network {
		a.base(on, networkCalls, whyNetwork)
		if on.multiplexed {
			for _, f := range networkCarried {
				a.addPartly(socketcall, f, whyNetwork)
			}
		}
	}
	if p.o.Monitor.Syscalls {
		a.base(on, securityCalls, whySyscalls)
	}
	for _, w := range wanted {
		for _, c := range on.named(w.name) {
			if c.carried == "" {
				a.whole.add(c, w.by...)
			} else if n := socketcallNumber(w.name); !p.o.Monitor.Network || n > 5 && n != 18 {
				a.addPartly(socketcall, []RuleFilter{{"a0", "=", c.carried}}, w.by...)
			}
		}
	}
	p.addRule(on, &a.whole)
	for _, s := range a.partly {
		p.addPartial(on, s, a.whole.numbers)
	}
}

// addPartial adds the rule of s for those of its calls that are not asked for whole.
func (p *planner) addPartial(on *abi, s *callSet, whole []uint32) {
	left := callSet{filters: s.filters, why: s.why}
	for i, n := range s.numbers {
		if !slices.Contains(whole, n) {
			left.names, left.numbers = append(left.names, s.names[i]), append(left.numbers, n)
		}
	}
	if len(left.numbers) > 0 {
		p.plan.Sees.Partly = append(p.plan.Sees.Partly, left.names...)
		p.addRule(on, &left)
	}
}

func (p *planner) addRule(on *abi, s *callSet) {
	p.plan.Sees.Calls = append(p.plan.Sees.Calls, s.names...)
	p.failing = p.failing || len(s.names) > 0
	p.plan.Rules = append(p.plan.Rules, Rule{Action: "always", Syscalls: s.names, numbers: s.numbers, Why: s.why,
		Filters: append([]RuleFilter{{"arch", "=", on.arch}}, s.filters...)})
}
