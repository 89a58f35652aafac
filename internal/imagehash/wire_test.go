// SPDX-License-Identifier: Apache-2.0

package imagehash

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"pgregory.net/rapid"
	"seismo/internal/event"
)

func anyFile(t *rapid.T) File {
	return File{event.FileID{Dev: rapid.Uint64().Draw(t, "dev"), Inode: rapid.Uint64().Draw(t, "inode")},
		rapid.Int64().Draw(t, "size"), rapid.Int64().Draw(t, "mtime"), rapid.Int64().Draw(t, "ctime")}
}

// What one side writes the other reads.
func TestFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Request{ID: rapid.Uint32().Draw(t, "id"), PID: rapid.Int32Min(0).Draw(t, "pid"), Read: rapid.Bool().Draw(t, "read"),
			Want: Algorithms(rapid.IntRange(1, 3).Draw(t, "want")), Time: rapid.Int64().Draw(t, "time"), Max: rapid.Int64Min(0).Draw(t, "max"),
			Path: string(rapid.SliceOfN(rapid.Byte(), 0, MaxPath).Draw(t, "path"))}
		for range rapid.IntRange(0, MaxFiles).Draw(t, "files") {
			r.Files = append(r.Files, anyFile(t).FileID)
		}
		buf := make([]byte, maxFrame)
		frame, err := readFrame(bytes.NewReader(AppendRequest(nil, &r)), buf)
		if err != nil {
			t.Fatalf("readFrame of request %+v: %v", r, err)
		}
		var got Request
		if err := ParseRequest(frame, &got); err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("ParseRequest(AppendRequest(%+v)) = %+v, %v", r, got, err)
		}
		a := Answer{ID: r.ID, Status: Status(rapid.IntRange(0, int(numStatus)-1).Draw(t, "status")), Watch: rapid.Int32Min(0).Draw(t, "watch"),
			At: rapid.Int64().Draw(t, "at"), Running: rapid.Bool().Draw(t, "running"), File: anyFile(t)}
		if a.Status == Hashed {
			a.Sums.Have = r.Want
			copy(a.Sums.SHA256[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sha256"))
			copy(a.Sums.MD5[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "md5"))
		}
		if frame, err = readFrame(bytes.NewReader(AppendAnswer(nil, &a)), buf); err != nil {
			t.Fatalf("readFrame of answer %+v: %v", a, err)
		}
		var back Answer
		if err := ParseAnswer(frame, &back); err != nil || back != a {
			t.Fatalf("ParseAnswer(AppendAnswer(%+v)) = %+v, %v", a, back, err)
		}
	})
}

// What is read is written back as the same bytes; anything else is refused without a
// panic.
func FuzzFrames(f *testing.F) {
	f.Add(AppendRequest(nil, &Request{ID: 1, PID: 2, Want: SHA256, Files: []event.FileID{{Dev: 1, Inode: 2}}, Path: "/bin/sh"}))
	f.Add(AppendAnswer(nil, &Answer{ID: 1, Status: Gone}))
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		buf := make([]byte, maxFrame)
		in := bytes.NewReader(b)
		for {
			frame, err := readFrame(in, buf)
			if err != nil {
				if !errors.Is(err, ErrProtocol) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("readFrame: %v", err)
				}
				return
			}
			var r Request
			if err := ParseRequest(frame, &r); err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Errorf("ParseRequest(%x): %v", frame, err)
				}
			} else if again := AppendRequest(nil, &r); !bytes.Equal(again[2:], frame) {
				t.Errorf("request %x is written back as %x", frame, again[2:])
			}
			var a Answer
			if err := ParseAnswer(frame, &a); err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Errorf("ParseAnswer(%x): %v", frame, err)
				}
			} else if again := AppendAnswer(nil, &a); !bytes.Equal(again[2:], frame) {
				t.Errorf("answer %x is written back as %x", frame, again[2:])
			}
		}
	})
}

func TestParseRequestRefuses(t *testing.T) {
	good := Request{ID: 7, PID: 2, Want: SHA256, Files: []event.FileID{{Dev: 1, Inode: 2}}, Path: "/x"}
	tests := []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"cut head", func(b []byte) []byte { return b[:requestSize-1] }},
		{"negative pid", func(b []byte) []byte { b[7] = 0x80; return b }},
		{"no algorithm", func(b []byte) []byte { b[9] = 0; return b }},
		{"unknown algorithm", func(b []byte) []byte { b[9] = 4; return b }},
		{"negative limit", func(b []byte) []byte { b[25] = 0x80; return b }},
		{"more files than are there", func(b []byte) []byte { b[26] = 3; return b }},
		{"too many files", func(b []byte) []byte { b[26] = MaxFiles + 1; return append(b, make([]byte, 200)...) }},
		{"long path", func(b []byte) []byte { return append(b, make([]byte, MaxPath)...) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.change(AppendRequest(nil, &good)[2:])
			var r Request
			if err := ParseRequest(b, &r); !errors.Is(err, ErrProtocol) {
				t.Errorf("ParseRequest(%x) = %v, want ErrProtocol", b, err)
			}
		})
	}
}
