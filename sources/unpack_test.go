// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seismo/internal/event"
)

func gzipped(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(p)); err != nil {
			tb.Fatal(err)
		}
		if err := z.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

// zipped makes an archive of name, content, name, content …; a name that ends with
// '/' is a folder.
func zipped(tb testing.TB, members ...string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err == nil && !strings.HasSuffix(members[i], "/") {
			_, err = w.Write([]byte(members[i+1]))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// misplaced returns the archive with all its members placed beyond the end of the file.
func misplaced(tb testing.TB, archive []byte) []byte {
	tb.Helper()
	archive, at := bytes.Clone(archive), 0
	for {
		next := bytes.Index(archive[at:], []byte("PK\x01\x02")) // an entry of the directory
		if next < 0 {
			break
		}
		at += next + 42 // APPNOTE 6.3, 4.3.12: the offset of the local header
		binary.LittleEndian.PutUint32(archive[at:], 1<<31-1)
	}
	if at == 0 {
		tb.Fatal("the archive has no directory")
	}
	return archive
}

// drain reads s to its end and returns input:ordinal of its events.
func drain(s Source) (events []string, err error) {
	b := event.NewBatch(10)
	for {
		if err = s.Read(context.Background(), b); err != nil {
			if err == io.EOF {
				err = nil
			}
			return events, errors.Join(err, s.Close())
		}
		for _, e := range b.Events() {
			events = append(events, fmt.Sprintf("%s:%d", b.Input, e.Ordinal))
		}
		b.Reset()
	}
}

const two = "{\"a\":1}\n{\"a\":2}\n"

func TestPacked(t *testing.T) {
	record := "type=LOGIN msg=audit(1700000000.500:77): pid=1 uid=0\n"
	whole := gzipped(t, two)
	archive := zipped(t, "x/", "", "x/b.jsonl", two, "__MACOSX/x/._b.jsonl", "junk", "a.json", two)
	tests := []struct {
		name, format string
		data         []byte
		events, err  string
	}{
		{"gzip", "json", whole, "f:1 f:2", ""},
		{"gzip of several members", "json", gzipped(t, two, "", two), "f:1 f:2 f:3 f:4", ""},
		{"gzip of audit records", "audit", gzipped(t, record), "f:1", ""},
		{"gzip, cut off", "json", whole[:len(whole)-9], "f:1 f:2", "read f: line 3: the gzip data is cut off after 28 bytes, 16 unpacked"},
		{"gzip, its head alone", "json", whole[:4], "", "read f: line 1: gzip: "},
		{"gzip, damaged", "json", append(append([]byte{}, whole[:len(whole)-5]...), 1, 2, 3, 4, 5), "f:1 f:2", "read f: line 3: gzip, after"},
		{"gzip in gzip", "json", gzipped(t, string(whole)), "", "within the gzip data is gzip: unpack it first"},
		{"zip in gzip", "json", gzipped(t, string(archive)), "", "within the gzip data is zip: unpack it first"},
		{"zip", "json", archive, "f!x/b.jsonl:1 f!x/b.jsonl:2 f!a.json:1 f!a.json:2", ""},
		{"zip of audit records", "audit", zipped(t, "audit.log", record), "f!audit.log:1", ""},
		{"zip without members", "json", zipped(t), "", ""},
		{"zip, cut off", "json", archive[:len(archive)-30], "", "open f: zip archive: "},
		{"zip, a member beyond the end", "json", misplaced(t, archive), "", "open f!x/b.jsonl: unexpected EOF"},
		{"zip, a name of several lines", "json", zipped(t, "a\n\x1b.json", two), `f!a\n\x1b.json:1 f!a\n\x1b.json:2`, ""},
		{"zip of too long names", "json", zipped(t, slices.Repeat([]string{strings.Repeat("n", 60_000), ""}, 200)...), "",
			"open f: zip archive: its directory is longer than 8 MiB"},
		{"zip in zip by its name", "json", zipped(t, "a.json", two, "b.ZIP", "x"), "", `open f: member "b.ZIP" is packed itself: unpack the archive first`},
		{"zip in zip by its bytes", "json", zipped(t, "a.json", two, "b.json", string(archive)), "f!a.json:1 f!a.json:2", "open f!b.json: it is packed itself (zip)"},
		{"gzip in zip by its bytes", "json", zipped(t, "b.json", string(whole)), "", "open f!b.json: it is packed itself (gzip)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, Options{Format: tt.format, Name: "f"})
			var events []string
			if err == nil {
				events, err = drain(s)
			}
			if got := strings.Join(events, " "); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// Standard input is unpacked too; a zip archive there is refused by name.
func TestPackedStream(t *testing.T) {
	for _, tt := range []struct {
		name        string
		data        []byte
		events, err string
	}{
		{"plain", []byte(two), "-:1 -:2", ""},
		{"gzip", gzipped(t, two), "-:1 -:2", ""},
		{"zip", zipped(t, "a", two), "", "it is a zip archive: those are read from a file"},
	} {
		s, err := Open("jsonl:-", Options{Stdin: bytes.NewReader(tt.data)})
		if err != nil {
			t.Fatal(err)
		}
		events, err := drain(s)
		if got := strings.Join(events, " "); got != tt.events || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: events %q, %v; want %q, %q", tt.name, got, err, tt.events, tt.err)
		}
	}
}

// What unpacks to too much is given up at the bound, with the events before it.
func TestExpansion(t *testing.T) {
	line := "{\"a\":1}" + strings.Repeat(" ", 1000) + "\n"
	small := expansion{total: 1 << 20, ratio: 20, free: 100 << 10}
	long := strings.Repeat(line, 5000) // 5 MB, shrinks 500 times and more
	tests := []struct {
		name   string
		bounds expansion
		err    string
	}{
		{"within", usualExpansion, ""},
		{"in all", expansion{total: 1 << 20, ratio: 1 << 20, free: 0}, "more than 1 MiB"},
		{"for a byte", small, "more than 20 for one"},
	}
	check := func(t *testing.T, s Source, want string) {
		events, err := drain(s)
		if want == "" && (err != nil || len(events) != 5000) {
			t.Errorf("%d events, %v; want 5000", len(events), err)
		}
		if want != "" && (!errors.Is(err, ErrExpansion) || !strings.Contains(err.Error(), want) || len(events) == 0 || len(events) > 1100) {
			t.Errorf("%d events, %v; want an error with %q", len(events), err, want)
		}
	}
	f, _ := find("json")
	for _, tt := range tests {
		t.Run("gzip "+tt.name, func(t *testing.T) {
			check(t, f.open(newUnpacker(bytes.NewReader(gzipped(t, long)), tt.bounds), Options{Name: "f"}, false), tt.err)
		})
		t.Run("zip "+tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, zipped(t, "a", long[:len(long)/2], "b", long[len(long)/2:]), 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			a, err := openArchive(file, info.Size(), f, Options{Name: "f"}, tt.bounds)
			if err != nil {
				t.Fatal(err)
			}
			check(t, a, tt.err)
		})
	}
	many := make([]string, 0, 2*(maxMembers+1))
	for i := range maxMembers + 1 {
		many = append(many, fmt.Sprint(i), "")
	}
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, zipped(t, many...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("json:"+path, Options{}); err == nil || !strings.Contains(err.Error(), "10001 members, at most 10000") {
		t.Errorf("Open of too many members = %v", err)
	}
}

func TestSpec(t *testing.T) {
	for spec, want := range map[string]string{"json:a": "a", "jsonl:a:b": "a:b", "audit:": "", "a": "a", "x:a": "x:a", "-": "-"} {
		if got := Path(spec); got != want {
			t.Errorf("Path(%q) = %q, want %q", spec, got, want)
		}
	}
	if _, err := Open("audit:x", Options{Logsource: &event.Logsource{}}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of audit with a logsource = %v", err)
	}
}

func TestParseLogsource(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want string // products/categories/services
		err  string
	}{
		{"none", nil, "nil", ""},
		{"all three", []string{"product=windows,category=registry_event+registry_set,service=sysmon"}, "[windows]/[registry_event registry_set]/[sysmon]", ""},
		{"repeated", []string{"product=linux", " category = file_event , category=file_event", "service=a"}, "[linux]/[file_event]/[a]", ""},
		{"unknown key", []string{"produkt=linux"}, "", `"produkt=linux" is none of product=WORD`},
		{"no value", []string{"product"}, "", "is none of"},
		{"empty word", []string{"product=a+"}, "", "has an empty word"},
		{"empty", []string{""}, "", "is none of"},
	}
	for _, tt := range tests {
		ls, err := ParseLogsource(tt.in)
		got := "nil"
		if ls != nil {
			got = fmt.Sprintf("%v/%v/%v", ls.Products, ls.Categories, ls.Services)
		}
		if tt.err == "" && (err != nil || got != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: ParseLogsource(%q) = %s, %v; want %s, %q", tt.name, tt.in, got, err, tt.want, tt.err)
		}
	}
}
