// SPDX-License-Identifier: Apache-2.0

// This file holds the search for candidates against the plain mode where
// candidates_test.go does not look: fields of every type, residues of CEL beside terms
// that are remembered, values that arrive late, new lists and overrides between two
// batches, new programs, and processes that share a place in the cache.

package engine

import (
	"bytes"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seismo/internal/event"
	"seismo/internal/namedlist"
	"seismo/signals"
)

// wideMaker draws from all fields and conditions.
type wideMaker struct {
	maker
	cel celMaker
}

var (
	wideKinds   = event.SetOf(event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord, event.KindDNS)
	wideWords   = []string{"", "a", "B", "ab", "/x", "abc", ".so", "/bin/sh", "Curl", "password", "\xff\xfe", "\x00\x00", "é", "MD5=", "d41d8cd98f00b204e9800998ecf8427e", "aaaa", "write", "10.1.", "::"}
	wideRegexes = []string{"^a", "(bin|sbin)/sh$", "cur[lk]", "pass(word)?", "(abc|/x)+", "a.b", "[a-c]{2,3}", "^$", "(?:ab|cd){1,2}word", "x*", "sh|", `\x00`, "[^/]+/sh", "pa(s|z)s.ord", "é+", "a|b|abc", `^/bin/.*$`, "k"}
	wideGlobs   = []string{"*", "?", "/*/sh", "*word*", "a?", "*.so", "cur?*", "/bin/*", "**", "*ab*ab*", "*\xff*", "a*b", "*/*"}
	wideNumbers = []int64{-1, 0, 1, 2, 443, 1<<63 - 1, -1 << 63}
	wideNets    = []string{"10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "::/0", "2001:db8::/32", "::1/128", "10.1.2.0/23"}
	wideAddrs   = []string{"10.1.2.3", "10.1.3.3", "::1", "2001:db8::ab", "192.0.2.1", "::ffff:10.1.2.3"}
	wideLists   = []string{"", "a\nabc\n/bin/sh\n", "10.0.0.0/8\n::1\n443\n-1\n", "d41d8cd98f00b204e9800998ecf8427e\nMD5=d41d8cd98f00b204e9800998ecf8427e\ncurl\n", "18446744073709551615\n2\npassword\nB\n"}
)

func (m wideMaker) word() string { return celPick(m.Rand, wideWords...) }

// value joins some words; now and then it is as long as no literal or no subject of CEL.
func (m wideMaker) value() string {
	var b strings.Builder
	for range m.IntN(4) {
		b.WriteString(m.word())
	}
	switch m.IntN(150) {
	case 0:
		return strings.Repeat("ab", 35_000) + b.String()
	case 1, 2:
		return b.String() + strings.Repeat("A", 70)
	}
	return b.String()
}

func (m wideMaker) literal() string {
	s := m.word() + m.one("", m.word())
	if m.IntN(60) == 0 {
		s += strings.Repeat("a", 70)
	}
	return s
}

// wideFields are the fields that random terms are on, those of the process more often.
func (m wideMaker) field() string {
	switch m.IntN(8) {
	case 0:
		return m.one("record.'exe'", "record.'Exe'", "record.'a0'")
	case 1, 2:
		return m.one("process.hash", "process.container_id", "process.ancestry_hash", "process.parent_hash", "process.tty", "process.id", "process.start_time")
	case 3, 4, 5:
		return m.one("file.path", "file.operation", "file.mode", "network.address", "network.source_address", "network.port", "process.end_time", "process.exit_code", "user.name", "user.id", "syscall.arguments", "dns.query")
	}
	for {
		if f := celPick(m.Rand, event.Fields()...); f.Kinds&wideKinds != 0 {
			return f.Name
		}
	}
}

func (m wideMaker) term() testTerm {
	t := testTerm{not: m.IntN(4) == 0, field: m.field()}
	if m.IntN(12) == 0 {
		t.cond = exists
		return t
	}
	in, _ := event.Lookup(t.field)
	var draw func() string
	switch in.Type {
	case event.Integer, event.Identifier, event.Time:
		t.cond = celPick(m.Rand, equal, equal, less, lessEq, greater, greaterEq)
		for range 1 + m.IntN(3) {
			t.number = append(t.number, celPick(m.Rand, wideNumbers...))
		}
		if in.Type == event.Time || m.IntN(6) > 0 {
			return t
		}
		t.cond, t.number, draw = signals.InList, nil, func() string { return m.one("one", "two") }
	case event.Address:
		t.cond = celPick(m.Rand, equal, inCIDR, inCIDR, has, begins, ends, signals.InList, signals.Regex, signals.Glob)
		draw = func() string { return m.one("1", "10.1", "::", "3", "db8:", "0.0") }
	default:
		t.cond = celPick(m.Rand, equal, has, has, begins, ends, signals.Glob, signals.PathGlob, signals.Regex, signals.InList)
		t.cased = m.IntN(4) == 0
		draw = m.literal
	}
	switch {
	case t.cond == inCIDR:
		draw = func() string { return celPick(m.Rand, wideNets...) }
	case t.cond == equal && in.Type == event.Address:
		draw = func() string { return celPick(m.Rand, wideAddrs[:5]...) }
	case t.cond == signals.Regex:
		draw = func() string { return celPick(m.Rand, wideRegexes...) }
	case t.cond == signals.Glob || t.cond == signals.PathGlob:
		draw = func() string { return celPick(m.Rand, wideGlobs...) }
	case t.cond == signals.InList:
		draw = func() string { return m.one("one", "two") }
	}
	for range 1 + m.IntN(3) {
		t.values = append(t.values, draw())
	}
	return t
}

// wideSet builds programs of terms and CEL.
type wideSet struct {
	setBuilder
	residues map[string]uint32
}

func (m wideMaker) expr(b *wideSet, depth int, inGroup bool) (node uint32, text string) {
	join := func(op signals.NodeOp, word string) (uint32, string) {
		n := signals.Node{Op: op}
		var parts []string
		for range 2 + m.IntN(2) {
			kid, text := m.expr(b, depth-1, inGroup)
			n.Kids, parts = append(n.Kids, kid), append(parts, text)
		}
		return b.push(n), "(" + strings.Join(parts, word) + ")"
	}
	switch n := m.IntN(12); {
	case depth == 0 || n < 3:
		t := m.term()
		return b.push(signals.Node{Term: b.term(t, inGroup)}), t.text()
	case n < 7:
		return join(signals.NodeAnd, " AND ")
	case n < 9:
		return join(signals.NodeOr, " OR ")
	case n < 11:
		if node, text, ok := m.celExpr(b, inGroup); ok {
			return node, text
		}
	}
	if inGroup {
		return m.expr(b, depth-1, true)
	}
	kid, text := m.expr(b, depth-1, true)
	return b.push(signals.Node{Op: signals.NodeGroup, Kids: []uint32{kid}}), "group(" + text + ")"
}

func (b *wideSet) push(n signals.Node) uint32 {
	b.set.Nodes = append(b.set.Nodes, n)
	return uint32(len(b.set.Nodes) - 1)
}

// celExpr adds a CEL expression, whose node is a group unless it stands in one.
func (m wideMaker) celExpr(b *wideSet, inGroup bool) (node uint32, text string, ok bool) {
	text = m.cel.expr(m.IntN(3))
	if m.IntN(2) == 0 {
		text = m.cel.residual()
	}
	e, err := signals.ParseCEL("cel", text)
	if err != nil {
		return 0, "", false
	}
	set, err := signals.Lower([]signals.Definition{{ID: "a", Name: "a", Expr: e}})
	if err != nil {
		return 0, "", false
	}
	root := b.merge(set, set.Signals[0].Root)
	if inGroup {
		root = b.set.Nodes[root].Kids[0]
	}
	return root, "CEL: " + text, true
}

// merge adds the expression at root of set.
func (b *wideSet) merge(set *signals.Set, root uint32) uint32 {
	n := set.Nodes[root]
	if n.Op == signals.NodeTerm {
		return b.push(signals.Node{Term: b.mergeTerm(set, set.Terms[n.Term])})
	}
	kids := make([]uint32, len(n.Kids))
	for i, k := range n.Kids {
		kids[i] = b.merge(set, k)
	}
	return b.push(signals.Node{Op: n.Op, Kids: kids})
}

func (b *wideSet) mergeTerm(set *signals.Set, t signals.Term) uint32 {
	for i := range b.set.Terms {
		if b.set.Terms[i].ID == t.ID {
			return uint32(i)
		}
	}
	atoms := make([]uint32, len(t.Atoms))
	for i, a := range t.Atoms {
		atoms[i] = b.atom(set.Atoms[a])
	}
	t.Atoms = atoms
	if t.Cond == signals.Residual {
		r := set.Residues[t.Residue]
		at, known := b.residues[r.Text]
		if !known {
			at = uint32(len(b.set.Residues))
			b.set.Residues = append(b.set.Residues, r)
			b.residues[r.Text] = at
		}
		t.Residue = at
	}
	b.set.Terms = append(b.set.Terms, t)
	return uint32(len(b.set.Terms) - 1)
}

// wideSignal is what a signal is drawn from: the same seed draws the same.
type wideSignal struct {
	id   int
	seed uint64
}

// build makes the program of sigs, whose ids rise.
func (m wideMaker) build(t *testing.T, sigs []wideSignal) *Program {
	t.Helper()
	b := wideSet{residues: map[string]uint32{}}
	for i, s := range sigs {
		r := rand.New(rand.NewPCG(s.seed, 11))
		d := wideMaker{maker{r}, celMaker{r}}
		root, text := d.expr(&b, r.IntN(4), false)
		if r.IntN(2) > 0 { // most random signals need no memory
			more, moreText := d.expr(&b, 1, false)
			root, text = b.push(signals.Node{Op: signals.NodeAnd, Kids: []uint32{root, more}}), text+" AND "+moreText
		}
		kinds := event.AllKinds
		if r.IntN(5) == 0 {
			kinds = event.SetOf(event.KindProcess, event.KindFile)
		}
		s := signals.Signal{Root: root, Kinds: kinds}
		if r.IntN(4) == 0 {
			node, not := d.expr(&b, 1, true)
			s.Suppress, text = []uint32{node}, text+" SUPPRESS "+not
		}
		b.set.Signals = append(b.set.Signals, s)
		b.set.Definitions = append(b.set.Definitions, signals.Definition{ID: fmt.Sprintf("%04d", sigs[i].id), Name: "a", Severity: signals.High,
			Platforms: []string{"linux", "windows"}[:r.IntN(3)], Text: strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "0"), "?"), Revision: "00"})
	}
	p, err := Build(&b.set)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return reload(t, p)
}

// options draws lists and overrides.
func (m wideMaker) options(t *testing.T, sigs []wideSignal) Options {
	t.Helper()
	o := Options{Lists: map[string]*namedlist.List{}}
	for _, name := range []string{"one", "two", "some"} {
		if m.IntN(5) == 0 {
			continue // missing
		}
		l, err := namedlist.Read(name, strings.NewReader(celPick(m.Rand, wideLists...)))
		if err != nil {
			t.Fatal(err)
		}
		o.Lists[name] = l
	}
	for _, s := range sigs {
		if m.IntN(8) == 0 {
			o.Overrides = append(o.Overrides, signals.Override{ID: fmt.Sprintf("%04d", s.id), Disabled: true})
		}
	}
	return o
}

// samePlace returns a key that has the place of all others it returns in a cache of
// armed processes, however large that is.
func samePlace(n int) event.ProcessKey {
	inverse := uint64(1)
	for range bits.UintSize {
		inverse *= 2 - 0x9e3779b97f4a7c15*inverse
	}
	return event.ProcessKey(uint64(n) << 50 * inverse)
}

func (m wideMaker) pool(n int) (pool []*event.Process) {
	crowded := m.IntN(2) == 0
	for i := range n {
		p := &event.Process{ID: event.ProcessKey(1000 + i), PID: int32(m.IntN(3)), UserID: int64(m.IntN(3)) - 1, GroupID: event.NoID, LoginUserID: event.NoID, Session: event.NoID,
			Path: m.value(), CommandLine: m.value(), Start: int64(m.IntN(3)), UserName: m.word(), GroupName: m.word(), TTY: m.word(), ContainerID: m.one("", "", m.word())}
		if crowded {
			p.ID = samePlace(i + 1)
		}
		if m.IntN(2) == 0 {
			p.Args = []string{m.word(), m.value()}
		}
		if m.IntN(3) == 0 {
			p.Hash = []string{m.word() + m.word(), m.word()}
		}
		if i > 0 {
			from := pool[m.IntN(i)]
			switch m.IntN(5) {
			case 0, 1:
				p.Parent = from
			case 2, 3:
				p.Parent, p.Previous = from.Parent, from
			}
		}
		pool = append(pool, p)
	}
	return pool
}

func (m wideMaker) event(b *event.Batch, p *event.Process) *event.Event {
	kind := celPick(m.Rand, event.KindProcess, event.KindProcess, event.KindFile, event.KindNetwork, event.KindSyscall, event.KindRecord, event.KindDNS)
	op := celPick(m.Rand, event.Ops(kind)...)
	if kind == event.KindProcess && m.IntN(3) == 0 {
		op = event.OpUpdate
	}
	te := testEvent{kind: kind, op: op, process: p, fields: fields{}}
	rare := 1 + m.IntN(4)
	for _, in := range event.Fields() {
		if in.Scope == event.ScopeParent || in.Scope == event.ScopeAncestor || in.Column() == "operation" || !in.Kinds.Has(kind) || m.IntN(rare) > 0 {
			continue
		}
		switch in.Type {
		case event.String:
			te.fields[in.Field] = m.value()
		case event.List, event.Hash:
			te.fields[in.Field] = []string{m.word() + m.word(), m.value()}[:1+m.IntN(2)]
		case event.Address:
			te.fields[in.Field] = netip.MustParseAddr(celPick(m.Rand, wideAddrs...))
		default:
			te.fields[in.Field] = int(celPick(m.Rand, wideNumbers...))
		}
	}
	for i := range m.IntN(5) {
		te.own = append(te.own, ownField{i / 2, m.one("exe", "Exe", "a0", "key", "Key"), m.value()})
	}
	return te.addTo(b)
}

// Matchers with and without tables leave the same tags, proofs, verdicts and losses and
// remember the same, whatever is changed between two batches.
func TestTablesChangeNoResultOnAnyField(t *testing.T) {
	rounds := 120
	if os.Getenv("SEISMO_LONG") != "" {
		rounds = 20_000
	}
	fired, remembered, residues, suppressed := 0, 0, 0, uint64(0)
	count := func(m *Matcher) {
		for _, s := range m.Statistics() {
			suppressed += s.Suppressed
		}
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 23))
		m := wideMaker{maker{r}, celMaker{r}}
		var sigs []wideSignal
		for i := range 1 + m.IntN(8) {
			sigs = append(sigs, wideSignal{10 * i, m.Uint64()})
		}
		p := m.build(t, sigs).With(m.options(t, sigs))
		residues += len(p.residues)
		plain, fast := p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}), p.NewMatcher()
		narrow := m.IntN(3) == 0
		limit := func() {
			for _, matcher := range []*Matcher{plain, fast} {
				if narrow {
					matcher.latches.limits.process, matcher.latches.limits.all, matcher.late.limits.processes = 2, 5, 2
				}
			}
		}
		limit()
		pool := m.pool(1 + m.IntN(16))
		for range 4 {
			b := event.NewBatch(8)
			b.Platform = m.one("linux", "windows", "")
			for range 6 {
				var of *event.Process
				if m.IntN(8) > 0 {
					of = celPick(m.Rand, pool...)
				}
				m.event(b, of)
			}
			if m.IntN(3) == 0 {
				b.Ended = append(b.Ended, celPick(m.Rand, pool...).ID)
			}
			want, wantState := outcome(t, plain, b)
			got, gotState := outcome(t, fast, b)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: with tables (+), without (-):\n%s\n%s", seed, diff, textOf(p))
			}
			if !bytes.Equal(gotState, wantState) {
				t.Fatalf("seed %d: what is remembered differs with and without tables\n%s", seed, textOf(p))
			}
			for _, r := range got {
				fired += len(r.Tags)
			}
			remembered += len(fast.latches.of) + len(fast.late.of)
			switch m.IntN(6) {
			case 0: // other lists and overrides
				p = p.With(m.options(t, sigs))
			case 1: // other signals
				sigs[m.IntN(len(sigs))].seed = m.Uint64()
				p = m.build(t, sigs).With(m.options(t, sigs))
			case 2:
				alive := func(key event.ProcessKey) bool { return uint64(key)%3 > 0 }
				plain.Forget(alive)
				fast.Forget(alive)
				continue
			default:
				continue
			}
			count(fast)
			oldPlain, oldFast := plain, fast
			plain, fast = p.NewMatcherWith(MatcherOptions{DisableSignalsTrie: true}), p.NewMatcher()
			limit()
			plain.TakeOver(oldPlain)
			fast.TakeOver(oldFast)
		}
		count(fast)
	}
	t.Logf("%d tags; %d processes remembered; %d residues; %d suppressed", fired, remembered, residues, suppressed)
	if fired < rounds || remembered < rounds || residues < rounds/2 || suppressed == 0 {
		t.Errorf("too little happened to show anything: %d tags, %d processes remembered, %d residues, %d suppressed", fired, remembered, residues, suppressed)
	}
}
