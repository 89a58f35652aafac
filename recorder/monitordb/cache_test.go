// SPDX-License-Identifier: Apache-2.0

package monitordb

import (
	"strconv"
	"testing"
)

// The cache is bounded, keeps what is used, and forgets what is not.
func TestCache(t *testing.T) {
	c := newCache[string, int](10)
	c.put("used", -1)
	for i := range 1000 {
		c.put(strconv.Itoa(i), i)
		if v, ok := c.get("used"); !ok || v != -1 {
			t.Fatalf("get(used) after %d others = %d, %t", i+1, v, ok)
		}
		if n := c.len(); n > 20 {
			t.Fatalf("the cache holds %d entries, want at most 20", n)
		}
	}
	if _, ok := c.get("0"); ok {
		t.Error("get(0) finds what was not used for long")
	}
	if v, ok := bytesIn(c, []byte("999")); !ok || v != 999 {
		t.Errorf("bytesIn(999) = %d, %t", v, ok)
	}
	c.reset()
	if c.len() != 0 {
		t.Errorf("%d entries after reset", c.len())
	}
}

func TestCacheHitsAllocateNothing(t *testing.T) {
	c := newCache[string, int64](10)
	c.put("/usr/bin/ls", 1)
	key := []byte("/usr/bin/ls")
	if n := testing.AllocsPerRun(100, func() { bytesIn(c, key) }); n != 0 {
		t.Errorf("bytesIn allocates %g times on a hit", n)
	}
}
