// SPDX-License-Identifier: Apache-2.0

package signals_test

import (
	"errors"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/signals"
)

// What the language reads, printed in its one canonical spelling.
func TestParseExpr(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"bare word", "process.name is sh", "process.name is 'sh'"},
		{"quoted with escapes", `process.name is 'it\'s a \\'`, `process.name is 'it\'s a \\'`},
		{"raw", `process.path is r'C:\a\'`, `process.path is 'C:\\a\\'`},
		{"raw in upper case", `process.path is R'\x'`, `process.path is '\\x'`},
		{"an r that is a word", "process.name is r", "process.name is 'r'"},
		{"any case of keywords and names", "PROCESS.Name IS nOt CASED Sh", "PROCESS.Name is NOT cased 'Sh'"},
		{"two spellings of one condition", "process.name starts with a OR process.name begins with b", "process.name begins with 'a' OR process.name begins with 'b'"},
		{"list", "process.name is (a,'b' , c)", "process.name is ('a', 'b', 'c')"},
		{"list of one", "process.name is (a)", "process.name is 'a'"},
		{"NOT with a list", "process.name is NOT (a, b)", "process.name is NOT ('a', 'b')"},
		{"exists", "process.tty exists AND process.cwd exists not", "process.tty exists AND process.cwd exists NOT"},
		{"signs without blanks", "network.port>1023 AND network.port<=0x10", "network.port > 1023 AND network.port <= '0x10'"},
		{"cidr", "network.address in cidr '10.0.0.0/8'", "network.address in cidr '10.0.0.0/8'"},
		{"own name", "record.'Own \\'N\\'' is x", "record.'Own \\'N\\'' is 'x'"},
		{"patterns", `process.path glob '/tmp/*' AND process.cwd path glob cased r'C:\*\**' AND process.cmd regex NOT '^a+$'`,
			`process.path glob '/tmp/*' AND process.cwd path glob cased 'C:\\*\\**' AND process.cmd regex NOT '^a+$'`},
		{"list by name", "process.hash IN  LIST bad-hashes AND network.address in list NOT (a, 'b_2', 3)", "process.hash in list 'bad-hashes' AND network.address in list NOT ('a', 'b_2', 3)"},
		{"a value called list", "process.name is (list, path)", "process.name is ('list', 'path')"},
		{"raw own name", `record.r'a\b' is x`, `record.'a\\b' is 'x'`},
		{"own field of the registry", "record.type is SERVICE_START", "record.type is 'SERVICE_START'"},
		{"AND binds tighter", "process.name is a OR process.name is b AND process.name is c", "process.name is 'a' OR (process.name is 'b' AND process.name is 'c')"},
		{"parentheses", "((process.name is a OR process.name is b)) AND process.name is c", "(process.name is 'a' OR process.name is 'b') AND process.name is 'c'"},
		{"group", "GROUP (file.path is a and file.operation is write)", "group(file.path is 'a' AND file.operation is 'write')"},
		{"NOT over parentheses", "not(process.name is a or process.name is b)", "NOT (process.name is 'a' OR process.name is 'b')"},
		{"comments", "// first\nprocess.name is a // second\n\tAND // third\n//\nprocess.cwd is b//c", "process.name is 'a' AND process.cwd is 'b//c'"},
		{"no comment inside of a word", "process.cwd is http://x", "process.cwd is 'http://x'"},
		{"no comment behind a parenthesis", "process.cwd is (//srv/x, b)", "process.cwd is ('//srv/x', 'b')"},
		{"comment between the values of a list", "process.name is (a, // one\n b)", "process.name is ('a', 'b')"},
		{"words that only look like keywords", "process.name is (android, notes, group1, 'and')", "process.name is ('android', 'notes', 'group1', 'and')"},
		{"bytes that are not UTF-8", "process.name is '\xff\x00'", "process.name is '\xff\x00'"},
		{"windows line ends", "process.name is a\r\nAND process.cwd is b\r\n", "process.name is 'a' AND process.cwd is 'b'"},
		{"literal of the greatest length", "process.name is " + strings.Repeat("x", 1024), "process.name is '" + strings.Repeat("x", 1024) + "'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := signals.ParseExpr("x", tt.in)
			if err != nil {
				t.Fatalf("ParseExpr(%q): %v", tt.in, explained(err))
			}
			if got := e.String(); got != tt.want {
				t.Errorf("ParseExpr(%q) = %s, want %s", tt.in, got, tt.want)
			}
		})
	}
}

// The text of a term is what the author wrote, on one line.
func TestTermText(t *testing.T) {
	tests := []struct{ in, want string }{
		{"process.name is sh", "process.name is sh"},
		{"  process.name\n\tbegins // why\n with   ( 'a  b',\n  r'\\' ) ", "process.name begins with ( 'a  b', r'\\' )"},
		{"network.port>5", "network.port>5"},
		{"record.'a b'is'x//y'", "record.'a b'is'x//y'"},
	}
	for _, tt := range tests {
		e, err := signals.ParseExpr("x", tt.in)
		if err != nil {
			t.Errorf("ParseExpr(%q): %v", tt.in, explained(err))
			continue
		}
		if e.Term.Text != tt.want {
			t.Errorf("ParseExpr(%q).Term.Text = %q, want %q", tt.in, e.Term.Text, tt.want)
		}
	}
}

// What the checker makes of values.
func TestParseValues(t *testing.T) {
	tests := []struct {
		in      string
		number  int64
		address string
	}{
		{"network.port is 65535", 65535, ""},
		{"file.mode is 0o755", 0o755, ""},
		{"file.mode is 0O755", 0o755, ""},
		{"syscall.result is -0x10", -16, ""},
		{"syscall.result is -9223372036854775808", -1 << 63, ""},
		{"process.pid is 0", 0, ""},
		{"process.id is 18446744073709551615", -1, ""},
		{"process.start_time < 1970-01-01T00:00:01.000000001Z", 1_000_000_001, ""},
		{"process.start_time > '1970-01-01T01:00:00+01:00'", 0, ""},
		{"network.address is ::FFFF:192.0.2.1", 0, "192.0.2.1"},
		{"network.address is 2001:DB8:0:0::1", 0, "2001:db8::1"},
		{"network.address in cidr 192.0.2.77/24", 0, "192.0.2.0/24"},
		{"network.address in cidr ::ffff:192.0.2.77/120", 0, "192.0.2.0/24"},
		{"network.address in cidr 0.0.0.0/0", 0, "0.0.0.0/0"},
		{"network.address in cidr ::/0", 0, "::/0"},
	}
	for _, tt := range tests {
		e, err := signals.ParseExpr("x", tt.in)
		if err != nil {
			t.Errorf("ParseExpr(%q): %v", tt.in, explained(err))
			continue
		}
		if v := e.Term.Values[0]; v.Number != tt.number || v.Address != tt.address {
			t.Errorf("ParseExpr(%q): number %d, address %q; want %d, %q", tt.in, v.Number, v.Address, tt.number, tt.address)
		}
	}
}

// Every field takes the conditions of its type, and no other.
func TestConditionsOfEveryField(t *testing.T) {
	value := map[event.Type]string{event.Integer: "1", event.Identifier: "1", event.Time: "2026-01-01T00:00:00Z", event.Address: "::1"}
	conditions := map[event.Type]string{
		event.String:     "is contains begins-with ends-with exists glob path-glob regex in-list",
		event.List:       "is contains begins-with ends-with exists glob path-glob regex in-list",
		event.Hash:       "is contains begins-with ends-with exists glob regex in-list",
		event.Integer:    "is exists < <= > >= in-list",
		event.Time:       "is exists < <= > >=",
		event.Identifier: "is exists",
		event.Address:    "is contains begins-with ends-with exists in-cidr glob regex in-list",
	}
	for _, f := range event.Fields() {
		for c := signals.Is; c.Valid(); c++ {
			v := value[f.Type]
			switch {
			case c == signals.Exists:
				v = ""
			case c == signals.InCIDR:
				v = "::1/128"
			case c == signals.InList:
				v = "a"
			case f.Type == event.Hash:
				v = "MD5=d41d8cd98f00b204e9800998ecf8427e"
			case strings.HasSuffix(f.Name, ".operation"):
				kind, _ := event.ParseKind(f.Object())
				v = event.Ops(kind)[0].String()
			case v == "":
				v = "x"
			}
			want := strings.Contains(" "+conditions[f.Type]+" ", " "+strings.ReplaceAll(c.String(), " ", "-")+" ")
			text := f.Name + " " + c.String() + " " + v
			if _, err := signals.ParseExpr("x", text); (err == nil) != want {
				t.Errorf("ParseExpr(%q): error %v, want one: %v", text, err, !want)
			}
		}
	}
}

// An expression at each bound is taken, one beyond it is refused with one
// message.
func TestBounds(t *testing.T) {
	tests := []struct {
		name    string
		text    func(n int) string
		bound   int
		message string
	}{
		{"depth", func(n int) string { return strings.Repeat("(", n) + "process.name is a" + strings.Repeat(")", n) }, 64, "nested more than 64 deep"},
		{"depth of NOT", func(n int) string { return strings.Repeat("NOT (", n) + "process.name is a" + strings.Repeat(")", n) }, 64, "nested more than 64 deep"},
		{"terms", func(n int) string { return strings.Repeat("user.id is 1 OR ", n-1) + "user.id is 1" }, 2000, "more than 2000 terms"},
		{"list", func(n int) string { return "user.id is (" + strings.Repeat("1,", n-1) + "1)" }, 1000, "more than 1000 values"},
		{"literal", func(n int) string { return "user.name is '" + strings.Repeat("x", n) + "'" }, 1024, "has 1025 bytes"},
		{"own name", func(n int) string { return "record.'" + strings.Repeat("x", n) + "' exists" }, 256, "has 257"},
		{"text", func(n int) string { return "user.name is x" + strings.Repeat(" ", n-14) }, 64 << 10, "has 65537 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := signals.ParseExpr("x", tt.text(tt.bound)); err != nil {
				t.Errorf("at the bound of %d: %v", tt.bound, err)
			}
			_, err := signals.ParseExpr("x", tt.text(tt.bound+1))
			var diags signals.Diagnostics
			if !errors.As(err, &diags) || len(diags) != 1 || !strings.Contains(diags[0].Message, tt.message) {
				t.Errorf("beyond the bound of %d: error %v, want one with %q", tt.bound, err, tt.message)
			}
		})
	}
}

// Very many errors end in one line that says so.
func TestManyErrors(t *testing.T) {
	_, err := signals.ParseExpr("x", strings.Repeat("a.b is c\nOR ", 1000)+"a.b is c")
	var diags signals.Diagnostics
	if !errors.As(err, &diags) || len(diags) != 101 {
		t.Fatalf("ParseExpr of 1,001 errors: %d diagnostics, want 101", len(diags))
	}
	if got := diags[100].Message; got != "more than 100 errors; the rest is not shown" {
		t.Errorf("last message: %q", got)
	}
}
