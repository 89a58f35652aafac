// SPDX-License-Identifier: Apache-2.0

// This file keeps the searchers of regular expressions of one matcher.

package engine

import "seismo/internal/pattern"

// maxSearchers bounds the memory of all searchers of a matcher, in bytes.
const maxSearchers = 16 << 20

// searchers are made when they are first asked.
type searchers struct {
	of    []*pattern.Searcher // by index into Program.regexes
	used  []uint32            // that there is a searcher of
	asked uint32
}

// match reports whether regular expression i of p matches v.
func (s *searchers) match(p *Program, i uint32, v []byte) bool {
	if s.of == nil {
		s.of = make([]*pattern.Searcher, len(p.regexes))
	}
	one := s.of[i]
	if one == nil {
		one = p.regexes[i].NewSearcher()
		s.of[i] = one
		s.used = append(s.used, i)
	}
	if s.asked++; s.asked%1024 == 0 {
		s.shrink()
	}
	return one.Match(v)
}

// shrink forgets all searchers if they take too much.
func (s *searchers) shrink() {
	size := 0
	for _, i := range s.used {
		size += s.of[i].Size()
	}
	if size <= maxSearchers {
		return
	}
	for _, i := range s.used {
		s.of[i] = nil
	}
	s.used = s.used[:0]
}
