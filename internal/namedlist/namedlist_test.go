// SPDX-License-Identifier: Apache-2.0

package namedlist

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"seismo/internal/ascii"
	"seismo/internal/event"
)

func listOf(t testing.TB, name, content string) *List {
	t.Helper()
	l, err := Read(name, strings.NewReader(content))
	if err != nil {
		t.Fatalf("Read(%s): %v", name, err)
	}
	return l
}

func TestListHas(t *testing.T) {
	sum := strings.Repeat("0123456789abcdef", 4)
	l := listOf(t, "all", "\ufeff# a comment\n  Evil.EXE \r\n\n\t/tmp/a b\n #kept\nA\na\nA\n\xff\x00\nMD5="+sum[:32]+"\n"+sum+"\n"+
		"10.0.0.0/8\n192.168.1.7\n2001:db8::1/32\n::ffff:172.16.0.0/108\nfe80::1\n22\n-5\n18446744073709551615\n007")
	if got, want := l.Len(), 17; got != want {
		t.Errorf("Len() = %d, want %d", got, want)
	}
	text := []struct {
		value       string
		want, cased bool // folded; cased
	}{
		{"evil.exe", true, false}, {"Evil.EXE", true, true}, {"evil.ex", false, false}, {"/TMP/a b", true, false},
		{"#kept", true, true}, {"# a comment", false, false}, {"", false, false}, {"a", true, true}, {"A", true, true},
		{"\xff\x00", true, true}, {"\xff", false, false}, {"22", true, true}, {strings.Repeat("x", 2000), false, false},
	}
	for _, tt := range text {
		if got, gotBytes := Has(l, tt.value, false), Has(l, []byte(tt.value), false); got != tt.want || gotBytes != tt.want {
			t.Errorf("Has(%q, folded) = %v, of bytes %v; want %v", tt.value, got, gotBytes, tt.want)
		}
		if got := Has(l, tt.value, true); got != tt.cased {
			t.Errorf("Has(%q, cased) = %v, want %v", tt.value, got, tt.cased)
		}
	}
	typed := []struct {
		typ   event.Type
		value string
		want  bool
	}{
		{event.Hash, "MD5=" + sum[:32], true}, {event.Hash, "md5=" + strings.ToUpper(sum[:32]), true}, {event.Hash, "SHA256=" + sum, true},
		{event.Hash, sum, true}, {event.Hash, "SHA1=" + sum[:40], false}, {event.Hash, "SHA1=" + sum, false}, {event.Hash, "MD5=" + sum[1:33], false},
		{event.Hash, "SHA512=" + sum, false}, {event.Hash, "=" + sum, false}, {event.Hash, sum[:32], false},
		{event.Address, "10.255.0.1", true}, {event.Address, "11.0.0.1", false}, {event.Address, "192.168.1.7", true},
		{event.Address, "192.168.1.8", false}, {event.Address, "::ffff:192.168.1.7", true}, {event.Address, "2001:db8:ffff::1", true},
		{event.Address, "2001:db9::1", false}, {event.Address, "172.32.0.0", false}, {event.Address, "172.15.0.0", false}, {event.Address, "172.16.200.1", true},
		{event.Address, "fe80::1", true}, {event.Address, "fe80::1%eth0", true}, {event.Address, "fe80::2", false}, {event.Address, "x", false},
		{event.Integer, "22", true}, {event.Integer, "-5", true}, {event.Integer, "7", true}, {event.Integer, "-1", false}, {event.Integer, "23", false},
		{event.Identifier, "22", true}, {event.Identifier, "18446744073709551615", true}, {event.Identifier, "18446744073709551611", false},
		{event.String, "EVIL.exe", true}, {event.String, "10.0.0.1", false}, {event.List, "evil.exe", true},
	}
	for _, tt := range typed {
		if got := l.HasValue(tt.typ, tt.value); got != tt.want {
			t.Errorf("has(%s, %q) = %v, want %v", tt.typ, tt.value, got, tt.want)
		}
	}
	empty := &List{name: "empty"}
	if Has(empty, "", false) || empty.HasInteger(0) || empty.HasIdentifier(math.MaxUint64) || empty.HasAddress(netip.IPv4Unspecified()) {
		t.Errorf("an empty list has a value")
	}
}

func TestReadListRefuses(t *testing.T) {
	tests := []struct{ name, list, content, want string }{
		{"name in upper case", "Bad", "", `"Bad"`},
		{"name that leads out", "../x", "", `"../x"`},
		{"no name", "", "", `""`},
		{"name of 65 bytes", strings.Repeat("a", 65), "", "at most 64"},
		{"long value", "x", "a\n#\n" + strings.Repeat("b", 1025), "line 3: a value of 1025 bytes"},
		{"long comment", "x", "a\n#" + strings.Repeat("b", 70_000) + "\n", "line 2 has more than 65536 bytes"},
		{"a value too many", "x", strings.Repeat("1\n", maxValues+1), "line 1000001: more than 1000000 values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := Read(tt.list, strings.NewReader(tt.content))
			if l != nil || !errors.Is(err, ErrList) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("Read = %v, %v; want %v naming %q", l, err, ErrList, tt.want)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := Read("x", readerOf(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("Read of a broken reader: %v", err)
	}
}

type readerOf func([]byte) (int, error)

func (r readerOf) Read(b []byte) (int, error) { return r(b) }

func TestLoadLists(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Load(filepath.Join(dir, "none")); err != nil || len(got) != 0 {
		t.Errorf("Load without the directory = %v, %v; want no lists", got, err)
	}
	write("bad-names.txt", "x\ny\n")
	write("README.md", "about")
	write(".hidden.txt", "x")
	if err := os.Symlink("bad-names.txt", filepath.Join(dir, "link.txt")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	got, err := Load(dir)
	if err != nil || len(got) != 2 || got["bad-names"].Len() != 2 || got["link"].Name() != "link" {
		t.Errorf("Load = %v, %v; want bad-names and link", got, err)
	}
	write("Upper.txt", "")
	write("long.txt", strings.Repeat("x", 2000))
	write("huge.txt", "")
	if err := os.Truncate(filepath.Join(dir, "huge.txt"), maxFile+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err = Load(dir)
	if len(got) != 2 || !errors.Is(err, ErrList) {
		t.Fatalf("Load = %v, %v; want two lists and an error", got, err)
	}
	for _, want := range []string{"Upper.txt", "long.txt: line 1: a value of 2000 bytes", "huge.txt", "folder.txt: not a regular file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
}

// A list answers as a plain search through its values does.
func TestListAgreesWithSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[aAbB.:/1-]{1,4}|[12]?[0-9]{1,2}\.1\.0\.[0-9](/(8|24|31))?`)
		values := rapid.SliceOfN(value, 0, 30).Draw(t, "values")
		l, err := Read("x", strings.NewReader(strings.Join(values, "\n")))
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		v := value.Draw(t, "value")
		if want := slices.Contains(values, v); Has(l, v, true) != want {
			t.Errorf("%q cased in %q = %v, want %v", v, values, !want, want)
		}
		if want := slices.ContainsFunc(values, func(w string) bool { return ascii.Fold(w) == ascii.Fold(v) }); Has(l, v, false) != want {
			t.Errorf("%q folded in %q = %v, want %v", v, values, !want, want)
		}
		a, err := netip.ParseAddr(v)
		if err != nil {
			return
		}
		want := slices.ContainsFunc(values, func(w string) bool {
			p, err := netip.ParsePrefix(w)
			return w == a.String() || err == nil && p.Contains(a)
		})
		if l.HasAddress(a) != want {
			t.Errorf("address %s in %q = %v, want %v", a, values, !want, want)
		}
	})
}

// hashList is a list of n SHA-256 hashes.
func hashList(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "%x\n", sha256.Sum256(fmt.Append(nil, i)))
	}
	return b.Bytes()
}

// 100,000 hashes take at most 12 MB, and asking allocates nothing.
func TestListMemory(t *testing.T) {
	content := hashList(100_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l, err := Read("hashes", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 12<<20 {
		t.Errorf("a list of %d hashes takes %d bytes, want at most 12 MB", l.Len(), used)
	}
	value := []byte("SHA256=" + string(content[65*77_777:65*77_777+64]))
	if !HasHash(l, value, false) {
		t.Errorf("%s is not in the list", value)
	}
	if n := testing.AllocsPerRun(100, func() { HasHash(l, value, false); l.HasAddress(netip.IPv6LinkLocalAllNodes()) }); n != 0 {
		t.Errorf("asking allocates %v times", n)
	}
	runtime.KeepAlive(content)
}

func BenchmarkReadList(b *testing.B) {
	content := hashList(100_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := Read("hashes", bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListHas asks for hashes of which one in 100 is listed.
func BenchmarkListHas(b *testing.B) {
	l, err := Read("hashes", bytes.NewReader(hashList(100_000)))
	if err != nil {
		b.Fatal(err)
	}
	values := bytes.Split(bytes.TrimSpace(hashList(10_000)), []byte("\n"))
	for i := range values {
		if i%100 != 0 {
			values[i][7]++
		}
	}
	n := 0
	for b.Loop() {
		Has(l, values[n%len(values)], false)
		n++
	}
}

// A list of bare hex digits holds a hash under the name whose length they have.
func TestHasHashByName(t *testing.T) {
	l, err := Read("hashes", strings.NewReader("51dc8b92ef1620527201e5276e21bca7\nSHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709\n"))
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{
		"MD5=51DC8B92EF1620527201E5276E21BCA7":          true,
		"IMPHASH=51DC8B92EF1620527201E5276E21BCA7":      true,
		"SHA1=51DC8B92EF1620527201E5276E21BCA7":         false,
		"OTHER=51DC8B92EF1620527201E5276E21BCA7":        false,
		"SHA1=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709": true,
	} {
		if got := HasHash(l, value, false); got != want {
			t.Errorf("HasHash(%s) = %v, want %v", value, got, want)
		}
	}
}
