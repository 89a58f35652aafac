// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"seismo/internal/event"
	"seismo/internal/imagehash"
)

// A file of hashes that can not be used is set aside under another name; without one
// there is nothing to say.
func TestLoadHashes(t *testing.T) {
	known := imagehash.NewCache(imagehash.SHA256)
	known.Put(imagehash.File{Size: 1}, imagehash.Sums{Have: imagehash.SHA256})
	good := known.Marshal()
	tests := []struct {
		name  string
		write func(path string) error
		len   int
		aside bool
	}{
		{"none", func(string) error { return nil }, 0, false},
		{"good", func(p string) error { return os.WriteFile(p, good, 0o600) }, 1, false},
		{"cut", func(p string) error { return os.WriteFile(p, good[:len(good)-1], 0o600) }, 0, true},
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, 0, true},
		{"a folder", func(p string) error { return os.Mkdir(p, 0o700) }, 0, true},
		{"a link to a good one", func(p string) error {
			return errors.Join(os.WriteFile(p+".elsewhere", good, 0o600), os.Symlink(p+".elsewhere", p))
		}, 0, true},
		{"larger than any", func(p string) error {
			return errors.Join(os.WriteFile(p, good, 0o600), os.Truncate(p, int64(imagehash.MaxState)+1))
		}, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image_state.bin")
			if err := tt.write(path); err != nil {
				t.Skip(err)
			}
			c := imagehash.NewCache(imagehash.SHA256)
			err := loadHashes(c, path)
			_, there := os.Lstat(path + asideSuffix)
			if c.Len() != tt.len || (err != nil) != tt.aside || (there == nil) != tt.aside {
				t.Errorf("loadHashes = %v with %d files, aside: %v; want %d files, set aside %v", err, c.Len(), there, tt.len, tt.aside)
			}
		})
	}
}

// Processes outside of a container are looked at within bounds; what is found comes as
// an update; Close ends it.
func TestContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContainers(os.DirFS(t.TempDir()))
		looked := 0
		c.of = func(pid int32, _ int64) (string, error) {
			looked++
			switch pid {
			case 3:
				return "c3", nil
			case 4:
				return "", io.ErrUnexpectedEOF
			}
			return "", nil
		}
		time.Sleep(time.Minute)
		batch := func(from, to int32) *event.Batch {
			b := event.NewBatch(8)
			for pid := from; pid <= to; pid++ {
				e := b.Add(event.KindProcess, event.OpCreate)
				e.Time, e.PID, e.Process = time.Now().UnixNano(), pid, &event.Process{PID: pid}
			}
			return b
		}
		inside := batch(1, 1)
		inside.Events()[0].Process = &event.Process{ContainerID: "known"}
		c.seen(inside)
		c.seen(batch(2, 5))
		b := event.NewBatch(1)
		if err := c.Read(context.Background(), b); err != nil || b.Len() != 1 || b.Events()[0].PID != 3 || !b.Events()[0].Late(event.ProcessContainerID) || looked != 2 {
			t.Errorf("Read: %v, %d events after %d looks; want the update of process 3", err, b.Len(), looked)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := c.Read(ctx, event.NewBatch(1)); !errors.Is(err, context.DeadlineExceeded) || looked != 4 {
			t.Errorf("Read with nothing to tell: %v after %d looks; want to have waited, and 4", err, looked)
		}
		c.seen(batch(10, 5000))
		if n := len(c.look); n < 90 || n > 2*containerBurst {
			t.Errorf("%d of thousands are looked at; want %d at most", n, 2*containerBurst)
		}
		c.Close()
		c.Close()
		for range maxToLook + 1 { // what was noted may come first
			if err := c.Read(context.Background(), event.NewBatch(1)); err == io.EOF {
				return
			}
		}
		t.Error("Read goes on after Close")
	})
}
