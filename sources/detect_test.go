// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

const auditRecord = "type=LOGIN msg=audit(1700000000.500:77): pid=1 uid=0\n"

func TestJudge(t *testing.T) {
	tests := []struct {
		name, head string
		want       verdict
	}{
		{"nothing", "", sayMore},
		{"object", "{", sayJSON},
		{"array", "[", sayJSON},
		{"after blanks", " \r\n\t{", sayJSON},
		{"blanks alone", " \n", sayMore},
		{"after a BOM", "\xef\xbb\xbf[", sayJSON},
		{"a part of a BOM", "\xef\xbb", sayMore},
		{"a BOM alone", "\xef\xbb\xbf", sayMore},
		{"heading of evtx_dump", "Record 1", sayJSON},
		{"heading after blanks", "\nRecord 17\n{", sayJSON},
		{"a part of the heading", "Recor", sayMore},
		{"the heading without a number", "Record ", sayMore},
		{"no heading", "Record x", sayAudit},
		{"nearly the heading", "Records 1", sayAudit},
		{"audit record", "type=LOGIN", sayAudit},
		{"audit record of a node", "node=a type=LOGIN", sayAudit},
		{"one letter", "t", sayAudit},
		{"anything else", "hello", sayAudit},
		{"event log of Windows", "ElfFile\x00", sayEVTX},
		{"a part of its mark", "ElfFil", sayMore},
		{"another word", "ElfFiles", sayAudit},
		{"UTF-16, little end first", "\xff\xfe{\x00", sayJSON},
		{"UTF-16, big end first", "\xfe\xff\x00[", sayJSON},
		{"UTF-16 of something else", "\xff\xfet\x00", sayAudit},
	}
	for _, tt := range tests {
		if got := judge([]byte(tt.head)); got != tt.want {
			t.Errorf("%s: judge(%q) = %d, want %d", tt.name, tt.head, got, tt.want)
		}
	}
}

// Without a format every input gives the events that it gives with the right one.
func TestDetect(t *testing.T) {
	evtx := "ElfFile\x00" + strings.Repeat("\x00", 100)
	tests := []struct {
		name           string
		data           []byte
		events, err    string
		format         string
		parsed, broken uint64
	}{
		{"JSON", []byte(two), "f:1 f:2", "", "json", 2, 0},
		{"array after a BOM", []byte("\xef\xbb\xbf \n[{\"a\":1},\n{\"a\":2}]"), "f:1 f:2", "", "json", 2, 0},
		{"with headings", []byte("Record 1\n{\n\"a\":1\n}\nRecord 2\n{\n\"a\":2\n}\n"), "f:2 f:6", "", "json", 2, 0},
		{"audit", []byte(auditRecord), "f:1", "", "audit", 1, 0},
		{"audit, its first line cut off", []byte("id=1 uid=0\n" + auditRecord), "f:2", "", "audit", 1, 1},
		{"empty", nil, "", "", "audit", 0, 0},
		{"blank", []byte(strings.Repeat("\n", 2*maxHead)), "", "", "audit", 0, 0},
		{"gzip of JSON", gzipped(t, two), "f:1 f:2", "", "json", 2, 0},
		{"gzip of audit", gzipped(t, auditRecord), "f:1", "", "audit", 1, 0},
		{"gzip, its head alone", gzipped(t, two)[:4], "", "gzip: ", "audit", 0, 0},
		{"zip of both", zipped(t, "a.log", auditRecord, "b.txt", two), "f!a.log:1 f!b.txt:1 f!b.txt:2", "", "json", 3, 0},
		{"event log of Windows", []byte(evtx), "", "read f: it is an event log of Windows", "", 0, 0},
		{"zip with one", zipped(t, "b", two, "a.evtx", evtx), "f!b:1 f!b:2", "read f!a.evtx: it is an event log of Windows", "", 2, 0},
		{"UTF-16", []byte("\xff\xfe{\x00}\x00"), "", "it is UTF-16", "json", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, Options{Name: "f"})
			if err != nil {
				t.Fatal(err)
			}
			events, err := drain(s)
			if got := strings.Join(events, " "); got != tt.events {
				t.Errorf("events %q, want %q", got, tt.events)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if strings.Contains(tt.err, "Windows") && !errors.Is(err, ErrEVTX) {
				t.Errorf("error %v does not wrap ErrEVTX", err)
			}
			if st := s.Stats(); FormatOf(s) != tt.format || st.Parsed != tt.parsed || st.Malformed != tt.broken {
				t.Errorf("format %q, %d parsed, %d malformed; want %q, %d, %d", FormatOf(s), st.Parsed, st.Malformed, tt.format, tt.parsed, tt.broken)
			}
		})
	}
}

// A logsource is refused for an audit log that was found to be one, unless it is said
// to be for those that take one.
func TestDetectLogsource(t *testing.T) {
	for _, tt := range []struct {
		data     string
		optional bool
		events   int
		err      string
	}{
		{two, false, 2, ""},
		{auditRecord, false, 0, "a logsource is given for json only"},
		{auditRecord, true, 1, ""},
	} {
		s, err := Decode("", strings.NewReader(tt.data), Options{Logsource: &event.Logsource{Products: []string{"windows"}}, LogsourceOptional: tt.optional})
		if err != nil {
			t.Fatal(err)
		}
		events, err := drain(s)
		if len(events) != tt.events || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Decode of %q: %d events, %v; want %d, %q", tt.data, len(events), err, tt.events, tt.err)
		}
	}
}

// A pipe is handed on as soon as its first record is there, however the bytes come, and
// closing the source closes it.
func TestDetectPipe(t *testing.T) {
	for _, parts := range [][]string{
		{"\n", " ", "{\"a\"", ":1}\n"},
		{"\xef", "\xbb\xbf", "{\"a\":1}", "\n"},
		{"Rec", "ord 1", "7\n", "{\n\"a\":1}", "\n"},
	} {
		r, w := io.Pipe()
		s, err := Open("-", Options{Stdin: r})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for _, p := range parts {
				w.Write([]byte(p))
			}
		}() // the pipe stays open: more might come
		b := event.NewBatch(10)
		read := make(chan error)
		go func() { read <- s.Read(t.Context(), b) }()
		select {
		case err := <-read:
			if err != nil || b.Len() != 1 {
				t.Errorf("%q: Read = %v with %d events, want 1", parts, err, b.Len())
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q: Read waits for more than a record", parts)
		}
		w.Close()
	}
	c := &closing{Reader: strings.NewReader(two)}
	s, err := Decode("", c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(s); err != nil || c.closed != 1 {
		t.Errorf("drain = %v, closed %d times; want once", err, c.closed)
	}
}

type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

// Whatever stands at the beginning, what is found without a format is what the format
// that was found gives.
func FuzzDetect(f *testing.F) {
	for _, s := range []string{two, auditRecord, "\xef\xbb\xbf[{}]", "Record 1\n{}", "ElfFile\x00x", "  "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode("", bytes.NewReader(data), Options{Name: "f"})
		if err != nil {
			t.Fatal(err)
		}
		got, gotErr := drain(s)
		if errors.Is(gotErr, ErrEVTX) {
			return
		}
		plain, err := Decode(FormatOf(s), bytes.NewReader(data), Options{Name: "f"})
		if err != nil {
			t.Fatalf("format %q: %v", FormatOf(s), err)
		}
		want, wantErr := drain(plain)
		if strings.Join(got, " ") != strings.Join(want, " ") || (gotErr == nil) != (wantErr == nil) || s.Stats() != plain.Stats() {
			t.Errorf("%q as %s: %q, %v, %+v; want %q, %v, %+v", data, FormatOf(s), got, gotErr, s.Stats(), want, wantErr, plain.Stats())
		}
	})
}
