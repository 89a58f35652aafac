// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

// joined drives a table with messages and tells what it told.
type joined struct {
	t     *testing.T
	table *table
	now   time.Duration
	told  []string
}

func newJoined(t *testing.T) *joined {
	j := &joined{t: t}
	j.table = newTable(func(e *exchange) {
		text := fmt.Sprintf("%s %s %s", e.name, e.what, e.response)
		if e.early {
			text += " early"
		}
		if e.pid != 0 {
			text += fmt.Sprintf(" of %d", e.pid)
		}
		j.told = append(j.told, text)
	})
	return j
}

var (
	asker  = netip.MustParseAddrPort("192.0.2.9:4711")
	server = netip.MustParseAddrPort("192.0.2.53:53")
)

func message(t testing.TB, msg []byte) *Message {
	t.Helper()
	m := new(Message)
	if err := m.Parse(msg); err != nil {
		t.Fatal(err)
	}
	return m
}

func (j *joined) query(id int, name string) *exchange {
	return j.table.query(&packet{src: asker, dst: server, proto: protoUDP}, message(j.t, head(id, queryFlags, 0, name, 1, 1)), int64(j.now), j.now)
}

// ask is a query of a process that is known at once.
func (j *joined) ask(id int, name string) {
	if e := j.query(id, name); e != nil {
		e.known = true
	}
}

func (j *joined) answer(id int, name string, last byte) {
	j.answerFrom(server, id, name, last)
}

func (j *joined) answerFrom(from netip.AddrPort, id int, name string, last byte) {
	m := head(id, answerFlags, 1, name, 1, 1).rr(1, 1, []byte{192, 0, 2, last})
	j.table.answer(&packet{src: from, dst: asker, proto: protoUDP}, message(j.t, m), int64(j.now), j.now)
}

// bare is an answer without a question.
func (j *joined) bare(id int, last byte) {
	m := append(wire{}.u16(id, answerFlags, 0, 1, 0, 0).name("x").u16(1, 1).u32(9).u16(4), 192, 0, 2, last)
	j.table.answer(&packet{src: server, dst: asker, proto: protoUDP}, message(j.t, m), int64(j.now), j.now)
}

func (j *joined) after(d time.Duration) {
	j.now += d
	j.table.expire(j.now, func(*exchange) {})
}

func TestJoin(t *testing.T) {
	tests := []struct {
		name string
		do   func(j *joined)
		want []string
	}{
		{"a query and its answer", func(j *joined) { j.ask(1, "a"); j.answer(1, "a", 1) }, []string{"a answered 192.0.2.1;"}},
		{"the answer spells the name otherwise", func(j *joined) { j.ask(1, "Ab"); j.answer(1, "aB", 1) }, []string{"Ab answered 192.0.2.1;"}},
		{"a query without answer", func(j *joined) { j.ask(1, "a"); j.after(4999 * time.Millisecond) }, nil},
		{"a query whose time is over", func(j *joined) { j.ask(1, "a"); j.after(5 * time.Second) }, []string{"a unanswered "}},
		{"the answer comes too late", func(j *joined) { j.ask(1, "a"); j.after(5 * time.Second); j.answer(1, "a", 1) },
			[]string{"a unanswered ", "a answer_only 192.0.2.1;"}},
		{"a query that is sent again counts once", func(j *joined) { j.ask(1, "a"); j.ask(1, "a"); j.answer(1, "a", 1); j.answer(1, "a", 1) },
			[]string{"a answered 192.0.2.1;"}},
		{"a query that is asked again after its answer is another", func(j *joined) { j.ask(1, "a"); j.answer(1, "a", 1); j.ask(1, "a"); j.answer(1, "a", 1) },
			[]string{"a answered 192.0.2.1;", "a answered 192.0.2.1;"}},
		{"two names over one socket", func(j *joined) { j.ask(1, "a"); j.ask(1, "b"); j.answer(1, "b", 2); j.answer(1, "a", 1) },
			[]string{"b answered 192.0.2.2;", "a answered 192.0.2.1;"}},
		{"another id is another query", func(j *joined) { j.ask(1, "a"); j.answer(2, "a", 1) }, []string{"a answer_only 192.0.2.1;"}},
		{"an answer of another server", func(j *joined) {
			j.ask(1, "a")
			j.answerFrom(netip.MustParseAddrPort("192.0.2.54:53"), 1, "a", 1)
		}, []string{"a answer_only 192.0.2.1;"}},
		{"a forged answer before the true one", func(j *joined) { j.ask(1, "a"); j.answer(1, "a", 66); j.answer(1, "a", 1); j.answer(1, "a", 1) },
			[]string{"a answered 192.0.2.66;", "a second_answer 192.0.2.1;"}},
		{"an answer without a question", func(j *joined) { j.ask(1, "a"); j.bare(1, 1) }, []string{"a answered 192.0.2.1;"}},
		{"one after an answer of the same content", func(j *joined) { j.ask(1, "a"); j.bare(1, 1); j.bare(1, 1); j.answer(1, "a", 1) }, []string{"a answered 192.0.2.1;"}},
		{"one after an answer of other content", func(j *joined) { j.ask(1, "a"); j.answer(1, "a", 1); j.bare(1, 2) },
			[]string{"a answered 192.0.2.1;", "a second_answer 192.0.2.2;"}},
		{"one to the last of two queries", func(j *joined) { j.ask(1, "a"); j.ask(1, "b"); j.bare(1, 2); j.after(5 * time.Second) },
			[]string{"b answered 192.0.2.2;", "a unanswered "}},
		{"one with another id", func(j *joined) { j.ask(2, "a"); j.bare(1, 1); j.bare(1, 1) }, []string{" answer_only 192.0.2.1;"}},
		{"one that comes too late", func(j *joined) { j.ask(1, "a"); j.after(5 * time.Second); j.bare(1, 1) },
			[]string{"a unanswered ", " answer_only 192.0.2.1;"}},
		{"an answer that nobody asked for, twice", func(j *joined) { j.answer(1, "a", 1); j.answer(1, "a", 1) }, []string{"a answer_only 192.0.2.1;"}},
		{"answers wait for the process", func(j *joined) {
			e := j.query(1, "a")
			j.answer(1, "a", 66)
			j.answer(1, "a", 1)
			j.told = append(j.told, "-")
			e.pid, e.known = 7, true
			j.table.settle(e)
			j.answer(1, "a", 2)
		}, []string{"-", "a answered 192.0.2.66; of 7", "a second_answer 192.0.2.1; of 7", "a second_answer 192.0.2.2; of 7"}},
		{"a process that is not learned of is not waited for", func(j *joined) { j.query(1, "a"); j.answer(1, "a", 1); j.after(2 * time.Second) },
			[]string{"a answered 192.0.2.1;"}},
		{"the end tells what is open", func(j *joined) {
			j.ask(1, "a")
			j.query(2, "b")
			j.answer(2, "b", 1)
			j.table.flush(func(e *exchange) { e.pid = 8 })
		}, []string{"a unanswered  early", "b answered 192.0.2.1; of 8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := newJoined(t)
			tt.do(j)
			if !slices.Equal(j.told, tt.want) {
				t.Errorf("told %q, want %q", j.told, tt.want)
			}
		})
	}
}

// However much comes, the table stays bounded, nothing of it is told twice, and what was
// not waited for is counted.
func TestJoinIsBounded(t *testing.T) {
	j := newJoined(t)
	const n = 3 * maxOpen
	for i := range n {
		j.ask(i%65536, fmt.Sprintf("n%d", i))
	}
	if j.table.size() > maxOpen || len(j.table.open) > maxOpen || len(j.table.queue) > 3*maxOpen {
		t.Errorf("%d exchanges in a queue of %d are open", len(j.table.open), len(j.table.queue))
	}
	if j.table.evicted != n-maxOpen || len(j.told) != n-maxOpen || j.told[0] != "n0 unanswered  early" {
		t.Errorf("%d given up, %d told, the first %q; want %d", j.table.evicted, len(j.told), j.told[0], n-maxOpen)
	}
	j.after(answerTime)
	slices.Sort(j.told)
	if j.table.size() != 0 || len(slices.Compact(j.told)) != n {
		t.Errorf("at the end %d are open and %d were told; want 0 and %d", j.table.size(), len(j.told), n)
	}

	flood := newJoined(t)
	for i := range 5000 {
		flood.answer(i, "www.test", 1)
	}
	if len(flood.told) != maxAlone || flood.table.flooded != 4000 {
		t.Errorf("of 5,000 forged answers %d are told, %d counted; want %d and 4000", len(flood.told), flood.table.flooded, maxAlone)
	}
	flood.now += 2 * time.Second
	flood.answer(9999, "www.test", 1)
	if len(flood.told) != maxAlone+1 {
		t.Error("an answer of the next second is not told")
	}
	second := newJoined(t)
	second.ask(1, "a")
	for i := range 200 {
		second.answer(1, "a", byte(i))
	}
	if len(second.told) != 1+maxSecond || second.table.flooded != 200-1-maxSecond {
		t.Errorf("of 200 answers to one query %d are told, %d counted", len(second.told), second.table.flooded)
	}
}

// connects makes the batch that the main source would show.
func connects(pids map[int32]time.Duration, protocol string) *event.Batch {
	b := event.NewBatch(4)
	for pid, at := range pids {
		e := b.Add(event.KindNetwork, event.OpConnect)
		e.PID, e.Time = pid, int64(at)
		e.SetAddr(event.NetworkDestinationAddress, server.Addr())
		e.SetInt(event.NetworkDestinationPort, port)
		if protocol != "" {
			e.SetString(event.NetworkProtocol, protocol)
		}
	}
	return b
}

// A connect tells the process of a query only where nothing else could be meant.
func TestGuess(t *testing.T) {
	const ms = time.Millisecond
	query := func(at time.Duration, port uint16) *exchange {
		return &exchange{key: key{client: netip.AddrPortFrom(asker.Addr(), port), server: server, proto: protoUDP}, time: int64(at), owner: owner{local: true}}
	}
	type pids = map[int32]time.Duration
	tests := []struct {
		name     string
		connects pids
		protocol string
		used     []*exchange // sockets that are known
		others   []*exchange // those that are not
		want     int32
	}{
		{"one connect just before", pids{5: 9999 * ms}, "udp", nil, nil, 5},
		{"the protocol is not known", pids{5: 9999 * ms}, "", nil, nil, 5},
		{"another protocol", pids{5: 9999 * ms}, "tcp", nil, nil, 0},
		{"none", nil, "", nil, nil, 0},
		{"too long before", pids{5: 8999 * ms}, "udp", nil, nil, 0},
		{"after the query", pids{5: 10001 * ms}, "udp", nil, nil, 0},
		{"another process that connects and asks later", pids{5: 9999 * ms, 6: 10200 * ms}, "udp", nil, []*exchange{query(10201*ms, 2)}, 5},
		{"another process that asks later and connected before", pids{5: 9999 * ms, 6: 9998 * ms}, "udp", nil, []*exchange{query(10201*ms, 2)}, 0},
		{"a later connect that is nobody's yet", pids{5: 9999 * ms, 6: 10200 * ms}, "udp", nil, nil, 5},
		{"two processes", pids{5: 9999 * ms, 6: 9998 * ms}, "udp", nil, nil, 0},
		{"two processes, one with a socket that is known", pids{5: 9999 * ms, 6: 9998 * ms}, "udp",
			[]*exchange{{key: query(0, 1).key, time: int64(9999 * ms), owner: owner{pid: 6}}}, nil, 5},
		{"the connect belongs to a socket that is known", pids{5: 9999 * ms}, "udp",
			[]*exchange{{key: query(0, 1).key, time: int64(10 * time.Second), owner: owner{pid: 5}}}, nil, 0},
		{"another query of the same socket is known", pids{5: 9999 * ms}, "udp",
			[]*exchange{{key: query(0, 4711).key, time: int64(10 * time.Second), owner: owner{pid: 5}}}, nil, 5},
		{"another socket that nobody is known of", pids{5: 9999 * ms}, "udp", nil, []*exchange{query(10*time.Second, 2)}, 0},
		{"another query of the same socket", pids{5: 9999 * ms}, "udp", nil, []*exchange{query(10*time.Second, 4711)}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h hints
			h.see(connects(tt.connects, tt.protocol))
			for _, e := range tt.used {
				h.used(e)
			}
			if got := h.guess(query(10*time.Second, 4711), tt.others); got != tt.want {
				t.Errorf("guess = %d, want %d", got, tt.want)
			}
		})
	}
	var h hints
	for i := range 3 * maxHints {
		h.see(connects(pids{int32(i + 1): time.Duration(i) * time.Minute}, "udp"))
	}
	last := 3*maxHints - 1
	if got := h.guess(query(time.Duration(last)*time.Minute, 1), nil); got != int32(last+1) {
		t.Errorf("after %d connects guess = %d, want the last, %d", 3*maxHints, got, last+1)
	}
}

func TestSocketsAreBounded(t *testing.T) {
	var s sockets
	for i := range uint32(10 * maxCached) {
		s.put(i, found{pid: int32(i), at: time.Duration(i) * time.Millisecond})
	}
	if len(s.byInode) > maxCached {
		t.Errorf("%d sockets are remembered, want at most %d", len(s.byInode), maxCached)
	}
	const last = 10*maxCached - 1
	if f, ok := s.get(last, last*time.Millisecond); !ok || f.pid != last {
		t.Errorf("get(%d) = %+v, %v; want the one put last", last, f, ok)
	}
	if _, ok := s.get(last, last*time.Millisecond+cacheTime+1); ok {
		t.Error("a socket is known for ever")
	}
}

// BenchmarkQuery is what a query with its answer costs from packet to event, without
// system calls.
func BenchmarkQuery(b *testing.B) {
	const names = 1000
	var packets [names][2][]byte
	for i := range packets {
		name := fmt.Sprintf("host-%d.%s.example.com", i, strings.Repeat("x", i%20))
		packets[i][0] = udp4(asker.String(), server.String(), nil, head(i, queryFlags, 0, name, 1, 1))
		packets[i][1] = udp4(server.String(), asker.String(), nil, head(i, answerFlags, 3, name, 1, 1).
			rr(typeCNAME, 1, append(wire("\x03cdn"), 0xc0, 12)).rr(typeA, 1, []byte{192, 0, 2, 1}).rr(typeA, 1, []byte{192, 0, 2, 2}))
	}
	batch := event.NewBatch(names)
	var scratch []byte
	t := newTable(func(e *exchange) { scratch = e.fill(batch, scratch) })
	var m Message
	now := time.Duration(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, raw := range packets[i%names] {
			now += 100 * time.Microsecond
			p, ok := readPacket(etherIPv4, raw)
			if err := m.Parse(p.payload); err != nil || !ok {
				b.Fatal(err)
			}
			if m.Answer {
				t.answer(&p, &m, int64(now), now)
			} else if e := t.query(&p, &m, int64(now), now); e != nil {
				e.known = true
			}
		}
		if i%names == names-1 {
			t.expire(now, func(*exchange) {})
			batch.Reset()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/query")
}

// What a server of somebody's own answers does not fill the memory.
func TestJoinIsBoundedInBytes(t *testing.T) {
	j := newJoined(t)
	text := strings.TrimSuffix(strings.Repeat(strings.Repeat("x", 62)+".", 3), ".")
	asked := 0
	for i := range 3000 {
		q := head(i, queryFlags, 0, text, 16, 1)
		m := message(t, q)
		if e := j.table.query(&packet{src: asker, dst: server, proto: protoUDP}, m, 0, 0); e != nil {
			e.known = true
			asked++
		}
		for k := range 1 + maxSecond {
			a := head(i, answerFlags, 16, text, 16, 1)
			for r := range 16 {
				a = a.rr(16, 1, append([]byte{250, byte(k), byte(r)}, make([]byte, 248)...))
			}
			j.table.answer(&packet{src: server, dst: asker, proto: protoUDP}, message(t, a), 0, 0)
		}
		held := 0
		for _, e := range j.table.queue[j.table.first:] {
			held += e.size()
			for _, s := range e.others {
				held += s.size()
			}
		}
		if held != j.table.bytes || held > maxBytes {
			t.Fatalf("after %d queries %d bytes are held, %d counted; want %d at most", i+1, held, j.table.bytes, maxBytes)
		}
	}
	if j.table.size() < 100 || j.table.size() > asked/2 {
		t.Errorf("of %d queries %d are remembered", asked, j.table.size())
	}
	j.after(answerTime)
	if j.table.bytes != 0 {
		t.Errorf("at the end %d bytes are counted", j.table.bytes)
	}
}

// Queries over a socket that is never found wait for it no longer than they are open.
func TestWaitersAreBounded(t *testing.T) {
	var w waiters
	live := make([]*exchange, 0, maxOpen/2)
	now := time.Duration(0)
	for i := range 20 * maxOpen {
		if len(live) == cap(live) {
			for _, e := range live {
				e.known = true
			}
			live = live[:0]
		}
		e := &exchange{}
		live = append(live, e)
		now += 100 * time.Microsecond
		w.sweep(now)
		if !w.put(uint32(i%3), e) {
			t.Fatalf("query %d can not wait: %d do", i, w.n)
		}
		if i%1000 == 0 {
			n := 0
			for _, list := range w.byInode {
				n += len(list)
			}
			if n != w.n || n > 2*maxOpen {
				t.Fatalf("after %d queries %d wait, %d are counted", i, n, w.n)
			}
		}
	}
	for inode := range uint32(3) {
		w.take(inode)
	}
	if w.n != 0 || len(w.byInode) != 0 {
		t.Errorf("after all were found %d wait", w.n)
	}
	full := waiters{}
	for range 3 * maxOpen {
		full.put(1, &exchange{})
	}
	if full.n != 2*maxOpen {
		t.Errorf("%d wait, want %d at most", full.n, 2*maxOpen)
	}
}

// Guesses are dear: a flood does not get more of them in a second than are allowed.
func TestGuessesAreBounded(t *testing.T) {
	var h hints
	h.see(connects(map[int32]time.Duration{5: 0}, "udp"))
	guessed := 0
	for i := range 3 * maxGuesses {
		e := &exchange{key: key{client: asker, server: server, proto: protoUDP}, time: int64(i), owner: owner{local: true}}
		if h.guess(e, nil) == 5 {
			guessed++
		}
	}
	if guessed != maxGuesses {
		t.Errorf("%d guesses in a second, want %d", guessed, maxGuesses)
	}
}
