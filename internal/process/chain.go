// SPDX-License-Identifier: Apache-2.0

// This file bounds what can be reached from a process. A process is immutable
// and holds on to all its ancestors, so a chain can not be cut behind one that
// is published: its nearest part is copied, and the copies lead no further.
//
// A process that has an image before it has that image's parent. So what can be
// reached is one chain, the one that Process.Ancestry walks.

package process

import "seismo/internal/event"

const (
	// maxImages bounds the images of one pid that are reached from its latest,
	// itself included; keepImages is what is left when they are cut.
	maxImages  = 64
	keepImages = 32
	// maxImageBytes bounds the command lines of those images.
	maxImageBytes  = 128 << 10
	keepImageBytes = 64 << 10
	// maxChain bounds the ancestry in all; keepChain is what is left of it.
	maxChain  = 256
	keepChain = 128
)

// shorten returns p, the latest image of a pid, or a copy of it from which less
// can be reached, so that the next image may be linked to it.
func (t *Table) shorten(p *event.Process) *event.Process {
	images, size := 0, 0
	for q := p; q != nil; q = q.Previous {
		images++
		size += len(q.CommandLine)
	}
	if images >= maxImages || size > maxImageBytes {
		p = t.cutImages(p)
	}
	return shortenChain(p)
}

// shortenChain is shorten for a process that becomes a parent.
func shortenChain(p *event.Process) *event.Process {
	n := 0
	for range p.Ancestry() {
		if n++; n >= maxChain {
			return cutChain(p)
		}
	}
	return p
}

// asParent returns the image that en ran at the time when, as a parent to link
// to, or nil if none is known.
func (t *Table) asParent(en *entry, when int64) *event.Process {
	p := t.imageBy(en, when)
	if p == nil {
		return nil
	}
	short := shortenChain(p)
	if short != p && en.image == p {
		en.image = short // so that it is not copied for each child
	}
	return short
}

// withParent copies p and the images before it, none of which has a parent, and
// gives the copies one.
func withParent(p, parent *event.Process) *event.Process {
	c := *p
	c.Parent = parent
	if p.Previous != nil {
		c.Previous = withParent(p.Previous, parent)
	}
	return &c
}

// cutImages copies the nearest images of p's run and drops those before them:
// what is kept elsewhere under their keys may go.
func (t *Table) cutImages(p *event.Process) *event.Process {
	var first, last *event.Process
	q, n, size := p, 0, 0
	for ; q != nil && n < keepImages && (n == 0 || size+len(q.CommandLine) <= keepImageBytes); q = q.Previous {
		c := *q
		c.Previous = nil
		if last == nil {
			first = &c
		} else {
			last.Previous = &c
		}
		last = &c
		n++
		size += len(q.CommandLine)
	}
	for ; q != nil; q = q.Previous {
		t.gone = append(t.gone, q.ID)
	}
	return first
}

// cutChain copies the nearest keepChain processes of p's ancestry.
func cutChain(p *event.Process) *event.Process {
	near := make([]*event.Process, 0, keepChain)
	for q := range p.Ancestry() {
		if near = append(near, q); len(near) == keepChain {
			break
		}
	}
	// From the farthest to the nearest: each run of images shares a parent.
	var parent, next *event.Process
	for i := len(near) - 1; i >= 0; i-- {
		c := *near[i]
		c.Previous, c.Parent = nil, parent
		if i+1 < len(near) && near[i].Previous == near[i+1] {
			c.Previous = next
		} else {
			c.Parent = next
			parent = next
		}
		next = &c
	}
	return next
}
