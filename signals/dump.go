// SPDX-License-Identifier: Apache-2.0

// This file prints a lowered set for people.

package signals

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"seismo/internal/display"
	"seismo/internal/event"
)

// Dump prints s as text: every signal with its tree, then the terms, atoms and
// residues that they share. The same set gives the same text. The error is that of
// w.
func (s *Set) Dump(w io.Writer) error {
	out := bufio.NewWriter(w)
	for i, sig := range s.Signals {
		d := s.Definitions[i]
		fmt.Fprintf(out, "signal %s %s\n  severity %s, revision %s, kinds %s\n", d.ID, strconv.Quote(d.Name), d.Severity, d.Revision, kindsText(sig.Kinds))
		if sig.Correlation != nil {
			s.dumpCorrelation(out, &sig)
			continue
		}
		if sig.Alone {
			l := sig.Logsource
			fmt.Fprintf(out, "  alone, product %s, category %s, service %s, filters %d", strconv.Quote(l.Product), strconv.Quote(l.Category), strconv.Quote(l.Service), len(d.Filters))
			dumpSilent(out, sig.Silent)
		}
		s.dumpNode(out, sig.Root, "  ")
		for _, n := range sig.Suppress {
			fmt.Fprintln(out, "  suppress")
			s.dumpNode(out, n, "    ")
		}
	}
	fmt.Fprintln(out, "terms")
	for i, t := range s.Terms {
		s.dumpTerm(out, i, &t)
	}
	fmt.Fprintln(out, "atoms")
	for i, a := range s.Atoms {
		s.dumpAtom(out, i, &a)
	}
	if len(s.Residues) > 0 {
		fmt.Fprintln(out, "residues")
	}
	for i, r := range s.Residues {
		fmt.Fprintf(out, "  r%d %s\n    cost %d, syntax tree of %d bytes, reads", i, strconv.Quote(r.Text), r.Cost, len(r.Checked))
		for _, f := range r.Fields {
			fmt.Fprintf(out, " %s", s.fieldName(f, ""))
		}
		for _, own := range r.Own {
			fmt.Fprintf(out, " %s", s.fieldName(event.NoField, own))
		}
		fmt.Fprintln(out)
	}
	return out.Flush()
}

// dumpCorrelation prints what sig, a correlation, counts.
func (s *Set) dumpCorrelation(out io.Writer, sig *Signal) {
	c := sig.Correlation
	fmt.Fprintf(out, "  %s within %d ns", c.Type, c.Timespan)
	for _, n := range c.Counts {
		fmt.Fprintf(out, ", %s %d", n.Op, n.N)
	}
	dumpSilent(out, sig.Silent)
	for i, r := range c.Rules {
		fmt.Fprintf(out, "    of %s", s.Definitions[r].ID)
		for _, fields := range c.GroupBy {
			fmt.Fprintf(out, " by %s", strconv.Quote(fields[i]))
		}
		if len(c.Field) > 0 {
			fmt.Fprintf(out, " values of %s", strconv.Quote(c.Field[i]))
		}
		fmt.Fprintln(out)
	}
}

// dumpSilent ends a line that says what a signal does.
func dumpSilent(out io.Writer, silent bool) {
	if silent {
		fmt.Fprint(out, ", silent")
	}
	fmt.Fprintln(out)
}

func (s *Set) dumpTerm(out io.Writer, i int, t *Term) {
	subject := fmt.Sprintf("%s %s", s.fieldName(t.Field, t.Own), t.Cond)
	if t.Cond == Residual {
		subject = fmt.Sprintf("%s r%d", t.Cond, t.Residue)
	}
	fmt.Fprintf(out, "  t%d %016x %s\n    kinds %s, %s", i, t.ID, display.Text(t.Text), kindsText(t.Kinds), subject)
	for _, f := range []struct {
		set  bool
		word string
	}{{t.Negate, "NOT"}, {t.Cased, "cased"}, {t.Group, "in group"}} {
		if f.set {
			fmt.Fprintf(out, ", %s", f.word)
		}
	}
	fmt.Fprint(out, ", atoms")
	for _, a := range t.Atoms {
		fmt.Fprintf(out, " a%d", a)
	}
	fmt.Fprintln(out)
}

func (s *Set) dumpAtom(out io.Writer, i int, a *Atom) {
	fmt.Fprintf(out, "  a%d %s %s", i, s.fieldName(a.Field, a.Own), a.Cond)
	if a.Part != NoPart {
		fmt.Fprintf(out, " (%s)", a.Part)
	}
	if a.Cased {
		fmt.Fprint(out, " cased")
	}
	switch {
	case a.Cond == Exists:
	case a.Literal != "":
		fmt.Fprintf(out, " %s", strconv.Quote(a.Literal))
	default:
		fmt.Fprintf(out, " %d", a.Number)
	}
	fmt.Fprintln(out)
}

func (s *Set) dumpNode(out io.Writer, n uint32, indent string) {
	node := s.Nodes[n]
	switch node.Op {
	case NodeTerm:
		fmt.Fprintf(out, "%st%d %s\n", indent, node.Term, display.Text(s.Terms[node.Term].Text))
		return
	case NodeAnd:
		fmt.Fprintln(out, indent+"and")
	case NodeOr:
		fmt.Fprintln(out, indent+"or")
	case NodeGroup:
		fmt.Fprintln(out, indent+"group")
	}
	for _, k := range node.Kids {
		s.dumpNode(out, k, indent+"  ")
	}
}

func (s *Set) fieldName(f event.Field, own string) string {
	if own != "" {
		return "record." + display.Text(quoteLiteral(own))
	}
	return event.Describe(f).Name
}

func kindsText(k event.KindSet) string {
	switch k {
	case 0:
		return "none"
	case event.AllKinds:
		return "all"
	}
	var names []string
	for _, kind := range event.Kinds() {
		if k.Has(kind) {
			names = append(names, kind.String())
		}
	}
	return strings.Join(names, " ")
}
