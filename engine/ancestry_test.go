// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"testing"

	"seismo/internal/event"
)

// Of an ancestry that is deeper than anybody looks, every process sees what lies
// within its own reach, in whatever order they are judged: what was found for one
// does not stand for another that reaches farther or less far.
func TestDeepAncestry(t *testing.T) {
	var b setBuilder
	b.add("s", event.SetOf(event.KindFile), group(and(ask("process.ancestry_path", ends, "/evil"), ask("file.path", begins, "/etc/"))))
	p := b.program(t)
	const deep = event.MaxAncestry + 144
	var chain []*event.Process
	for i := range deep {
		q := image(event.ProcessKey(100+i), "/bin/x")
		if i == 0 {
			q.Path = "/bin/evil"
		} else {
			q.Previous = chain[i-1]
		}
		chain = append(chain, q)
	}
	last := event.MaxAncestry - 1 // that sees the first one
	for _, order := range [][]int{{deep - 1, 144, 143, 10}, {0, 100, 200, last, last + 1, 300, deep - 1}, {deep - 1, last + 1, last, 0, last + 1}} {
		for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
			m := p.NewMatcherWith(o)
			for _, at := range order {
				t.Run(fmt.Sprintf("%v/plain=%v/image %d", order, o.DisableSignalsTrie, at), func(t *testing.T) {
					batch := event.NewBatch(1)
					e := of(chain[at], fileEvent("/etc/x")).addTo(batch)
					m.Match(batch)
					if got, want := len(e.Tags) == 1, at <= last; got != want {
						t.Errorf("fires = %v, want %v", got, want)
					}
				})
			}
		}
	}
}

// An update that brings a process a late value of its own, and by which it gets
// those of the image before it, changes what its children see.
func TestChildrenSeeWhatTheirParentInherits(t *testing.T) {
	var b setBuilder
	b.add("s", event.AllKinds, group(and(ask("process.parent_user_name", equal, "x"), etc)))
	b.add("t", event.AllKinds, group(and(ask("process.tty", equal, "nope"), etc)))
	p0, p1, child := image(1, "/a"), image(2, "/b"), image(3, "/c")
	p1.Previous, child.Parent = p0, p1
	for _, o := range []MatcherOptions{{}, {DisableSignalsTrie: true}} {
		run(t, b.program(t).NewMatcherWith(o), []step{
			{"the image before", updateEvent(p0, fields{event.ProcessUserName: "x"}), nil, nil, false},
			{"a child before", of(child, fileEvent("/etc/x")), nil, nil, false},
			{"the image learns and inherits", updateEvent(p1, fields{event.ProcessTTY: "y"}), nil, nil, false},
			{"the child after", of(child, fileEvent("/etc/x")), nil, []string{"s: 4 4"}, false},
		})
	}
}
