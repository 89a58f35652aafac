// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"seismo/internal/event"
)

// fdOf returns the descriptor of a connection or listener.
func fdOf(t *testing.T, c any) int32 {
	t.Helper()
	raw, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return int32(raw.Fd())
}

func portOf(a net.Addr) netip.AddrPort {
	p, _ := netip.ParseAddrPort(a.String())
	return p
}

// The kernel tells the ends that the records lack: for the socket of the
// descriptor, of TCP and UDP, IPv4 and IPv6, and for no other.
func TestEndsOfSockets(t *testing.T) {
	finder := newEndsFinderOf(time.Minute, 0)
	if finder == nil {
		t.Skip("NOT RUN, this kernel does not tell of sockets (NETLINK_SOCK_DIAG)")
	}
	defer finder.close()
	var o DecodeOptions
	finder.hook(&o)
	pid := int32(os.Getpid())
	ask := func(q SocketQuestion) *event.Event {
		t.Helper()
		q.PID, q.Serial = pid, 7
		e := event.NewBatch(1).Add(event.KindNetwork, q.Op)
		e.Serial = 7
		o.AskEnds(e, q)
		finder.settle()
		return e
	}
	check := func(what string, e *event.Event, source, destination netip.AddrPort) {
		t.Helper()
		sa, _ := e.Addr(event.NetworkSourceAddress)
		sp, _ := e.Int(event.NetworkSourcePort)
		da, _ := e.Addr(event.NetworkDestinationAddress)
		dp, _ := e.Int(event.NetworkDestinationPort)
		known, _ := e.Text(event.NetworkEndsKnown)
		gotSource, gotDestination := netip.AddrPortFrom(sa, uint16(sp)), netip.AddrPortFrom(da, uint16(dp))
		if gotSource != source || gotDestination != destination || string(known) != "both" {
			t.Errorf("%s: ends %v to %v (%s), want %v to %v (both)", what, gotSource, gotDestination, known, source, destination)
		}
	}
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", host)
		if err != nil {
			t.Logf("NOT RUN for %s: %v", host, err)
			continue
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		client, server := portOf(c.LocalAddr()), portOf(l.Addr())
		check("connect "+host, ask(SocketQuestion{FD: fdOf(t, c), Op: event.OpConnect, Protocol: "tcp", Remote: server}), client, server)
		check("connect, protocol not known "+host, ask(SocketQuestion{FD: fdOf(t, c), Op: event.OpConnect, Remote: server}), client, server)
		check("accept with the address "+host, ask(SocketQuestion{FD: fdOf(t, s), Op: event.OpAccept, Remote: client}), client, server)
		check("accept without "+host, ask(SocketQuestion{FD: fdOf(t, s), Op: event.OpAccept}), client, server)
		if e := ask(SocketQuestion{FD: fdOf(t, l), Op: event.OpListen}); true {
			a, _ := e.Addr(event.NetworkAddress)
			p, _ := e.Int(event.NetworkPort)
			if netip.AddrPortFrom(a, uint16(p)) != server {
				t.Errorf("listen %s: %v:%d, want %v", host, a, p, server)
			}
		}
		// Another remote end than the record's: the descriptor was used again.
		other := netip.AddrPortFrom(server.Addr(), server.Port()^1)
		if e := ask(SocketQuestion{FD: fdOf(t, c), Op: event.OpConnect, Remote: other}); e.Has(event.NetworkSourcePort) {
			t.Errorf("connect %s to another end has a source", host)
		}
		u, err := net.Dial("udp", server.String())
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		check("udp connect "+host, ask(SocketQuestion{FD: fdOf(t, u), Op: event.OpConnect, Protocol: "udp", Remote: server}), portOf(u.LocalAddr()), server)
	}
	if e := ask(SocketQuestion{FD: 1 << 20, Op: event.OpConnect, Remote: netip.MustParseAddrPort("127.0.0.1:1")}); e.Has(event.NetworkSourcePort) {
		t.Error("a descriptor that is not there has a source")
	}
}

// An event whose place in the batch was given to another is left alone.
func TestEndsLeaveOtherEvents(t *testing.T) {
	f := &endsFinder{}
	local := netip.MustParseAddrPort("10.0.0.1:1")
	for _, tt := range []struct {
		name   string
		kind   event.Kind
		op     event.Op
		serial uint64
		want   bool
	}{
		{"the event", event.KindNetwork, event.OpConnect, 7, true},
		{"another serial", event.KindNetwork, event.OpConnect, 8, false},
		{"another operation", event.KindNetwork, event.OpAccept, 7, false},
		{"another kind", event.KindFile, event.OpOpen, 7, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event.NewBatch(1).Add(tt.kind, tt.op)
			e.Serial = tt.serial
			f.take(&pendingEnds{e, SocketQuestion{Serial: 7, Op: event.OpConnect}}, socketEnds{local, local})
			if got := e.Has(event.NetworkEndsKnown); got != tt.want {
				t.Errorf("take sets ends: %v, want %v", got, tt.want)
			}
		})
	}
}

// BenchmarkEnds is what the ends of one connect cost.
func BenchmarkEnds(b *testing.B) {
	diag, err := openSockDiag()
	if err != nil {
		b.Skip(err)
	}
	defer diag.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).File()
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	q := []socketQuestion{{SocketQuestion: SocketQuestion{PID: int32(os.Getpid()), FD: int32(raw.Fd()), Op: event.OpConnect, Protocol: "tcp", Remote: portOf(l.Addr())}}}
	answers := make([]socketEnds, 1)
	for b.Loop() {
		q[0].inode = socketInode(q[0].PID, q[0].FD)
		answers[0] = socketEnds{}
		answerEnds(diag, q, answers, time.Now().Add(time.Second))
		if !answers[0].local.IsValid() {
			b.Fatal("no answer")
		}
	}
}
