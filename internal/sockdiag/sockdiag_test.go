// SPDX-License-Identifier: Apache-2.0

package sockdiag_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"seismo/internal/sockdiag"
)

// message returns a netlink message.
func message(typ, flags uint16, seq uint32, body []byte) []byte {
	ne := binary.NativeEndian
	m := ne.AppendUint32(nil, uint32(16+len(body)))
	m = ne.AppendUint16(m, typ)
	m = ne.AppendUint16(m, flags)
	m = ne.AppendUint32(m, seq)
	m = ne.AppendUint32(m, 0)
	m = append(m, body...)
	return append(m, make([]byte, (4-len(m)%4)%4)...)
}

// answer returns the body that tells of s.
func answer(s sockdiag.Socket) []byte {
	b := make([]byte, 72)
	b[0] = 10 // AF_INET6
	if s.Local.Addr().Is4() {
		b[0] = 2
	}
	binary.BigEndian.PutUint16(b[4:], s.Local.Port())
	binary.BigEndian.PutUint16(b[6:], s.Remote.Port())
	copy(b[8:24], s.Local.Addr().AsSlice())
	copy(b[24:40], s.Remote.Addr().AsSlice())
	binary.NativeEndian.PutUint32(b[64:], s.UID)
	binary.NativeEndian.PutUint32(b[68:], s.Inode)
	return b
}

func TestScan(t *testing.T) {
	v4 := sockdiag.Socket{Local: netip.MustParseAddrPort("10.0.0.1:5000"), Remote: netip.MustParseAddrPort("10.0.0.2:53"), UID: 7, Inode: 99}
	v6 := sockdiag.Socket{Local: netip.MustParseAddrPort("[fe80::1]:6000"), Remote: netip.MustParseAddrPort("[::1]:53"), Inode: 1}
	refused := binary.NativeEndian.AppendUint32(nil, ^uint32(syscall.EPERM)+1)
	tests := []struct {
		name string
		p    []byte
		want []sockdiag.Socket
		done bool
		err  string
	}{
		{"one of a list: more may come", message(20, 2, 5, answer(v4)), []sockdiag.Socket{v4}, false, ""},
		{"a list to its end", slices.Concat(message(20, 2, 5, answer(v4)), message(20, 2, 5, answer(v6)), message(3, 2, 5, nil)), []sockdiag.Socket{v4, v6}, true, ""},
		{"the one that was asked for", slices.Concat(message(20, 0, 5, answer(v6)), message(20, 0, 5, answer(v4))), []sockdiag.Socket{v6}, true, ""},
		{"of another question", slices.Concat(message(3, 2, 4, nil), message(20, 2, 4, answer(v6)), message(20, 2, 5, answer(v4))), []sockdiag.Socket{v4}, false, ""},
		{"too short for a socket", message(20, 2, 5, answer(v4)[:71]), nil, false, ""},
		{"refused", message(2, 0, 5, refused), nil, true, syscall.EPERM.Error()},
		{"acknowledged", message(2, 0, 5, make([]byte, 4)), nil, true, ""},
		{"an error without a number", message(2, 0, 5, nil), nil, true, "without a number"},
		{"a message that is longer than what came", message(20, 2, 5, answer(v4))[:40], nil, true, "message of 88 bytes in 40"},
	}
	for _, tt := range tests {
		var got []sockdiag.Socket
		done, err := sockdiag.Scan(tt.p, 5, func(s sockdiag.Socket) { got = append(got, s) })
		if !slices.Equal(got, tt.want) || done != tt.done || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: Scan gives %+v, %v, %v; want %+v, %v, %q", tt.name, got, done, err, tt.want, tt.done, tt.err)
		}
		var refusal syscall.Errno
		if tt.name == "refused" && !errors.As(err, &refusal) {
			t.Errorf("%s: %v is no number of the system", tt.name, err)
		}
	}
}

// Whatever bytes an answer has, it is read to its end without a panic, and no
// socket is made of what is too short.
func FuzzScan(f *testing.F) {
	f.Add(message(20, 2, 5, answer(sockdiag.Socket{Local: netip.MustParseAddrPort("10.0.0.1:1"), Remote: netip.MustParseAddrPort("10.0.0.2:2")})))
	f.Fuzz(func(t *testing.T, p []byte) {
		n := 0
		sockdiag.Scan(p, 5, func(s sockdiag.Socket) {
			if n++; !s.Local.IsValid() || !s.Remote.IsValid() {
				t.Errorf("a socket without ends: %+v", s)
			}
		})
		if n > len(p)/(16+72) {
			t.Errorf("%d sockets in %d bytes", n, len(p))
		}
	})
}
