// SPDX-License-Identifier: Apache-2.0

package sources_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"seismo/internal/event"
	"seismo/sources"
)

const log = `type=SYSCALL msg=audit(1700000000.500:77): arch=c000003e syscall=59 success=yes exit=0 a0=0 a1=0 a2=0 a3=0 items=0 ppid=10 pid=20 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=1 comm="id" exe="/bin/id" key=(null)
type=EXECVE msg=audit(1700000000.500:77): argc=1 a0="id"
`

func ExampleDecode() {
	src, err := sources.Decode("audit", strings.NewReader(log), sources.Options{Name: "audit.log"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer src.Close()
	b := event.NewBatch(100)
	for src.Read(context.Background(), b) == nil {
		for _, e := range b.Events() {
			path, _ := e.Text(event.ProcessPath)
			fmt.Printf("%s %s %s (pid %d)\n", e.Kind, e.Op, path, e.PID)
		}
		b.Reset()
	}
	// Output: process create /bin/id (pid 20)
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.log")
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, spec string
		o          sources.Options
		input      string // of the batch
		is         error
		err        string // in the message
	}{
		{"format and file", "audit:" + path, sources.Options{}, path, nil, ""},
		{"file, format given", path, sources.Options{Format: "audit"}, path, nil, ""},
		{"standard input", "audit:-", sources.Options{Stdin: strings.NewReader(log)}, "-", nil, ""},
		{"its own name", "-", sources.Options{Format: "audit", Name: "x", Stdin: strings.NewReader(log)}, "x", nil, ""},
		{"file without a format", path, sources.Options{}, path, nil, ""},
		{"unknown format", path, sources.Options{Format: "evtx"}, "", sources.ErrFormat, `format "evtx": known are audit`},
		{"unknown format before the colon", "evtx:" + path, sources.Options{}, "", fs.ErrNotExist, "open evtx:"},
		{"no such file", "audit:" + path + "x", sources.Options{}, "", fs.ErrNotExist, path + "x"},
		{"folder", "audit:" + dir, sources.Options{}, "", nil, "it is a folder"},
		{"no file", "audit:", sources.Options{}, "", nil, "no file given"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src, err := sources.Open(tt.spec, tt.o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || tt.is != nil && !errors.Is(err, tt.is) {
					t.Fatalf("Open(%q) = %v, want an error with %q", tt.spec, err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("Open(%q) = %v", tt.spec, err)
			}
			b := event.NewBatch(10)
			if err := src.Read(context.Background(), b); err != nil || b.Len() != 1 || b.Input != tt.input {
				t.Errorf("Read = %v with %d events of %q, want 1 of %q", err, b.Len(), b.Input, tt.input)
			}
			b.Reset()
			if err := src.Read(context.Background(), b); err != io.EOF {
				t.Errorf("second Read = %v, want %v", err, io.EOF)
			}
			if st := src.Stats(); st.Assembled != 1 || st.Parsed != 2 {
				t.Errorf("Stats = %+v", st)
			}
			if err := src.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
		})
	}
}

func TestDecodeFormats(t *testing.T) {
	for _, f := range sources.Formats() {
		if src, err := sources.Decode(f.Name, strings.NewReader(""), sources.Options{}); err != nil || f.Doc == "" {
			t.Errorf("Decode(%q) = %v, %v; doc %q", f.Name, src, err, f.Doc)
		}
	}
	if _, err := sources.Decode("x", strings.NewReader(""), sources.Options{}); !errors.Is(err, sources.ErrFormat) {
		t.Errorf("Decode(x) = %v, want %v", err, sources.ErrFormat)
	}
}
