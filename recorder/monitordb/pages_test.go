// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"path/filepath"
	"runtime"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The pages of a writer lie in the memory that packPages gave: all other tests of this
// package open a writer first as well.
func TestPagesArePacked(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "monitor.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tls := libc.NewTLS()
	defer tls.Close()
	figures := new([2]int64) // now, and the most there was
	var pin runtime.Pinner
	pin.Pin(figures)
	defer pin.Unpin()
	status := func(what int32) int64 {
		if rc := sqlite3.Xsqlite3_status64(tls, what, uintptr(unsafe.Pointer(&figures[0])), uintptr(unsafe.Pointer(&figures[1])), 0); rc != sqlite3.SQLITE_OK {
			t.Fatalf("sqlite3_status64(%d) = %d", what, rc)
		}
		return figures[0]
	}
	if used := status(sqlite3.SQLITE_STATUS_PAGECACHE_USED); used < 10 {
		t.Errorf("%d pages of the piece are used with a writer open; want at least 10", used)
	}
}
