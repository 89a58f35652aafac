// SPDX-License-Identifier: Apache-2.0

package imagehash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
)

// A scene is a client with a helper that the test plays.
type scene struct {
	t       *testing.T
	client  *Client
	helpers chan net.Conn
	watch   *fakeWatch
	pid     int32
}

// fakeWatch is told by the test what changed.
type fakeWatch struct {
	pending   []int32
	lost      bool
	forgotten []int32
}

func (w *fakeWatch) Changed(f func(int32)) bool {
	for _, n := range w.pending {
		f(n)
	}
	lost := w.lost
	w.pending, w.lost = nil, false
	return lost
}
func (w *fakeWatch) Forget(n int32) { w.forgotten = append(w.forgotten, n) }
func (w *fakeWatch) Close() error   { return nil }

// newScene starts a client whose helpers answer as serve does; nil: the test takes
// them from helpers.
func newScene(t *testing.T, o Options, serve func(net.Conn)) *scene {
	s := &scene{t: t, helpers: make(chan net.Conn, 8), watch: &fakeWatch{}, pid: 100}
	o.Want, o.Watch = SHA256, s.watch
	if o.PerSecond == 0 {
		o.PerSecond = 1000
	}
	o.MaxBytes = 1 << 30
	o.Start = func() (Helper, error) {
		ours, theirs := net.Pipe()
		if serve != nil {
			go serve(theirs)
		} else {
			s.helpers <- theirs
		}
		return ours, nil
	}
	var err error
	if s.client, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.Close() })
	return s
}

// exec is the event of an exec at this moment, of the file with that inode.
func (s *scene) exec(path string, inode uint64) *event.Event {
	b := event.NewBatch(1)
	e := b.Add(event.KindProcess, event.OpCreate)
	s.pid++
	e.Time, e.PID = time.Now().UnixNano(), s.pid
	e.AddProgramFile(event.FileID{Dev: 1, Inode: inode})
	e.AddProgramFile(event.FileID{Dev: 1, Inode: 9}) // the loader
	e.SetString(event.ProcessPath, path)
	return e
}

// run tells the client of an exec as the table and the recorder do, and returns what
// was known at once.
func (s *scene) run(path string, inode uint64) []string {
	e := s.exec(path, inode)
	e.Process = &event.Process{PID: e.PID, Path: path, Hash: s.client.Known(e)}
	b := event.NewBatch(1)
	c := b.Add(event.KindProcess, event.OpCreate)
	c.Time, c.PID, c.Process = e.Time, e.PID, e.Process
	for _, f := range e.AppendProgramFiles(nil) {
		c.AddProgramFile(f)
	}
	s.client.Seen(b)
	return e.Process.Hash
}

// updates reads what came late until nothing does.
func (s *scene) updates() (pids []int32, losses []event.Loss) {
	for {
		b := event.NewBatch(1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := s.client.Read(ctx, b)
		cancel()
		for _, e := range b.Events() {
			if e.Kind != event.KindProcess || e.Op != event.OpUpdate || e.Process == nil || !e.Late(event.ProcessHash) {
				s.t.Errorf("Read gave %v %v of process %v", e.Kind, e.Op, e.Process)
			}
			pids = append(pids, e.PID)
		}
		losses = append(losses, b.Losses...)
		if err != nil {
			return pids, losses
		}
	}
}

// requests gives the requests that come to a helper, until it is closed.
func requests(conn net.Conn, each func(r Request) bool) {
	buf := make([]byte, maxFrame)
	for {
		b, err := readFrame(conn, buf)
		if err != nil {
			return
		}
		var r Request
		if err := ParseRequest(b, &r); err != nil || !each(r) {
			return
		}
	}
}

// fileAt is a file that last changed an hour before the test began.
func fileAt(inode uint64) File {
	old := time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC).UnixNano() // the clock of a bubble begins in 2000
	return File{event.FileID{Dev: 1, Inode: inode}, 100, old, old}
}

// honest answers as a helper does that finds every file, under watch number = inode.
func honest(asked *[]Request) func(net.Conn) {
	return func(conn net.Conn) {
		requests(conn, func(r Request) bool {
			*asked = append(*asked, r)
			inode := r.Files[0].Inode
			a := Answer{ID: r.ID, Status: Looked, At: time.Now().UnixNano(), File: fileAt(inode), Watch: int32(inode)}
			if r.Read {
				a.Status, a.Sums = Hashed, sumsOf(byte(inode), SHA256)
			}
			_, err := conn.Write(AppendAnswer(nil, &a))
			return err == nil
		})
	}
}

// The first process of a program gets its hash late; those after it have it at once,
// without a question, until the kernel tells of a change.
func TestKnownAfterFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []Request
		s := newScene(t, Options{}, honest(&asked))
		if h := s.run("/bin/a", 5); h != nil {
			t.Errorf("Known of a program never seen = %q", h)
		}
		if pids, losses := s.updates(); !slices.Equal(pids, []int32{101}) || losses != nil {
			t.Fatalf("late for processes %v with losses %v; want 101", pids, losses)
		}
		for range 3 {
			time.Sleep(time.Minute)
			if h := s.run("/bin/a", 5); len(h) != 1 || h[0] != "SHA256=05"+fmt.Sprintf("%062d", 0) {
				t.Errorf("Known of a program that was hashed = %q", h)
			}
		}
		if len(asked) != 1 || !asked[0].Read || asked[0].PID != 101 || asked[0].Path != "/bin/a" {
			t.Errorf("asked %+v; want once, to read, for process 101", asked)
		}
		s.watch.pending = []int32{5}
		if h := s.run("/bin/a", 5); h != nil {
			t.Errorf("Known of a program that changed = %q", h)
		}
		if pids, _ := s.updates(); len(pids) != 1 || len(asked) != 2 || asked[1].Read {
			t.Errorf("after a change: late for %v, asked %+v; want one look", pids, asked[1:])
		}
		if f := s.client.Figures(); f.Known != 3 || f.Asked != 2 || f.Late != 2 || f.Reads != 1 || f.Looks != 1 {
			t.Errorf("figures %+v", f)
		}
	})
}

// What tells programs apart: the path, and every file that the exec went through.
func TestKnownTellsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []Request
		s := newScene(t, Options{}, honest(&asked))
		s.run("/bin/a", 5)
		s.updates()
		for _, tt := range []struct {
			name  string
			path  string
			inode uint64
			host  string
			known bool
		}{
			{"the same", "/bin/a", 5, "", true},
			{"another path", "/bin/b", 5, "", false},
			{"another inode", "/bin/a", 6, "", false},
			{"another computer", "/bin/a", 5, "elsewhere", false},
		} {
			e := s.exec(tt.path, tt.inode)
			e.Host = tt.host
			if h := s.client.Known(e); (h != nil) != tt.known {
				t.Errorf("%s: Known = %q", tt.name, h)
			}
		}
		// An exec before the file was looked at: the file was older, so it held this.
		e := s.exec("/bin/a", 5)
		if e.Time -= int64(time.Minute); s.client.Known(e) == nil {
			t.Error("Known of an exec after the file's last change and before the look = nil")
		}
		if e.Time -= int64(2 * time.Hour); s.client.Known(e) != nil {
			t.Error("Known of an exec before the file's last change is not nil")
		}
		// Changes that could not be told make all unknown.
		s.watch.lost = true
		time.Sleep(time.Second)
		if h := s.client.Known(s.exec("/bin/a", 5)); h != nil {
			t.Errorf("Known after changes were lost = %q", h)
		}
	})
}

// A cache from before makes a look enough, and is as it was after a read.
func TestCacheSavesReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := NewCache(SHA256)
		cache.Put(fileAt(5), sumsOf(5, SHA256))
		if err := cache.Unmarshal(cache.Marshal()); err != nil {
			t.Fatal(err)
		}
		var asked []Request
		s := newScene(t, Options{Cache: cache}, honest(&asked))
		s.run("/bin/a", 5)
		if pids, _ := s.updates(); len(pids) != 1 || len(asked) != 1 || asked[0].Read || s.client.Save() != nil {
			t.Errorf("late for %v, asked %+v; want one look and nothing to save", pids, asked)
		}
		s.run("/bin/b", 6)
		s.updates()
		again := NewCache(SHA256)
		if err := again.Unmarshal(s.client.Save()); err != nil || again.Len() != 2 || s.client.Save() != nil {
			t.Errorf("saved %d files, %v; want 2, once", again.Len(), err)
		}
	})
}

// Reading keeps to the rate; what waits is bounded and the rest is counted.
func TestRateAndShed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []Request
		s := newScene(t, Options{PerSecond: 10}, honest(&asked))
		const total = maxQueue + 500
		for i := range total {
			s.run(fmt.Sprintf("/bin/%d", i), uint64(100+i))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n := len(asked); n < 55 || n > 61 { // 10 at once, and 10 a second
			t.Errorf("%d files were read in 5 s at 10 a second", n)
		}
		f := s.client.Figures()
		if f.Shed == 0 || f.Shed > 500 || f.Asked != total {
			t.Errorf("figures %+v of %d programs with room for %d", f, total, maxQueue)
		}
		_, losses := s.updates()
		if len(losses) != 1 || losses[0].Reason != event.LossShed || losses[0].Kind != event.KindProcess || losses[0].Count != f.Shed {
			t.Errorf("losses %+v; want one of %d shed", losses, f.Shed)
		}
	})
}

// A helper that ends, hangs or says what can not be is replaced after a minute, and
// what it was asked is asked again.
func TestBadHelper(t *testing.T) {
	answer := func(a Answer) func(net.Conn) {
		return func(conn net.Conn) {
			requests(conn, func(r Request) bool {
				if a.ID == 0 {
					a.ID = r.ID
				}
				_, err := conn.Write(AppendAnswer(nil, &a))
				return err == nil
			})
		}
	}
	for _, tt := range []struct {
		name string
		bad  func(net.Conn)
		lost bool // the process gets no hash
	}{
		{"ends", func(conn net.Conn) { conn.Close() }, false},
		{"ends when it is asked", func(conn net.Conn) { requests(conn, func(Request) bool { return false }); conn.Close() }, false},
		{"hangs", func(conn net.Conn) { requests(conn, func(Request) bool { return true }) }, true},
		{"does not read", func(net.Conn) {}, true},
		{"is cut", func(conn net.Conn) { conn.Write([]byte{30, 0, 1}); conn.Close() }, false},
		{"long frame", func(conn net.Conn) { conn.Write([]byte{0xff, 0xff}) }, false},
		{"garbage", func(conn net.Conn) {
			conn.Write(append([]byte{answerSize, 0}, make([]byte, answerSize)...))
			conn.Write(make([]byte, 9))
		}, false},
		{"answers what nobody asked", answer(Answer{ID: 77, Status: Gone}), false},
		{"reads more than it may", answer(Answer{Status: Hashed, File: File{Size: 1 << 40}, Sums: sumsOf(1, SHA256)}), false},
		{"only looks where it is to read", func(conn net.Conn) {
			requests(conn, func(r Request) bool {
				_, err := conn.Write(AppendAnswer(nil, &Answer{ID: r.ID, Status: Looked, File: File{Size: 1}}))
				return err == nil
			})
		}, false},
		{"another algorithm", answer(Answer{Status: Hashed, Sums: sumsOf(1, MD5)}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []Request
				var starts atomic.Int32 // each helper has a goroutine
				s := newScene(t, Options{}, func(conn net.Conn) {
					if starts.Add(1) == 1 {
						tt.bad(conn)
					} else {
						honest(&asked)(conn)
					}
				})
				began := time.Now()
				s.run("/bin/a", 5)
				for range 20 { // somebody always asks
					time.Sleep(time.Second)
					s.run("/bin/b", 6)
				}
				time.Sleep(50 * time.Second)
				pids, losses := s.updates()
				want := []int32{101}
				for range 20 {
					want = append(want, want[len(want)-1]+1)
				}
				if tt.lost {
					want = want[1:]
				}
				slices.Sort(pids)
				if !slices.Equal(pids, want) || starts.Load() != 2 {
					t.Errorf("hashes of %v after %v and %d starts; want %v", pids, time.Since(began), starts.Load(), want)
				}
				if len(losses) != 1 || losses[0].Reason != event.LossNotSeen {
					t.Errorf("losses %+v; want one", losses)
				}
			})
		})
	}
}

// A helper that reads for long says so, and is left in peace.
func TestBusyHelper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Options{}, func(conn net.Conn) {
			requests(conn, func(r Request) bool {
				for range 30 {
					time.Sleep(time.Second)
					conn.Write(AppendAnswer(nil, &Answer{Status: Busy}))
				}
				conn.Write(AppendAnswer(nil, &Answer{ID: r.ID, Status: Hashed, At: time.Now().UnixNano(), File: fileAt(5), Sums: sumsOf(5, SHA256)}))
				return true
			})
		})
		s.run("/bin/a", 5)
		time.Sleep(40 * time.Second)
		if pids, losses := s.updates(); len(pids) != 1 || losses != nil {
			t.Errorf("late for %v with losses %v; want one and none", pids, losses)
		}
	})
}

// A program that brings nothing is left alone for longer and longer.
func TestGoneRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		s := newScene(t, Options{}, func(conn net.Conn) {
			requests(conn, func(r Request) bool {
				asked++
				_, err := conn.Write(AppendAnswer(nil, &Answer{ID: r.ID, Status: Gone}))
				return err == nil
			})
		})
		for range 6000 { // ten minutes
			s.run("/short", 5)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if f := s.client.Figures(); asked > 60 || f.Asked != 6000 || f.Missed[Gone] != 6000 || s.client.waiting != 0 {
			t.Errorf("%d questions for 6000 processes of one program; figures %+v, %d wait", asked, f, s.client.waiting)
		}
	})
}

// What waits when the client is closed is counted; Read ends.
func TestCloseCountsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, Options{}, func(conn net.Conn) { requests(conn, func(Request) bool { return true }) })
		for i := range 3 {
			s.run("/bin/a", uint64(i+1))
		}
		synctest.Wait()
		s.client.Close()
		b := event.NewBatch(1)
		if err := s.client.Read(context.Background(), b); err != nil || len(b.Losses) != 1 || b.Losses[0].Count != 3 {
			t.Errorf("Read after Close: %v, losses %+v; want 3 shed", err, b.Losses)
		}
		if err := s.client.Read(context.Background(), b); err != io.EOF {
			t.Errorf("second Read after Close = %v, want io.EOF", err)
		}
	})
}

// Why there is no helper is told each time that one is tried for, ever more seldom.
func TestNoHelper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("built so that it can not")
		c, err := New(Options{Want: SHA256, MaxBytes: 1, PerSecond: 1, Start: func() (Helper, error) { return nil, why }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		time.Sleep(24 * time.Hour)
		b := event.NewBatch(1)
		if err := c.Read(context.Background(), b); err != nil || len(b.Losses) != 1 {
			t.Fatalf("Read = %v, losses %+v; want one", err, b.Losses)
		}
		l := b.Losses[0]
		if l.Reason != event.LossNotSeen || l.Kind != event.KindProcess || !strings.HasSuffix(l.Detail, "can not be started, which is tried again: "+why.Error()) {
			t.Errorf("loss %+v; want why there is no helper", l)
		}
		if l.Count < 24 || l.Count > 40 {
			t.Errorf("tried %d times in a day; want about once an hour", l.Count)
		}
	})
}
