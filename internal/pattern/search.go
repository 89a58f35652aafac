// SPDX-License-Identifier: Apache-2.0

// This file matches a regular expression by a deterministic automaton whose states are
// made as values need them: each byte costs one look-up, whatever the expression. The
// states lie in a searcher, which one goroutine owns; the expression stays shared.

package pattern

import (
	"encoding/binary"
	"math/bits"
	"regexp/syntax"
	"unicode/utf8"
)

// The bounds of a searcher. What goes beyond them is matched by package regexp, whose
// time is bounded by the size of the expression times the length of the value.
const (
	maxSearchSize   = 1500      // instructions of the program
	maxSearchMemory = 256 << 10 // bytes of the states; then they are made anew
	maxFlushes      = 4         // in one value
	maxForeign      = 64        // characters beyond ASCII in one value, each of which is stepped over slowly
)

// Searcher matches one [Regex] and remembers what it learned of it. It is for one
// goroutine. In steady state Match does not allocate.
type Searcher struct {
	r       *Regex
	class   [utf8.RuneSelf]uint8 // of an ASCII character: those of one class are never told apart
	example []byte               // a character of each class
	stride  int                  // of next: the classes, and the end of the value
	next    []int32              // by state and class; 0: not known yet
	sets    [][]uint32           // by state: the instructions that it is in, rising
	before  []context            // by state: what stands before the next character
	index   map[string]int32     // of states, by before and set
	memory  int

	closure, reached []uint64 // sets of instructions, as bits
	stack            []uint32
	key              []byte
	set              []uint32
}

// The results of a step that are no state. States are numbered from firstState.
const (
	unknownState = 0
	matchState   = 1
	failState    = 2
	firstState   = 3
)

// context is what a position knows of the character before it.
type context uint8

const (
	atBegin context = iota
	afterNewline
	afterWord
	afterOther
)

// example returns a character that stands for c, -1 for none.
func (c context) example() rune {
	switch c {
	case atBegin:
		return -1
	case afterNewline:
		return '\n'
	case afterWord:
		return 'a'
	}
	return ' '
}

func contextOf(r rune) context {
	switch {
	case r == '\n':
		return afterNewline
	case syntax.IsWordChar(r):
		return afterWord
	}
	return afterOther
}

// NewSearcher returns a searcher for r.
func (r *Regex) NewSearcher() *Searcher {
	s := &Searcher{r: r}
	if r.run != nil || r.prog == nil {
		return s
	}
	words := (len(r.prog.Inst) + 63) / 64
	s.closure, s.reached = make([]uint64, words), make([]uint64, words)
	s.classify()
	s.flush()
	return s
}

// Size returns about the bytes of memory that s takes.
func (s *Searcher) Size() int { return 1024 + s.memory }

// classify finds the classes of ASCII characters: those that no instruction and no
// assertion tells from each other.
func (s *Searcher) classify() {
	split := func(in func(rune) bool) {
		var number [2 * utf8.RuneSelf]uint8 // 1 + the new number of a class and whether its characters are in
		count := uint8(0)
		for c := range rune(utf8.RuneSelf) {
			at := 2 * int(s.class[c])
			if in(c) {
				at++
			}
			if number[at] == 0 {
				count++
				number[at] = count
			}
			s.class[c] = number[at] - 1
		}
	}
	split(func(r rune) bool { return r == '\n' })
	split(syntax.IsWordChar)
	for i := range s.r.prog.Inst {
		in := &s.r.prog.Inst[i]
		if isRune(in.Op) {
			split(in.MatchRune)
		}
	}
	s.example = s.example[:0]
	for c, class := range s.class {
		if int(class) == len(s.example) {
			s.example = append(s.example, byte(c))
		}
	}
	s.stride = len(s.example) + 1
}

func isRune(op syntax.InstOp) bool {
	return op == syntax.InstRune || op == syntax.InstRune1 || op == syntax.InstRuneAny || op == syntax.InstRuneAnyNotNL
}

// flush forgets all states but the first one.
func (s *Searcher) flush() {
	s.next, s.sets, s.before = s.next[:0], s.sets[:0], s.before[:0]
	s.index, s.memory = map[string]int32{}, 0
	s.set = s.set[:0]
	s.state(atBegin)
}

// state returns the state of s.set behind a character of context c.
func (s *Searcher) state(c context) int32 {
	s.key = append(s.key[:0], byte(c))
	for _, pc := range s.set {
		s.key = binary.AppendUvarint(s.key, uint64(pc))
	}
	if at, ok := s.index[string(s.key)]; ok {
		return at
	}
	at := int32(len(s.sets) + firstState)
	s.index[string(s.key)] = at
	s.sets, s.before = append(s.sets, append([]uint32(nil), s.set...)), append(s.before, c)
	for range s.stride {
		s.next = append(s.next, unknownState)
	}
	s.memory += 128 + len(s.key) + 4*len(s.set) + 4*s.stride
	return at
}

// Match reports whether the expression matches anywhere in v.
func (s *Searcher) Match(v []byte) bool {
	r := s.r
	switch {
	case len(v) < r.shortest:
		return false
	case r.run != nil:
		return r.hasRun(v)
	case !r.factor.in(v):
		return false
	case r.prog == nil:
		return r.Match(v)
	}
	state, foreign, flushes := int32(firstState), 0, 0
	for i := 0; i < len(v); {
		c := v[i]
		var to int32
		if c < utf8.RuneSelf {
			if to = s.next[int(state-firstState)*s.stride+int(s.class[c])]; to == unknownState {
				to = s.learn(state, int(s.class[c]))
			}
			i++
		} else {
			if foreign++; foreign > maxForeign {
				return r.Match(v)
			}
			char, size := utf8.DecodeRune(v[i:])
			to = s.step(state, char)
			i += size
		}
		if to < firstState {
			return to == matchState
		}
		if state = to; s.memory > maxSearchMemory {
			if flushes++; flushes > maxFlushes {
				s.flush()
				return r.Match(v)
			}
			s.set = append(s.set[:0], s.sets[state-firstState]...)
			before := s.before[state-firstState]
			set := append([]uint32(nil), s.set...)
			s.flush()
			s.set = append(s.set[:0], set...)
			state = s.state(before)
		}
	}
	to := s.next[int(state-firstState)*s.stride+s.stride-1]
	if to == unknownState {
		to = s.learn(state, s.stride-1)
	}
	return to == matchState
}

// learn finds where a class of characters, or the end of the value, leads from state.
func (s *Searcher) learn(state int32, class int) int32 {
	char := rune(-1)
	if class < len(s.example) {
		char = rune(s.example[class])
	}
	to := s.step(state, char)
	s.next[int(state-firstState)*s.stride+class] = to
	return to
}

// step returns where char, or the end of the value if it is -1, leads from state.
func (s *Searcher) step(state int32, char rune) int32 {
	prog := s.r.prog
	flags := syntax.EmptyOpContext(s.before[state-firstState].example(), char)
	clear(s.closure)
	s.stack = append(s.stack[:0], s.sets[state-firstState]...)
	s.stack = append(s.stack, uint32(prog.Start))
	for len(s.stack) > 0 {
		pc := s.stack[len(s.stack)-1]
		s.stack = s.stack[:len(s.stack)-1]
		if s.closure[pc/64]>>(pc%64)&1 != 0 {
			continue
		}
		s.closure[pc/64] |= 1 << (pc % 64)
		switch in := &prog.Inst[pc]; in.Op {
		case syntax.InstMatch:
			return matchState
		case syntax.InstAlt, syntax.InstAltMatch:
			s.stack = append(s.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			s.stack = append(s.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				s.stack = append(s.stack, in.Out)
			}
		}
	}
	if char < 0 {
		return failState
	}
	clear(s.reached)
	for i, word := range s.closure {
		for ; word != 0; word &= word - 1 {
			in := &prog.Inst[64*i+bits.TrailingZeros64(word)]
			if isRune(in.Op) && in.MatchRune(char) {
				s.reached[in.Out/64] |= 1 << (in.Out % 64)
			}
		}
	}
	s.set = s.set[:0]
	for i, word := range s.reached {
		for ; word != 0; word &= word - 1 {
			s.set = append(s.set, uint32(64*i+bits.TrailingZeros64(word)))
		}
	}
	return s.state(contextOf(char))
}

// runOf returns the instruction that each character of a run must meet, and the length
// of the run, if re asks for nothing else: a class of characters that is repeated.
func runOf(re *syntax.Regexp) (*syntax.Inst, int) {
	n := 0
	switch re.Op {
	case syntax.OpRepeat:
		n = re.Min
	case syntax.OpPlus:
		n = 1
	}
	if n == 0 || re.Sub[0].Op != syntax.OpAnyChar && re.Sub[0].Op != syntax.OpAnyCharNotNL && re.Sub[0].Op != syntax.OpCharClass {
		return nil, 0
	}
	prog, err := syntax.Compile(re.Sub[0])
	if err != nil {
		return nil, 0
	}
	for i := range prog.Inst {
		if isRune(prog.Inst[i].Op) {
			return &prog.Inst[i], n
		}
	}
	return nil, 0
}

// hasRun reports whether v has so many characters of r's class one after the other.
func (r *Regex) hasRun(v []byte) bool {
	n := 0
	for i := 0; i < len(v); {
		char, size := rune(v[i]), 1
		if char >= utf8.RuneSelf {
			char, size = utf8.DecodeRune(v[i:])
		}
		if i += size; !r.run.MatchRune(char) {
			if n = 0; len(v)-i < r.runLength {
				return false
			}
			continue
		}
		if n++; n >= r.runLength {
			return true
		}
	}
	return false
}

// shortestOf returns how many bytes a match of re has at least.
func shortestOf(re *syntax.Regexp) int {
	const enough = 1 << 20
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortestOf(re.Sub[0])
	case syntax.OpRepeat:
		return min(re.Min*shortestOf(re.Sub[0]), enough)
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n = min(n+shortestOf(sub), enough)
		}
		return n
	case syntax.OpAlternate:
		n := enough
		for _, sub := range re.Sub {
			n = min(n, shortestOf(sub))
		}
		return n
	}
	return 0
}

// ByteSet is a set of ASCII characters.
type ByteSet [2]uint64

func (b *ByteSet) add(c byte) { b[c/64] |= 1 << (c % 64) }

func (b *ByteSet) has(c byte) bool { return c < utf8.RuneSelf && b[c/64]>>(c%64)&1 != 0 }

func (b *ByteSet) len() int { return bits.OnesCount64(b[0]) + bits.OnesCount64(b[1]) }

// bytesOf returns ASCII characters that every match of re has once its ASCII letters
// are folded.
func bytesOf(re *syntax.Regexp) (all ByteSet) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return all
		}
		for _, r := range re.Rune {
			if r < utf8.RuneSelf {
				all.add(folded(byte(r)))
			}
		}
	case syntax.OpCharClass:
		var only ByteSet
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] != re.Rune[i+1] || re.Rune[i] >= utf8.RuneSelf {
				return all
			}
			only.add(folded(byte(re.Rune[i])))
		}
		if only.len() == 1 {
			return only
		}
	case syntax.OpCapture, syntax.OpPlus:
		return bytesOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return bytesOf(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			b := bytesOf(sub)
			all[0], all[1] = all[0]|b[0], all[1]|b[1]
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			b := bytesOf(sub)
			if i == 0 {
				all = b
			}
			all[0], all[1] = all[0]&b[0], all[1]&b[1]
		}
	}
	return all
}

func folded(c byte) byte {
	if c-'A' < 26 {
		return c + ('a' - 'A')
	}
	return c
}

// Bytes returns ASCII characters of which a value must have each to be matched, once its
// ASCII letters are in lower case.
func (r *Regex) Bytes() ByteSet { return r.bytes }
