// SPDX-License-Identifier: Apache-2.0

// Package dns sees the name queries of this host and their answers. A packet
// socket with a filter in the kernel takes what goes over port 53 ([Open]); this
// file reads the messages, rdata.go the records in them, join.go puts query and
// answer together, and owner.go finds out which process asked.
//
// What a packet holds was written by anybody: everything here is bounded in bytes
// and steps, and nothing of it panics.
package dns

import (
	"encoding/binary"
	"fmt"
)

// Limits of what is kept of a message.
const (
	maxAnswers  = 64
	maxResponse = 4096 // bytes of the text of all answers
	// maxQuestions bounds the questions that are passed over for the records behind them.
	// One is all that servers answer (RFC 9619).
	maxQuestions = 16
	headerSize   = 12
)

// Message is what is kept of one DNS message. Its slices are used again by the next
// [Message.Parse].
type Message struct {
	ID     uint16
	Answer bool   // an answer, not a query
	Cut    bool   // the server left records out, or more came than is kept
	RCode  uint8  // four bits
	Class  uint16 // of the question, the first if there are several
	Type   uint16 // of the question
	Name   []byte // of the question, as text; empty in an answer that has none
	// Response is the text of the answer records, each ended by a ';'. An address
	// stands alone; other records begin with their type.
	Response []byte
	// Sum tells answers of different content apart. It does not depend on the order of the
	// records, nor on how long they may be kept.
	Sum uint64
}

// Parse reads msg. Only standard queries (opcode 0) with a question and their answers,
// which may be without, are taken. An error wraps [ErrShort], [ErrName] or [ErrOther]; a
// query or answer whose question is whole is taken even if what stands behind it is not:
// Cut is then set, as it is where there are more questions. msg is not kept.
func (m *Message) Parse(msg []byte) error {
	*m = Message{Name: m.Name[:0], Response: m.Response[:0]}
	if len(msg) < headerSize {
		return fmt.Errorf("header of %d bytes: %w", len(msg), ErrShort)
	}
	flags := binary.BigEndian.Uint16(msg[2:])
	questions, answers := binary.BigEndian.Uint16(msg[4:]), int(binary.BigEndian.Uint16(msg[6:]))
	m.ID, m.Answer, m.RCode = binary.BigEndian.Uint16(msg), flags&0x8000 != 0, uint8(flags&15)
	if op := flags >> 11 & 15; op != 0 {
		return fmt.Errorf("opcode %d: %w", op, ErrOther)
	}
	m.Cut = m.Answer && flags&0x0200 != 0 // TC
	next := headerSize
	switch {
	case questions > 0:
		var err error
		if next, err = m.readQuestion(msg); err != nil {
			return err
		}
	case !m.Answer:
		return fmt.Errorf("a query without a question: %w", ErrOther)
	}
	if questions > 1 {
		m.Cut = true
		if next = m.passQuestions(msg, next, int(questions)-1); next < 0 {
			return nil
		}
	}
	if m.Answer {
		m.readAnswers(msg, next, answers)
	}
	return nil
}

// readQuestion reads the first question and returns where the next thing begins.
func (m *Message) readQuestion(msg []byte) (next int, err error) {
	if m.Name, next, err = appendName(m.Name, msg, headerSize); err != nil {
		return 0, fmt.Errorf("name of the question: %w", err)
	}
	if next+4 > len(msg) {
		return 0, fmt.Errorf("question: %w", ErrShort)
	}
	m.Type, m.Class = binary.BigEndian.Uint16(msg[next:]), binary.BigEndian.Uint16(msg[next+2:])
	return next + 4, nil
}

// passQuestions returns where the n questions at off end, -1 if they can not be passed
// over or are too many.
func (m *Message) passQuestions(msg []byte, off, n int) int {
	if !m.Answer || n >= maxQuestions {
		return -1
	}
	first := len(m.Name)
	for range n {
		name, next, err := appendName(m.Name, msg, off)
		m.Name = name[:first]
		if err != nil || next+4 > len(msg) {
			return -1
		}
		off = next + 4
	}
	return off
}

// readAnswers reads n records at off, as far as they go and may be kept.
func (m *Message) readAnswers(msg []byte, off, n int) {
	m.Sum = uint64(m.RCode)
	if n > maxAnswers {
		n, m.Cut = maxAnswers, true
	}
	for range n {
		from := len(m.Response)
		text, next, err := appendRecord(m.Response, msg, off)
		if err != nil || len(text) > maxResponse {
			m.Response, m.Cut = m.Response[:from], true
			return
		}
		m.Response, off = text, next
		m.Sum += sumOf(text[from:])
	}
}

// sumOf is the 64-bit FNV-1a hash of b.
func sumOf(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
