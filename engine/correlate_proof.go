// SPDX-License-Identifier: Apache-2.0

// This file makes the proof of a correlation: an item that says what was counted, and
// one for each of the events that made it, as many as there is room for.

package engine

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"seismo/internal/event"
	"seismo/signals"
)

// The bounds of a proof: its items, and the names in the text of the first.
const (
	maxCorrelationProof = 32
	maxProofNames       = 3
)

// correlationProof returns the proof of the group g, which counted n, for a match at o.
func (m *Matcher) correlationProof(o *occurrence, g *tally, n int) []event.ProofItem {
	c := &m.correlator
	q := &c.plan.list[g.of]
	values, _ := keyValues(g.key, len(q.groupBy))
	if o.event != nil {
		values = m.asDelivered(o, q, values)
	}
	by := strings.Join(q.names(), ", ")
	value := cutText(strings.Join(values, ", "))
	head := event.ProofItem{Term: m.p.termOf(q.signal), Text: m.p.describe(q, n), Event: o.id, Time: o.time, Ordinal: o.ordinal, Own: by, Value: value}
	items := []event.ProofItem{head}
	matches := c.witnesses(g)
	for i := range matches {
		at := &matches[i]
		if i >= maxCorrelationProof-2 && i < len(matches)-1 {
			continue
		}
		rule := q.rules[at.rule]
		item := event.ProofItem{Term: m.p.termOf(rule), Text: m.p.definitions[rule].Name, Event: at.id, Time: at.time, Ordinal: at.ordinal, Own: by, Value: value}
		if q.typ == signals.ValueCount {
			item.Own, item.Value = q.field[at.rule].name, cutText(g.values[at.value].text)
		}
		items = append(items, item)
	}
	return items
}

// witnesses returns the matches of g that are worth telling, by time: of each value
// the first, of each rule the newest, or the chain.
func (c *correlator) witnesses(g *tally) []match {
	q := &c.plan.list[g.of]
	switch q.typ {
	case signals.ValueCount:
		var out []match
		seen := make([]bool, len(g.values))
		for _, m := range g.matches {
			if !seen[m.value] {
				seen[m.value] = true
				out = append(out, m)
			}
		}
		return out
	case signals.Temporal:
		var out []match
		for i := range g.matches {
			if g.matches[i].value != 0 {
				out = append(out, g.matches[i])
			}
		}
		sortMatches(out)
		return out
	case signals.TemporalOrdered:
		return q.chainOf(g)
	}
	return g.matches
}

// asDelivered returns values, those of a group, as the event at hand spells them: a
// group knows them folded.
func (m *Matcher) asDelivered(o *occurrence, q *correlation, values []string) []string {
	c := &m.correlator
	var one [maxKeyValue]byte
	for i, names := range q.groupBy {
		for r := range names {
			o.read(&c.spelled, &names[r], o.recordOf(q.rules[r]), maxGroupsOfMatch)
			for k := range c.spelled.len() {
				if v := c.spelled.at(k); string(appendValue(one[:0], v)) == values[i] {
					values[i] = string(v)
				}
			}
		}
	}
	return values
}

// termOf returns the number by which the items of signal i's matches are known: that
// of its id, whatever the program.
func (p *Program) termOf(i uint32) uint64 {
	h := fnv.New64a()
	h.Write([]byte(p.definitions[i].ID))
	return h.Sum64()
}

// names returns the names that q groups by; of names that differ by rule, the first.
func (q *correlation) names() []string {
	var names []string
	for _, of := range q.groupBy {
		names = append(names, of[0].name)
	}
	return names
}

// describe says what q counts and how much of it there was, as in "event_count of
// failed_login by User: 5 in 10m (gte 5)".
func (p *Program) describe(q *correlation, n int) string {
	return fmt.Sprintf("%s: %d in %s (%s)", p.subject(q), n, spanText(q.timespan), countsText(q.counts))
}

// subject says what q counts, as in "event_count of failed_login by User".
func (p *Program) subject(q *correlation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", q.typ)
	if q.typ == signals.ValueCount {
		fmt.Fprintf(&b, " of %s in", q.field[0].name)
	} else {
		b.WriteString(" of")
	}
	for i, rule := range q.rules {
		if i >= maxProofNames {
			fmt.Fprintf(&b, " and %d more", len(q.rules)-i)
			break
		}
		if i > 0 {
			b.WriteString(",")
		}
		name := p.definitions[rule].RuleName
		if name == "" {
			name = p.definitions[rule].Name
		}
		fmt.Fprintf(&b, " %s", name)
	}
	if names := q.names(); len(names) > 0 {
		fmt.Fprintf(&b, " by %s", strings.Join(names, ", "))
	}
	return b.String()
}

func countsText(counts []signals.Count) string {
	var parts []string
	for _, c := range counts {
		parts = append(parts, fmt.Sprintf("%s %d", c.Op, c.N))
	}
	return strings.Join(parts, ", ")
}

// spanText returns a timespan as Sigma writes it.
func spanText(span int64) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if span%int64(unit.of) == 0 {
			return fmt.Sprintf("%d%s", span/int64(unit.of), unit.name)
		}
	}
	return time.Duration(span).String()
}

func cutText(s string) string { return s[:cut(s)] }
