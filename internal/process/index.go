// SPDX-License-Identifier: Apache-2.0

package process

// pidKey is a pid on a computer. It is used again after its process has ended.
type pidKey struct {
	host string // as events name it; empty: the table's own
	pid  int32
}

// index has the newest entry of each pid. The zero value is ready. Pids of the
// table's own host, which most are, take half the room that others do.
type index struct {
	own    map[int32]*entry
	others map[pidKey]*entry
	peak   int // greatest size of own since it was made
}

func (x *index) get(key pidKey) *entry {
	if key.host == "" {
		return x.own[key.pid]
	}
	return x.others[key]
}

func (x *index) set(key pidKey, en *entry) {
	if x.own == nil {
		x.own, x.others = make(map[int32]*entry), make(map[pidKey]*entry)
	}
	if key.host != "" {
		x.others[key] = en
		return
	}
	x.own[key.pid] = en
	x.peak = max(x.peak, len(x.own))
}

func (x *index) remove(key pidKey) {
	if key.host != "" {
		delete(x.others, key)
		return
	}
	delete(x.own, key.pid)
}

// shrink gives back the memory of an index that was much greater once: a map keeps
// the room of its greatest size.
func (x *index) shrink() {
	if x.peak < 1<<16 || len(x.own) > x.peak/8 {
		return
	}
	smaller := make(map[int32]*entry, len(x.own))
	for pid, en := range x.own {
		smaller[pid] = en
	}
	x.own, x.peak = smaller, len(smaller)
}
