// SPDX-License-Identifier: Apache-2.0

// This file holds the bounded memory of what was looked up lately.

package monitordb

// cache remembers what was used lately, in two generations: when the young one
// is full it becomes the old one, and what is found in the old one moves back.
// That keeps what is used often, as a list of least recent use would, without a
// list. It holds at most twice limit entries.
type cache[K comparable, V any] struct {
	young, old map[K]V
	limit      int
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{young: make(map[K]V), old: make(map[K]V), limit: limit}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	v, ok := c.young[k]
	if !ok {
		if v, ok = c.old[k]; ok {
			c.put(k, v)
		}
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.young) >= c.limit {
		clear(c.old)
		c.young, c.old = c.old, c.young
	}
	c.young[k] = v
}

func (c *cache[K, V]) reset() {
	clear(c.young)
	clear(c.old)
}

func (c *cache[K, V]) len() int { return len(c.young) + len(c.old) }

// bytesIn is get for a key that is at hand as bytes; a hit in the young
// generation allocates nothing.
func bytesIn[V any](c *cache[string, V], k []byte) (V, bool) {
	v, ok := c.young[string(k)]
	if !ok {
		if v, ok = c.old[string(k)]; ok {
			c.put(string(k), v)
		}
	}
	return v, ok
}
