// SPDX-License-Identifier: Apache-2.0

package jsonl

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"testing"

	"seismo/internal/event"
)

// corpus is where recorded events lie beside the checkout.
const corpus = "../../../shared/corpus/"

// corpusFile returns a gzip file of the corpus, unpacked; it skips where that is absent.
func corpusFile(tb testing.TB, name string) []byte {
	tb.Helper()
	f, err := os.Open(corpus + name)
	if err != nil {
		tb.Skip("needs the corpus beside the checkout: ", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(z); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// BenchmarkDecode reads recorded events into batches; decoder=map is what package
// encoding/json does with them, without making events.
func BenchmarkDecode(b *testing.B) {
	raw := corpusFile(b, "engine/recorded.jsonl.gz")
	var lines [][]byte
	for line := range bytes.Lines(raw) {
		lines = append(lines, line)
	}
	const every = 4
	var some []byte
	n := 0
	for i := 0; i < len(lines); i += every { // of every recording a part
		some = append(some, lines[i]...)
		n++
	}
	report := func(b *testing.B) {
		sec := b.Elapsed().Seconds()
		b.ReportMetric(float64(n*b.N)/sec, "events/s")
		b.ReportMetric(float64(len(some)*b.N)/1e6/sec, "MB/s")
	}
	b.Run("decoder=jsonl", func(b *testing.B) {
		b.ReportAllocs()
		batch := event.NewBatch(1000)
		for b.Loop() {
			s := NewStream(bytes.NewReader(some), StreamOptions{})
			for s.Read(context.Background(), batch) == nil {
				batch.Reset()
			}
			if s.Stats().Assembled != uint64(n) {
				b.Fatalf("%+v, want %d events", s.Stats(), n)
			}
		}
		report(b)
	})
	b.Run("decoder=map", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			in := bufio.NewScanner(bytes.NewReader(some))
			in.Buffer(nil, maxLine)
			for in.Scan() {
				var m map[string]any
				if err := json.Unmarshal(in.Bytes(), &m); err != nil {
					b.Fatal(err)
				}
			}
		}
		report(b)
	})
}
