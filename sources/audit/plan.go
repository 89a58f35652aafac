// SPDX-License-Identifier: Apache-2.0

// This file plans the audit rules of a recording: a pure function from what is wanted
// to the rules that the kernel gets, with what can not be had and why. What the settings
// ask for is listed in plan_base.go, how calls are gathered into rules is in
// plan_calls.go, and which folders are watched in plan_watch.go.

package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"seismo/internal/event"
)

// Monitor says what is recorded beside processes, which always are.
type Monitor struct{ Files, Network, Security, Syscalls bool }

// MonitorAll is every one of them.
func MonitorAll() Monitor { return Monitor{Files: true, Network: true, Security: true, Syscalls: true} }

// Wanted is something that signals ask for.
type Wanted struct {
	Name string   // a folder, a system call, or a type of audit record
	By   []string // the names of the signals; none: it is not known which
}

// wish is all that is wanted under one name, by whom in words.
type wish struct {
	name string
	by   []string
}

// wishes brings list into order, each name once.
func wishes(list []Wanted) []wish {
	by := map[string][]string{}
	for _, w := range list {
		who := []string{"loaded signals"}
		if len(w.By) > 0 {
			who = nil
		}
		for _, n := range w.By {
			who = append(who, fmt.Sprintf("signal %q", n))
		}
		by[w.Name] = append(by[w.Name], who...)
	}
	return gathered(by)
}

func gathered(by map[string][]string) []wish {
	var all []wish
	for _, name := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[name])
		all = append(all, wish{name, slices.Compact(by[name])})
	}
	return all
}

// RuleOptions say what the rules are planned for.
type RuleOptions struct {
	// Arch is the machine, by its GOARCH name.
	Arch    string
	Monitor Monitor
	// Roots are the folders whose files are watched with Monitor.Files, as clean
	// absolute paths without symbolic links: the kernel does not follow the last one.
	Roots []string
	// Exclude are folders inside of a root in which changes are not recorded.
	Exclude []string
	// Watch are folders that signals name, in the form of Roots.
	Watch []Wanted
	// Calls are system calls that signals name, by name or number.
	Calls []Wanted
	// Records are types of audit records that signals name, in upper case.
	Records []Wanted
	// Uring says that the kernel has rules on io_uring (since Linux 5.16).
	Uring bool
}

// Plan is what is asked of the kernel.
type Plan struct {
	Rules []Rule // in the order they are to be loaded
	Unmet []Unmet
	Sees  Sees
	// InForce are the rules of others that are used as they are, where nothing is
	// planned. Nil stands for none.
	InForce []string
}

// Unmet is something that is wanted and that no rule asks for.
type Unmet struct {
	What   string   // what is wanted, with its kind: "call x", "files below /x", "record X"
	By     []string // who wants it, in words
	Reason string
}

// String says it in a sentence.
func (u Unmet) String() string {
	return strings.Join(u.By, ", ") + " asks for " + u.What + ": " + u.Reason
}

// Sees is what the rules of a plan make known.
type Sees struct {
	Kinds   event.KindSet
	Folders []string // whose files are watched, sorted
	Calls   []string // system calls, sorted; of io_uring as events are called, io_uring_openat
	// Partly are those of Calls that are seen with some of their arguments only.
	Partly []string
	// FailedOnly says that calls that failed are all that is seen of kind syscall: a rule
	// tells of those of its calls too, and they are of no other kind.
	FailedOnly bool
}

// PlanRules returns the smallest set of rules for o: what is left out first, since the
// kernel takes the first rule that meets a call; then one rule for all calls of an
// interface that are asked for whole, since the kernel goes through all rules at each
// system call; then those that depend on an argument; then the folders. The plan does
// not depend on the order of what is wanted. The error says which root or exclusion
// cannot be used; what signals want and cannot have is no error.
func PlanRules(o RuleOptions) (Plan, error) {
	abis, err := machineABIs(o.Arch)
	if err != nil {
		return Plan{}, err
	}
	p := planner{o: o}
	watched, err := p.watched()
	if err != nil {
		return Plan{}, err
	}
	if err := p.exclude(watched); err != nil {
		return Plan{}, err
	}
	calls := p.wantedCalls(abis)
	for i := range abis {
		p.addCalls(&abis[i], calls)
	}
	p.addUring()
	for _, w := range watched {
		p.plan.Rules = append(p.plan.Rules, Rule{Action: "always", Filters: watchFilters(w.dir), Why: w.why})
		p.plan.Sees.Folders = append(p.plan.Sees.Folders, w.dir)
		p.failing = true
	}
	p.see()
	return p.plan, nil
}

// planner is a plan in the making.
type planner struct {
	o     RuleOptions
	plan  Plan
	uring []wantedOp
	// failing says that a rule tells of calls that fail, as all do that are planned.
	failing bool
}

// wantedOp is an operation of io_uring that signals ask for; "" stands for any.
type wantedOp struct {
	op, what string
	by       []string
}

func (p *planner) unmet(what string, by []string, reason string, args ...any) {
	p.plan.Unmet = append(p.plan.Unmet, Unmet{What: what, By: by, Reason: fmt.Sprintf(reason, args...)})
}

// exclude adds the rules on what is left out. The error says which folder cannot be
// named.
func (p *planner) exclude(watched []watch) error {
	dirs := slices.Compact(slices.Sorted(slices.Values(p.o.Exclude)))
	for _, dir := range dirs {
		if err := checkDir(dir); err != nil {
			return err
		}
		// A folder that lies inside the excluded one would be blinded by it.
		if slices.ContainsFunc(watched, func(w watch) bool { return inside(dir, w.dir) && dir != w.dir }) {
			p.plan.Rules = append(p.plan.Rules, Rule{Action: "never", First: true, Filters: watchFilters(dir), Why: []string{whyOwn}})
		}
	}
	return nil
}

// addUring adds the rule on io_uring, if it is wanted.
func (p *planner) addUring() {
	var why, ops []string
	if p.o.Monitor.Syscalls {
		why, ops = []string{whySyscalls}, uringBase
	}
	for _, w := range p.uring {
		switch {
		case !p.o.Uring:
			p.unmet(w.what, w.by, "this kernel has no rules on io_uring (Linux 5.16 has)")
		case busyOps[w.op]:
			p.unmet(w.what, w.by, "programs that use io_uring do it all the time, and the kernel leaves it out of its records")
		default:
			if w.op == "" { // any
				ops = append(slices.Clip(ops), uringBase...)
			} else {
				ops = append(slices.Clip(ops), w.op)
			}
			why = append(why, w.by...)
		}
	}
	if !p.o.Uring || len(ops) == 0 {
		return
	}
	slices.Sort(why)
	r := Rule{Action: "always", List: uringList, Why: slices.Compact(why)}
	for n, op := range uringOpNames {
		if slices.Contains(ops, op) {
			r.Syscalls, r.numbers = append(r.Syscalls, op), append(r.numbers, uint32(n))
			p.plan.Sees.Calls = append(p.plan.Sees.Calls, uringPrefix+op)
		}
	}
	p.plan.Rules = append(p.plan.Rules, r)
}

// see finishes what the plan sees.
func (p *planner) see() {
	s, m := &p.plan.Sees, p.o.Monitor
	// Records without a rule are written for whoever listens.
	s.Kinds = event.SetOf(event.KindProcess, event.KindRecord)
	if m.Security {
		s.Kinds |= event.SetOf(event.KindSecurity)
	}
	for _, list := range []*[]string{&s.Folders, &s.Calls, &s.Partly} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if len(s.Folders) > 0 {
		s.Kinds |= event.SetOf(event.KindFile)
	}
	for _, c := range s.Calls {
		s.Kinds |= event.SetOf(kindOfCall(c))
	}
	if p.failing && !s.Kinds.Has(event.KindSyscall) {
		s.FailedOnly = true
		s.Kinds |= event.SetOf(event.KindSyscall)
	}
	slices.SortStableFunc(p.plan.Unmet, func(a, b Unmet) int { return strings.Compare(a.What, b.What) })
}

// kindOfCall returns the kind of the events that a call makes.
func kindOfCall(name string) event.Kind {
	switch theCalls.named(name).act {
	case actExec:
		return event.KindProcess
	case actSocket, actSocketcall, actBind, actListen, actConnect, actAccept:
		return event.KindNetwork
	case actLoad, actUnload:
		return event.KindDriver
	case actPrivilege:
		return event.KindSecurity
	case actNone:
		return event.KindSyscall
	}
	return event.KindFile
}
