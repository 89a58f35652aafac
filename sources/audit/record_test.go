// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestParseLine(t *testing.T) {
	const at = 1307045440943 * int64(1e6)
	tests := []struct {
		name           string
		line           string
		typ            uint16
		node           string
		body, enriched string
	}{
		{"as auditd writes it", `type=CWD msg=audit(1307045440.943:148):  cwd="/"`, TypeCWD, "", `cwd="/"`, ""},
		{"host", `node=h.example type=EOE msg=audit(1307045440.943:148): `, TypeEOE, "h.example", "", ""},
		{"no msg=", `type=CWD audit(1307045440.943:148): cwd="/"`, TypeCWD, "", `cwd="/"`, ""},
		{"type by number", `type=1300 msg=audit(1307045440.943:148): arch=c000003e`, TypeSyscall, "", `arch=c000003e`, ""},
		{"type that auditd did not know", `type=UNKNOWN[1420] msg=audit(1307045440.943:148): a=b`, 1420, "", `a=b`, ""},
		{"type of a later kernel", `type=NEWER_THING msg=audit(1307045440.943:148): a=b`, 0, "", `a=b`, ""},
		{"enriched", "type=CWD msg=audit(1307045440.943:148): a=b\x1dUID=\"root\"", TypeCWD, "", `a=b`, `UID="root"`},
		{"enriched, mark in a user's text", "type=USER_CMD msg=audit(1307045440.943:148): msg='a=\x1d b=c'\x1dUID=\"root\"", TypeUserCmd, "", "msg='a=\x1d b=c'", `UID="root"`},
		{"line end and NUL", "type=CWD msg=audit(1307045440.943:148): a=b \x00\r\n", TypeCWD, "", `a=b`, ""},
		{"nothing after the colon", "type=EOE msg=audit(1307045440.943:148):", TypeEOE, "", ``, ""},
		{"journal", `Nov 22 13:00:00 host audit: type=1400 audit(1307045440.943:148): apparmor="DENIED"`, TypeAVC, "", `apparmor="DENIED"`, ""},
		{"syslog of the kernel", `Nov 22 13:00:00 host kernel: [ 12.345678] audit: type=1400 audit(1307045440.943:148): apparmor="DENIED"`, TypeAVC, "", `apparmor="DENIED"`, ""},
		{"syslog of an old kernel", `Nov 22 13:00:00 host kernel: [ 12.345678] type=1400 audit(1307045440.943:148): a=b`, TypeAVC, "", `a=b`, ""},
		{"dmesg", `[   12.345678] audit: type=1400 audit(1307045440.943:148): a=b`, TypeAVC, "", `a=b`, ""},
		{"raw kernel log", `<5>[   12.345678] audit: type=1400 audit(1307045440.943:148): a=b`, TypeAVC, "", `a=b`, ""},
		{"audit text alone", `audit: type=1400 audit(1307045440.943:148): a=b`, TypeAVC, "", `a=b`, ""},
		{"dispatcher to syslog", `Nov 22 13:00:00 host audispd: node=h type=CWD msg=audit(1307045440.943:148): a=b`, TypeCWD, "h", `a=b`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, r, err := ParseLine([]byte(tt.line))
			if err != nil {
				t.Fatalf("ParseLine(%q): %v", tt.line, err)
			}
			if h.Time != at || h.Serial != 148 || h.Type != tt.typ || string(h.Node) != tt.node {
				t.Errorf("ParseLine(%q): header %+v, want time %d serial 148 type %d node %q", tt.line, h, at, tt.typ, tt.node)
			}
			if r.Type != tt.typ || string(r.Body) != tt.body || string(r.Enriched) != tt.enriched {
				t.Errorf("ParseLine(%q): record %d %q %q, want %d %q %q", tt.line, r.Type, r.Body, r.Enriched, tt.typ, tt.body, tt.enriched)
			}
			if (r.Enriched == nil) != (tt.enriched == "") {
				t.Errorf("ParseLine(%q): Enriched nil is %v", tt.line, r.Enriched == nil)
			}
		})
	}
}

func TestParseLineRefuses(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"empty", "", "neither type="},
		{"comment", "# type=CWD msg=audit(1.000:1): ", "neither type="},
		{"JSON around a record", `["X",{"RecordText":"type=USER_LOGIN msg=audit(1562867403.686:4179743): pid=26475"}]`, "no type="},
		{"record quoted by another program", `Nov 22 13:00:00 host sshd[7]: Invalid user audit: type=1100 audit(1.000:1): res=success`, "neither type="},
		{"no type name", "type= msg=audit(1.000:1): ", "no type name"},
		{"only the type", "type=CWD", "no type name"},
		{"host without a type", "node=x msg=audit(1.000:1): ", "no type="},
		{"empty host", "node= type=CWD msg=audit(1.000:1): ", "no host name"},
		{"host too long", "node=" + strings.Repeat("x", 256) + " type=CWD msg=audit(1.000:1): ", "no host name"},
		{"no stamp", "type=UNKNOWN[1329] msg=?", "no audit("},
		{"time for people", "type=CWD msg=audit(11/22/2026 13:00:00.123:7) : cwd=/", "no audit("},
		{"two digits of milliseconds", "type=CWD msg=audit(1.00:1): ", "no audit("},
		{"no serial", "type=CWD msg=audit(1.000:): ", "no audit("},
		{"stamp cut off", "type=CWD msg=audit(1.000", "no audit("},
		{"stamp cut off in its serial", "type=CWD msg=audit(1.000:12", "no audit("},
		{"no colon", "type=DAEMON_CONFIG msg=audit(1490239800.477:34) config changed", "no colon"},
		{"time too large", "type=CWD msg=audit(9223372036.000:1): ", "out of range"},
		{"time far too large", "type=CWD msg=audit(99999999999999999999999.000:1): ", "out of range"},
		{"serial too large", "type=CWD msg=audit(1.000:18446744073709551616): ", "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, r, err := ParseLine([]byte(tt.line))
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseLine(%q) = %+v, %+v, %v; want ErrMalformed with %q", tt.line, h, r, err, tt.want)
			}
		})
	}
}

func TestParsePayload(t *testing.T) {
	h, r, err := ParsePayload(TypeExecve, []byte("audit(9223372035.999:4294967295): argc=1 a0=\"\x1d\"\n\x00"))
	if err != nil || h.Time != 9223372035999000000 || h.Serial != math.MaxUint32 || h.Type != TypeExecve {
		t.Errorf("ParsePayload: header %+v, %v", h, err)
	}
	if string(r.Body) != "argc=1 a0=\"\x1d\"" || r.Enriched != nil || r.Type != TypeExecve {
		t.Errorf("ParsePayload: record %d %q %q", r.Type, r.Body, r.Enriched)
	}
	if _, _, err := ParsePayload(TypeExecve, []byte("type=EXECVE msg=audit(1.000:1): ")); !errors.Is(err, ErrMalformed) {
		t.Errorf("ParsePayload of a log line: %v, want ErrMalformed", err)
	}
}

func TestParseLineAllocatesNothing(t *testing.T) {
	good := []byte("node=h type=USER_LOGIN msg=audit(1307045440.943:148): pid=1 msg='op=login'\x1dUID=\"root\"\n")
	bad := []byte("type=UNKNOWN[1329] msg=?")
	if n := testing.AllocsPerRun(100, func() {
		if _, _, err := ParseLine(good); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ParseLine(bad); err == nil {
			t.Fatal("no error")
		}
	}); n != 0 {
		t.Errorf("%v allocations for a record and a malformed line, want 0", n)
	}
}

// A line that is taken can be written again from its parts, and reads the same;
// its parts lie in the line. A line that is refused says why.
func FuzzParseLine(f *testing.F) {
	for _, s := range []string{
		"type=SYSCALL msg=audit(1307045440.943:148): arch=c000003e\x1dARCH=x86_64",
		"node=h type=1300 audit(1.000:1): ", "kernel: [1.0] audit: type=1400 audit(1.000:1): a=b",
		"<5>[ 1] type=UNKNOWN[1] msg=audit(0.000:0):", "type=X msg=audit(9223372036.999:18446744073709551615): ",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		h, r, err := ParseLine(line)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || r.Body != nil {
				t.Fatalf("ParseLine(%q) = %+v, %v", line, r, err)
			}
			return
		}
		if h.Type != r.Type || h.Time < 0 || h.Time%1e6 != 0 || len(h.Node)+len(r.Body)+len(r.Enriched) > len(line) {
			t.Fatalf("ParseLine(%q) = %+v, %+v", line, h, r)
		}
		again := appendLine(nil, h, r)
		h2, r2, err := ParseLine(again)
		if err != nil || h2.Time != h.Time || h2.Serial != h.Serial || h2.Type != h.Type || !bytes.Equal(h2.Node, h.Node) {
			t.Fatalf("ParseLine(%q), written again as %q: %+v, %v", line, again, h2, err)
		}
		// Where the mark stands last, it is not part of what is read again.
		if len(r.Enriched) > 0 && (!bytes.Equal(r2.Body, r.Body) || !bytes.Equal(r2.Enriched, r.Enriched)) {
			t.Fatalf("ParseLine(%q), written again as %q: %+v", line, again, r2)
		}
		s := ScanFields(r.Body)
		for n := 0; ; n++ {
			key, value, ok := s.Next()
			if !ok {
				break
			}
			if len(key) == 0 || bytes.ContainsAny(key, " =") || n > len(r.Body) || len(Unquote(value)) > len(value) {
				t.Fatalf("ScanFields(%q): key %q, value %q", r.Body, key, value)
			}
		}
	})
}

// appendLine writes a record as auditd does.
func appendLine(dst []byte, h Header, r Record) []byte {
	if len(h.Node) > 0 {
		dst = append(append(append(dst, "node="...), h.Node...), ' ')
	}
	dst = append(append(dst, "type="...), TypeName(h.Type)...)
	dst = append(dst, " msg=audit("...)
	dst = appendNumber(dst, uint64(h.Time/1e9), 1)
	dst = append(dst, '.')
	dst = appendNumber(dst, uint64(h.Time/1e6%1e3), 3)
	dst = append(dst, ':')
	dst = appendNumber(dst, h.Serial, 1)
	dst = append(append(dst, "): "...), r.Body...)
	if r.Enriched != nil {
		dst = append(append(dst, enrichedMark), r.Enriched...)
	}
	return dst
}

func appendNumber(dst []byte, v uint64, digits int) []byte {
	if v >= 10 || digits > 1 {
		dst = appendNumber(dst, v/10, digits-1)
	}
	return append(dst, byte('0'+v%10))
}
