// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"seismo/internal/event"
)

// What is remembered of a directory holds for as long as the directory is where
// it was.
func TestDirResolverForgetsWhatMoved(t *testing.T) {
	const directory, file = unix.S_IFDIR | 0o755, unix.S_IFREG | 0o644
	for _, tt := range []struct {
		name  string
		op    event.Op
		mode  int64
		other bool // it is another inode
		want  bool // the path is still known
	}{
		{"a file was renamed", event.OpRename, file, true, true},
		{"a directory was renamed, perhaps one above", event.OpRename, directory, true, false},
		{"the directory was removed", event.OpDelete, directory, false, false},
		{"another directory was removed", event.OpDelete, directory, true, true},
		{"a file was made", event.OpCreate, file, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			open, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			var st unix.Statx_t
			if err := unix.Statx(int(open.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_INO, &st); err != nil {
				t.Fatal(err)
			}
			r := newDirResolver()
			fd := int32(open.Fd())
			if got, ok := r.resolve(int32(os.Getpid()), fd, deviceText(&st), st.Ino); !ok || got != dir {
				t.Fatalf("resolve of a live descriptor = %q, %v; want %q", got, ok, dir)
			}
			open.Close()
			e := event.NewBatch(1).Add(event.KindFile, tt.op)
			e.SetInt(event.FileMode, tt.mode)
			e.SetInt(event.FileInode, int64(st.Ino))
			if tt.other {
				e.SetInt(event.FileInode, int64(st.Ino)+1)
			}
			r.learn(e)
			if got, ok := r.resolve(1<<30, fd, deviceText(&st), st.Ino); ok != tt.want {
				t.Errorf("resolve after the descriptor was closed = %q, %v; want known %v", got, ok, tt.want)
			}
		})
	}
}
