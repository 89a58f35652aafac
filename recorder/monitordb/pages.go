// SPDX-License-Identifier: Apache-2.0

// This file says how SQLite gets the memory for the pages that it caches.

package monitordb

import (
	"errors"
	"runtime"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	pageSize = 4096 // bytes, of a database that is made here
	// pageSlots is how many pages of all caches have room of their own: those of the
	// writer (cache_size in writerParams), and some that temporary tables have.
	pageSlots = 768
)

// packPages gives SQLite one piece of memory for the pages that it caches. A page with
// its header is 4.4 KB, and the driver's allocator gives 8 KB for each that is asked for
// alone. Where a connection was opened before, in this process, nothing changes.
func packPages() error {
	tls := libc.NewTLS()
	defer tls.Close()
	args := libc.Xmalloc(tls, 3*8)
	if args == 0 {
		return errNoPages
	}
	defer libc.Xfree(tls, args)
	// What the numbers mean stands in sqlite3.h at these two names.
	header := new(int32)
	var pin runtime.Pinner
	pin.Pin(header)
	defer pin.Unpin()
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PCACHE_HDRSZ, libc.VaList(args, uintptr(unsafe.Pointer(header)))) != sqlite3.SQLITE_OK {
		return nil // SQLite is in use
	}
	size := pageSize + *header
	pages := libc.Xmalloc(tls, types.Size_t(size)*pageSlots) // SQLite's from here on
	if pages == 0 {
		return errNoPages
	}
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_PAGECACHE, libc.VaList(args, pages, size, int32(pageSlots))) != sqlite3.SQLITE_OK {
		libc.Xfree(tls, pages)
	}
	return nil
}

var errNoPages = errors.New("no memory for the pages of SQLite")
