// SPDX-License-Identifier: Apache-2.0

// This file asks the kernel which socket sent a packet (sock_diag(7)).

package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"seismo/internal/sockdiag"
)

const (
	diagRequestSize = unix.SizeofNlMsghdr + sockdiag.RequestSize
	anyCookie       = 0xffffffff // INET_DIAG_NOCOOKIE
)

// diag asks about sockets. One goroutine uses it.
type diag struct {
	fd  int
	seq uint32
	req [diagRequestSize]byte
	buf [16 << 10]byte
}

func openDiag() (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open a socket to ask for sockets: %w", err)
	}
	// The kernel answers within the call that asks; this is against waiting for ever.
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000})
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written to it
		return nil, fmt.Errorf("prepare a socket to ask for sockets: %w", err)
	}
	return &diag{fd: fd}, nil
}

func (d *diag) close() error { return unix.Close(d.fd) }

// socket is a socket as the kernel tells of it.
type socket struct {
	inode uint32
	uid   uint32
	port  uint16 // its own
}

// owner returns the socket of this host that sends from client to server over
// interface iface; false if there is none any more.
func (d *diag) owner(proto uint8, client, server netip.AddrPort, iface int) (socket, bool) {
	if proto == protoTCP {
		return d.exact(proto, client, server, iface)
	}
	// Of UDP the kernel wants both ends as a packet to the socket has them.
	if s, ok := d.exact(proto, server, client, iface); ok && s.port == client.Port() {
		return s, true
	}
	s, ok := d.exact(proto, client, server, iface)
	return s, ok && s.port == client.Port()
}

func (d *diag) exact(proto uint8, src, dst netip.AddrPort, iface int) (s socket, ok bool) {
	family := byte(unix.AF_INET6)
	if src.Addr().Is4() {
		family = unix.AF_INET
	}
	d.request(family, proto, 0)
	id := d.req[unix.SizeofNlMsghdr+8:]
	binary.BigEndian.PutUint16(id, src.Port())
	binary.BigEndian.PutUint16(id[2:], dst.Port())
	copy(id[4:20], src.Addr().AsSlice())
	copy(id[20:36], dst.Addr().AsSlice())
	binary.NativeEndian.PutUint32(id[36:], uint32(iface))
	binary.NativeEndian.PutUint32(id[40:], anyCookie)
	binary.NativeEndian.PutUint32(id[44:], anyCookie)
	err := d.ask(func(found socket) { s, ok = found, found.inode != 0 })
	return s, ok && err == nil
}

// bound calls each with every UDP socket of this host that is bound to port.
func (d *diag) bound(port uint16, each func(socket)) error {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		d.request(family, protoUDP, unix.NLM_F_DUMP)
		binary.BigEndian.PutUint16(d.req[unix.SizeofNlMsghdr+8:], port)
		err := d.ask(func(s socket) {
			if s.port == port {
				each(s)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// request begins a request.
func (d *diag) request(family, proto byte, flags uint16) {
	d.req = [diagRequestSize]byte{}
	d.seq++
	ne := binary.NativeEndian
	ne.PutUint32(d.req[0:], diagRequestSize)
	ne.PutUint16(d.req[4:], sockdiag.ByFamily)
	ne.PutUint16(d.req[6:], unix.NLM_F_REQUEST|flags)
	ne.PutUint32(d.req[8:], d.seq)
	body := d.req[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, proto
	ne.PutUint32(body[4:], sockdiag.AllStates)
}

// ask sends the request and calls each with the sockets of the reply.
func (d *diag) ask(each func(socket)) error {
	dump := binary.NativeEndian.Uint16(d.req[6:])&unix.NLM_F_DUMP != 0
	write, read := unix.Write, unix.Read
	if !dump {
		// One socket is looked up and told within the call that asks. That waits for
		// nobody, so the runtime need not know of it (internal/pollset).
		write, read = rawWrite, rawRead
	}
	if _, err := write(d.fd, d.req[:]); err != nil {
		return fmt.Errorf("ask the kernel for sockets: %w", err)
	}
	for {
		n, err := read(d.fd, d.buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("read what the kernel says of sockets: %w", err)
		}
		done, err := sockdiag.Scan(d.buf[:n], d.seq, func(s sockdiag.Socket) {
			each(socket{port: s.Local.Port(), uid: s.UID, inode: s.Inode})
		})
		if done || err != nil || !dump && n == 0 {
			return err
		}
	}
}

// rawWrite is write(2) of b, which is not empty, without telling the runtime.
func rawWrite(fd int, b []byte) (int, error) {
	return result(unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

// rawRead reads into b, which is not empty, what is there to be read, without telling
// the runtime.
func rawRead(fd int, b []byte) (int, error) {
	return result(unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0))
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
