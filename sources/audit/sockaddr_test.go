// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestSockaddr(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	tests := []struct {
		name string
		in   string
		want string // family address scope path port groups
		err  error
	}{
		{"IPv4", "0200E31C4853E6640000000000000000", `2 72.83.230.100:58140 0 "" 0 0`, nil},
		{"IPv4 without padding", "02000050A9FEA9FE", `2 169.254.169.254:80 0 "" 0 0`, nil},
		{"IPv4 of a big-endian machine", "00020050A9FEA9FE" + zeros(8), `2 169.254.169.254:80 0 "" 0 0`, nil},
		{"IPv6", "0A000016" + zeros(4) + zeros(15) + "01" + zeros(4), `10 [::1]:22 0 "" 0 0`, nil},
		{"IPv6 with a scope", "0A000016" + zeros(4) + "FE80" + zeros(13) + "01" + "02000000", `10 [fe80::1]:22 2 "" 0 0`, nil},
		{"IPv6 without a scope", "0A000016" + zeros(4) + zeros(15) + "01", `10 [::1]:22 0 "" 0 0`, nil},
		{"IPv6 of a big-endian machine", "000A0016" + zeros(4) + "FE80" + zeros(13) + "01" + "00000002", `10 [fe80::1]:22 2 "" 0 0`, nil},
		{"IPv4 in IPv6", "0A000016" + zeros(4) + zeros(10) + "FFFF01020304" + zeros(4), `10 [::ffff:1.2.3.4]:22 0 "" 0 0`, nil},
		{"UNIX path", "01002F72756E2F61", `1 invalid AddrPort 0 "/run/a" 0 0`, nil},
		{"UNIX path with what was left after it", "01002F7661722F72756E2F6E7363642F736F636B65740000603B7B47FC7F000030", `1 invalid AddrPort 0 "/var/run/nscd/socket" 0 0`, nil},
		{"UNIX, abstract", "0100006162", `1 invalid AddrPort 0 "@ab" 0 0`, nil},
		{"UNIX, abstract, padded", "01000061006200" + zeros(20), `1 invalid AddrPort 0 "@a\x00b" 0 0`, nil},
		{"UNIX without a name", "0100", `1 invalid AddrPort 0 "" 0 0`, nil},
		{"UNIX of zeros", "0100" + zeros(108), `1 invalid AddrPort 0 "" 0 0`, nil},
		{"UNIX of full length", "0100" + strings.Repeat("61", 108), `1 invalid AddrPort 0 "` + strings.Repeat("a", 108) + `" 0 0`, nil},
		{"netlink of the kernel", "100000000000000000000000", `16 invalid AddrPort 0 "" 0 0`, nil},
		{"netlink", "1000000007000000FF000000", `16 invalid AddrPort 0 "" 7 255`, nil},
		{"unspecified", zeros(16), `0 invalid AddrPort 0 "" 0 0`, nil},
		{"packet", "11000003" + zeros(14), `17 invalid AddrPort 0 "" 0 0`, nil},
		{"lower case", "02000050a9fea9fe", `2 169.254.169.254:80 0 "" 0 0`, nil},
		{"largest", "1100" + zeros(126), `17 invalid AddrPort 0 "" 0 0`, nil},
		{"nothing", "", "", ErrMalformed},
		{"one byte", "02", "", ErrMalformed},
		{"odd number of digits", "02000", "", ErrMalformed},
		{"no digit", "02000050A9FEA9FG", "", ErrMalformed},
		{"IPv4, short", "02000050A9FEA9", "", ErrMalformed},
		{"IPv6, short", "0A000016" + zeros(19), "", ErrMalformed},
		{"netlink, short", "1000" + zeros(9), "", ErrMalformed},
		{"longer than any address", "0100" + zeros(127), "", ErrMalformed},
		{"interpreted", "{ saddr_fam=inet }", "", ErrMalformed},
	}
	s := new(Sockaddr) // one for all: nothing is left of the one before
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := s.Parse([]byte(tt.in))
			got := fmt.Sprintf("%d %v %d %q %d %d", s.Family, s.Addr, s.Scope, s.Path, s.Port, s.Groups)
			want := tt.want
			if tt.err != nil {
				want = `0 invalid AddrPort 0 "" 0 0`
			}
			if got != want || !errors.Is(err, tt.err) {
				t.Errorf("Parse(%s) = %s, %v; want %s, %v", tt.in, got, err, want, tt.err)
			}
		})
	}
}

func TestSockaddrAllocatesNothing(t *testing.T) {
	var s Sockaddr
	in := [][]byte{[]byte("0200E31C4853E6640000000000000000"), []byte("0A000016" + strings.Repeat("00", 24)), []byte("0100006162")}
	if n := testing.AllocsPerRun(100, func() {
		for _, v := range in {
			if err := s.Parse(v); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// Every IPv4 and IPv6 address and every path is read back, from machines of both
// byte orders; any other bytes are taken or refused without a panic, and what is
// refused leaves nothing behind.
func FuzzSockaddr(f *testing.F) {
	f.Add([]byte("/run/x"), uint16(80))
	f.Add([]byte("\x00name"), uint16(0))
	f.Add([]byte("0123456789abcdef"), uint16(65535))
	f.Add([]byte("0200E31C4853E6640000000000000000"), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, port uint16) {
		var s Sockaddr
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			if addr, ok := netip.AddrFromSlice(b); ok {
				raw := order.AppendUint16(nil, FamilyInet)
				raw = binary.BigEndian.AppendUint16(raw, port)
				if addr.Is6() {
					raw = append(binary.BigEndian.AppendUint16(order.AppendUint16(nil, FamilyInet6), port), 0, 0, 0, 0)
				}
				raw = append(raw, b...)
				if err := s.Parse(fmt.Appendf(nil, "%X", raw)); err != nil || s.Addr != netip.AddrPortFrom(addr, port) {
					t.Errorf("%v port %d: %v, %v", addr, port, s.Addr, err)
				}
			}
			path := append([]byte(nil), b[:min(len(b), 108)]...)
			for i, c := range path {
				if c == 0 {
					path[i] = 'x'
				}
			}
			raw := append(order.AppendUint16(nil, FamilyUnix), path...)
			if err := s.Parse(fmt.Appendf(nil, "%X", raw)); err != nil || string(s.Path) != string(path) {
				t.Errorf("path %q: %q, %v", path, s.Path, err)
			}
		}
		if err := s.Parse(b); err != nil && (!errors.Is(err, ErrMalformed) || s.Family != 0 || s.Addr.IsValid() || len(s.Path) > 0) {
			t.Errorf("Parse(%q) = %+v, %v", b, s, err)
		}
	})
}
