// SPDX-License-Identifier: Apache-2.0

// This file is the goroutine of a source that finds the processes of sockets.

package dns

import "time"

// seekOwners finds the processes of sockets that are wanted.
func (s *Source) seekOwners() error {
	defer s.finder.close()
	want := make(map[uint32]uint32)
	share := time.Duration(ownerShare)
	var next time.Time // when all processes may be looked through again
	later := time.NewTimer(0)
	for {
		select {
		case <-s.stop:
			return nil
		case <-s.seek:
		case <-later.C:
		}
		s.mu.Lock()
		for inode, uid := range s.wanted {
			if len(want) < 2*maxOpen {
				want[inode] = uid
			}
		}
		clear(s.wanted)
		s.mu.Unlock()
		if len(want) == 0 {
			continue
		}
		now := time.Now()
		if s.finder.stale(now) {
			s.finder.lookForServers(now)
			s.mu.Lock()
			s.resolvers = s.finder.resolvers // made anew at each change
			s.mu.Unlock()
		}
		s.finder.near(want, s.found)
		if len(want) == 0 {
			continue
		}
		if now.Before(next) {
			later.Reset(next.Sub(now))
			continue
		}
		before := len(want)
		s.finder.everywhere(want, s.found)
		if share *= 2; len(want) < before {
			share = ownerShare
		}
		share = min(share, maxShare)
		s.notFound(want)
		end := time.Now()
		next = end.Add(end.Sub(now) * share)
	}
}

// found tells that the socket inode is of process pid.
func (s *Source) found(inode uint32, pid int32) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := found{pid: pid, how: s.how(pid), at: now}
	s.sockets.put(inode, f)
	for _, e := range s.waiting.take(inode) {
		s.own(e, f)
	}
}

// how returns the attribution of a query that process pid sent. mu is held.
func (s *Source) how(pid int32) string {
	if s.resolvers[pid] {
		return resolver
	}
	return exact
}

// notFound gives up the sockets in want, which no process has any more.
func (s *Source) notFound(want map[uint32]uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for inode := range want {
		s.waiting.take(inode)
	}
	clear(want)
}

// guess finds the process of e by connects that the main source saw. mu is held.
func (s *Source) guess(e *exchange) {
	if !e.local {
		return
	}
	if pid := s.hints.guess(e, s.table.queue[s.table.first:]); pid != 0 {
		e.pid, e.how = pid, s.how(pid)
		s.hints.used(e)
	}
}
