// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"seismo/internal/event"
)

// What of an input is an object, and what is skipped: ordinals of the events, and the
// places of what was malformed.
func TestLines(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", maxLine) + `"}`
	fits := `{"a":"` + strings.Repeat("x", maxLine-10) + `"}`
	tests := []struct {
		name, in  string
		events    string // ordinal:value of a
		malformed []string
	}{
		{"an object a line", "{\"a\":1}\n\n  {\"a\":2}\r\n{\"a\":3}", "1:1 3:2 4:3", nil},
		{"a byte order mark", "\xef\xbb\xbf{\"a\":1}\n", "1:1", nil},
		{"bad lines between good ones", "{\"a\":1}\nnonsense\n{\"a\":2\n{\"a\":3}\n", "1:1 4:3", []string{"in:2: 'n': an object begins", "in:3: column 7: the object is cut off"}},
		{"more on a line", "{\"a\":1}{\"a\":2}\n{\"a\":3}\n", "2:3", []string{"in:1: column 8: '{': more follows the object"}},
		{"an array on one line", `[{"a":1},{"a":2} , {"a":3}]`, "1:1 2:2 3:3", nil},
		{"an array, an object a line", "[\n{\"a\":1},\n{\"a\":2}\n]\n{\"a\":9}\n", "1:1 2:2 5:9", nil},
		{"an array printed", "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": \"}{\\\"\"\n  }\n]\n", "1:1 2:}{\"", nil},
		{"an array of something else", "[1,2]\n{\"a\":1}\n", "2:1", []string{"in:1: '1': an object begins"}},
		{"objects printed over lines", "{\n  \"a\": 1\n}\n{\n  \"a\": {\n    \"b\": 2\n  }\n}\n", "1:1 4:", nil},
		{"printed and cut off", "{\n  \"a\": 1,\n{\n  \"a\": 2\n}\n", "3:2", []string{"in:1: another object begins within the object"}},
		{"printed and cut off at the end", "{\n  \"a\": 1,\n", "", []string{"in:1: the object is cut off"}},
		{"printed, a line end in a string", "{\n  \"a\": \"x\n{\"a\":3}\n", "3:3", []string{"in:1: the end of a string is missing"}},
		{"too long", long + "\n{\"a\":1}\n", "2:1", []string{"in:1: an object longer than 1048576 bytes"}},
		{"as long as may be", fits + "\n", "1:" + strings.Repeat("x", maxLine-10), nil},
		{"too long in an array", "[" + long + ",\n{\"a\":1}]", "2:1", []string{"in:1: an object longer than 1048576 bytes"}},
		{"too long at the end", long, "", []string{"in:1: an object longer than 1048576 bytes"}},
		{"headings of evtx_dump", "Record 1\n{\n  \"a\": 1\n}\nRecord 22\r\n{\"a\":2}\nRecord x\nRecord 3", "2:1 6:2", []string{"in:7: 'R': an object", "in:8: 'R': an object"}},
		{"nothing", "", "", nil},
		{"brackets only", "[]\n[ ]\n", "", nil},
	}
	for _, tt := range tests {
		for _, r := range []struct {
			name string
			in   io.Reader
		}{{"at once", strings.NewReader(tt.in)}, {"in pieces", &pieces{tt.in, 0}}} {
			t.Run(tt.name+"/"+r.name, func(t *testing.T) {
				var events, malformed []string
				s := read(t, r.in, StreamOptions{Name: "in"}, func(b *event.Batch) {
					for _, e := range b.Events() {
						v := ""
						for f := range e.Own() {
							if string(f.Name) == "a" {
								v = string(f.Value)
							}
						}
						events = append(events, fmt.Sprintf("%d:%s", e.Ordinal, v))
					}
					for _, l := range b.Losses {
						malformed = append(malformed, l.Detail)
					}
				})
				if got := strings.Join(events, " "); got != tt.events {
					t.Errorf("events %.200s, want %.200s", got, tt.events)
				}
				if !slices.EqualFunc(malformed, tt.malformed, strings.HasPrefix) {
					t.Errorf("malformed %q, want %q", malformed, tt.malformed)
				}
				st := s.Stats()
				if st.Received != st.Parsed+st.Malformed || st.Malformed != uint64(len(tt.malformed)) || st.Assembled != st.Parsed {
					t.Errorf("%+v", st)
				}
			})
		}
	}
}

// pieces reads a string in pieces of changing size, and sometimes nothing.
type pieces struct {
	in string
	n  int
}

func (b *pieces) Read(p []byte) (int, error) {
	if b.in == "" {
		return 0, io.EOF
	}
	b.n++
	n := copy(p, b.in[:min(len(b.in), b.n*b.n%4099)])
	b.in = b.in[n:]
	return n, nil
}

// After a few malformed lines the rest is counted, not told one by one.
func TestMalformedIsBounded(t *testing.T) {
	var losses []event.Loss
	in := strings.Repeat("x\n", 5000) + "{}\n"
	s := read(t, strings.NewReader(in), StreamOptions{Name: "in"}, func(b *event.Batch) {
		losses = append(losses, b.Losses...)
	})
	sum := uint64(0)
	for _, l := range losses {
		sum += l.Count
	}
	if sum != 5000 || s.Stats().Malformed != 5000 || len(losses) > maxNoted+5 {
		t.Errorf("%d losses of %d lines, %+v", len(losses), sum, s.Stats())
	}
}

// Each batch is of one platform, and the order stays.
func TestPlatforms(t *testing.T) {
	var in strings.Builder
	var want []string
	for i, p := range []string{"linux", "linux", "windows", "", "macos", "linux"} {
		fmt.Fprintf(&in, `{"a":%d,"logsource":{"product":"%s"}}`+"\n", i, p)
		want = append(want, fmt.Sprintf("%s=%d", p, i+1))
	}
	var got []string
	batches := 0
	read(t, strings.NewReader(in.String()), StreamOptions{}, func(b *event.Batch) {
		batches++
		for _, e := range b.Events() {
			got = append(got, fmt.Sprintf("%s=%d", b.Platform, e.Ordinal))
		}
	})
	if !slices.Equal(got, want) || batches != 5 {
		t.Errorf("%d batches of %q, want 5 of %q", batches, got, want)
	}
}

// With Prompt nothing is waited for while there is something to hand on.
func TestPrompt(t *testing.T) {
	in := make(chan string)
	s := NewStream(&chunks{in: in}, StreamOptions{Prompt: true})
	b := event.NewBatch(10)
	go func() { in <- "{\"a\":1}\n{\"a\"" }()
	if err := s.Read(context.Background(), b); err != nil || b.Len() != 1 {
		t.Fatalf("Read = %v with %d events, want 1", err, b.Len())
	}
	b.Reset()
	go func() { in <- ":2}\n"; close(in) }()
	if err := s.Read(context.Background(), b); err != nil || b.Len() != 1 {
		t.Fatalf("Read = %v with %d events, want 1", err, b.Len())
	}
	b.Reset()
	if err := s.Read(context.Background(), b); err != io.EOF || b.Len() != 0 {
		t.Fatalf("Read = %v with %d events, want the end", err, b.Len())
	}
}

// chunks reads what is sent, a string a read.
type chunks struct {
	in   chan string
	rest string
}

func (c *chunks) Read(p []byte) (int, error) {
	if c.rest == "" {
		s, ok := <-c.in
		if !ok {
			return 0, io.EOF
		}
		c.rest = s
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// A read error comes after the events before it, and names the place.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	s := NewStream(io.MultiReader(strings.NewReader("{}\n{}\n"), iotest.ErrReader(broken)), StreamOptions{Name: "in"})
	b := event.NewBatch(10)
	if err := s.Read(context.Background(), b); err != nil || b.Len() != 2 {
		t.Fatalf("Read = %v with %d events, want 2", err, b.Len())
	}
	b.Reset()
	if err := s.Read(context.Background(), b); !errors.Is(err, broken) || !strings.Contains(err.Error(), "read in: line 3: ") {
		t.Errorf("Read = %v, want %v at line 3", err, broken)
	}
	utf16 := NewStream(strings.NewReader("\xff\xfe{\x00}\x00"), StreamOptions{Name: "in"})
	if err := utf16.Read(context.Background(), b); err == nil || !strings.Contains(err.Error(), "UTF-16") {
		t.Errorf("Read of UTF-16 = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := NewStream(strings.NewReader("{}\n"), StreamOptions{}).Read(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with a context that is done = %v", err)
	}
}

// A long key that many values have would take more memory than the line has.
func TestExpansionOfNames(t *testing.T) {
	key := strings.Repeat("k", 1<<19)
	for name, in := range map[string]string{
		"an array":       `{"` + key + `":[` + strings.Repeat("1,", 1000) + `1]}`,
		"nested objects": `{"` + key + `":{` + strings.Repeat(`"x":{"y":1},`, 500) + `"z":1}}`,
	} {
		var losses []event.Loss
		read(t, strings.NewReader(in+"\n{}\n"), StreamOptions{}, func(b *event.Batch) { losses = append(losses, b.Losses...) })
		if len(losses) != 1 || !strings.Contains(losses[0].Detail, "names and values of its fields take more than") {
			t.Errorf("%s: losses %+v", name, losses)
		}
	}
}

// Logs are kept as long as somebody judges by them: one object names few of them.
func TestLogsourceIsBounded(t *testing.T) {
	const frame = `{"logsource":{"category":["%s"]}}`
	for name, words := range map[string]string{
		"one word":   strings.Repeat("c", maxLogsource),
		"many words": strings.Repeat(`c","`, maxLogsource),
	} {
		var losses []event.Loss
		events := 0
		in := fmt.Sprintf(frame+"\n"+frame+"\n", words, strings.Repeat("c", maxLogsource-len("logsource")-len("category")))
		read(t, strings.NewReader(in), StreamOptions{}, func(b *event.Batch) {
			events += b.Len()
			losses = append(losses, b.Losses...)
		})
		if events != 1 || len(losses) != 1 || !strings.Contains(losses[0].Detail, "its logsource takes more than 1024 bytes") {
			t.Errorf("%s: %d events and losses %+v", name, events, losses)
		}
	}
}

// Whatever the input, the ledgers hold, and each event has one platform and its logs.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{"{\"a\":1}\n", "[{\n\"a\":[]},{}]", `{"Event":{"System":{"EventID":{"#text":1}},"EventData":[{"Data":{"@Name":"a"}}]}}`,
		`{"winlog":{"channel":"Security"},"event":{"code":1}}`, `{"process.executable":1,"dns.question.name":"x"}`, "{\n{\n}", `{"logsource":{"product":["a",{}]},"UtcTime":"2020-01-01 00:00:00.1"}`,
		`{"ProcessGuid":"{00000001-0000}","ParentProcessGuid":"12345678","Image":"x","logsource":{"category":"process_creation"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		events := uint64(0)
		s, b := NewStream(strings.NewReader(string(in)), StreamOptions{BatchEvents: 3}), event.NewBatch(3)
		for s.Read(context.Background(), b) == nil { // an error is about UTF-16
			for _, e := range b.Events() {
				events++
				if e.Logsource == nil || e.Ordinal == 0 || !slices.Contains(event.Ops(e.Kind), e.Op) || e.Time < 0 {
					t.Errorf("%q: event %+v", in, e)
				}
			}
			b.Reset()
		}
		if st := s.Stats(); st.Received != st.Parsed+st.Malformed || st.Parsed != events || st.Assembled != events {
			t.Errorf("%q: %d events, %+v", in, events, st)
		}
	})
}

// A batch of long objects is handed on before it takes more memory than is kept of it.
func TestBatchesAreBounded(t *testing.T) {
	line := `{"a":"` + strings.Repeat("x", 100<<10) + "\"}\n"
	most, sum := 0, 0
	read(t, strings.NewReader(strings.Repeat(line, 50)), StreamOptions{}, func(b *event.Batch) {
		most, sum = max(most, b.Len()), sum+b.Len()
	})
	if sum != 50 || most > maxText/len(line)+1 {
		t.Errorf("%d events, up to %d a batch; want 50, up to %d", sum, most, maxText/len(line)+1)
	}
}
