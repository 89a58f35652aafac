// SPDX-License-Identifier: Apache-2.0

package imagehash

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
	"seismo/internal/event"
)

func sumsOf(n byte, have Algorithms) Sums {
	s := Sums{Have: have}
	if have&SHA256 != 0 {
		s.SHA256[0] = n
	}
	if have&MD5 != 0 {
		s.MD5[15] = n
	}
	return s
}

// A cache that was written and read again knows the same files, and forgets them in
// the same order.
func TestCacheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Algorithms(rapid.IntRange(1, 3).Draw(t, "want"))
		c := NewCache(want)
		for i := range rapid.IntRange(0, 50).Draw(t, "files") {
			c.Put(anyFile(t), sumsOf(byte(i), want))
		}
		d := NewCache(want)
		if err := d.Unmarshal(c.Marshal()); err != nil {
			t.Fatalf("Unmarshal(Marshal()) = %v", err)
		}
		if d.Len() != c.Len() || d.dirty {
			t.Fatalf("%d files of %d, dirty %v", d.Len(), c.Len(), d.dirty)
		}
		e, f := c.order.Oldest(), d.order.Oldest()
		for ; e != nil && f != nil; e, f = c.order.Oldest(), d.order.Oldest() {
			if e.file != f.file || e.sums != f.sums || !d.MayHave(f.file.Inode) {
				t.Fatalf("read %+v %+v, wrote %+v %+v", f.file, f.sums, e.file, e.sums)
			}
			c.forget(e)
			d.forget(f)
		}
		if len(d.inodes) != 0 {
			t.Fatalf("%d inodes are left of an empty cache", len(d.inodes))
		}
	})
}

func TestCacheForgets(t *testing.T) {
	c := NewCache(SHA256)
	file := func(n int) File { return File{FileID: event.FileID{Dev: 1, Inode: uint64(n)}} }
	for i := range MaxCached {
		c.Put(file(i), sumsOf(1, SHA256))
	}
	c.Get(file(0)) // the oldest was asked for
	c.Put(file(MaxCached), sumsOf(2, SHA256))
	if _, ok := c.Get(file(0)); !ok || c.Len() != MaxCached {
		t.Errorf("Get of a file that was asked for = %v with %d files, want it kept with %d", ok, c.Len(), MaxCached)
	}
	if _, ok := c.Get(file(1)); ok || c.MayHave(1) {
		t.Errorf("the file that was asked for longest ago is still known")
	}
	if n := len(c.Marshal()); n > MaxState {
		t.Errorf("the state of a full cache has %d bytes, MaxState is %d", n, MaxState)
	}
}

func TestCacheFewerAlgorithms(t *testing.T) {
	c := NewCache(SHA256)
	c.Put(File{Size: 1}, sumsOf(1, SHA256))
	both := NewCache(SHA256 | MD5)
	if err := both.Unmarshal(c.Marshal()); err != nil || both.Len() != 0 {
		t.Errorf("a cache with MD5 read %d files without it, %v; want none and no error", both.Len(), err)
	}
	both.Put(File{Size: 1}, sumsOf(1, SHA256))
	if both.Len() != 0 {
		t.Error("a cache with MD5 took hashes without it")
	}
	both.Put(File{Size: 1}, sumsOf(1, SHA256|MD5))
	one := NewCache(SHA256)
	if err := one.Unmarshal(both.Marshal()); err != nil || one.Len() != 1 {
		t.Errorf("a cache of SHA-256 read %d files with both, %v; want 1", one.Len(), err)
	}
}

// Every change of one byte, and every cut, is noticed, and changes nothing.
func TestCacheDamaged(t *testing.T) {
	c := NewCache(SHA256)
	c.Put(File{Size: 1}, sumsOf(1, SHA256))
	c.Put(File{Size: 2}, sumsOf(2, SHA256))
	good := c.Marshal()
	check := func(what string, at int, b []byte) {
		d := NewCache(SHA256)
		if err := d.Unmarshal(b); !errors.Is(err, ErrState) && !errors.Is(err, ErrVersion) || d.Len() != 0 {
			t.Errorf("Unmarshal of a file with byte %d %s = %v with %d files, want an error and none", at, what, err, d.Len())
		}
	}
	for i := range good {
		b := append([]byte(nil), good...)
		b[i] ^= 0x20
		check("changed", i, b)
		check("cut", i, good[:i])
	}
	check("more", len(good), append(good, 0))
}

func FuzzUnmarshal(f *testing.F) {
	c := NewCache(SHA256 | MD5)
	c.Put(File{Size: 1}, sumsOf(1, SHA256|MD5))
	f.Add(c.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewCache(SHA256)
		if err := c.Unmarshal(b); err != nil && (c.Len() != 0 || !errors.Is(err, ErrState) && !errors.Is(err, ErrVersion)) {
			t.Errorf("Unmarshal(%x) = %v with %d files", b, err, c.Len())
		}
	})
}
