// SPDX-License-Identifier: Apache-2.0

// This file tests the source on the live kernel, on the loopback device only: a small
// name server in the test, and clients that are processes of their own.

package dns

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
	"seismo/internal/livelock"
)

// liveSource opens the source, or skips the test where that can not be. It holds the lock
// of all live tests until the end.
func liveSource(t *testing.T) *Source {
	t.Helper()
	lock, err := livelock.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	s, err := Open(Options{Gather: 20 * time.Millisecond})
	if errors.Is(err, ErrPrivilege) || errors.Is(err, ErrUnsupported) {
		t.Skipf("NOT RUN, needs a packet socket: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// row is an event as the tests compare it.
type row struct {
	Query, Type, Status, Response, Server, Client, Protocol, Transaction, Attribution string
	PID                                                                               int32
}

func rowOf(e *event.Event) row {
	text := func(f event.Field) string { v, _ := e.Text(f); return string(v) }
	addr := func(f event.Field) string { a, _ := e.Addr(f); return a.String() }
	return row{text(event.DNSQuery), text(event.DNSType), text(event.DNSStatus), text(event.DNSResponse), addr(event.DNSServerAddress),
		addr(event.DNSClientAddress), text(event.DNSProtocol), text(event.DNSTransaction), text(event.DNSAttribution), e.PID}
}

// readRows reads until n events whose query ends with suffix came, or d is over.
func readRows(t *testing.T, s *Source, suffix string, n int, d time.Duration) (rows []row, lost []event.Loss) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for len(rows) < n {
		b := event.NewBatch(16)
		err := s.Read(ctx, b)
		lost = append(lost, b.Losses...)
		for _, e := range b.Events() {
			if r := rowOf(e); strings.HasSuffix(r.Query, suffix) {
				if age := time.Since(time.Unix(0, e.Time)); age < 0 || age > time.Minute {
					t.Errorf("%s: the time is %v ago", r.Query, age)
				}
				rows = append(rows, r)
			}
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows, lost
}

// nameServer answers on port 53 of the loopback addresses, as the first label tells.
func nameServer(t *testing.T) {
	t.Helper()
	for _, host := range []string{"127.0.0.1", "::1"} {
		pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "53"))
		if err != nil {
			t.Skipf("NOT RUN, port 53 can not be had: %v", err)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "53"))
		if err != nil {
			t.Skipf("NOT RUN, port 53 can not be had: %v", err)
		}
		t.Cleanup(func() { pc.Close(); l.Close() })
		go func() {
			buf := make([]byte, 2000)
			for {
				n, from, err := pc.ReadFrom(buf)
				if err != nil {
					return
				}
				for _, a := range respond(buf[:n]) {
					_, _ = pc.WriteTo(a, from) // the client notices
				}
			}
		}()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					var head [2]byte
					for {
						if _, err := io.ReadFull(c, head[:]); err != nil {
							return
						}
						msg := make([]byte, binary.BigEndian.Uint16(head[:]))
						if _, err := io.ReadFull(c, msg); err != nil {
							return
						}
						for _, a := range respond(msg) {
							_, _ = c.Write(prefixed(a))
						}
					}
				}()
			}
		}()
	}
}

// respond returns the answers to a query: none to "silent.…", two that differ to
// "forged.…", NXDOMAIN to "missing.…", an address to all others.
func respond(q []byte) [][]byte {
	if len(q) < 17 {
		return nil
	}
	if strings.Contains(string(q), "\x04live") {
		time.Sleep(20 * time.Millisecond) // the way over a network
	}
	answer := func(flags int, addrs ...string) []byte {
		a := slices.Clone(q)
		binary.BigEndian.PutUint16(a[2:], uint16(flags))
		binary.BigEndian.PutUint16(a[6:], uint16(len(addrs)))
		w := wire(a)
		for _, s := range addrs {
			w = w.rr(typeA, 1, netip.MustParseAddr(s).AsSlice())
		}
		return w
	}
	switch label := string(q[13 : 13+min(int(q[12]), len(q)-13)]); label {
	case "silent":
		return nil
	case "bare":
		return [][]byte{append(wire{}.u16(int(binary.BigEndian.Uint16(q)), answerFlags, 0, 1, 0, 0).name("x").u16(typeA, 1).u32(9).u16(4), 192, 0, 2, 3)}
	case "missing":
		return [][]byte{answer(answerFlags | 3)}
	case "forged":
		return [][]byte{answer(answerFlags, "192.0.2.66"), answer(answerFlags, "192.0.2.1")}
	}
	return [][]byte{answer(answerFlags, "192.0.2.1", "192.0.2.2")}
}

// TestMain runs as the client where the environment says so: it asks what its standard
// input has, a line "network address name [times]" each, and writes a line when the
// answer came or did not. The network udp+ is UDP with extension headers.
func TestMain(m *testing.M) {
	if os.Getenv("DNS_TEST_CLIENT") == "" {
		os.Exit(m.Run())
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		f := strings.Fields(in.Text())
		n, err := strconv.Atoi(f[3])
		for i := 0; i < n && err == nil; i++ {
			err = askOnce(f[0], f[1], strings.ReplaceAll(f[2], "N", strconv.Itoa(i)), i)
		}
		fmt.Println("asked", err)
	}
}

func askOnce(network, address, name string, id int) error {
	d := net.Dialer{}
	if network == "udp+" {
		network, d.Control = "udp", addExtensions
	}
	c, err := d.Dial(network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	msg := []byte(head(id, queryFlags, 0, name, typeA, 1))
	if network == "tcp" {
		msg = prefixed(msg)
	}
	if _, err := c.Write(msg); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 2000)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// addExtensions has a socket of IPv6 send options for each hop and for the destination:
// eight bytes each, which are padding.
func addExtensions(_, _ string, c syscall.RawConn) (err error) {
	options := string([]byte{0, 0, 1, 4, 0, 0, 0, 0})
	e := c.Control(func(fd uintptr) {
		err = errors.Join(unix.SetsockoptString(int(fd), unix.IPPROTO_IPV6, unix.IPV6_HOPOPTS, options),
			unix.SetsockoptString(int(fd), unix.IPPROTO_IPV6, unix.IPV6_DSTOPTS, options))
	})
	return errors.Join(err, e)
}

// client starts a process that asks lines, waits until all are asked and returns its
// pid. It ends at the end of the test.
func client(t *testing.T, lines ...string) int32 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DNS_TEST_CLIENT=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	answers := bufio.NewScanner(out)
	for _, line := range lines {
		if _, err := fmt.Fprintln(in, line); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || answers.Text() != "asked <nil>" {
			t.Fatalf("the client was told %q and said %q", line, answers.Text())
		}
	}
	return int32(cmd.Process.Pid)
}

// Each query of another process is one event with its answer and the pid of that
// process, over UDP and TCP, IPv4 and IPv6; a query of the process that listens on port
// 53 is one of the resolver.
func TestLiveQueries(t *testing.T) {
	nameServer(t)
	s := liveSource(t)
	pid := client(t, "udp 127.0.0.1:53 one.live.test 1", "udp [::1]:53 two.live.test 1", "tcp 127.0.0.1:53 three.live.test 1",
		"tcp [::1]:53 four.live.test 1", "udp 127.0.0.1:53 missing.live.test 1", "udp 127.0.0.1:53 forged.live.test 1", "udp 127.0.0.1:53 silent.live.test 1",
		"udp+ [::1]:53 options.live.test 1", "udp 127.0.0.1:53 bare.live.test 1")
	if err := askOnce("udp", "127.0.0.1:53", "own.live.test", 9); err != nil {
		t.Fatal(err)
	}
	const both = "192.0.2.1;192.0.2.2;"
	v4 := func(name, status, response, proto, what string) row {
		return row{name + ".live.test", "A", status, response, "127.0.0.1", "127.0.0.1", proto, what, exact, pid}
	}
	v6 := func(name, proto string) row {
		return row{name + ".live.test", "A", "NOERROR", both, "::1", "::1", proto, answered, exact, pid}
	}
	own := v4("own", "NOERROR", both, "udp", answered)
	own.Attribution, own.PID = resolver, int32(os.Getpid())
	want := []row{v4("one", "NOERROR", both, "udp", answered), v6("two", "udp"), v4("three", "NOERROR", both, "tcp", answered), v6("four", "tcp"),
		v4("missing", "NXDOMAIN", "", "udp", answered), v4("forged", "NOERROR", "192.0.2.66;", "udp", answered),
		v4("forged", "NOERROR", "192.0.2.1;", "udp", secondAnswer), v4("silent", "", "", "udp", unanswered), own,
		v6("options", "udp"), v4("bare", "NOERROR", "192.0.2.3;", "udp", answered)}
	got, lost := readRows(t, s, ".live.test", len(want), 15*time.Second)
	for _, w := range want {
		if i := slices.Index(got, w); i >= 0 {
			got = slices.Delete(got, i, i+1)
		} else {
			t.Errorf("no event %+v", w)
		}
	}
	for _, g := range got {
		t.Errorf("event %+v was not expected", g)
	}
	if len(lost) > 0 {
		t.Errorf("losses: %+v", lost)
	}
}

// A source that is closed tells the queries that are open as they are, and ends without an
// error.
func TestLiveEnd(t *testing.T) {
	nameServer(t)
	s := liveSource(t)
	pid := client(t, "udp 127.0.0.1:53 silent.end.test 1")
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	b := event.NewBatch(4)
	if err := s.Read(t.Context(), b); err != nil || b.Len() != 1 || len(b.Losses) != 0 {
		t.Fatalf("Read after Close: %v, %d events, losses %+v; want the open query", err, b.Len(), b.Losses)
	}
	e := b.Events()[0]
	want := row{"silent.end.test", "A", "", "", "127.0.0.1", "127.0.0.1", "udp", unanswered, exact, pid}
	if got := rowOf(e); got != want || e.Flags != event.Incomplete || b.Platform != "linux" {
		t.Errorf("event %+v, flags %d, platform %q; want %+v, incomplete, linux", got, e.Flags, b.Platform, want)
	}
	if err := s.Read(t.Context(), b); err != io.EOF || b.Len() != 1 {
		t.Errorf("Read after the last: %v, %d events; want io.EOF", err, b.Len())
	}
	if st := s.Stats(); st.Received != 1 || st.Parsed != 1 || st.Assembled != 1 || st.Malformed != 0 {
		t.Errorf("Stats = %+v", st)
	}
}

// What is no DNS message is a loss that says between whom it was.
func TestLiveMalformed(t *testing.T) {
	nameServer(t)
	s := liveSource(t)
	c, err := net.Dial("udp", "127.0.0.1:53")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		if _, err := c.Write([]byte("this is a shell\n")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	total, detail := uint64(0), ""
	for total < 3 {
		b := event.NewBatch(4)
		if err := s.Read(ctx, b); err != nil {
			t.Fatal(err)
		}
		for _, l := range b.Losses {
			if l.Reason != event.LossMalformed || l.Kind != event.KindDNS || l.From == 0 || l.To < l.From {
				t.Errorf("loss %+v", l)
			}
			total, detail = total+l.Count, l.Detail
		}
	}
	if want := c.LocalAddr().String() + " to 127.0.0.1:53"; total != 3 || !strings.Contains(detail, want) {
		t.Errorf("%d lost, %q; want 3 and %q in it", total, detail, want)
	}
}

// Of 2,000 queries, each with its number in the name, every one is an event, with the
// process that asked.
func TestLiveManyQueries(t *testing.T) {
	nameServer(t)
	s := liveSource(t)
	const n = 2000
	pids := make(chan int32, 1)
	go func() { pids <- client(t, fmt.Sprintf("udp 127.0.0.1:53 serial-N.many.test %d", n)) }()
	rows, lost := readRows(t, s, ".many.test", n, 60*time.Second)
	pid := <-pids
	seen := make(map[string]int)
	owned := 0
	for _, r := range rows {
		seen[r.Query]++
		if r.PID == pid && r.Attribution == exact {
			owned++
		} else if r.PID != 0 || r.Attribution != unknown {
			t.Errorf("%+v is of another process; the client is %d", r, pid)
		}
		if r.Transaction != answered {
			t.Errorf("%+v was answered", r)
		}
	}
	for i := range n {
		if name := fmt.Sprintf("serial-%d.many.test", i); seen[name] != 1 {
			t.Errorf("%s: %d events, want 1", name, seen[name])
		}
	}
	if len(lost) > 0 {
		t.Errorf("losses: %+v", lost)
	}
	t.Logf("%d of %d events have their process", owned, n)
}
