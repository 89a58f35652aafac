// SPDX-License-Identifier: Apache-2.0

// This file gives a program what is not in its signals.bin: the named lists, and
// the administrator's overrides.

package engine

import (
	"slices"
	"sort"
	"strings"

	"seismo/internal/namedlist"
	"seismo/signals"
)

// Options are what [Program.With] gives a program.
type Options struct {
	// Lists are the named lists, by name. One that the program names and that is not
	// among them is empty.
	Lists map[string]*namedlist.List
	// Overrides change signals by their id; of two for one signal the later counts.
	// An id that no signal has is passed over, see [Program.UnknownOverrides].
	Overrides []signals.Override
}

// With returns the program with the lists and overrides of o, in place of those that
// it had. The two share what they have in common; p does not change. Signals keep
// their indexes, and the digest stays that of the signals.bin.
func (p *Program) With(o Options) *Program {
	q := *p
	q.origin = p.unchanged()
	q.definitions = q.origin.definitions
	q.lists, q.missing = slices.Clone(q.origin.lists), make([]bool, len(p.listNames))
	for i, name := range p.listNames {
		if l := o.Lists[name]; l != nil {
			q.lists[i] = l
		} else {
			q.missing[i] = true
		}
	}
	q.disabled = nil
	q.override(o.Overrides)
	return &q
}

// unchanged returns p as it was loaded.
func (p *Program) unchanged() *Program {
	if p.origin != nil {
		return p.origin
	}
	return p
}

// override carries out overrides on q, which shares its definitions.
func (q *Program) override(overrides []signals.Override) {
	cloned := false
	for _, o := range overrides {
		i, known := q.signalByID(o.ID)
		if !known {
			continue
		}
		if o.Disabled && q.disabled == nil {
			q.disabled = make([]bool, len(q.signals))
		}
		if q.disabled != nil {
			q.disabled[i] = o.Disabled
		}
		if o.Severity != nil {
			if !cloned {
				q.definitions, cloned = slices.Clone(q.definitions), true
			}
			q.definitions[i].Severity = *o.Severity
		}
	}
}

// signalByID returns the index of the signal with an id, in lower or upper case.
func (p *Program) signalByID(id string) (int, bool) {
	id = strings.ToLower(id)
	i := sort.Search(len(p.definitions), func(i int) bool { return p.definitions[i].ID >= id })
	return i, i < len(p.definitions) && p.definitions[i].ID == id
}

// UnknownOverrides returns those of overrides whose id no signal of p has.
func (p *Program) UnknownOverrides(overrides []signals.Override) []signals.Override {
	return slices.DeleteFunc(slices.Clone(overrides), func(o signals.Override) bool {
		_, known := p.signalByID(o.ID)
		return known
	})
}

// isDisabled reports whether an override disables signal i.
func (p *Program) isDisabled(i uint32) bool { return p.disabled != nil && p.disabled[i] }

// Disabled returns the indexes of the signals that overrides disable, in rising
// order. They never fire, and nothing is collected for them.
func (p *Program) Disabled() []uint32 {
	var indexes []uint32
	for i, is := range p.disabled {
		if is {
			indexes = append(indexes, uint32(i))
		}
	}
	return indexes
}

// Lists returns the names of the lists that signals of p refer to, sorted, and those
// of them that p was not given and that are therefore empty.
func (p *Program) Lists() (names, missing []string) {
	for i, name := range p.listNames {
		if p.missing == nil || p.missing[i] {
			missing = append(missing, name)
		}
	}
	return slices.Clone(p.listNames), missing
}
