// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseQuestion(t *testing.T) {
	long := strings.Repeat("a23456789012345678901234567890.", 8) // 8 * 31 + 1 = 249 bytes
	tests := []struct {
		name string
		in   []byte
		want string // name, type, and whether it is an answer
		err  error
	}{
		{"a query", head(7, queryFlags, 0, "www.Example.com", 1, 1), "www.Example.com A false", nil},
		{"the root", head(7, queryFlags, 0, ".", typeNS, 1), ". NS false", nil},
		{"a type without a name", head(7, queryFlags, 0, "a.b", 12345, 1), "a.b TYPE12345 false", nil},
		{"a class of its own", head(7, queryFlags, 0, "version.bind", typeTXT, 3), "version.bind CH TXT false", nil},
		{"a class without a name", head(7, queryFlags, 0, "a", 1, 77), "a CLASS77 A false", nil},
		{"bytes that mean something in a name", wire{}.u16(1, queryFlags, 1, 0, 0, 0).name("a\\b;\"c\x00\xff d").u16(1, 1), `a\\b\;\"c\000\255\032d A false`, nil},
		{"a dot within a label", append(append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 3, 'a', '.', 'b', 0), 0, 1, 0, 1), `a\.b A false`, nil},
		{"what stands behind a query is of no interest", append(head(7, queryFlags, 0, "a", 1, 1), "garbage"...), "a A false", nil},
		{"a name of 255 bytes", head(7, queryFlags, 0, long+"abcde", 1, 1), long + "abcde A false", nil},
		{"a name of 256 bytes", head(7, queryFlags, 0, long+"abcdef", 1, 1), "", ErrName},
		{"a pointer to itself", append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 0xc0, 12, 0, 1, 0, 1), "", ErrName},
		{"a pointer forward", append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 0xc0, 14, 0, 0, 1, 0, 1), "", ErrName},
		{"a pointer into the header, which is backward", append(wire{}.u16(0x0161, queryFlags, 1, 0, 0, 0), 0xc0, 6, 0, 1, 0, 1), ". A false", nil},
		{"a label with bits of no use", append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 0x41, 'a', 0, 0, 1, 0, 1), "", ErrName},
		{"a label that goes on behind the end", append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 9, 'a', 'b'), "", ErrShort},
		{"half a pointer", append(wire{}.u16(1, queryFlags, 1, 0, 0, 0), 0xc0), "", ErrShort},
		{"a question without class", head(7, queryFlags, 0, "a", 1, 1)[:17], "", ErrShort},
		{"a query without a question", wire{}.u16(1, queryFlags, 0, 0, 0, 0), "", ErrOther},
		{"two questions", wire{}.u16(1, queryFlags, 2, 0, 0, 0).name("a").u16(1, 1).name("b").u16(1, 1), "a A false cut", nil},
		{"more questions than there are bytes", wire{}.u16(1, queryFlags, 0xffff, 0, 0, 0).name("a").u16(1, 1), "a A false cut", nil},
		{"a dynamic update", head(7, 5<<11, 0, "a", typeSOA, 1), "", ErrOther},
		{"half a header", make([]byte, 11), "", ErrShort},
		{"nothing", nil, "", ErrShort},
	}
	var m Message
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := m.Parse(tt.in)
			got := ""
			if err == nil {
				got = fmt.Sprintf("%s %s %v", m.Name, appendType(nil, m.Class, m.Type), m.Answer)
				if m.Cut {
					got += " cut"
				}
			}
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Parse(%x) = %q, %v; want %q, %v", tt.in, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParseAnswers(t *testing.T) {
	soa := wire{}.name("ns.a").name("admin.a").u32(1).u32(2).u32(3).u32(4).u32(5)
	service := append(wire{}.u16(1).name("."), 0, 1, 0, 6, 2, 'h', '2', 2, 'h', '3', 0, 3, 0, 2, 1, 0xbb, 0, 4, 0, 4, 192, 0, 2, 1, 0, 9, 0, 1, 0xaa)
	v6 := []byte{0x20, 1, 0xd, 0xb8, 15: 1}
	tests := []struct {
		name       string
		typ, class int
		data       []byte
		want       string
	}{
		{"an address", typeA, 1, []byte{192, 0, 2, 1}, "192.0.2.1;"},
		{"an address of IPv6", typeAAAA, 1, v6, "2001:db8::1;"},
		{"an address of three bytes", typeA, 1, []byte{1, 2, 3}, `A \# 3 010203;`},
		{"an address of another class", typeA, 3, []byte{1, 2, 3, 4}, "CH A 1.2.3.4;"},
		{"an alias that points into the question", typeCNAME, 1, append(wire("\x03cdn"), 0xc0, 12), "CNAME cdn.www.test;"},
		{"a name that points at itself", typeNS, 1, []byte{0xc0, 38}, `NS \# 2 c026;`},
		{"bytes behind a name", typePTR, 1, append(wire{}.name("a"), 1), `PTR \# 4 01610001;`},
		{"a mail server", typeMX, 1, wire{}.u16(10).name("mx.a"), "MX 10 mx.a;"},
		{"a service", typeSRV, 1, wire{}.u16(1, 2, 389).name("dc.a"), "SRV 1 2 389 dc.a;"},
		{"a start of authority", typeSOA, 1, soa, "SOA ns.a admin.a 1 2 3 4 5;"},
		{"texts with what means something", typeTXT, 1, []byte("\x06a;b\"c\\\x02\x1b[\x00"), `TXT "a;b\"c\\" "\027[" "";`},
		{"a text that is longer than its data", typeTXT, 1, []byte("\x09ab"), `TXT \# 3 096162;`},
		{"a key's digest", typeDS, 1, wire("\x12\x34\x08\x02\xab\xcd"), "DS 4660 8 2 abcd;"},
		{"a service binding", typeHTTPS, 1, service, "HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1 key9=aa;"},
		{"a type without a form", 999, 1, []byte{1, 0xff}, `TYPE999 \# 2 01ff;`},
		{"no data", 999, 1, nil, `TYPE999 \# 0;`},
	}
	var m Message
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := head(1, answerFlags, 1, "www.test", 1, 1).rr(tt.typ, tt.class, tt.data)
			if err := m.Parse(msg); err != nil || string(m.Response) != tt.want || m.Cut {
				t.Errorf("Parse(%x): response %q, cut %v, %v; want %q", msg, m.Response, m.Cut, err, tt.want)
			}
		})
	}
}

// The records of an answer are found whatever number of questions stands before them; one
// without a question has no name.
func TestParseAnswersByQuestions(t *testing.T) {
	record := func(w wire) wire { return append(w.name("x").u16(1, 1).u32(9).u16(4), 192, 0, 2, 1) }
	questions := func(n int) wire {
		w := wire{}.u16(1, answerFlags, n, 1, 0, 0)
		for i := range n {
			w = w.name(fmt.Sprintf("q%d", i)).u16(1, 1)
		}
		return w
	}
	tests := []struct {
		name string
		in   []byte
		want string // name, response, whether it is cut
	}{
		{"none", record(questions(0)), " 192.0.2.1; false"},
		{"none and no records", wire{}.u16(1, answerFlags|1, 0, 0, 0, 0), "  false"},
		{"one", record(questions(1)), "q0 192.0.2.1; false"},
		{"two", record(questions(2)), "q0 192.0.2.1; true"},
		{"as many as are passed over", record(questions(maxQuestions)), "q0 192.0.2.1; true"},
		{"one more", record(questions(maxQuestions + 1)), "q0  true"},
		{"the second is damaged", append(wire{}.u16(1, answerFlags, 2, 1, 0, 0).name("q0").u16(1, 1), 0xff), "q0  true"},
	}
	var m Message
	for _, tt := range tests {
		err := m.Parse(tt.in)
		if got := fmt.Sprintf("%s %s %v", m.Name, m.Response, m.Cut); err != nil || got != tt.want || !m.Answer {
			t.Errorf("%s: Parse(%x) = %q, %v; want %q", tt.name, tt.in, got, err, tt.want)
		}
	}
}

// What an answer has beside its records: whether something is missing, and whether it
// says the same as another.
func TestParseWholeAnswers(t *testing.T) {
	a, b := []byte{192, 0, 2, 1}, []byte{192, 0, 2, 2}
	parse := func(msg []byte) *Message {
		m := new(Message)
		if err := m.Parse(msg); err != nil {
			t.Fatalf("Parse(%x): %v", msg, err)
		}
		return m
	}
	both := parse(head(1, answerFlags, 2, "x", 1, 1).rr(1, 1, a).rr(1, 1, b))
	turned := parse(head(9, answerFlags, 2, "x", 1, 1).rr(1, 1, b).rr(1, 1, a))
	if both.Sum != turned.Sum || string(both.Response) == string(turned.Response) {
		t.Errorf("answers in another order: sums %x and %x, texts %q and %q; want the same sum", both.Sum, turned.Sum, both.Response, turned.Response)
	}
	one := parse(head(1, answerFlags, 1, "x", 1, 1).rr(1, 1, a))
	if one.Sum == both.Sum {
		t.Error("an answer with one address is taken for one with two")
	}
	if m := parse(head(1, answerFlags|0x0200, 0, "x", 1, 1)); !m.Cut {
		t.Error("an answer that the server cut (TC) is taken for whole")
	}
	if m := parse(head(1, answerFlags, 2, "x", 1, 1).rr(1, 1, a)); !m.Cut || string(m.Response) != "192.0.2.1;" {
		t.Errorf("an answer that lacks a record: %q, cut %v; want the record that is there", m.Response, m.Cut)
	}
	many := head(1, answerFlags, 65, "x", 1, 1)
	for range 65 {
		many = many.rr(1, 1, a)
	}
	if m := parse(many); !m.Cut || bytes.Count(m.Response, []byte(";")) != maxAnswers {
		t.Errorf("65 records: %d kept, cut %v; want %d", bytes.Count(m.Response, []byte(";")), m.Cut, maxAnswers)
	}
	text := head(1, answerFlags, 9, "x", typeTXT, 1)
	for range 9 {
		text = text.rr(typeTXT, 1, []byte("\xff"+strings.Repeat("\x01", 255)+"\xff"+strings.Repeat("\x01", 255)))
	}
	if m := parse(text); !m.Cut || len(m.Response) > maxResponse || len(m.Response) == 0 {
		t.Errorf("9 long texts: %d bytes kept, cut %v; want at most %d", len(m.Response), m.Cut, maxResponse)
	}
	if m := parse(head(1, answerFlags|3, 0, "x", 1, 1)); statusName(m.RCode) != "NXDOMAIN" {
		t.Errorf("status %s, want NXDOMAIN", statusName(m.RCode))
	}
}

// unescape reads the text of a name back into its labels, in the plainest way.
func unescape(text []byte) (labels [][]byte) {
	if string(text) == "." {
		return nil
	}
	labels = [][]byte{nil}
	for i := 0; i < len(text); i++ {
		last := &labels[len(labels)-1]
		switch c := text[i]; {
		case c == '.':
			labels = append(labels, nil)
		case c == '\\' && text[i+1] >= '0' && text[i+1] <= '9':
			*last = append(*last, (text[i+1]-'0')*100+(text[i+2]-'0')*10+text[i+3]-'0')
			i += 3
		case c == '\\':
			i++
			*last = append(*last, text[i])
		default:
			*last = append(*last, c)
		}
	}
	return labels
}

// The text of any name says what its labels are: it is read back into the same name.
func FuzzName(f *testing.F) {
	f.Add([]byte("\x03www\x04test"))
	f.Add([]byte("\x04a.\\;\x02\x00\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var name wire // labels of the lengths that the bytes say, as many as a name may have
		for len(in) > 1 {
			n := min(int(in[0]&63), len(in)-1)
			if n == 0 || len(name)+n+2 > maxNameWire {
				break
			}
			name = append(append(name, byte(n)), in[1:1+n]...)
			in = in[1+n:]
		}
		name = append(name, 0)
		text, next, err := appendName([]byte("x"), append(wire("??"), append(name, "rest"...)...), 2)
		if err != nil || next != 2+len(name) || len(text)-1 > MaxNameText {
			t.Fatalf("appendName(%x) = %q, %d, %v", []byte(name), text, next, err)
		}
		var back wire
		for _, l := range unescape(text[1:]) {
			back = append(append(back, byte(len(l))), l...)
		}
		if back = append(back, 0); !bytes.Equal(back, name) {
			t.Errorf("%x is %q, which is %x", []byte(name), text[1:], []byte(back))
		}
		for _, c := range text {
			if c < ' ' || c >= 0x7f {
				t.Errorf("%q is not printable", text)
			}
		}
	})
}

// Whatever is parsed gives printable text within its limits, twice the same, and what
// is no query fails with an error of ours.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head(1, queryFlags, 0, "www.test", 1, 1)))
	f.Add([]byte(head(1, answerFlags, 1, "www.test", 1, 1).rr(typeTXT, 1, []byte("\x02ab"))))
	f.Add([]byte(head(1, answerFlags, 1, "www.test", 65, 1).rr(typeHTTPS, 1, wire{}.u16(1).name("x").u16(1, 2).u16(0x0161))))
	f.Add([]byte(append(wire{}.u16(1, answerFlags, 0, 1, 0, 0).name("x").u16(1, 1).u32(9).u16(4), 192, 0, 2, 1)))
	f.Add([]byte(append(wire{}.u16(1, answerFlags, 2, 1, 0, 0).name("a").u16(1, 1).name("b").u16(1, 1).name("x").u16(1, 1).u32(9).u16(4), 192, 0, 2, 1)))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m, again Message
		if err := m.Parse(in); err != nil {
			if !errors.Is(err, ErrShort) && !errors.Is(err, ErrName) && !errors.Is(err, ErrOther) {
				t.Errorf("Parse(%x): %v is no error of ours", in, err)
			}
			return
		}
		if asks := in[4]|in[5] != 0; asks != (len(m.Name) > 0) || !asks && !m.Answer || len(m.Name) > MaxNameText || len(m.Response) > maxResponse {
			t.Errorf("Parse(%x): name of %d bytes, response of %d", in, len(m.Name), len(m.Response))
		}
		if !m.Answer && len(m.Response) > 0 {
			t.Errorf("Parse(%x): a query with the response %q", in, m.Response)
		}
		for _, c := range string(m.Name) + strings.ReplaceAll(string(m.Response), "…", "") {
			if c < ' ' || c >= 0x7f {
				t.Errorf("Parse(%x): %q %q is not printable", in, m.Name, m.Response)
			}
		}
		if err := again.Parse(in); err != nil || again.Sum != m.Sum || !bytes.Equal(again.Response, m.Response) {
			t.Errorf("Parse(%x) differs the second time: %v", in, err)
		}
	})
}
