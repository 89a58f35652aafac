// SPDX-License-Identifier: Apache-2.0

// This file has the packet socket: opened, filtered and then bound, so that nothing
// that the filter would refuse ever waits in it.

package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"seismo/internal/pollset"
)

const (
	// readBatch is how many packets one system call takes.
	readBatch = 16
	// receiveBuffer is the room for packets in the kernel: about two seconds of 1,000
	// queries and answers each. It is used only while we are behind.
	receiveBuffer = 4 << 20
	controlSize   = 64
)

// mmsghdr is struct mmsghdr of recvmmsg(2), which x/sys lacks.
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// capture is an open packet socket. One goroutine reads it.
type capture struct {
	fd    int
	end   int // an event descriptor: readable once the reader is to end
	ready *pollset.Set
	hdrs  []mmsghdr
	iovs  []unix.Iovec
	names []unix.RawSockaddrLinklayer
	ctrl  []byte
	buf   []byte
	full  bool // the last read took a whole batch: there may be more
}

// openCapture opens the socket. The error wraps [ErrPrivilege] where CAP_NET_RAW is
// missing.
func openCapture() (c *capture, err error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("open a packet socket: CAP_NET_RAW is missing: %w", ErrPrivilege)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return nil, fmt.Errorf("open a packet socket: the kernel has none (CONFIG_PACKET): %w", ErrUnsupported)
	case err != nil:
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	if err := prepare(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	end, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make an event descriptor: %w", err), unix.Close(fd))
	}
	ready, err := pollset.Open(end)
	if err == nil {
		err = ready.Watch(fd)
	}
	if err != nil {
		return nil, errors.Join(err, ready.Close(), unix.Close(fd), unix.Close(end))
	}
	c = &capture{fd: fd, end: end, ready: ready, hdrs: make([]mmsghdr, readBatch), iovs: make([]unix.Iovec, readBatch),
		names: make([]unix.RawSockaddrLinklayer, readBatch), ctrl: make([]byte, readBatch*controlSize), buf: make([]byte, readBatch*maxPacket)}
	for i := range c.hdrs {
		c.iovs[i] = unix.Iovec{Base: &c.buf[i*maxPacket]}
		c.iovs[i].SetLen(maxPacket)
		h := &c.hdrs[i].hdr
		h.Iov, h.Name, h.Control = &c.iovs[i], (*byte)(unsafe.Pointer(&c.names[i])), &c.ctrl[i*controlSize]
		h.SetIovlen(1)
	}
	return c, nil
}

// prepare sets the filter and the options of the socket and binds it to all
// interfaces. Promiscuous mode, which packet sockets have to ask for, is not asked for.
func prepare(fd int) error {
	code := filter()
	raw := make([]unix.SockFilter, len(code))
	for i, op := range code {
		raw[i] = unix.SockFilter{Code: op.code, Jt: op.jt, Jf: op.jf, K: op.k}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}); err != nil {
		return fmt.Errorf("set the filter of the packet socket: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		// Without CAP_NET_ADMIN the kernel gives what net.core.rmem_max allows.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
			return fmt.Errorf("set the receive buffer of the packet socket: %w", err)
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("ask for the time of packets: %w", err)
	}
	// Packets on their way out are given only to those who ask for all protocols.
	all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all}); err != nil {
		return fmt.Errorf("bind the packet socket: %w", err)
	}
	return nil
}

// captured is a packet as it came.
type captured struct {
	data  []byte // valid until the next read
	ether uint16
	iface int
	out   bool  // it left this host, over the loopback device or another
	time  int64 // Unix time, nanoseconds
}

// read waits for packets and calls each with them. more is false after stop.
func (c *capture) read(each func(captured)) (more bool, err error) {
	if _, ended, err := c.ready.Wait(-1); err != nil || ended {
		return false, err
	}
	for i := range c.hdrs {
		h := &c.hdrs[i].hdr
		h.Namelen, h.Flags = uint32(unsafe.Sizeof(c.names[i])), 0
		h.SetControllen(controlSize)
	}
	// It does not wait, so the runtime need not know of it (internal/pollset).
	r, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(c.fd), uintptr(unsafe.Pointer(&c.hdrs[0])), readBatch, unix.MSG_DONTWAIT, 0, 0)
	c.full = errno == 0 && r == readBatch
	switch errno {
	case 0:
		c.hand(int(r), each)
	case unix.EAGAIN, unix.EINTR, unix.ENETDOWN: // an interface went down: no reason to end
	default:
		return false, fmt.Errorf("read the packet socket: %w", errno)
	}
	return true, nil
}

// hand calls each with the n packets that were read.
func (c *capture) hand(n int, each func(captured)) {
	now := int64(0)
	for i := range n {
		h := &c.hdrs[i]
		name := &c.names[i]
		p := captured{data: c.buf[i*maxPacket:][:min(h.len, maxPacket)], ether: netShort(name.Protocol), iface: int(name.Ifindex),
			out: name.Pkttype == unix.PACKET_OUTGOING, time: stampOf(c.ctrl[i*controlSize:][:min(uint64(h.hdr.Controllen), controlSize)])}
		if p.time == 0 {
			if now == 0 {
				now = time.Now().UnixNano()
			}
			p.time = now
		}
		each(p)
	}
}

// netShort returns a number that stands in network order.
func netShort(v uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], v)
	return binary.BigEndian.Uint16(b[:])
}

// stampOf returns the time in the control messages of a packet, 0 if there is none.
func stampOf(ctrl []byte) int64 {
	const head = unix.SizeofCmsghdr
	if len(ctrl) < head+16 {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&ctrl[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SO_TIMESTAMPNS {
		return 0
	}
	return int64(binary.NativeEndian.Uint64(ctrl[head:]))*1e9 + int64(binary.NativeEndian.Uint64(ctrl[head+8:]))
}

// drops returns how many packets the kernel dropped since the last call.
func (c *capture) drops() uint64 {
	st, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0
	}
	return uint64(st.Drops)
}

// stop ends the reader.
func (c *capture) stop() error {
	one := make([]byte, 8)
	binary.NativeEndian.PutUint64(one, 1)
	_, err := unix.Write(c.end, one)
	return err
}

func (c *capture) close() error {
	return errors.Join(c.ready.Close(), unix.Close(c.fd), unix.Close(c.end))
}
