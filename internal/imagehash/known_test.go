// SPDX-License-Identifier: Apache-2.0

package imagehash

import (
	"errors"
	"hash/maphash"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
)

// The watch of an answer that the kernel told of before the answer came counts, and a
// watch is not ended while an answer may bring it once more.
func TestWatchRaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Options{}, nil)
		conn := <-s.helpers
		s.run("/bin/a", 5)
		buf := make([]byte, maxFrame)
		var r Request
		b, err := readFrame(conn, buf)
		if err = errors.Join(err, ParseRequest(b, &r)); err != nil {
			t.Fatal(err)
		}
		s.watch.pending = []int32{3}
		s.client.Known(s.exec("/bin/other", 77)) // takes the change, of a watch yet unknown
		time.Sleep(time.Second)
		s.client.mu.Lock()
		s.client.noteChanges(time.Now().UnixNano())
		s.client.retire()
		s.client.mu.Unlock()
		if len(s.watch.forgotten) != 0 {
			t.Errorf("watches %v were ended while an answer was under way", s.watch.forgotten)
		}
		conn.Write(AppendAnswer(nil, &Answer{ID: r.ID, Status: Hashed, At: r.Time, File: fileAt(5), Sums: sumsOf(5, SHA256), Watch: 3}))
		synctest.Wait()
		if h := s.client.Known(s.exec("/bin/a", 5)); h != nil {
			t.Errorf("Known of a file that changed after it was read = %q", h)
		}
		s.client.Seen(event.NewBatch(1))
		time.Sleep(time.Second)
		s.client.mu.Lock()
		s.client.retire()
		left := len(s.client.watches)
		s.client.mu.Unlock()
		if !slices.Equal(s.watch.forgotten, []int32{3}) || left != 0 {
			t.Errorf("watches %v were ended, %d are left; want 3 and none", s.watch.forgotten, left)
		}
	})
}

// What a process costs whose program is known, and that of a look for changes.
func BenchmarkKnown(b *testing.B) {
	c := &Client{seed: maphash.MakeSeed(), entries: map[uint64]*entry{}, watches: map[int32]*watch{}, cache: NewCache(SHA256)}
	batch := event.NewBatch(1)
	e := batch.Add(event.KindProcess, event.OpCreate)
	e.Time = time.Now().UnixNano()
	e.AddProgramFile(event.FileID{Dev: 1, Inode: 5})
	e.AddProgramFile(event.FileID{Dev: 1, Inode: 9})
	e.SetString(event.ProcessPath, "/usr/bin/dash")
	n := c.enter("/usr/bin/dash", e.AppendProgramFiles(nil))
	n.hashes, n.watch, n.at = []string{"SHA256=05"}, &watch{}, e.Time
	b.ReportAllocs()
	for b.Loop() {
		if c.Known(e) == nil {
			b.Fatal("not known")
		}
	}
}

// Where nothing tells of changes every process is looked for, and gets its hash late.
func TestWithoutWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []Request
		s := newScene(t, Options{}, honest(&asked))
		s.client.mu.Lock()
		s.client.o.Watch = nil
		s.client.mu.Unlock()
		for i := range 3 {
			if h := s.run("/bin/a", 5); h != nil {
				t.Errorf("Known without a watch = %q", h)
			}
			if pids, losses := s.updates(); len(pids) != 1 || losses != nil {
				t.Errorf("run %d: late for %v with losses %v; want one and none", i, pids, losses)
			}
		}
		if f := s.client.Figures(); f.Reads != 1 || f.Looks != 2 {
			t.Errorf("figures %+v; want one read and two looks", f)
		}
	})
}

// A helper that can not be started is tried again, less and less often; what is in
// the way is a loss, and nothing is held for ever.
func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		c, err := New(Options{Want: SHA256, MaxBytes: 1, PerSecond: 1, Start: func() (Helper, error) {
			starts++
			return nil, errors.New("not allowed")
		}})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{t: t, client: c, watch: &fakeWatch{}}
		for range 24 {
			for range 300 {
				s.run("/bin/a", 5)
			}
			time.Sleep(time.Hour)
		}
		c.Close()
		_, losses := s.updates()
		f := c.Figures()
		if starts < 25 || starts > 35 || f.Asked != 24*300 || f.Shed != f.Asked {
			t.Errorf("%d starts in a day; figures %+v; want about 29 and all shed", starts, f)
		}
		sum := uint64(0)
		for _, l := range losses {
			if l.Reason == event.LossShed {
				sum += l.Count
			}
		}
		if sum != f.Shed {
			t.Errorf("losses tell of %d processes, %d were shed", sum, f.Shed)
		}
	})
}
