// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"seismo/internal/event"
)

// What is told names log and figures, and is cleared at the end; where nobody looks
// nothing is told.
func TestProgress(t *testing.T) {
	r, w := io.Pipe()
	b := event.NewBatch(2)
	b.Add(event.KindRecord, event.OpRecord).Tags = make([]event.Tag, 3)
	b.Add(event.KindRecord, event.OpRecord)
	var p progress
	if err := p.Write(t.Context(), []*event.Batch{b, b}); err != nil {
		t.Fatal(err)
	}
	stop := p.tell(w, "a\x1b.json", time.Millisecond)
	var out bytes.Buffer
	read := make(chan error)
	told := make(chan struct{})
	go func() {
		one := make([]byte, 256)
		n, err := r.Read(one)
		out.Write(one[:n])
		close(told)
		if err == nil {
			_, err = io.Copy(&out, r)
		}
		read <- err
	}()
	<-told
	stop()
	stop()
	w.Close()
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if !strings.HasPrefix(got, "\r\x1b[Kseismo: a\\x1b.json: 4 events, 6 matches") || !strings.HasSuffix(got, "matches\r\x1b[K") {
		t.Errorf("told %q", got)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if !sameFile(file, file) || sameFile(&out, file) {
		t.Errorf("sameFile(file, file) = %v, sameFile(buffer, file) = %v; want true, false", sameFile(file, file), sameFile(&out, file))
	}
	p.show(io.Discard, file, "a")()
}

// Of compiling the files and the time are told; nothing where nobody looks.
func TestCompileProgress(t *testing.T) {
	r, w := io.Pipe()
	p := compileProgress{begun: time.Now().Add(-time.Hour)}
	p.files.Store(17)
	stop := p.tell(w, "reading definitions", time.Millisecond)
	line := make([]byte, 256)
	n, err := r.Read(line)
	go io.Copy(io.Discard, r)
	stop()
	if got, want := string(line[:n]), "\r\x1b[Kseismo: reading definitions: 17 files read, 1h0m"; err != nil || !strings.HasPrefix(got, want) {
		t.Errorf("told %q, %v; want %q", got, err, want)
	}
	var out bytes.Buffer
	p.show(&out, false, "x")()
	if out.Len() > 0 {
		t.Errorf("told %q to what is no terminal", out.String())
	}
}
