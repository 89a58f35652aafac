// SPDX-License-Identifier: Apache-2.0

// This file reads correlations (specification 2.1, "Sigma Correlation Rules"). What
// their references mean is found in package signals, when all files are read.

package sigma

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"seismo/signals"
)

const keyGenerate = "generate"

// The bounds of a correlation.
const (
	maxReferences = 1000
	maxGroupBy    = 16
	maxTimespan   = 30 * 24 * time.Hour
	maxCount      = 100_000 // the engine keeps one match of a group more
	maxFieldName  = 256     // bytes, as of an own name
)

// correlation reads a correlation.
func (r *docReader) correlation() {
	def := signals.Definition{Language: signals.LanguageSigma, Text: r.Text, Severity: signals.Medium, Pos: r.Pos(r.node)}
	good := r.required(keyTitle, keyCorrelation)
	r.metadata(&def)
	if good {
		r.id(&def, keyCorrelation)
		if def.Correlation = r.section(valueOf(r.node, keyCorrelation)); def.Correlation != nil {
			r.Add(def)
		}
	}
}

// section reads what stands under correlation; nil if it is no mapping.
func (r *docReader) section(n *yaml.Node) *signals.CorrelationRule {
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "it has type, rules, timespan and condition", "correlation is a mapping, found %s", signals.NodeText(n))
		return nil
	}
	c := &signals.CorrelationRule{}
	keys := []string{"type", "rules", "group-by", "timespan", "condition", "aliases", keyGenerate}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; !slices.Contains(keys, k.Value) {
			r.Errorf(k, "the keys of a correlation are "+strings.Join(keys, ", "), "unknown key %s%s", signals.Quote(k.Value), signals.DidYouMean(k.Value, keys))
		}
	}
	for _, key := range []string{"type", "rules", "timespan"} {
		if v := valueOf(n, key); v == nil || saysNothing(v) {
			r.Errorf(n, "", "correlation without %s", signals.Quote(key))
		}
	}
	typed := false
	if v := valueOf(n, "type"); v != nil && !saysNothing(v) {
		c.Type, typed = r.correlationType(v)
	}
	if v := valueOf(n, "rules"); v != nil && !saysNothing(v) {
		c.Rules = r.references(v)
	}
	if v := valueOf(n, "group-by"); v != nil && !saysNothing(v) {
		c.GroupBy = r.groupBy(v)
	}
	if v := valueOf(n, "timespan"); v != nil && !saysNothing(v) {
		c.Timespan = r.timespan(v)
	}
	if v := valueOf(n, "aliases"); v != nil && !saysNothing(v) {
		c.Aliases = r.aliases(v)
	}
	for _, of := range []*yaml.Node{n, r.node} { // the schema has it beside correlation, others in it
		if v := valueOf(of, keyGenerate); v != nil {
			c.Generate = r.truth(v) || c.Generate
		}
	}
	if typed {
		r.condition(n, c)
	}
	return c
}

func (r *docReader) truth(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.Errorf(n, "", "generate is true or false, found %s", signals.NodeText(n))
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

func (r *docReader) correlationType(n *yaml.Node) (signals.CorrelationType, bool) {
	s, ok := r.text(n)
	if !ok {
		return 0, false
	}
	var words []string
	for t := signals.EventCount; t.Valid(); t++ {
		if words = append(words, t.String()); s == t.String() {
			return t, true
		}
	}
	hint := "type is one of " + strings.Join(words, ", ")
	if slices.Contains([]string{"value_sum", "value_avg", "value_percentile", "value_median", "value_min", "value_max"}, s) {
		r.Errorf(n, hint, "type %s calculates with the values of a field: events, different values and rules are counted, the values themselves are not kept", s)
		return 0, false
	}
	r.Errorf(n, hint, "unknown type %s%s", signals.Quote(s), signals.DidYouMean(s, words))
	return 0, false
}

// references reads the rules that a correlation or filter is about: a list, or one.
func (r *docReader) references(n *yaml.Node) []signals.Reference {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	switch {
	case len(list) == 0:
		r.Errorf(n, "", "rules is empty")
	case len(list) > maxReferences:
		r.Errorf(n, "", "%d rules, at most %d are taken", len(list), maxReferences)
		return nil
	}
	var all []signals.Reference
	seen := map[string]bool{}
	for _, k := range list {
		s, ok := r.text(k)
		switch {
		case !ok:
		case strings.TrimSpace(s) == "":
			r.Errorf(k, "", "the name of a rule is empty")
		case seen[s]:
			r.Errorf(k, "", "rule %s stands twice", signals.Quote(s))
		default:
			seen[s] = true
			all = append(all, r.Reference(k, s))
		}
	}
	return all
}

// groupBy reads the names of fields: a list, or one.
func (r *docReader) groupBy(n *yaml.Node) []string {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		list = n.Content
	}
	if len(list) > maxGroupBy {
		r.Errorf(n, "", "group-by has %d fields, at most %d are taken", len(list), maxGroupBy)
		return nil
	}
	var all []string
	for _, k := range list {
		s, ok := r.field(k)
		if ok && slices.Contains(all, s) {
			r.Errorf(k, "", "field %s stands twice", signals.Quote(s))
		} else if ok {
			all = append(all, s)
		}
	}
	return all
}

// field reads the name of a field.
func (r *docReader) field(n *yaml.Node) (string, bool) {
	s, ok := r.text(n)
	switch {
	case !ok:
	case s == "" || s == signals.AnyField:
		r.Errorf(n, "", "%s is no name of a field", signals.Quote(s))
		ok = false
	case len(s) > maxFieldName:
		r.Errorf(n, "", "the name of a field has %d bytes, at most %d are taken", len(s), maxFieldName)
		ok = false
	}
	return s, ok
}

var timespanForm = regexp.MustCompile(`^([0-9]{1,9})([a-zA-Z])$`)

// timespan reads a number and a unit, in nanoseconds.
func (r *docReader) timespan(n *yaml.Node) int64 {
	const hint = "a timespan is a whole number and s, m, h or d: 90m"
	if n.Kind != yaml.ScalarNode {
		r.Errorf(n, hint, "expected a text, found %s", signals.NodeText(n))
		return 0
	}
	m := timespanForm.FindStringSubmatch(n.Value)
	if m == nil {
		r.Errorf(n, hint, "%s is no timespan", signals.Quote(n.Value))
		return 0
	}
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	unit, known := units[m[2]]
	number, _ := strconv.ParseInt(m[1], 10, 64) // at most nine digits
	switch {
	case m[2] == "M" || m[2] == "y":
		r.Errorf(n, "say it in days", "timespan %s: months and years have no one length", signals.Quote(n.Value))
	case !known:
		r.Errorf(n, hint, "timespan %s has the unknown unit %s", signals.Quote(n.Value), signals.Quote(m[2]))
	case number == 0:
		r.Errorf(n, hint, "timespan is zero")
	case number > int64(maxTimespan/unit):
		r.Errorf(n, "", "timespan %s is longer than %d days", signals.Quote(n.Value), maxTimespan/(24*time.Hour))
	default:
		return number * int64(unit)
	}
	return 0
}

// aliases reads the fields that names stand for, by alias and rule.
func (r *docReader) aliases(n *yaml.Node) map[string]map[string]string {
	if n.Kind != yaml.MappingNode {
		r.Errorf(n, "an alias has a field for each rule", "aliases is a mapping, found %s", signals.NodeText(n))
		return nil
	}
	all := map[string]map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		alias, of := n.Content[i], n.Content[i+1]
		if of.Kind != yaml.MappingNode {
			r.Errorf(of, "an alias has a field for each rule", "alias %s is a mapping, found %s", signals.Quote(alias.Value), signals.NodeText(of))
			continue
		}
		all[alias.Value] = map[string]string{}
		for k := 0; k+1 < len(of.Content); k += 2 {
			if s, ok := r.field(of.Content[k+1]); ok {
				all[alias.Value][of.Content[k].Value] = s
			}
		}
	}
	return all
}

// condition reads the bounds of what n counts, and the field whose values it counts.
func (r *docReader) condition(n *yaml.Node, c *signals.CorrelationRule) {
	v := valueOf(n, "condition")
	temporal := c.Type == signals.Temporal || c.Type == signals.TemporalOrdered
	switch {
	case v == nil || saysNothing(v):
		if !temporal {
			r.Errorf(n, "as in condition: {gte: 10}", "correlation %s without %s", c.Type, signals.Quote("condition"))
		}
		return
	case v.Kind == yaml.ScalarNode && temporal:
		r.Errorf(v, "name the rules that are all to match under rules, or chain correlations", "a condition over the names of rules: only their number is counted")
		return
	case v.Kind != yaml.MappingNode:
		r.Errorf(v, "as in condition: {gte: 10}", "condition is a mapping, found %s", signals.NodeText(v))
		return
	}
	r.counts(v, c)
	switch {
	case c.Type == signals.ValueCount && c.Field == "" && valueOf(v, "field") == nil:
		r.Errorf(v, "as in condition: {field: User, gte: 10}", "value_count counts the values of a field, but condition has no field")
	case c.Type != signals.ValueCount && c.Field != "":
		r.Errorf(valueOf(v, "field"), "value_count counts the values of a field", "condition of %s has a field", c.Type)
	}
	if !temporal && (len(v.Content) == 0 || len(v.Content) == 2 && v.Content[0].Value == "field") {
		r.Errorf(v, "as in condition: {gte: 10}", "condition has no number to compare with")
	}
}

// counts reads the keys of a condition.
func (r *docReader) counts(v *yaml.Node, c *signals.CorrelationRule) {
	var words []string
	for op := signals.CountGreater; op.Valid(); op++ {
		words = append(words, op.String())
	}
	low, high := int64(0), int64(math.MaxInt64)
	for i := 0; i+1 < len(v.Content); i += 2 {
		k, of := v.Content[i], v.Content[i+1]
		if k.Value == "field" {
			if of.Kind == yaml.SequenceNode && len(of.Content) == 1 {
				of = of.Content[0]
			}
			c.Field, _ = r.field(of)
			continue
		}
		at := slices.Index(words, k.Value)
		if at < 0 {
			known := append([]string{"field"}, words...)
			r.Errorf(k, "the keys of a condition are "+strings.Join(known, ", "), "unknown key %s%s", signals.Quote(k.Value), signals.DidYouMean(k.Value, known))
			continue
		}
		number, err := strconv.ParseInt(of.Value, 10, 64)
		if of.Kind != yaml.ScalarNode || of.Tag != "!!int" || err != nil || number < 0 || number > maxCount {
			r.Errorf(of, "", "%s compares with a whole number of 0 to %d, found %s", k.Value, maxCount, signals.NodeText(of))
			continue
		}
		op := signals.CountOp(at)
		c.Counts = append(c.Counts, signals.Count{Op: op, N: uint64(number)})
		switch op {
		case signals.CountGreater:
			low = max(low, number+1)
		case signals.CountGreaterEqual:
			low = max(low, number)
		case signals.CountLess:
			high = min(high, number-1)
		case signals.CountLessEqual:
			high = min(high, number)
		case signals.CountEqual:
			low, high = max(low, number), min(high, number)
		}
	}
	if low == high && slices.Contains(c.Counts, signals.Count{Op: signals.CountNotEqual, N: uint64(low)}) {
		low++
	}
	switch {
	case low > high:
		r.Errorf(v, "", "no number meets the condition")
	case high < 1:
		r.Errorf(v, "the least that is counted is 1: a window begins with a match", "only 0 meets the condition: that nothing happened at all is told by no event")
	}
}
