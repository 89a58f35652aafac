// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// frame returns a record as auditd hands it to a plugin with "format = binary".
func frame(version, typ uint32, data string) string {
	var b []byte
	for _, n := range []uint32{version, frameHeader, typ, uint32(len(data))} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return string(b) + data
}

// padded returns a frame as auditd 3.0.9 writes it.
func padded(frame string) string {
	return frame + strings.Repeat("\x00", frameHeader+frameData-len(frame))
}

// cutAll gives stream to a framer in pieces of the given sizes, in turn, and returns
// what it cuts off.
func cutAll(stream string, sizes []int) (got []string, err error) {
	var f framer
	for i := 0; ; i++ {
		for {
			m, ok, err := f.next()
			if err != nil {
				return got, err
			}
			if !ok {
				break
			}
			got = append(got, fmt.Sprintf("%d %v %v %s", m.typ, m.line, m.cut, m.data))
		}
		if stream == "" {
			return got, nil
		}
		room := f.space()
		n := copy(room[:min(len(room), sizes[i%len(sizes)])], stream)
		f.filled(n)
		stream = stream[n:]
	}
}

func TestFramer(t *testing.T) {
	long := strings.Repeat("x", maxFrame)
	tests := []struct {
		name, stream string
		want         []string
		err          string
	}{
		{"lines", "type=A msg=audit(1.0:1): a=1\ntype=B msg=audit(1.0:1): \r\n\nnode=h type=C x\n",
			[]string{"0 true false type=A msg=audit(1.0:1): a=1", "0 true false type=B msg=audit(1.0:1): ", "0 true false node=h type=C x"}, ""},
		{"a line without its end has not come yet", "type=A\ntype=B", []string{"0 true false type=A"}, ""},
		{"a line that is too long is cut, the next is whole", long + "yyy\ntype=A\n", []string{"0 true true " + long, "0 true false type=A"}, ""},
		{"a stream that begins with an empty line is text", "\ntype=A\n", []string{"0 true false type=A"}, ""},
		{"binary records of the kernel's text", frame(0, 1300, "audit(1.0:1): a=1") + frame(0, 1320, "audit(1.0:1): "),
			[]string{"1300 false false audit(1.0:1): a=1", "1320 false false audit(1.0:1): "}, ""},
		{"binary records that auditd enriched", frame(1, 1300, "type=SYSCALL msg=audit(1.0:1): a=1\n") + frame(1, 1300, "node=h type=SYSCALL\x00"),
			[]string{"1300 true false type=SYSCALL msg=audit(1.0:1): a=1", "1300 true false node=h type=SYSCALL"}, ""},
		{"binary records in the whole of auditd's buffer", padded(frame(0, 1300, "audit(1.0:1): a=1")) + padded(frame(1, 1320, "type=EOE")) + padded(frame(0, 1300, long[:8966])) +
			padded(frame(0, 1300, long[:8970])) + padded(frame(1, 1320, "type=EOE")),
			[]string{"1300 false false audit(1.0:1): a=1", "1320 true false type=EOE", "1300 false false " + long[:8966], "1300 false false " + long[:8970], "1320 true false type=EOE"}, ""},
		{"a newline in a binary record is no end", frame(0, 1300, "audit(1.0:1): a\nb"), []string{"1300 false false audit(1.0:1): a\nb"}, ""},
		{"a binary record that is too long is cut, the next is whole", frame(0, 1300, long+"yyy") + frame(0, 1320, "z"),
			[]string{"1300 false true " + long, "1320 false false z"}, ""},
		{"a header of another version", frame(0, 1300, "a") + frame(7, 1300, "b"), []string{"1300 false false a"}, "byte 17: header with version 7"},
		{"a size beyond belief", frame(0, 1300, "a")[:12] + "\xff\xff\xff\xff", nil, "size 4294967295"},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 7, 4096, 1 << 20} {
			got, err := cutAll(tt.stream, []int{size})
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s, in pieces of %d: %.200q; want %.200q", tt.name, size, got, tt.want)
			}
			if (err != nil) != (tt.err != "") || err != nil && (!errors.Is(err, errFrame) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%s, in pieces of %d: error %v; want %q", tt.name, size, err, tt.err)
			}
		}
	}
}

// However a stream is cut into pieces, the records are the same.
func TestFramerDoesNotCareForPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream string
		isBinary := rapid.Bool().Draw(t, "binary")
		for _, text := range rapid.SliceOfN(rapid.StringN(1, 200, -1), 1, 20).Draw(t, "records") {
			if isBinary {
				stream += frame(rapid.Uint32Range(0, 1).Draw(t, "version"), rapid.Uint32Range(1000, 2999).Draw(t, "type"), text)
			} else {
				stream += "type=" + text + "\n"
			}
		}
		whole, err := cutAll(stream, []int{1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := cutAll(stream, rapid.SliceOfN(rapid.IntRange(1, 300), 1, 10).Draw(t, "sizes"))
		if err != nil || !slices.Equal(whole, pieces) {
			t.Fatalf("in pieces: %q, %v; want %q", pieces, err, whole)
		}
	})
}

// Whatever bytes come, what is cut off lies in them, in order, and a record of a stream
// of lines never holds the end of one.
func FuzzFramer(f *testing.F) {
	f.Add([]byte("type=A\n\r\ntype=B"), 3)
	f.Add([]byte(frame(0, 1300, "audit(1.0:1): a")+frame(1, 1300, "type=X")), 5)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		got, _ := cutAll(string(stream), []int{max(1, min(size, 1<<16))})
		rest := string(stream)
		for _, g := range got {
			_, data, _ := strings.Cut(g, " ")
			_, data, _ = strings.Cut(data, " ")
			_, data, _ = strings.Cut(data, " ")
			at := strings.Index(rest, data)
			if at < 0 {
				t.Fatalf("%q is not in what is left of the stream, %q", data, rest)
			}
			if stream[0] >= ' ' && strings.Contains(data, "\n") {
				t.Fatalf("the line %q has an end in it", data)
			}
			rest = rest[at+len(data):]
		}
	})
}
