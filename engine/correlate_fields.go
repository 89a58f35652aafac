// SPDX-License-Identifier: Apache-2.0

// This file reads the values by which correlations group and that they count.

package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"seismo/internal/ascii"
	"seismo/internal/event"
	"seismo/internal/taxonomy"
)

// The limits of what one match of a rule counts for.
const (
	maxGroupsOfMatch = 16   // combinations of the values of its group-by fields
	maxCountedValues = 1000 // different values of the field that is counted
	maxKeyValue      = 256  // bytes of a value that are kept as they are
)

// valueList is the different values of a field, as they were delivered.
type valueList struct {
	b    []byte
	ends []int
}

func (v *valueList) reset() { v.b, v.ends = v.b[:0], v.ends[:0] }

func (v *valueList) len() int { return len(v.ends) }

func (v *valueList) at(i int) []byte {
	from := 0
	if i > 0 {
		from = v.ends[i-1]
	}
	return v.b[from:v.ends[i]]
}

// add appends a value that v does not have yet, up to limit.
func addValue[T text](v *valueList, value T, limit int) {
	if v.len() >= limit {
		return
	}
	from := len(v.b)
	v.b = append(v.b, value...)
	for i := range v.len() {
		if bytes.Equal(v.at(i), v.b[from:]) {
			v.b = v.b[:from]
			return
		}
	}
	v.ends = append(v.ends, len(v.b))
}

// join makes one value of all: rules of Sigma see the hashes of a file as one text.
func (v *valueList) join() {
	if v.len() < 2 {
		return
	}
	var one []byte
	for i := range v.len() {
		if i > 0 {
			one = append(one, ',')
		}
		one = append(one, v.at(i)...)
	}
	v.b, v.ends = append(v.b[:0], one...), append(v.ends[:0], len(one))
}

// read makes v the values that an occurrence has of a field, at most limit, for a rule
// that fired on a record of the event, or on the whole of it (-1).
func (o *occurrence) read(v *valueList, name *fieldName, record int32, limit int) {
	v.reset()
	switch e := o.event; {
	case e == nil:
		o.readGroup(v, name)
	case e.Logsource != nil:
		// An array of the source is several values of one name: all of them count.
		for f := range e.Own() {
			if string(f.Name) == name.name {
				addValue(v, f.Value, limit)
			}
		}
		if v.len() == 0 {
			readField(v, e, name.field, limit)
		}
	default:
		if record >= 0 {
			if readRecords(v, e, name.name, int(record), limit); v.len() > 0 {
				return
			}
		}
		if readField(v, e, name.field, limit); v.len() > 0 {
			return
		}
		if f, ok := taxonomy.Field(e.Kind, name.name); ok {
			if readField(v, e, f, limit); event.Describe(f).Type == event.Hash {
				v.join()
			}
			if v.len() > 0 {
				return
			}
		}
		readRecords(v, e, name.name, -1, limit)
	}
}

// readRecords reads the own fields of a name in one record of e, or in all of them
// (-1).
func readRecords(v *valueList, e *event.Event, name string, record, limit int) {
	// As for rules: a program may forge a second value of a name in its own record.
	once := e.Flags&(event.Untrusted|event.Duplicate) != 0
	judged := -1
	for f := range e.Own() {
		if string(f.Name) != name || record >= 0 && f.Record != record || once && f.Record == judged {
			continue
		}
		judged = f.Record
		addValue(v, f.Value, limit)
	}
}

// readGroup reads a value of a window that closed: by a name that its own correlation
// groups by.
func (o *occurrence) readGroup(v *valueList, name *fieldName) {
	q := o.closed
	for i, names := range q.groupBy {
		if slices.ContainsFunc(names, func(n fieldName) bool { return n.name == name.name }) {
			addValue(v, o.values[i], 1)
			return
		}
	}
}

// readField reads the values of a field of the registry as text, as a term of Sigma
// sees them.
func readField(v *valueList, e *event.Event, f event.Field, limit int) {
	if f == event.NoField {
		return
	}
	var scratch [64]byte
	switch in := event.Describe(f); in.Type {
	case event.String:
		if in.Scope == event.ScopeAncestor && e.Process != nil {
			for q := range e.Process.Ancestry() {
				if s, ok := q.Text(f); ok {
					addValue(v, s, limit)
				}
			}
		} else if s, ok := e.Text(f); ok {
			addValue(v, s, limit)
		}
	case event.List, event.Hash:
		for s := range e.Elements(f) {
			addValue(v, s, limit)
		}
	case event.Address:
		if a, ok := e.Addr(f); ok {
			addValue(v, a.AppendTo(scratch[:0]), limit)
		}
	case event.Identifier:
		if n, ok := e.Int(f); ok {
			addValue(v, strconv.AppendUint(scratch[:0], uint64(n), 10), limit)
		}
	case event.Integer:
		if n, ok := e.Int(f); ok {
			addValue(v, strconv.AppendInt(scratch[:0], n, 10), limit)
		}
	case event.Time:
		if n, ok := e.Int(f); ok {
			addValue(v, numberText(n, in.Type), limit)
		}
	}
}

// appendValue appends a value as it is compared: ASCII letters fold, as everywhere in
// Sigma, and a long value is its beginning and its SHA-256.
func appendValue(dst, v []byte) []byte {
	from := len(dst)
	dst = ascii.AppendFolded(dst, v)
	if len(v) <= maxKeyValue {
		return dst
	}
	sum := sha256.Sum256(dst[from:])
	return append(dst[:from+maxKeyValue-len(sum)], sum[:]...)
}

// A key is the correlation, an index of 4 bytes, and of each group-by field the length
// of its value as uvarint and the value.

func appendKeyHead(dst []byte, k uint32) []byte { return binary.BigEndian.AppendUint32(dst, k) }

func appendKeyValue(dst, v []byte) []byte {
	var one [maxKeyValue]byte
	folded := appendValue(one[:0], v)
	dst = binary.AppendUvarint(dst, uint64(len(folded)))
	return append(dst, folded...)
}

// keyValues returns the n values of a key; false if it is none.
func keyValues(key string, n int) ([]string, bool) {
	if len(key) < 4 {
		return nil, false
	}
	r := latchReader{text: key[4:]}
	values := make([]string, 0, n)
	for range n {
		values = append(values, r.string(maxKeyValue))
	}
	return values, !r.bad && r.text == ""
}

// keys calls use with the key of each group that a match of rule r counts for: each
// combination of the values of the group-by fields. A match that lacks one counts for
// none. The key is valid during the call.
func (c *correlator) keys(o *occurrence, k uint32, r uint32, use func(key []byte)) {
	q := &c.plan.list[k]
	for len(c.groupBy) < len(q.groupBy) {
		c.groupBy = append(c.groupBy, valueList{})
	}
	lists := c.groupBy[:len(q.groupBy)]
	for i, names := range q.groupBy {
		if o.read(&lists[i], &names[r], o.recordOf(q.rules[r]), maxGroupsOfMatch); lists[i].len() == 0 {
			return
		}
	}
	var at [maxCorrelationFields]int
	for n := 0; n < maxGroupsOfMatch; n++ {
		c.key = appendKeyHead(c.key[:0], k)
		for i := range lists {
			c.key = appendKeyValue(c.key, lists[i].at(at[i]))
		}
		use(c.key)
		i := len(lists) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < lists[i].len() {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return
		}
	}
}
