// SPDX-License-Identifier: Apache-2.0

// This file puts queries and answers together. It knows no clock and no kernel.

package dns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"seismo/internal/ascii"
)

// Limits of what is waited for.
const (
	// answerTime is how long an answer belongs to its query: resolvers give up after it
	// (resolv.conf(5), timeout).
	answerTime = 5 * time.Second
	// ownerTime is how long a query waits to learn which process sent it.
	ownerTime = 2 * time.Second
	// maxOpen bounds the exchanges that are remembered, maxBytes what they hold: whoever
	// asks a server of his own has it answer with as much as is kept.
	maxOpen  = 10_000
	maxBytes = 16 << 20
	// maxSecond bounds the second answers to one query that are kept.
	maxSecond = 4
	// maxAlone bounds the answers without a query that are kept of one second.
	maxAlone = 1000
)

// key is what query and answer have in common, but for the name, which is compared.
type key struct {
	client, server netip.AddrPort
	name           uint64 // a hash of the name with letters folded
	id, typ, class uint16
	proto          uint8
}

// The values of dns.transaction.
const (
	answered     = "answered"
	unanswered   = "unanswered"
	answerOnly   = "answer_only"
	secondAnswer = "second_answer"
)

// exchange is a query and what became of it: one event.
type exchange struct {
	key
	name     []byte
	response []byte
	sum      uint64
	rcode    uint8
	cut      bool
	what     string        // a value of dns.transaction; "" while an answer may come
	time     int64         // of the query, else of the answer: Unix time, nanoseconds
	at       time.Duration // when it was seen, on the clock of the table's caller
	others   []*exchange   // second answers that came, told with their owner
	early    bool          // it was given up before its time
	told     bool
	owner
}

// owner is what is known of the process that asked.
type owner struct {
	local bool   // the query left this host, so that a process of it asked
	known bool   // nothing more will be learned
	pid   int32  // 0: not known
	how   string // a value of dns.attribution; "" is unknown
}

// table holds the exchanges of the last seconds. tell is called with each that is
// complete; it may keep it.
type table struct {
	tell func(e *exchange)
	open map[key]*exchange
	// last has the query that was sent last of those that differ in their question only,
	// by a hash of all else: for answers that do not repeat the question.
	last  map[uint64]*exchange
	queue []*exchange // in the order they came; those before first are gone
	first int
	bytes int // of what is in queue

	alone     int           // answers without a query in the second that began at since
	since     time.Duration //
	evicted   uint64        // exchanges that were given up early
	repeated  uint64        // queries that were sent again, answers that came again
	flooded   uint64        // answers that are not kept: maxAlone, maxSecond
	scratched []byte
}

func newTable(tell func(*exchange)) *table {
	return &table{tell: tell, open: make(map[key]*exchange), last: make(map[uint64]*exchange)}
}

// size returns how many exchanges are remembered.
func (t *table) size() int { return len(t.queue) - t.first }

// keyOf returns the key of m in p.
func (t *table) keyOf(p *packet, m *Message) key {
	t.scratched = ascii.AppendFolded(t.scratched[:0], m.Name)
	k := key{client: p.src, server: p.dst, name: sumOf(t.scratched), id: m.ID, typ: m.Type, class: m.Class, proto: p.proto}
	if m.Answer {
		k.client, k.server = p.dst, p.src
	}
	return k
}

// ends is a hash of what k has beside the question.
func (k *key) ends() uint64 {
	var b [43]byte
	client, server := k.client.Addr().As16(), k.server.Addr().As16()
	copy(b[:], client[:])
	copy(b[16:], server[:])
	binary.NativeEndian.PutUint16(b[32:], k.client.Port())
	binary.NativeEndian.PutUint16(b[34:], k.server.Port())
	binary.NativeEndian.PutUint16(b[36:], k.id)
	b[38] = k.proto
	return sumOf(b[:])
}

// asked returns the exchange that an answer with the key k belongs to, nil if there is
// none. One without a question belongs to the last query with its ends and id.
func (t *table) asked(k *key, name []byte) *exchange {
	if len(name) == 0 {
		if e := t.last[k.ends()]; e != nil && e.id == k.id && e.proto == k.proto && e.client == k.client && e.server == k.server {
			return e
		}
	}
	if e := t.open[*k]; e != nil && ascii.Equal(e.name, name) {
		return e
	}
	return nil
}

// query takes a query and returns its exchange if it is new. One that is sent again, or
// is seen on another interface, before its answer came is not.
func (t *table) query(p *packet, m *Message, when int64, now time.Duration) *exchange {
	k := t.keyOf(p, m)
	if e := t.open[k]; e != nil && e.what == "" && ascii.Equal(e.name, m.Name) {
		t.repeated++
		return nil
	}
	e := &exchange{key: k, name: append([]byte(nil), m.Name...), time: when, at: now, cut: m.Cut}
	t.add(e)
	t.last[e.ends()] = e
	return e
}

// answer takes an answer.
func (t *table) answer(p *packet, m *Message, when int64, now time.Duration) {
	k := t.keyOf(p, m)
	e := t.asked(&k, m.Name)
	switch {
	case e == nil:
		if now-t.since >= time.Second {
			t.since, t.alone = now, 0
		}
		if t.alone++; t.alone > maxAlone {
			t.flooded++
			return
		}
		e = &exchange{key: k, name: append([]byte(nil), m.Name...), time: when, at: now, what: answerOnly, owner: owner{known: true}}
		e.take(m)
		t.add(e)
		t.settle(e)
	case e.what == "":
		e.what = answered
		e.take(m)
		t.bytes += len(e.response)
		t.settle(e)
		t.shrink(maxOpen)
	case e.gave(m):
		t.repeated++
	case len(e.others) >= maxSecond:
		t.flooded++
	default:
		s := &exchange{key: e.key, name: e.name, time: when, at: now, what: secondAnswer, told: true}
		s.take(m)
		t.bytes += s.size()
		if e.others = append(e.others, s); e.told {
			s.owner = e.owner
			t.tell(s)
		}
		t.shrink(maxOpen)
	}
}

// gave reports whether an answer of the same content came before.
func (e *exchange) gave(m *Message) bool {
	for _, s := range e.others {
		if s.sum == m.Sum && s.rcode == m.RCode {
			return true
		}
	}
	return e.sum == m.Sum && e.rcode == m.RCode
}

func (e *exchange) take(m *Message) {
	e.response = append([]byte(nil), m.Response...)
	e.sum, e.rcode, e.cut = m.Sum, m.RCode, e.cut || m.Cut
}

// size returns the bytes that e holds, without second answers.
func (e *exchange) size() int { return exchangeSize + len(e.name) + len(e.response) }

// exchangeSize is about what an exchange holds beside its texts.
const exchangeSize = 300

// add remembers e; the oldest is given up where there are too many.
func (t *table) add(e *exchange) {
	t.bytes += e.size()
	t.shrink(maxOpen - 1)
	t.open[e.key] = e
	t.queue = append(t.queue, e)
}

// shrink gives up the oldest exchanges until n are left at most, and they hold no more
// than maxBytes.
func (t *table) shrink(n int) {
	for t.size() > n || t.bytes > maxBytes && t.size() > 0 {
		old := t.queue[t.first]
		if !old.told {
			t.evicted++
			old.early = true
			t.end(old)
		}
		t.drop()
	}
}

// drop forgets the oldest exchange.
func (t *table) drop() {
	old := t.queue[t.first]
	t.queue[t.first] = nil
	t.first++
	t.bytes -= old.size()
	for _, s := range old.others {
		t.bytes -= s.size()
	}
	if t.open[old.key] == old {
		delete(t.open, old.key)
	}
	if ends := old.ends(); t.last[ends] == old {
		delete(t.last, ends)
	}
	if t.first >= 1024 && t.first*2 >= len(t.queue) {
		n := copy(t.queue, t.queue[t.first:])
		clear(t.queue[n:])
		t.queue, t.first = t.queue[:n], 0
	}
}

// settle tells e if nothing more is waited for.
func (t *table) settle(e *exchange) {
	if !e.told && e.what != "" && e.known {
		e.told = true
		t.tell(e)
		for _, s := range e.others {
			s.owner = e.owner
			t.tell(s)
		}
	}
}

// end tells e as it is.
func (t *table) end(e *exchange) {
	if e.what == "" {
		e.what = unanswered
	}
	e.known = true
	t.settle(e)
}

// expire does what is due at now. guess is asked once for the owner of a query that
// is still not known.
func (t *table) expire(now time.Duration, guess func(*exchange)) {
	for _, e := range t.queue[t.first:] {
		if now-e.at < ownerTime {
			break
		}
		if !e.known {
			guess(e)
			e.known = true
			t.settle(e)
		}
	}
	for t.size() > 0 && now-t.queue[t.first].at >= answerTime {
		t.end(t.queue[t.first])
		t.drop()
	}
}

// flush tells all that is still waited for.
func (t *table) flush(guess func(*exchange)) {
	for t.size() > 0 {
		e := t.queue[t.first]
		if !e.told {
			if !e.known {
				guess(e)
			}
			e.early = e.what == ""
			t.end(e)
		}
		t.drop()
	}
}
