// SPDX-License-Identifier: Apache-2.0

package pollset

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipes returns n pipes as (read end, write end).
func pipes(t *testing.T, n int) (fds [][2]int) {
	t.Helper()
	for range n {
		p := make([]int, 2)
		if err := unix.Pipe2(p, unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
		fds = append(fds, [2]int{p[0], p[1]})
	}
	return fds
}

func TestPollset(t *testing.T) {
	const long, short = time.Minute, time.Millisecond
	fds := pipes(t, 3)
	waker, one, two := fds[0], fds[1], fds[2]
	p, err := Open(waker[0])
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	write := func(fd [2]int) {
		if _, err := unix.Write(fd[1], []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	drain := func(fd [2]int) {
		var b [8]byte
		unix.Read(fd[0], b[:])
	}
	wait := func(what string, d time.Duration, wantReady, wantWoken bool) {
		t.Helper()
		ready, woken, err := p.Wait(d)
		if err != nil || ready != wantReady || woken != wantWoken {
			t.Errorf("%s: Wait() = %v, %v, %v; want %v, %v", what, ready, woken, err, wantReady, wantWoken)
		}
	}
	wait("nothing is there", short, false, false)
	if err := p.Watch(one[0], two[0]); err != nil {
		t.Fatal(err)
	}
	write(one)
	wait("one is readable", long, true, false)
	wait("it was not read", long, true, false)
	if woken, err := p.Rest(short); woken || err != nil {
		t.Errorf("Rest() = %v, %v while a descriptor other than the waker is readable; want to rest", woken, err)
	}
	write(two)
	drain(one)
	wait("the other one", long, true, false)
	drain(two)
	wait("all was read", short, false, false)
	go func() {
		time.Sleep(short)
		write(two)
	}()
	wait("it comes while it is waited for", long, true, false)
	drain(two)
	write(waker)
	wait("the waker", long, true, true)
	if woken, err := p.Rest(long); !woken || err != nil {
		t.Errorf("Rest() = %v, %v with a readable waker; want it to end", woken, err)
	}
	drain(waker)
	gone, err := unix.Dup(one[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Watch(gone, two[0]); err != nil {
		t.Fatal(err)
	}
	unix.Close(gone)
	if err := p.Watch(two[0]); err != nil {
		t.Fatalf("Watch after a descriptor was closed: %v", err)
	}
	write(two)
	wait("the one that is left", long, true, false)
	drain(two)
	go func() {
		time.Sleep(10 * short)
		write(two)
	}()
	wait("without end", -1, true, false)
}
