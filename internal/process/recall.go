// SPDX-License-Identifier: Apache-2.0

// This file ends what ran when an earlier run stopped looking, and runs no more.

package process

import "seismo/internal/event"

// Recall enters those of images, which earlier runs of this boot stored last of their
// pids and without an end, that [Table.Bootstrap] has not found. They ended while
// nobody watched: an exit that is still under way tells how, the next Sweep ends the
// others. One whose pid is another's by now has its end event, without an exit code, in
// b. An image that its process has replaced meanwhile by execve is left alone, as every
// image that execve replaces. It returns how many processes were entered.
func (t *Table) Recall(b *event.Batch, images []*event.Process) int {
	n := 0
	for _, p := range images {
		if p.Boot != t.o.Boot || p.Host != "" || p.PID <= 0 {
			continue
		}
		key := pidKey{"", p.PID}
		head := t.head(key)
		var en *entry
		switch {
		case head == nil:
			en = t.enter(key, p.Start)
		case head.start <= p.Start+slack:
			continue // it is p's, and runs this image or the next
		default:
			en = t.enterPast(key, p.Start)
		}
		en.image, en.referred, en.ticks, en.ppid = shortenChain(p), true, p.StartTicks, p.PPID
		t.recost(en)
		n++
	}
	t.finish(b)
	return n
}
