// SPDX-License-Identifier: Apache-2.0

// This file remembers what the events of a batch tell of directories and files: in which
// directory each was, by what name, and since or until when. It is for latepaths.go.

package audit

import (
	"slices"
	"strconv"
)

// maxDirFacts is what is remembered of directories and files, of a batch and of the one
// before it each.
const maxDirFacts = 8192

// inodeKey is an inode of a device.
type inodeKey struct{ dev, inode uint64 }

type textSpan struct{ from, to uint32 }

// dirFact says that until, or from, an event on a directory or file was in another one.
type dirFact struct {
	dir, parent inodeKey
	serial      uint64
	made        bool // from then on; else until then
	born        bool // it did not exist before
	name        textSpan
	next        int32 // the next of the same directory, as an index plus one
}

// dirFacts are those of one batch.
type dirFacts struct {
	list []dirFact
	text []byte
	head map[inodeKey]int32 // an index plus one; built when it is needed
}

// parseDevice reads a device as records write it: major and minor in hex.
func parseDevice(dev []byte) (uint64, bool) {
	for i, c := range dev {
		if c == ':' {
			major, ok1 := parseUint(dev[:i], 16)
			minor, ok2 := parseUint(dev[i+1:], 16)
			return major<<32 | minor&0xffffffff, ok1 && ok2 && major < 1<<32 && minor < 1<<32
		}
	}
	return 0, false
}

// deviceName writes a device as records do.
func deviceName(dev uint64) string {
	hex := func(n uint64) string {
		s := strconv.FormatUint(n, 16)
		if len(s) < 2 {
			s = "0" + s
		}
		return s
	}
	return hex(dev>>32) + ":" + hex(dev&0xffffffff)
}

func keyOf(it *item) (inodeKey, bool) {
	if it == nil || it.has&itemInode == 0 {
		return inodeKey{}, false
	}
	dev, ok := parseDevice(it.dev)
	return inodeKey{dev, it.inode}, ok
}

// isName reports whether b is a name in a directory.
func isName(b []byte) bool { return len(b) > 0 && string(b) != "." && string(b) != ".." }

// noteDir notes that the file or directory it was called name in the directory parent:
// from the event with serial on, or until then. born says that it was made then.
func (l *latePaths) noteDir(serial uint64, it, parent *item, name []byte, made, born bool) {
	f := &l.facts[0]
	if len(f.list) >= maxDirFacts {
		return
	}
	dir, ok1 := keyOf(it)
	above, ok2 := keyOf(parent)
	if name = baseName(name); !ok1 || !ok2 || !isName(name) || dir == above {
		return
	}
	from := len(f.text)
	f.text = append(f.text, name...)
	f.list = append(f.list, dirFact{dir: dir, parent: above, serial: serial, made: made, born: born, name: textSpan{uint32(from), uint32(len(f.text))}})
}

// nameOf returns the name that f says.
func (l *latePaths) nameOf(f *dirFact) []byte {
	for i := range l.facts {
		if k := &l.facts[i]; k.holds(f) {
			return k.text[f.name.from:f.name.to]
		}
	}
	return nil
}

func (k *dirFacts) holds(f *dirFact) bool {
	for at := k.head[f.dir]; at != 0; at = k.list[at-1].next {
		if &k.list[at-1] == f {
			return true
		}
	}
	return false
}

// index makes the facts of a directory findable.
func (l *latePaths) index() {
	l.serials = l.serials[:0]
	for i := range l.facts {
		l.facts[i].index()
		for j := range l.facts[i].list {
			l.serials = append(l.serials, l.facts[i].list[j].serial)
		}
	}
	slices.Sort(l.serials)
}

func (k *dirFacts) index() {
	if k.head == nil {
		k.head = make(map[inodeKey]int32)
	}
	clear(k.head)
	for i := range k.list {
		f := &k.list[i]
		f.next = k.head[f.dir]
		k.head[f.dir] = int32(i + 1)
	}
}

// fact returns what says where dir was at the time of the event with serial: that which
// ended next, or else that which began last, if dir was the same all the time. An inode
// is used again when a directory is gone.
func (l *latePaths) fact(dir inodeKey, serial uint64) *dirFact {
	var until, since *dirFact // nearest
	var born, died uint64     // nearest made after serial, nearest gone before it
	for i := range l.facts {
		k := &l.facts[i]
		for at := k.head[dir]; at != 0; at = k.list[at-1].next {
			switch f := &k.list[at-1]; {
			case f.made && f.serial <= serial:
				if since == nil || f.serial > since.serial {
					since = f
				}
			case f.made:
				if born == 0 || f.serial < born {
					born = f.serial
				}
			case f.serial >= serial:
				if until == nil || f.serial < until.serial {
					until = f
				}
			default:
				died = max(died, f.serial)
			}
		}
	}
	switch {
	case until != nil && (born == 0 || born >= until.serial): // of a rename the old name comes first
		return until
	case since != nil && died <= since.serial:
		return since
	}
	return nil
}

// bornAfter reports whether a directory with the inode dir was made after the event with
// serial.
func (l *latePaths) bornAfter(dir inodeKey, serial uint64) bool {
	for i := range l.facts {
		k := &l.facts[i]
		for at := k.head[dir]; at != 0; at = k.list[at-1].next {
			if f := &k.list[at-1]; f.born && f.serial > serial {
				return true
			}
		}
	}
	return false
}
