// SPDX-License-Identifier: Apache-2.0

// This file makes network events. A record of connect, bind or accept has the
// address but not the protocol: that is known from the socket call before.

package audit

import (
	"net/netip"
	"strconv"

	"seismo/internal/event"
)

// decodeNetwork makes the event of a call on a socket.
func (d *Decoder) decodeNetwork(b *event.Batch, c call) *event.Event {
	fd, hasFD := d.descriptorOfSocket()
	var e *event.Event
	switch c.act {
	case actConnect:
		e = b.Add(event.KindNetwork, event.OpConnect)
		e.SetString(event.NetworkDirection, "outbound")
		if !d.hasSock {
			d.flags |= event.Incomplete
		}
	case actAccept:
		e = b.Add(event.KindNetwork, event.OpAccept)
		e.SetString(event.NetworkDirection, "inbound")
	default:
		e = b.Add(event.KindNetwork, event.OpListen)
		e.SetString(event.NetworkDirection, "listening")
	}
	if d.who.success || d.who.has&hasSuccess == 0 && d.who.exit >= 0 {
		e.SetInt(event.NetworkResult, 0)
	} else if d.who.has&hasExit != 0 {
		e.SetInt(event.NetworkResult, d.who.exit)
	}
	known := d.socketAt(fd, hasFD)
	d.setProtocol(e, known, fd, hasFD)
	if c.act == actBind && hasFD {
		d.noteBind(fd).told = true
	}
	switch {
	case c.act == actListen:
		if known != nil && known.local.IsValid() {
			d.setEnd(e, known.local, c.act)
		}
	case !d.hasSock:
	case d.sock.Family == FamilyInet, d.sock.Family == FamilyInet6:
		d.setEnd(e, d.sock.Addr, c.act)
	case d.sock.Family == FamilyUnix:
		d.setSocketPath(e)
		if known != nil && c.act == actAccept && len(d.sock.Path) == 0 && known.path != "" {
			e.SetString(event.NetworkPath, known.path)
		}
	}
	switch {
	case c.act == actBind && hasFD:
		path, _ := e.Text(event.NetworkPath)
		d.noteBind(fd).path = string(path)
	case c.act == actAccept && d.who.has&hasExit != 0 && d.who.exit >= 0 && d.who.exit <= 1<<30:
		d.noteAccepted(int32(d.who.exit), known)
	}
	d.setEndsKnown(e, c)
	d.askEnds(e, c, known, fd, hasFD)
	return e
}

// setEndsKnown says which ends of a connection of IP the record has.
func (d *Decoder) setEndsKnown(e *event.Event, c call) {
	inet := d.hasSock && (d.sock.Family == FamilyInet || d.sock.Family == FamilyInet6)
	switch {
	case inet && c.act == actConnect:
		e.SetString(event.NetworkEndsKnown, "destination")
	case inet && c.act == actAccept:
		e.SetString(event.NetworkEndsKnown, "source")
	case !d.hasSock && c.act == actAccept:
		if p, ok := e.Text(event.NetworkProtocol); ok && (string(p) == "tcp" || string(p) == "sctp" || string(p) == "mptcp") {
			e.SetString(event.NetworkEndsKnown, "none")
		}
	}
}

// inProgress is the result of a connect that goes on by itself: -EINPROGRESS.
const inProgress = -115

// SocketQuestion is what is asked of a socket of IP: what its ends are.
type SocketQuestion struct {
	Serial   uint64 // of the event
	PID, FD  int32
	Op       event.Op
	Protocol string         // "" where it is not known
	Remote   netip.AddrPort // what the record says of the other end; invalid without
}

// askEnds asks for the ends that the record of e does not have.
func (d *Decoder) askEnds(e *event.Event, c call, known *socket, fd int32, hasFD bool) {
	if d.opts.AskEnds == nil || !hasFD || d.who.pid <= 0 || d.who.pid > 1<<30 || d.host != "" {
		return
	}
	q := SocketQuestion{Serial: d.serial, PID: int32(d.who.pid), FD: fd, Op: e.Op}
	if known != nil {
		q.Protocol = known.protocol
	}
	inet := d.hasSock && (d.sock.Family == FamilyInet || d.sock.Family == FamilyInet6)
	if d.hasSock && !inet || q.Protocol != "" && q.Protocol != "tcp" && q.Protocol != "udp" {
		return
	}
	switch e.Op {
	case event.OpListen:
		if port, ok := e.Int(event.NetworkPort); ok && port != 0 {
			return
		}
	case event.OpAccept:
		if d.who.exit < 0 || d.who.exit > 1<<30 || d.who.has&hasExit == 0 {
			return
		}
		q.FD = int32(d.who.exit)
		fallthrough
	default:
		if !d.who.succeeded() && d.who.exit != inProgress {
			return
		}
		if inet {
			q.Remote = d.sock.Addr
		}
	}
	d.opts.AskEnds(e, q)
}

// socketAt returns what is remembered of a descriptor; nil if nothing is.
func (d *Decoder) socketAt(fd int32, hasFD bool) *socket {
	if !hasFD {
		return nil
	}
	return d.sockets.find(d.host, d.who.pid, d.who.ppid, fd)
}

// otherTells reports whether act, a bind or listen, is the one of the two that
// makes no network event: a socket that waits for others makes one, not two. It
// is made at listen for the protocols that have connections, since a client may
// bind too; at bind for the others, which take what comes from then on, and where
// the protocol is not known.
func (d *Decoder) otherTells(act action) bool {
	fd, hasFD := d.descriptorOfSocket()
	known := d.socketAt(fd, hasFD)
	if known == nil {
		return false
	}
	if act == actListen {
		return known.told
	}
	switch known.protocol {
	case "tcp", "mptcp", "sctp":
		d.noteBind(fd)
		return true
	}
	return false
}

// noteBind remembers where bind put a socket.
func (d *Decoder) noteBind(fd int32) *socket {
	s := d.sockets.note(d.host, d.who.pid, fd)
	if d.hasSock && (d.sock.Family == FamilyInet || d.sock.Family == FamilyInet6) {
		s.local = d.sock.Addr
	}
	return s
}

// noteAccepted remembers of the descriptor of an accepted connection what is known
// of the one that listens: it may have been another socket before.
func (d *Decoder) noteAccepted(fd int32, listener *socket) {
	var protocol, path string
	if listener != nil {
		protocol, path = listener.protocol, listener.path
	} else if d.sockets.find(d.host, d.who.pid, d.who.pid, fd) == nil {
		return
	}
	s := d.sockets.note(d.host, d.who.pid, fd)
	s.protocol, s.path, s.local, s.told = protocol, path, netip.AddrPort{}, false
}

// setEnd sets the addresses: the remote end, or for a listening socket the local one.
func (d *Decoder) setEnd(e *event.Event, end netip.AddrPort, a action) {
	e.SetAddr(event.NetworkAddress, end.Addr())
	e.SetInt(event.NetworkPort, int64(end.Port()))
	switch a {
	case actConnect:
		e.SetAddr(event.NetworkDestinationAddress, end.Addr())
		e.SetInt(event.NetworkDestinationPort, int64(end.Port()))
	case actAccept:
		e.SetAddr(event.NetworkSourceAddress, end.Addr())
		e.SetInt(event.NetworkSourcePort, int64(end.Port()))
	}
}

// setSocketPath sets the path of a UNIX socket.
func (d *Decoder) setSocketPath(e *event.Event) {
	path := d.sock.Path
	switch {
	case len(path) == 0:
		return
	case path[0] == '@' || path[0] == '/' || d.cwd == nil:
		e.SetText(event.NetworkPath, path)
		return
	}
	d.dir = AppendValue(d.dir[:0], d.cwd)
	d.path = AppendPath(d.path[:0], d.dir, path)
	e.SetText(event.NetworkPath, d.path)
}

// setProtocol sets the protocol, where it is known.
func (d *Decoder) setProtocol(e *event.Event, known *socket, fd int32, hasFD bool) {
	if d.opts.Protocol != nil && hasFD && d.who.pid > 0 && d.who.pid <= 1<<30 {
		if p, ok := d.opts.Protocol(int32(d.who.pid), fd); ok {
			e.SetString(event.NetworkProtocol, p)
			return
		}
	}
	family := uint16(FamilyUnspec)
	if d.hasSock {
		family = d.sock.Family
	}
	switch {
	case family != FamilyUnspec && family != FamilyInet && family != FamilyInet6:
		e.SetString(event.NetworkProtocol, familyName(family))
	case known != nil && known.protocol != "":
		e.SetString(event.NetworkProtocol, known.protocol)
	}
}

// familyNames are the names of address families that are no transport protocol
// (include/linux/socket.h).
var familyNames = map[uint16]string{
	FamilyUnix: "unix", 3: "ax25", 4: "ipx", 5: "appletalk", 9: "x25", FamilyNetlink: "netlink",
	FamilyPacket: "packet", 21: "rds", 29: "can", 30: "tipc", 31: "bluetooth", 38: "alg", 40: "vsock",
	42: "qrtr", 43: "smc", 44: "xdp", 45: "mctp",
}

func familyName(family uint16) string {
	if name, ok := familyNames[family]; ok {
		return name
	}
	return "family-" + strconv.Itoa(int(family))
}

// protocolOf returns the name of the protocol of socket(family, typ, proto), or
// "" where the numbers do not tell (include/linux/net.h, include/uapi/linux/in.h).
func protocolOf(family, typ, proto uint64) string {
	if family != FamilyInet && family != FamilyInet6 {
		return familyName(uint16(family))
	}
	switch proto {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 58:
		return "icmpv6"
	case 132:
		return "sctp"
	case 136:
		return "udplite"
	case 262:
		return "mptcp"
	}
	const flags = 0x80800 // SOCK_CLOEXEC and SOCK_NONBLOCK
	switch typ &^ flags {
	case 1:
		return "tcp"
	case 2:
		return "udp"
	case 3:
		return "raw"
	case 5:
		return "sctp"
	}
	return ""
}

// descriptorOfSocket returns the first argument of a socket call.
func (d *Decoder) descriptorOfSocket() (int32, bool) {
	fd := int32(uint32(d.who.arg(0)))
	return fd, d.who.args[0] != nil && fd >= 0
}

// noteSocket remembers the protocol of the descriptor that a socket call gave.
func (d *Decoder) noteSocket() {
	w := &d.who
	if !w.succeeded() || w.has&hasExit == 0 || w.exit < 0 || w.exit > 1<<30 {
		return
	}
	s := d.sockets.note(d.host, w.pid, int32(w.exit))
	s.protocol = protocolOf(w.arg(0), w.arg(1)&0xffffffff, w.arg(2)&0xffffffff)
	s.local, s.path, s.told = netip.AddrPort{}, "", false
}

// maxSockets bounds the sockets that are remembered: a place for each hash of
// host, process and descriptor, where a newer one takes the place of an older.
const maxSockets = 4096

// sockets remembers what socket and bind said of descriptors. An entry stands
// until the next socket call that gives the same descriptor: dup and close are
// not seen.
type sockets struct{ places []socket }

type socket struct {
	host     string
	pid      int64
	fd       int32
	used     bool
	protocol string
	local    netip.AddrPort // where bind put it
	path     string         // of a UNIX socket, the same
	told     bool           // its bind made an event
}

func (t *sockets) place(host string, pid int64, fd int32) *socket {
	h := uint64(pid)*0x9e3779b97f4a7c15 + uint64(fd)*0xc2b2ae3d27d4eb4f
	for i := 0; i < len(host); i++ {
		h = (h ^ uint64(host[i])) * 0x100000001b3
	}
	return &t.places[(h>>32)%maxSockets]
}

// note returns the entry of a descriptor, an empty one if there was none.
func (t *sockets) note(host string, pid int64, fd int32) *socket {
	if t.places == nil {
		t.places = make([]socket, maxSockets)
	}
	s := t.place(host, pid, fd)
	if !s.used || s.pid != pid || s.fd != fd || s.host != host {
		*s = socket{host: host, pid: pid, fd: fd, used: true}
	}
	return s
}

// find returns the entry of a descriptor, or that of the parent, from whom a
// child inherits its descriptors; nil if there is neither.
func (t *sockets) find(host string, pid, parent int64, fd int32) *socket {
	if t.places == nil {
		return nil
	}
	for _, p := range [2]int64{pid, parent} {
		if s := t.place(host, p, fd); s.used && s.pid == p && s.fd == fd && s.host == host {
			return s
		}
	}
	return nil
}
